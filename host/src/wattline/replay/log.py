"""A log exported from a module, lived through again by the same engine.

The export is one file, little endian::

    8 bytes  "WATTLOG1"
    u16      length of the settings, then these as JSON (form, voltage, firmware, poll_s, ...)
    u32      length of the schedules' record, then it; 0 without schedules
    u16      bytes of a row
    then per row: u32 number, u16 filled bytes, the row

`endpoint.store.inputlog` made the rows; its decoder reads them here. Everything before the first
keyframe is left out, and every later keyframe must equal the state that the replay has reached.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endpoint.commands import Commands
from endpoint.line import command
from endpoint.metering import MeteringError
from endpoint.metering.engine import RECORD_BYTES, SCHEDULES_BYTES
from endpoint.metering.forms import form
from endpoint.store import StoreError, inputlog
from wattline.errors import WattlineError
from wattline.replay.runner import Reply, Runner

MAGIC = b"WATTLOG1"
# The engine's record of schedules as a note, behind a keyframe: a keyframe does not carry it, and
# the one of the export is that of the log's end.
NOTE_SCHEDULES = 1
# The module was given other settings between two starts: the next keyframe says what holds.
NOTE_SETTINGS = 2
# The meter told its multiplier: 16 bits. A keyframe carries it, too.
NOTE_MULTIPLIER = 3
_MAX_BYTES = 16 << 20
_SETTINGS = {
    "form": "2S",
    "voltage": 240,
    "cap_w": 0,  # largest believable power before the multiplier; 0: the form's
    "multiplier": 1,
    "detent": True,
    "net": False,
    "firmware": 18,
    "poll_s": 60,
    "net_register_only": False,
}


class LogError(WattlineError):
    """The file is no log of a module, or not a whole one."""


@dataclass
class Log:
    """A log as read from its file, and what the replay found out about it."""

    settings: dict[str, Any]
    schedules: bytes
    inputs: list[inputlog.Entry]
    entries: int = 0
    gaps: int = 0
    keyframes: int = 0
    keyframes_equal: int = 0
    warnings: list[str] = field(default_factory=list)


def is_log(path: Path) -> bool:
    """Tell a log from a scenario by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise WattlineError(f"{path} cannot be read: {error.strerror}.") from None


def write(
    path: Path,
    settings: dict[str, Any],
    schedules: bytes,
    row_bytes: int,
    rows: list[tuple[int, int, bytes]],
) -> None:
    """Write an export.

    Parameters
    ----------
    rows : list of (int, int, bytes)
        Number, filled bytes, row; the unfinished one last.
    """
    text = json.dumps({**_SETTINGS, **settings}).encode()
    parts = [MAGIC, struct.pack("<H", len(text)), text]
    parts += [struct.pack("<I", len(schedules)), schedules, struct.pack("<H", row_bytes)]
    for number, count, row in rows:
        parts.append(struct.pack("<IH", number, count) + bytes(row))
    path.write_bytes(b"".join(parts))


def load(path: Path) -> Log:
    """Read an export.

    Raises
    ------
    LogError
    """
    raw = path.read_bytes()
    if len(raw) > _MAX_BYTES:
        raise LogError(f"{path} has {len(raw)} bytes; a log has at most {_MAX_BYTES}.")
    try:
        return _decode(raw)
    except (struct.error, IndexError, ValueError, KeyError) as error:
        raise LogError(f"{path} is cut off or damaged ({error}); export it again.") from None


def _decode(raw: bytes) -> Log:
    at = len(MAGIC)
    (length,) = struct.unpack_from("<H", raw, at)
    settings = {**_SETTINGS, **json.loads(raw[at + 2 : at + 2 + length])}
    if any(type(settings[key]) is not type(_SETTINGS[key]) for key in _SETTINGS):
        raise ValueError("settings of another kind")
    at += 2 + length
    (length,) = struct.unpack_from("<I", raw, at)
    schedules = raw[at + 4 : at + 4 + length]
    at += 4 + length
    (row_bytes,) = struct.unpack_from("<H", raw, at)
    at += 2
    found = Log(settings, schedules, [])
    decoder = inputlog.Decoder()
    while at < len(raw):
        number, count = struct.unpack_from("<IH", raw, at)
        row = raw[at + 6 : at + 6 + row_bytes]
        if len(row) != row_bytes or count > row_bytes:
            raise ValueError("the last row is not whole")
        at += 6 + row_bytes
        try:
            found.inputs += decoder.feed(number, row, count)
        except StoreError:
            found.gaps += 1
            found.warnings.append(f"row {number} of the log is damaged and was left out")
    found.entries = len(found.inputs)
    return found


def live_through(found: Log, with_trace: bool = False) -> Runner:
    """Run the engine over a log; counts keyframes and gaps in it."""
    settings = found.settings
    try:
        cap_w = settings["cap_w"] or form(settings["form"], settings["voltage"]).cap_w()
        construction = {
            "cap_w": cap_w,
            "detent": settings["detent"],
            "net": settings["net"],
            "firmware_version": settings["firmware"],
            "net_register_only": settings["net_register_only"],
            "poll_s": settings["poll_s"],
            "nominal_dv": settings["voltage"] * 10,
        }
        runner = Runner(construction, 0, with_trace=with_trace)
        runner.settle([("configure_cap", (settings["multiplier"],))])
        return _Player(found, runner).play()
    except MeteringError as error:
        raise LogError(f"The engine refuses the log: {type(error).__name__}.") from None


class _Player:
    """Turns entries into calls of the runner."""

    def __init__(self, found: Log, runner: Runner):
        self._found = found
        self._runner = runner
        self._serial = b""
        self._staged = b""
        self._is_keyed = False

    def play(self) -> Runner:
        runner = self._runner
        if self._found.schedules:
            runner.engine.unpack_schedules_from(self._found.schedules)
        for entry in self._found.inputs:
            self._one(entry)
        if not self._is_keyed:
            self._found.warnings.append("the log has no keyframe, so that nothing can be replayed")
        return runner

    def _one(self, entry: inputlog.Entry) -> None:
        runner, kind, at_ms = self._runner, entry.kind, entry.at_ms
        a, b, c, d = entry.fields
        if kind == inputlog.KEYFRAME:
            self._keyframe(entry)
        elif kind == inputlog.LOST:
            self._found.gaps += 1
            self._is_keyed = False
        elif kind == inputlog.RESTART:
            runner.go_on_from_itself(0, a, b, c)
        elif kind == inputlog.NOTE and a == NOTE_SCHEDULES:
            runner.engine.unpack_schedules_from(entry.data)
        elif kind == inputlog.NOTE and a == NOTE_SETTINGS:
            self._is_keyed = False
        elif kind == inputlog.NOTE and a == NOTE_MULTIPLIER:
            runner.engine.configure_cap(struct.unpack("<H", entry.data)[0])
        elif kind == inputlog.SERIAL:
            self._serial = entry.data
        elif kind == inputlog.READ:
            self._read(at_ms, a, b, c, d)
        elif kind == inputlog.TICK:
            runner.engine.on_tick(at_ms // 1000)
        elif kind == inputlog.DARK:
            runner.engine.on_dark(at_ms)
        elif kind == inputlog.LIT:
            runner.engine.on_lit(at_ms)
        elif kind == inputlog.TIME:
            runner.engine.on_time(a, at_ms // 1000, b)
        elif kind == inputlog.SUPPLY:
            runner.engine.on_supply(bool(a), at_ms // 1000)
        elif kind == inputlog.NO_TABLE:
            runner.engine.on_no_table(at_ms // 1000)
        elif kind == inputlog.METER_CLOCK:
            runner.engine.on_meter_clock(a, at_ms // 1000)
        elif kind == inputlog.TEST_MODE:
            runner.engine.on_test_mode(bool(a), at_ms // 1000)
        elif kind == inputlog.COMMAND:
            self._command(entry)
        runner.now_ms = at_ms

    def _keyframe(self, entry: inputlog.Entry) -> None:
        """Begin here, or compare with the state that the replay has reached."""
        found, runner = self._found, self._runner
        found.keyframes += 1
        if self._is_keyed:
            record = bytearray(RECORD_BYTES)
            runner.engine.placement.flush()  # as the module does before a keyframe
            count = runner.engine.pack_into(record)
            if record[:count] == entry.data[:count]:
                found.keyframes_equal += 1
            else:
                found.warnings.append(
                    f"the state at {entry.at_ms // 1000} s of that start differs from the module's"
                )
            return
        schedules = bytearray(SCHEDULES_BYTES)
        runner.engine.pack_schedules_into(schedules)
        runner.start(0)
        runner.engine.unpack_schedules_from(schedules)
        runner.engine.unpack_from(entry.data)
        runner.engine.go_on(entry.at_ms // 1000)
        self._serial = runner.engine.serial
        self._is_keyed = True

    def _read(self, at_ms: int, forward_wh: int, reverse_wh: int, stamp: int, dv: int) -> None:
        values = {
            "serial": self._serial.decode("latin-1"),
            "forward_wh": forward_wh,
            "reverse_wh": reverse_wh,
            "stamp": stamp,
            "dv": None if dv == inputlog.NO_VOLTAGE else dv,
        }
        self._runner.take_read(at_ms, values)
        self._runner.reads[-1].at_ms = self._label_ms(at_ms)
        self._runner.engine.on_tick(at_ms // 1000)

    def _label_ms(self, at_ms: int) -> int:
        """Return what the module's clock said, ms; 0 while it did not know."""
        return self._runner.engine.utc_s(at_ms // 1000) * 1000

    def _command(self, entry: inputlog.Entry) -> None:
        """Carry a command out as the module did, by the module's own code."""
        runner = self._runner
        module = _Module(runner.engine, self._staged)
        commands = Commands(runner.engine, module, self._found.settings["firmware"])
        code = entry.fields[0]
        result = commands.run(bytes((code,)) + entry.data, entry.at_ms // 1000)
        self._staged = module.data
        done = commands.carried_out == 1
        text = "done" if done else f"refused, result {result}"
        runner.replies.append(
            Reply(self._label_ms(entry.at_ms), f"command 0x{code:02x}", text, done)
        )


class _Module:
    """What `endpoint.commands` needs of an application, without flash."""

    def __init__(self, engine: Any, staged: bytes):
        self._engine = engine
        self.data = staged
        detent, net = engine.pending or (engine.detent, engine.net)
        self.settings = {"detent": detent, "net": net}

    def change(self, fields: dict[str, Any]) -> int:
        """Put settings into force that concern the engine."""
        if "offset_min" in fields:
            self._engine.configure_site(fields["offset_min"], fields["daylight"])
        self.settings.update(fields)
        return command.DONE

    def stage(self, data: bytes) -> None:
        """Keep a schedule until it is activated."""
        self.data = bytes(data)

    def staged(self) -> bytes:
        """Return the schedule that waits."""
        return self.data

    def keep_schedules(self) -> None:
        """Do nothing: the schedules live in the engine here."""

    def identify(self) -> None:
        """Nobody is there to see it."""
