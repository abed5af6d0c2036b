"""Drives the module's engine through inputs, and keeps what it hands out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from endpoint.metering import MeteringError, replies, rows
from endpoint.metering import engine as _engine
from endpoint.metering.engine import RECORD_BYTES, SCHEDULES_BYTES, Engine
from wattline.replay.commands import COMMANDS, Refused
from wattline.replay.inputs import Input
from wattline.replay.trace import Trace

_TICK_MS = 60_000
_PPM = 1_000_000

CAUSES = {
    "power": _engine.POWER,
    "watchdog": _engine.WATCHDOG,
    "reflash": _engine.REFLASH,
    "crash": _engine.CRASH,
    "programmed": _engine.PROGRAMMED,
}


@dataclass
class Read:
    """One answer of the meter and what the engine made of it."""

    at_ms: int
    serial: str
    forward_wh: int
    reverse_wh: int
    credited_wh: int
    outcome: str


@dataclass
class Reply:
    """What the engine said to a command."""

    at_ms: int
    do: str
    reply: str
    done: bool
    reason: str = ""


@dataclass
class Kept:
    """The sink: rows by ring and sequence number, later ones supersede."""

    rings: list[dict[int, bytes]] = field(default_factory=lambda: [{} for _ in range(rows.RINGS)])
    written: int = 0
    trace: Trace | None = None

    def put(self, ring: int, sequence: int, row: Any) -> None:
        """Take one row."""
        self.rings[ring][sequence] = bytes(row)
        self.written += 1
        if self.trace is not None:
            self.trace.row(ring, sequence)


class Runner:
    """An engine, its flash, and the clock that runs beside it.

    Parameters
    ----------
    construction : dict
        Arguments of the engine's constructor.
    start_ms : int
        True time of the first start.
    drift_ppm : int
        By how much the module's counter runs fast.
    commits : bool
        Keep the last records, for restarts that lose one.
    with_trace : bool
        Note each piece of energy as it is placed.

    Attributes
    ----------
    engine : Engine
    kept : Kept
    reads : list of Read
    replies : list of Reply
    now_ms : int
    """

    def __init__(
        self,
        construction: dict[str, Any],
        start_ms: int,
        drift_ppm: int = 0,
        commits: bool = False,
        with_trace: bool = False,
    ):
        self._construction = construction
        self._drift_ppm = drift_ppm
        self._commits_kept = commits
        self.trace = Trace() if with_trace else None
        self.kept = Kept(trace=self.trace)
        self.reads: list[Read] = []
        self.replies: list[Reply] = []
        self.ticks = True
        self._records: list[tuple[bytes, bytes, Any, int]] = []
        self._methods: list[tuple[str, tuple]] = []
        self._schedules: bytes | None = None  # they change by command only
        self._stopped = False
        self._is_dark = False
        self._postponed: tuple[str, bool, int] | None = None  # a restart that waits for power
        self._keeps_at_dark: tuple[int, int] | None = None
        self.start(start_ms)

    def start(self, at_ms: int) -> None:
        """Build an engine whose monotonic counter begins now."""
        self.engine = Engine(**self._construction, sink=self.kept)
        if self.trace is not None:
            self.engine.placement.trace = self.trace.piece
        self.start_ms = self.now_ms = at_ms

    def mono_ms(self, at_ms: int) -> int:
        """Return the module's counter at a true time."""
        return (at_ms - self.start_ms) * (_PPM + self._drift_ppm) // _PPM

    def settle(self, methods: Iterable[tuple[str, tuple]]) -> None:
        """Set the engine up before the first event."""
        self._methods = list(methods)
        for name, arguments in self._methods:
            getattr(self.engine, name)(*arguments)

    def run(self, inputs: Iterable[Input], end_ms: int) -> None:
        """Live through everything until the end."""
        for item in inputs:
            self._wait(item.at_ms)
            self._is_dark = item.kind == "dark" or (self._is_dark and item.kind != "lit")
            if not self._stopped or item.kind in ("lit", "restart"):
                getattr(self, "_" + item.kind)(item.at_ms, item.values)
            self._finish_rows(item.at_ms)
        self._wait(end_ms)
        if not self._stopped:
            self._tick(end_ms)
            self._finish_rows(end_ms)
        self.now_ms = max(self.now_ms, end_ms)

    def _wait(self, at_ms: int) -> None:
        """Let time pass; the module ticks once a minute."""
        while self.ticks and not self._stopped and self.now_ms + _TICK_MS < at_ms:
            self._tick(self.now_ms + _TICK_MS)
        self.now_ms = max(self.now_ms, at_ms)

    def _tick(self, at_ms: int) -> None:
        self.now_ms = at_ms
        self.engine.on_tick(self.mono_ms(at_ms) // 1000)

    def _finish_rows(self, at_ms: int) -> None:
        """Let a long gap go on until all its rows are out."""
        while not self._stopped:
            written = self.kept.written
            self.engine.on_tick(self.mono_ms(at_ms) // 1000)
            if self.kept.written == written:
                return

    def take_read(self, at_ms: int, values: dict[str, Any]) -> None:
        """Take one answer of the meter."""
        self._read(at_ms, values)

    def _commit(self) -> None:
        if not self._commits_kept:
            return
        record = bytearray(RECORD_BYTES)
        count = self.engine.pack_into(record)
        if self._schedules is None:
            schedules = bytearray(SCHEDULES_BYTES)
            self.engine.pack_schedules_into(schedules)
            self._schedules = bytes(schedules)
        mark = self.trace.seal() if self.trace is not None else None
        self._records.append((bytes(record[:count]), self._schedules, mark, len(self.reads)))
        del self._records[:-8]

    # What may happen; each is called by the name of an input's kind.

    def _read(self, at_ms: int, values: dict[str, Any]) -> None:
        engine = self.engine
        mono_ms = self.mono_ms(at_ms)
        before = engine.stale_reads
        try:
            credited_wh = engine.on_read(
                values["serial"].encode(),
                values["forward_wh"],
                values["reverse_wh"],
                mono_ms // 1000,
                values["stamp"],
            )
        except MeteringError:
            self._note_read(at_ms, values, 0, "refused")
            return
        stale = engine.stale_reads != before
        outcome = "good" if engine.is_good else "stale" if stale else "suspect"
        self._note_read(at_ms, values, credited_wh, outcome)
        if values.get("meter_clock_s") is not None:
            engine.on_meter_clock(values["meter_clock_s"], mono_ms // 1000)
        if values.get("dv") is not None:
            engine.on_voltage(mono_ms, values["dv"])
        if engine.is_good:
            self._commit()

    def _note_read(
        self, at_ms: int, values: dict[str, Any], credited_wh: int, outcome: str
    ) -> None:
        self.reads.append(
            Read(
                at_ms,
                values["serial"],
                values["forward_wh"],
                values["reverse_wh"],
                credited_wh,
                outcome,
            )
        )

    def _no_table(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_no_table(self.mono_ms(at_ms) // 1000)

    def _voltage(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_voltage(self.mono_ms(at_ms), values["dv"])

    def _supply(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_supply(values["is_fit"], self.mono_ms(at_ms) // 1000)

    def _test_mode(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_test_mode(values["active"], self.mono_ms(at_ms) // 1000)

    def _multiplier(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.configure_cap(values["multiplier"])

    def _meter_clock(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_meter_clock(values["utc_s"], self.mono_ms(at_ms) // 1000)

    def _time(self, at_ms: int, values: dict[str, Any]) -> None:
        self.engine.on_time(values["utc_s"], self.mono_ms(at_ms) // 1000, values["bound_s"])

    def _dark(self, at_ms: int, values: dict[str, Any]) -> None:
        self._label_before(at_ms)
        self.engine.on_dark(self.mono_ms(at_ms))
        if values.get("committed", True):
            self._commit()

    def _label_before(self, at_ms: int) -> None:
        """Remember what the clock says, in case that it runs while the module does not."""
        self._keeps_at_dark = (at_ms, self.engine.utc_s(self.mono_ms(at_ms) // 1000))

    def _lit(self, at_ms: int, values: dict[str, Any]) -> None:
        keeps = values.get("keeps", "all")
        if self._postponed is not None:
            cause, keeps_clock, lost = self._postponed
            self._postponed = None
            self._back(at_ms, cause, keeps_clock and keeps != "nothing", lost)
        elif keeps == "all" and self._stopped:
            return  # the module is away: it will not see this edge
        elif keeps == "all":
            self.engine.on_lit(self.mono_ms(at_ms))
        else:
            self._back(at_ms, "power", keeps == "clock", 0)

    def _stop(self, at_ms: int, values: dict[str, Any]) -> None:
        self._label_before(at_ms)
        self._stopped = True

    def _restart(self, at_ms: int, values: dict[str, Any]) -> None:
        restart = values["cause"], values["keeps_clock"], values["lost"]
        if self._is_dark:
            self._postponed = restart  # it finds no power, and starts for good with it
        else:
            self._back(at_ms, *restart)

    def _back(self, at_ms: int, cause: str, keeps_clock: bool, lost: int) -> None:
        """Start the module again, from the record that its flash holds."""
        gone_ms, utc_s = self._keeps_at_dark or (at_ms, 0)
        del self._records[len(self._records) - min(lost, len(self._records)) :]
        record = self._records[-1] if self._records else None
        self._stopped = False
        self.start(at_ms)
        utc_s = utc_s + (at_ms - gone_ms + 500) // 1000 if keeps_clock and utc_s else 0
        for read in self.reads[record[3] if record else 0 :]:
            read.credited_wh = 0
            if read.outcome == "good":
                read.outcome = "lost"
        if record is None:
            self.settle(self._methods)
            if utc_s:
                self.engine.on_time(utc_s, 0)
            return
        if self.trace is not None:
            self.trace.unwind(record[2])
        self.engine.unpack_schedules_from(record[1])
        self.engine.unpack_from(record[0])
        self.engine.on_restart(CAUSES[cause], 0, utc_s)

    def go_on_from_itself(self, at_ms: int, cause: int, utc_s: int, bound_s: int) -> None:
        """Start again with the present state, as a log tells it."""
        self._schedules = None
        self._commits_kept = True
        self._commit()
        record, schedules, _, _ = self._records[-1]
        self.start(at_ms)
        self.engine.unpack_schedules_from(schedules)
        self.engine.unpack_from(record)
        self.engine.on_restart(cause, 0, utc_s, bound_s)

    def _command(self, at_ms: int, values: dict[str, Any]) -> None:
        command = COMMANDS[values["do"]]
        try:
            number = command.run(self.engine, self.mono_ms(at_ms) // 1000, values["arguments"])
        except Refused as refusal:
            self.replies.append(Reply(at_ms, values["do"], "refused", False, str(refusal)))
            return
        except MeteringError as error:
            reason = f"{type(error).__name__}: {(error.__doc__ or '').strip()}"
            self.replies.append(Reply(at_ms, values["do"], "refused", False, reason))
            return
        number = replies.DONE if number is None else number
        text = replies.NAMES[number]
        self.replies.append(Reply(at_ms, values["do"], text, number == replies.DONE))
        self._schedules = None
        self._commit()
