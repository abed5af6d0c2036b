"""The other end of the bench's line: beacons, commands and their answers, and the line's voltage.

It keeps its own keys, counters and clock, and knows of the module what the collector heard.
"""

import math
import random
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from endpoint.line import payload
from endpoint.line.chain import EPOCH_UNIX_S
from endpoint.line.command import SET_STREAM, pack
from endpoint.line.detector import TONES_OF
from endpoint.line.framing import tones_of
from endpoint.line.profile import Profile
from endpoint.metering.gates import may_activate_streaming
from wattline.collector.records import Frame
from wattline.downlink import frames
from wattline.downlink.budget import check_stream
from wattline.downlink.keys import ReleasedKeys, working_key
from wattline.downlink.registry import Registry
from wattline.errors import WattlineError
from wattline.line.mains import Mains

NS_PER_S = 1_000_000_000
SLOT_S = 30
_SLOTS = 20_000
# Placed this far ahead, so that no sample of a frame has been taken already.
_LEAD_S = 1.0
# Until a frame has been judged the slot of its key must not have begun: its end, the module's
# work, and what the module may be wrong by.
_SAFE_S = 4.0
# Parts of full scale: the mains behind the band filter, its harmonics, and the injected tone.
_MAINS = 0.6
_HARMONICS = ((3, 0.03), (5, 0.03))
_TONE = 0.005
_HALF_SCALE = 2048
_KNOT_NS = NS_PER_S // 4
_NOISE_CODES = 0.5
_NOISE_LENGTH = 4093


@dataclass
class Ticket:
    """One command on its way.

    `answer` has the fields of the ACK; `on_line` is when its frame began, s.
    """

    text: str
    code: int
    reference: int | None = None
    answer: dict[str, int] | None = None
    on_line: float | None = None
    frame: bytes | None = field(default=None, repr=False)

    @property
    def result(self) -> int | None:
        """What the endpoint said, None while it has not."""
        return None if self.answer is None else self.answer["result"]


class HeadEnd:
    """Speaks to one endpoint, a group, or all.

    Parameters
    ----------
    mains : Mains
        The line; its phase is the bus's cycle count.
    profile : Profile
    eid : int
    unix_s : int
        UTC at the simulation's second 0.
    seed : int
        Of keys and converter noise.
    slot_s : int
        Between two beacons.
    """

    def __init__(
        self,
        mains: Mains,
        profile: Profile,
        eid: int,
        unix_s: int,
        seed: int,
        slot_s: int = SLOT_S,
    ) -> None:
        rng = random.Random(f"headend {seed}")
        self._mains = mains
        self._profile = profile
        self._tones = TONES_OF[profile.name]
        self._eid = eid
        self._unix_s = unix_s
        self._root = rng.randbytes(16)
        self._keys = ReleasedKeys(
            rng.randbytes(16), (unix_s - EPOCH_UNIX_S) // slot_s, _SLOTS, slot_s
        )
        self._folder = tempfile.TemporaryDirectory(prefix="wattline-")
        self._registry = Registry(Path(self._folder.name) / "counters.json")
        self._queue: deque[tuple[Ticket, Callable[[int], bytes], bool]] = deque()
        self._free_cycle = 0
        self._next_beacon = self._keys.slot_at(unix_s) + 1
        self._placed: deque[tuple[int, list[float]]] = deque()
        self._knot = -1
        self._coefficients = (0.0, 0.0, 0.0)
        self._noise = [rng.gauss(0.5, _NOISE_CODES) for _ in range(_NOISE_LENGTH)]
        self._samples = 0
        self.tickets: list[Ticket] = []
        self.frames_sent = 0
        self.beacons = 0

    def secrets(self) -> dict[str, str]:
        """Return what a module is given at programming, as `endpoint.keys` has it."""
        anchor = self._keys.anchor(self._keys.first_slot)
        return {"line_key": self._root.hex(), "anchor": anchor.hex()}

    def unix_at(self, t_s: float) -> float:
        """Return UTC at a simulated second."""
        return self._unix_s + t_s

    # Commands

    def send(self, text: str, command: bytes, counter: int | None = None) -> Ticket:
        """Queue a command to the endpoint; with `counter` an old frame is sent again."""
        counter = self._registry.counter(self._eid) if counter is None else counter
        frame = frames.individual(working_key(self._root, 0), self._eid, counter, command)
        ticket = Ticket(text, command[0], counter & 0xFFFF)
        self._queue.append((ticket, lambda slot: frame, False))
        self.tickets.append(ticket)
        return ticket

    def send_group(self, text: str, group: int, command: bytes) -> Ticket:
        """Queue a command to a group; its key is released with a later beacon."""
        ticket = Ticket(text, command[0])

        def made(slot: int) -> bytes:
            ticket.reference = slot & 0xFFFF
            address = frames.group_address(group)
            return frames.released(self._keys.element(slot), address, slot, command)

        self._queue.append((ticket, made, True))
        self.tickets.append(ticket)
        return ticket

    def stream(self, mode: int, extreme: int, collector_can: bool, headend_can: bool) -> Ticket:
        """Queue the command that switches streaming on or off.

        Raises
        ------
        WattlineError
            Collector or head-end cannot (G-2), or it does not fit; nothing is sent.
        """
        if mode and not may_activate_streaming(collector_can, headend_can):
            raise WattlineError(
                "streaming needs a collector and a head-end that can take it: upgrade both first"
            )
        check_stream(self._profile.name, mode)
        return self.send("SET_STREAM", pack(SET_STREAM, (mode, extreme)))

    def hear(self, frame: Frame) -> Ticket | None:
        """Give a frame of the uplink to the command that it answers; return that."""
        if frame.payload[0] >> 4 != payload.ACK:
            return None
        fields = frame.fields
        for ticket in self.tickets:
            if ticket.answer is not None or ticket.on_line is None:
                continue
            if ticket.reference != fields["reference"]:
                continue
            ticket.answer = fields
            return ticket
        return None

    # The line

    def place(self, now_s: float) -> None:
        """Put what is due onto the line; call at least twice a second."""
        while self._place_one(now_s):
            pass

    def _place_one(self, now_s: float) -> bool:
        frame_s = self._tones.frame_cycles / 60.0 + 0.2
        beacon_s = self._keys.start_of(self._next_beacon) - self._unix_s
        if beacon_s < now_s:  # nobody listened to that one
            self._next_beacon += 1
            return True
        if beacon_s - now_s <= _LEAD_S:
            slot, self._next_beacon = self._next_beacon, self._next_beacon + 1
            self.beacons += 1
            start = self._first_cycle(beacon_s)
            late_s = float(self._mains.times(np.array([float(start)]))[0]) - beacon_s
            self._put(
                frames.beacon(self._keys.element(slot), slot, start, int(late_s * 256)), start
            )
            return True
        start_s = now_s + _LEAD_S / 2
        if not self._queue or self._first_cycle(start_s) < self._free_cycle:
            return False
        if start_s + frame_s > beacon_s:
            return False
        ticket, made, is_released = self._queue.popleft()
        slot = self._next_beacon
        if is_released and start_s + frame_s + _SAFE_S > beacon_s:
            slot += 1
        ticket.on_line = start_s
        self._put(made(slot), self._first_cycle(start_s))
        return True

    def _first_cycle(self, t_s: float) -> int:
        m = self._tones.cycles_per_symbol
        return math.ceil(float(self._mains.phase(np.array([t_s]))[0]) / m) * m

    def _put(self, frame: bytes, start: int) -> None:
        m = self._tones.cycles_per_symbol
        ratios = [2 * math.pi * self._tones.tones[tone] / m for tone in tones_of(frame)]
        self._placed.append((start, ratios))
        self._free_cycle = start + self._tones.frame_cycles
        self.frames_sent += 1

    def code(self, t_ns: int) -> int:
        """Return the converter's code at a time that never goes back."""
        knot, rest = divmod(t_ns, _KNOT_NS)
        if knot != self._knot:
            self._follow(knot)
        base, slope, bend = self._coefficients
        u = rest / _KNOT_NS
        cycles = base + u * (slope + u * bend)
        turn = 2 * math.pi * (cycles % 1.0)
        volts = _MAINS * math.sin(turn)
        for order, share in _HARMONICS:
            volts += _MAINS * share * math.sin(order * turn)
        if self._placed:
            start, ratios = self._placed[0]
            since = cycles - start
            if since >= self._tones.frame_cycles:
                self._placed.popleft()
            elif since >= 0:
                ratio = ratios[int(since) // self._tones.cycles_per_symbol]
                volts += _TONE * math.cos(ratio * since)
        self._samples += 1
        noise = self._noise[self._samples % _NOISE_LENGTH]
        return int(_HALF_SCALE + _HALF_SCALE * volts + noise)

    def _follow(self, knot: int) -> None:
        """Fit the quarter of a second, in which the line's frequency is linear."""
        t_s = (knot + np.array([0.0, 0.5, 1.0])) * _KNOT_NS / NS_PER_S
        p, q, r = (float(phase) for phase in self._mains.phase(t_s))
        self._coefficients = (p, 4 * q - 3 * p - r, 2 * (p - 2 * q + r))
        self._knot = knot
