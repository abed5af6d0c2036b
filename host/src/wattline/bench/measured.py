"""The bench's rig with a meter of its own on every cost: CPU time, chip cycles, wire, heap."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wattline.bench.options import Options
from wattline.bench.rig import NS_PER_S, Rig
from wattline.collector.records import Frame
from wattline.emulator.flash import FlashOperation
from wattline.errors import RunError
from wattline.image import boards
from wattline.image.build import Image

_STEP_S = 0.5
_FIRST_STEP_S = 0.02
_FIRST_READ_S = 20.0
_ANSWER_S = 5.0
# A read, its commit and the collection after it end this long after the last byte.
_AFTER_POLL_NS = NS_PER_S
# From the word that a frame begins to its decoding.
_FRAME_S = 22.0
# What the module says of a start and what the collector finds differ by the ring's lead.
_SAME_FRAME_S = 2.0
_BITS_PER_BYTE = 10
_BAUD_BPS = 9600
# The FIFO has a byte at the middle of its stop bit; twice that is no byte early.
_BIT_NS = NS_PER_S // _BAUD_BPS
# An acknowledgement that nobody waits for: the port reads and drops it. A second and a half.
_NOISE = b"\x06" * 1440
_DISTURBED_S = 70


@dataclass
class Cost:
    """CPU seconds of the host for each part, and simulated seconds they bought."""

    simulated_s: float = 0.0
    chip_s: float = 0.0
    line_s: float = 0.0
    collector_s: float = 0.0


@dataclass
class Session:
    """One read of the meter: what the module timed and what the wire needed, ms and bytes."""

    session_ms: int
    wire_ms: float
    wire_bytes: int


@dataclass
class Road:
    """What one run of the whole road cost."""

    boot_cycles: int = 0
    boot_ms: float = 0.0
    first_read: Cost = field(default_factory=Cost)
    steady: Cost = field(default_factory=Cost)
    quiet_cycles: int = 0
    quiet_s: float = 0.0
    poll_cycles: int = 0
    poll_s: float = 0.0
    flash_ms: float = 0.0
    sessions: list[Session] = field(default_factory=list)
    heap: list[dict[str, Any]] = field(default_factory=list)
    frames_due: int = 0
    frames_decoded: int = 0
    programs: int = 0
    erases: int = 0
    fifo_wait_ms: dict[str, float] = field(default_factory=dict)

    @property
    def quiet_cycles_per_s(self) -> float:
        """Chip cycles per second between reads, carrier on."""
        return self.quiet_cycles / self.quiet_s

    @property
    def cycles_per_poll(self) -> float:
        """Chip cycles that one read adds to the carrier's, waiting for the flash included."""
        return (self.poll_cycles - self.poll_s * self.quiet_cycles_per_s) / len(self.sessions)


class FifoWait:
    """Times each byte from the end of its stop bit to its being read from the FIFO.

    Attributes
    ----------
    worst_ns : int
    """

    def __init__(self, uart: Any) -> None:
        self.worst_ns = 0
        self._uart = uart
        self._due: deque[int] = deque()
        self._send, self._read = uart.send, uart._read
        uart.send, uart._read = self._sent, self._taken

    def _sent(self, data: bytes, at_ns: int | None = None) -> int:
        end_ns = self._send(data, at_ns=at_ns)
        byte_ns = _BITS_PER_BYTE * NS_PER_S // self._uart.line_baud
        self._due += [end_ns - left * byte_ns for left in reversed(range(len(data)))]
        return end_ns

    def _taken(self) -> int:
        now_ns = int(self._uart.rp2040.clock.nanos)
        if self._due and self._due[0] <= now_ns + _BIT_NS:
            self.worst_ns = max(self.worst_ns, now_ns - self._due.popleft())
        return self._read()


class MeasuredRig(Rig):
    """A rig that counts what it spends.

    Parameters
    ----------
    options : Options
    image : Image
    """

    def __init__(self, options: Options, image: Image) -> None:
        super().__init__(options, image)
        self.cost = Cost()
        self.first_request: tuple[int, int] | None = None
        self.last_request_ns = -_AFTER_POLL_NS
        self.flash_ns = 0
        self.programs = self.erases = 0
        self.wire_bytes = 0
        wiring = boards.data(options.board)
        optical, port = (
            self.module.uart[number] for number in (wiring.OPTICAL_UART, wiring.PROGRAM_UART)
        )
        self.waits = {"optical": FifoWait(optical), "programming": FifoWait(port)}
        self._port = port
        self._disturbed = False
        self._watch_wire(optical)
        self.module.on_flash_operation = self._flash_operation

    def ask(self) -> dict[str, Any]:
        """Return the module's own status, by its console's `json`, after a collection.

        Raises
        ------
        RunError
            It does not answer.
        """
        console = self.module.console
        relay, console.on_data = console.on_data, None
        console.write(b"json\r")
        end_ns = self.module.now_ns + int(_ANSWER_S * NS_PER_S)
        text = b""
        try:
            while self.module.now_ns < end_ns:
                self._listen(NS_PER_S // 50)
                text += console.read()
                for line in text.splitlines(keepends=True):
                    if line.startswith(b"{") and line.endswith(b"\n") and b"heap_used" in line:
                        return json.loads(line)
        finally:
            console.on_data = relay
        raise RunError("the module's console does not answer `json`; look at wattline bench")

    def _listen(self, dt_ns: int) -> list[Frame]:
        cost, now_ns = self.cost, self.module.now_ns
        if self.headend is not None:
            self.headend.place(self.now_s)
        times = [time.process_time()]
        self.module.run_for_ns(dt_ns)
        times.append(time.process_time())
        voltage, self.current = self._scene.block(self.module.now_ns)
        times.append(time.process_time())
        frames = self.receiver.feed(voltage, self.current)
        times.append(time.process_time())
        cost.simulated_s += (self.module.now_ns - now_ns) / NS_PER_S
        cost.chip_s += times[1] - times[0]
        cost.line_s += times[2] - times[1]
        cost.collector_s += times[3] - times[2]
        return frames

    def _watch_wire(self, uart: Any) -> None:
        to_meter, to_chip = uart.on_byte, uart.send

        def heard(value: int, t_ns: int) -> None:
            self.wire_bytes += 1
            if self._disturbed and t_ns - self.last_request_ns > _AFTER_POLL_NS:
                self._port.send(_NOISE)
            self.last_request_ns = t_ns
            if self.first_request is None:
                self.first_request = (t_ns, self.module.cycles)
            to_meter(value, t_ns)

        def sent(data: bytes, at_ns: int | None = None) -> int:
            self.wire_bytes += len(data)
            return to_chip(data, at_ns=at_ns)

        uart.on_byte, uart.send = heard, sent

    def disturb(self) -> None:
        """Let somebody talk to the programming port through each read and the commit after it."""
        self._disturbed = True

    def _flash_operation(self, operation: FlashOperation) -> None:
        self.programs += operation.kind == "program"
        self.erases += operation.kind == "erase"
        self.flash_ns += operation.end_ns - operation.start_ns


def travel(
    rig: MeasuredRig,
    minutes: int,
    advance: Callable[[float], None],
    programmed: Callable[[MeasuredRig], None],
) -> Road:
    """Boot a blank module, program it, run it for `minutes` and return what it cost.

    Parameters
    ----------
    rig : MeasuredRig
        Fresh.
    minutes : int
        Simulated minutes after the programmed module's reset; the heap is asked for at each.
    advance : callable
        Told the minutes done, for a progress bar.
    programmed : callable
        Called once with the rig when the module is programmed and about to boot.
    """
    rig.commission()
    programmed(rig)
    return _Travel(rig, advance).run(minutes)


class _Travel:
    def __init__(self, rig: MeasuredRig, advance: Callable[[float], None]) -> None:
        self._rig = rig
        self._advance = advance
        self._road = Road()
        self._start_ns = rig.module.now_ns
        self._announced: list[float] = []
        self._started: list[float] = []

    def run(self, minutes: int) -> Road:
        """Run to the end; costs count from the first frame on, when the carrier says something."""
        rig, road = self._rig, self._road
        self._first_read()
        for minute in range(1, minutes + 1):
            end_ns = self._start_ns + 60 * minute * NS_PER_S
            while rig.module.now_ns < end_ns:
                seconds = min(_STEP_S, (end_ns - rig.module.now_ns) / NS_PER_S)
                if self._announced:
                    self._counted_step(seconds)
                else:
                    rig.cost = road.steady = Cost()
                    self._step(seconds)
                self._advance((rig.module.now_ns - self._start_ns) / 60 / NS_PER_S)
            road.heap.append({"minute": minute, **rig.ask()})
        self._disturb()
        due = [t_s for t_s in self._announced if t_s + _FRAME_S < rig.now_s]
        road.frames_due = len(due)
        road.frames_decoded = sum(
            any(abs(due_s - start_s) < _SAME_FRAME_S for start_s in self._started) for due_s in due
        )
        return road

    def _disturb(self) -> None:
        """Live for one more poll while both UARTs receive, and note how long bytes waited."""
        rig = self._rig
        rig.disturb()
        end_ns = rig.module.now_ns + _DISTURBED_S * NS_PER_S
        while rig.module.now_ns < end_ns:
            self._step(_STEP_S)
        self._road.fifo_wait_ms = {name: wait.worst_ns / 1e6 for name, wait in rig.waits.items()}

    def _first_read(self) -> None:
        rig, road = self._rig, self._road
        start_cycles, rig.first_request = rig.module.cycles, None
        rig.cost = road.first_read
        while not self._step(_FIRST_STEP_S):
            if rig.module.now_ns - self._start_ns > _FIRST_READ_S * NS_PER_S:
                raise RunError("the module does not read the meter; see what wattline bench says")
        assert rig.first_request is not None
        first_ns, first_cycles = rig.first_request
        road.boot_ms = (first_ns - self._start_ns) / 1e6
        road.boot_cycles = first_cycles - start_cycles

    def _counted_step(self, seconds: float) -> None:
        """Let a step pass and book its cycles: to reading the meter, or to the carrier alone."""
        rig, road, module = self._rig, self._road, self._rig.module
        before_ns, before_cycles, flash_ns = module.now_ns, module.cycles, rig.flash_ns
        programs, erases = rig.programs, rig.erases
        sessions = self._step(seconds)
        spent_s = (module.now_ns - before_ns) / NS_PER_S
        cycles = module.cycles - before_cycles
        if before_ns - rig.last_request_ns > _AFTER_POLL_NS:
            road.quiet_s += spent_s
            road.quiet_cycles += cycles
        else:
            road.poll_s += spent_s
            road.poll_cycles += cycles
        road.sessions += sessions
        road.programs += rig.programs - programs
        road.erases += rig.erases - erases
        road.flash_ms += (rig.flash_ns - flash_ns) / 1e6

    def _step(self, seconds: float) -> list[Session]:
        """Let a step pass; return the sessions that ended in it."""
        rig = self._rig
        frames, events = rig.step(seconds)
        self._started += [frame.start_s for frame in frames]
        sessions = []
        for event in events:
            if event["event"] == "frame":
                self._announced.append(rig.now_s)
            elif event["event"] == "read":
                wire_ms = rig.wire_bytes * _BITS_PER_BYTE * 1000 / _BAUD_BPS
                sessions.append(Session(event["session_ms"], wire_ms, rig.wire_bytes))
                rig.wire_bytes = 0
        return sessions
