"""The engine and everything that remembers it: one way in for each event, one commit behind it.

An event is noted in the input log, told to the engine, whose rows go into the rings, and then
one record takes the new state together with the numbers that make those rows and entries
valid. A power cut leaves all of it or none (E-10).

The flash stops interrupts: every method but `total` is to be called while no byte can arrive.

Context: task only. Allocates: what the engine does, and views of the record.
"""

import struct
from binascii import crc32

from micropython import const

from endpoint.line.command import SCHEDULE
from endpoint.metering import UnknownFormat
from endpoint.metering.engine import RECORD_BYTES, SCHEDULES_BYTES
from endpoint.store import StoreError, inputlog
from endpoint.store.inputlog import NO_VOLTAGE, InputLog
from endpoint.store.layout import INPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Version of this frame around the engine's record, spare, log ring's next row.
_HEAD = "<BBHI"
_HEAD_BYTES = const(8)
_VERSION = const(1)
# Number and filled bytes of the log's unfinished row; the bytes follow.
OPEN_ROW_HEAD = "<IB"
_DAY_MS = const(86_400_000)

# NOTE entries: the engine's record of schedules, which a keyframe does not carry; and that the
# settings were changed while nobody noted it, so that the next keyframe is where to go on.
NOTE_SCHEDULES = const(1)
NOTE_SETTINGS = const(2)
NOTE_MULTIPLIER = const(3)


class Books:
    """Keeps the state of one engine; the engine's sink.

    Parameters
    ----------
    journal : Journal
        Of the state record.
    schedules : Journal
        Of the rate schedules.
    rings : Rings

    Attributes
    ----------
    engine : Engine
        Set by the caller before `open`.
    may_erase : callable
        Tells whether no byte of anybody can arrive for a tenth of a second: an erase that is due
        can wait for that, two records ahead of need.
    sequence : int
        Number of the newest record.
    commit_failures, lost_rows, lost_entries : int
        What the flash did not take; the totals go on in memory.
    """

    def __init__(self, journal, schedules, rings):
        self.engine: Any = None
        self.may_erase: Any = _always
        self._journal = journal
        self._schedules = schedules
        self._rings = rings
        self._log = InputLog(rings.rings[INPUT])
        self._engine_at = _HEAD_BYTES + self._log.state_bytes
        self._record = bytearray(self._engine_at + RECORD_BYTES)
        self._engine_record = memoryview(self._record)[self._engine_at :]
        self._schedule_record = bytearray(SCHEDULES_BYTES)
        self._serial = None
        self._keyframe_ms = 0
        self._opened_crc = None
        self.sequence = 0
        self.commit_failures = 0
        self.lost_rows = 0
        self.lost_entries = 0

    def open(self):
        """Go on where the newest record stands.

        Returns
        -------
        bool
            Whether there was a record.

        Raises
        ------
        StoreError, MeteringError
            The record was written by another version; nothing was changed.
        """
        engine = self.engine
        self._journal.mount()
        length = self._journal.load(self._record)
        if length:
            version, _, _, log_next = struct.unpack_from(_HEAD, self._record)
            if version != _VERSION or length < self._engine_at:
                raise UnknownFormat
            self._open_schedules()
            record = self._engine_record[: length - self._engine_at]
            engine.unpack_from(record)
            self._opened_crc = crc32(record)
            self._settle()
            self._rings.mount(engine.placement.sequences + [log_next])
            self._log.unpack_from(self._record, _HEAD_BYTES)
        else:
            self._open_schedules()
            self._settle()
            self._rings.mount([0] * len(self._rings.rings))
        return length > 0

    def _settle(self):
        self._journal.settle()
        self._schedules.settle()

    def _open_schedules(self):
        self._schedules.mount()
        if self._schedules.load(self._schedule_record):
            self.engine.unpack_schedules_from(self._schedule_record)

    # -- events ---------------------------------------------------------------------

    def restart(self, cause, now_ms):
        """Begin this start of the module; `cause` as in `Engine.on_restart`.

        The log gets the state as the record and then the settings left it: a replay can begin
        here, and finds out whether anything but events has changed the record.
        """
        self._serial = None
        is_first = self._opened_crc is None
        self._keyframe(now_ms)
        if not is_first:  # a module's first start is none to its engine
            self._note(inputlog.RESTART, now_ms, cause)
        self.engine.on_restart(cause, now_ms // 1000)
        self.commit(now_ms)

    def read(self, reading, stamp, voltage_dv, now_ms):
        """Take one read of the meter; return the Wh credited.

        Parameters
        ----------
        reading : MeterReading
        stamp : int
            Its clock, 0: none.
        voltage_dv : int
            0: none.
        now_ms : int

        Raises
        ------
        BadReading
            Not a read at all; nothing was changed.
        """
        engine = self.engine
        now_s = now_ms // 1000
        credited_wh = engine.on_read(
            reading.serial, reading.forward_wh, reading.reverse_wh, now_s, stamp
        )
        if self._serial != reading.serial:
            self._serial = reading.serial
            self._note_data(inputlog.SERIAL, now_ms, 0, reading.serial)
        noted_dv = voltage_dv or NO_VOLTAGE
        self._note(inputlog.READ, now_ms, reading.forward_wh, reading.reverse_wh, stamp, noted_dv)
        if voltage_dv:
            engine.on_voltage(now_ms, voltage_dv)
        engine.on_tick(now_s)
        if (
            now_ms - self._keyframe_ms >= _DAY_MS
            or self._log.rows_since_keyframe == inputlog.ROWS_MAX
        ):
            self._keyframe(now_ms)  # here the record's last second is this one
        self.commit(now_ms)
        return credited_wh

    def tick(self, now_ms):
        """Let time close what it alone can close."""
        self._note(inputlog.TICK, now_ms)
        self.engine.on_tick(now_ms // 1000)

    def no_table(self, now_ms):
        """Note that the meter answered and has no usable data table (F-3)."""
        self._note(inputlog.NO_TABLE, now_ms)
        self.engine.on_no_table(now_ms // 1000)
        self.commit(now_ms)

    def meter_clock(self, utc_s, now_ms):
        """Take what the meter's own clock says (C-6)."""
        self._note(inputlog.METER_CLOCK, now_ms, utc_s)
        self.engine.on_meter_clock(utc_s, now_ms // 1000)

    def cap(self, multiplier, now_ms):
        """Size the largest believable power for a meter that multiplies by so much (E-7)."""
        self._note_data(inputlog.NOTE, now_ms, NOTE_MULTIPLIER, struct.pack("<H", multiplier))
        self.engine.configure_cap(multiplier)
        self.commit(now_ms)

    def dark(self, now_ms):
        """Note that power fails: commit first, everything else later or never (O-6)."""
        self.engine.on_dark(now_ms)
        self._note(inputlog.DARK, now_ms)
        self._commit()

    def lit(self, now_ms):
        """Note that power is back and the module never stopped."""
        self._note(inputlog.LIT, now_ms)
        self.engine.on_lit(now_ms)
        self.commit(now_ms)

    def supply(self, in_limits, now_ms):
        """Note that supply or frequency left or re-entered its limits (P-1)."""
        self._note(inputlog.SUPPLY, now_ms, int(in_limits))
        self.engine.on_supply(in_limits, now_ms // 1000)

    def time(self, utc_s, bound_s, at_ms, now_ms):
        """Take a time: at `at_ms` it was `utc_s`, give or take `bound_s`."""
        self._note(inputlog.TIME, at_ms, utc_s, bound_s)
        self.engine.on_time(utc_s, at_ms // 1000, bound_s)
        self.commit(now_ms)

    def command(self, text, run, now_ms, staged=b""):
        """Note a command, let `run(text, mono_s)` carry it out, commit; return its result.

        Parameters
        ----------
        text : bytes
            Code and arguments.
        run : callable
        now_ms : int
        staged : bytes, optional
            The schedule that the command puts in force; the log may no longer reach back to
            where it came from.
        """
        result = run(text, now_ms // 1000)
        # Also a command that the engine never hears of leaves it knowing how late it is.
        self.engine.utc_s(now_ms // 1000)
        if staged:
            self._note_data(inputlog.COMMAND, now_ms, SCHEDULE, staged)
        self._note_data(inputlog.COMMAND, now_ms, text[0], text[1:])
        self.commit(now_ms)
        return result

    def open_row(self):
        """Return the log's unfinished row: its number, its filled bytes, and these."""
        state = bytearray(self._log.state_bytes)
        self._log.pack_into(state, 0)
        head = struct.pack(OPEN_ROW_HEAD, self._rings.rings[INPUT].next, state[0])
        return head + state[1 : 1 + state[0]]

    # -- keeping --------------------------------------------------------------------

    def put(self, ring, sequence, row):
        """Write one row; a flash that does not take it must not stop the engine."""
        try:
            self._rings.put(ring, sequence, row)
        except StoreError:
            self.lost_rows += 1

    def commit(self, now_ms):
        """Make everything so far valid, then make room while nobody talks."""
        if self._commit() and self.may_erase():
            try:
                if not self._journal.prepare():
                    self._rings.prepare()
            except StoreError:
                self.commit_failures += 1

    def keep_schedules(self):
        """Store schedules and critical-peak events, before a command about them is answered."""
        count = self.engine.pack_schedules_into(self._schedule_record)
        self._schedules.commit(self._schedule_record, count)

    def _commit(self):
        length = self.engine.pack_into(self._engine_record)
        struct.pack_into(_HEAD, self._record, 0, _VERSION, 0, 0, self._rings.rings[INPUT].next)
        self._log.pack_into(self._record, _HEAD_BYTES)
        try:
            self._journal.commit(self._record, self._engine_at + length)
        except StoreError:
            # Worn-out flash must not stop the reading: totals are lost only with the power.
            self.commit_failures += 1
            return False
        self.sequence = self._journal.sequence
        return True

    def _keyframe(self, now_ms):
        self._keyframe_ms = now_ms
        if self._opened_crc is not None:
            if self._opened_crc != crc32(self._packed()):
                self._note_data(inputlog.NOTE, now_ms, NOTE_SETTINGS, b"")
            self._opened_crc = None
        # Who looks at values books what is pending; a state to compare must not depend on that.
        self.engine.placement.flush()
        record = self._packed()
        self._note_data(inputlog.KEYFRAME, now_ms, 0, record)
        count = self.engine.pack_schedules_into(self._schedule_record)
        self._note_data(
            inputlog.NOTE, now_ms, NOTE_SCHEDULES, memoryview(self._schedule_record)[:count]
        )
        if self._serial is not None:
            self._note_data(inputlog.SERIAL, now_ms, 0, self._serial)

    def _packed(self):
        return self._engine_record[: self.engine.pack_into(self._engine_record)]

    def _note(self, kind, now_ms, a=0, b=0, c=0, d=0):
        try:
            self._log.put(kind, now_ms, a, b, c, d)
        except StoreError:
            self.lost_entries += 1

    def _note_data(self, kind, now_ms, code, data):
        try:
            self._log.put(kind, now_ms, code, data=data, count=len(data))
        except StoreError:
            self.lost_entries += 1


def _always():
    return True
