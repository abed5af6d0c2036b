"""A module's whole storage, living, cut at every operation in every way, and called to account.

`Life` is what the application does with the flash: a poll credits energy, notes it in the input
log, now and then closes a row, commits the record; settings change; prepare() when nothing waits.
`cut_everywhere` stops it at each operation, starts it again on what is left and compares: the
record is the last or the one being written, rows and log belong to it, no watt-hour is missing.

A cut is named ``life:operation:tear:seed``, with ``/operation:tear:seed`` for a second one
counted from the start after the first. `replay` does that one again.
"""

import struct

from flash_model import TEARS, FlashModel, PowerCut

from endpoint.store.inputlog import (
    KEYFRAME,
    LOST,
    NO_VOLTAGE,
    READ,
    RESTART,
    Decoder,
    InputLog,
)
from endpoint.store.journal import Journal
from endpoint.store.ring import Ring

_CORE = "<IIIIII"  # polls, baseline, total, open, next row, next row of the log
_CORE_BYTES = 24
_ROW = "<III"  # number, energy, total at its end
_ROW_BYTES = 120  # two to a page, one in a block's first: 31 rows to a block
_LOG_BYTES = 40
_OPENING_WH = 1000


class Lost(AssertionError):
    """Something that was promised is not there, or is there and should not be."""


class Plan:
    """One kind of life: how large its record is and what befalls its flash."""

    def __init__(self, name, polls, record_bytes, prepares=True, fill=0xFF, bad=()):
        self.name = name
        self.polls = polls
        self.record_bytes = record_bytes
        self.prepares = prepares
        self.fill = fill
        self.bad = bad


class Memory:
    """What a record says, and how many rows and log entries belong to it."""

    def __init__(self, core, rows, entries):
        self.core = core
        self.rows = rows
        self.entries = entries


class Parts:
    """The classes under test; a planted fault replaces one."""

    journal = Journal
    ring = Ring
    log = InputLog
    settles = True
    row_first = True


class Life:
    """One start of a module on a flash, with everything that earlier starts promised."""

    def __init__(self, flash, plan, parts=Parts):
        self.flash = flash
        self.plan = plan
        self.parts = parts
        self.rows = []  # (number, energy, total) ever closed and not taken back
        self.entries = []  # (kind, at_ms, a) ever noted
        self.saved = Memory(None, 0, 0)
        self.trying = None
        # A record whose commit never returned was taken; until the next one it may still fade.
        self.fallback = None
        self.settings = self.new_settings = self.old_settings = 0
        self.true_wh = _OPENING_WH
        self.starts = 0
        self.at_ms = 0

    def fork(self, flash):
        """Return this life on another flash, to go on from here."""
        other = Life(flash, self.plan, self.parts)
        other.rows = list(self.rows)
        other.entries = list(self.entries)
        other.saved = self.saved
        other.trying = self.trying
        other.fallback = self.fallback
        other.settings = self.settings
        other.new_settings = self.new_settings
        other.old_settings = self.old_settings
        other.true_wh = self.true_wh
        other.starts = self.starts
        return other

    def start(self, thorough=True):
        """Start on what the flash holds and check that it is what was promised."""
        parts, flash = self.parts, self.flash
        page = bytearray(256)
        self.journal = parts.journal(flash, 0, 3)
        self.ring = parts.ring(flash, 3, 3, _ROW_BYTES, 58, page, 1)
        self.log_ring = parts.ring(flash, 6, 3, _LOG_BYTES, 150, page, 2)
        self.keeper = parts.journal(flash, 9, 2)
        self.log = parts.log(self.log_ring)
        self.record = bytearray(self.plan.record_bytes)
        self.journal.mount()
        length = self.journal.load(self.record)
        if parts.settles:
            self.journal.settle()
        self._find(length)
        self._find_settings()
        if length:
            self.log.unpack_from(self.record, _CORE_BYTES)
        self.ring.mount(self.core[4])
        self.log_ring.mount(self.core[5])
        self._check_rows(thorough)
        if thorough:
            self._check_log()
        self.starts += 1
        self.at_ms = 0

    def _find(self, length):
        """Take the record found, which must be one of the two that may be."""
        core = None
        if length:
            core = struct.unpack_from(_CORE, self.record)
            tail = _CORE_BYTES + self.log.state_bytes
            for index in range(tail, length):
                if self.record[index] != (core[0] + index) & 0xFF:
                    raise Lost("record of poll %d is a mixture" % core[0])
        for memory in (self.saved, self.trying, self.fallback):
            if memory is not None and memory.core == core:
                break
        else:
            raise Lost("record %s is neither %s nor the one tried" % (core, self.saved.core))
        if memory is self.trying:
            self.fallback = self.saved
        elif memory is self.fallback:
            self.fallback = None
        self.saved, self.trying = memory, None
        self.core = core or (0, _OPENING_WH, _OPENING_WH, 0, 0, 0)
        self.rows = self.rows[: memory.rows]
        self.entries = self.entries[: memory.entries]

    def _find_settings(self):
        content = bytearray(600)
        self.keeper.mount()
        length = self.keeper.load(content)
        self.keeper.settle()
        number = content[0] if length else 0
        known = (self.settings, self.new_settings, self.old_settings)
        for version in known:
            if version & 0xFF == number:
                break
        else:
            raise Lost("settings %d of %s" % (number, known))
        if bytes(content[:length]) != bytes([number]) * length:
            raise Lost("settings are a mixture")
        self.old_settings = min(version, self.old_settings, self.settings)
        self.settings = self.new_settings = version

    def _check_rows(self, thorough):
        ring, rows = self.ring, self.rows
        if ring.next != len(rows) and self.saved.core:
            raise Lost("next row %d of %d" % (ring.next, len(rows)))
        if not self.saved.core:
            return
        # Starts cost slots, cuts cost slots: some more than the capacity's slack is forgiven.
        least = max(0, ring.next - ring.capacity + 4 * self.starts + 31 * len(self.plan.bad))
        if ring.first > least:
            raise Lost("first row %d of %d" % (ring.first, ring.next))
        buffer = bytearray(_ROW_BYTES)
        first = ring.first if thorough else max(ring.first, ring.next - 3)
        for number in range(first, ring.next):
            if not ring.read(number, buffer) or struct.unpack_from(_ROW, buffer) != rows[number]:
                raise Lost("row %d" % number)
        total_wh = rows[-1][2] if rows else _OPENING_WH
        if total_wh + self.core[3] != self.core[2]:
            raise Lost("rows and the open one are not the total")

    def _check_log(self):
        if not self.saved.core:
            return
        found = []
        decoder = Decoder()
        row = bytearray(_LOG_BYTES)
        for number in range(self.log_ring.first, self.log_ring.next):
            if not self.log_ring.read(number, row):
                raise Lost("log row %d" % number)
            found += decoder.feed(number, row)
        count = self.record[_CORE_BYTES]
        rest = self.record[_CORE_BYTES + 1 : _CORE_BYTES + 1 + _LOG_BYTES]
        found += decoder.feed(self.log_ring.next, rest, count)
        for entry in found:
            if entry.kind == LOST:
                raise Lost("log has a gap")
        noted = [(entry.kind, entry.at_ms, entry.fields[0]) for entry in found]
        if noted != self.entries[len(self.entries) - len(noted) :]:
            raise Lost("log differs")
        if len(noted) < min(20, len(self.entries) - 1):
            raise Lost("log is short")

    def poll(self):
        """Read the meter, credit, note, close a row, commit, prepare."""
        polls, baseline, total, open_wh, next_row, _ = self.core
        polls += 1
        self.at_ms += 60000 + polls * 7 % 5
        self.true_wh += 1 + polls * 7 % 13
        step = self.true_wh - baseline
        core = [polls, self.true_wh, total + step, open_wh + step, next_row, 0]
        closes = polls % 3 == 0
        row = bytearray(_ROW_BYTES)
        if closes:
            struct.pack_into(_ROW, row, 0, next_row, core[3], core[2])
            self.rows.append((next_row, core[3], core[2]))
            core[3] = 0
            core[4] += 1
        if self.at_ms < 70000 and self.starts:
            self._note(RESTART, 0, 1)
        if self.log.rows_since_keyframe > 20:
            self._note(KEYFRAME, self.at_ms, 0, self.record)
        self._note(READ, self.at_ms, self.true_wh)
        if closes and self.parts.row_first:
            self.ring.append(row)
        core[5] = self.log_ring.next
        self.core = tuple(core)
        struct.pack_into(_CORE, self.record, 0, *core)
        self.log.pack_into(self.record, _CORE_BYTES)
        for index in range(_CORE_BYTES + self.log.state_bytes, len(self.record)):
            self.record[index] = (polls + index) & 0xFF
        self.trying = Memory(self.core, len(self.rows), len(self.entries))
        self.journal.commit(self.record, len(self.record))
        if closes and not self.parts.row_first:
            self.ring.append(row)
        self.saved, self.trying, self.fallback = self.trying, None, None
        if polls % 9 == 0:
            self.new_settings = self.settings + 1
            content = bytes([self.new_settings & 0xFF]) * 500
            self.keeper.commit(content, len(content))
            self.settings = self.old_settings = self.new_settings
        if self.plan.prepares:
            done = self.journal.prepare() or self.ring.prepare()
            done or self.log_ring.prepare() or self.keeper.prepare()

    def _note(self, kind, at_ms, a, data=None):
        if kind == READ:
            self.log.put(kind, at_ms, a, 0, 0, NO_VOLTAGE)
        else:
            self.log.put(kind, at_ms, a, data=data, count=40 if data else 0)
        self.entries.append((kind, at_ms, a))

    def after(self, schedule, thorough, second=None):
        """Start after a cut, go on for two polls, start once more; return the cuts that took."""
        cuts = 1
        try:
            try:
                if second:
                    self.flash.cut(second)
                self.start(thorough)
                self.poll()
                self.poll()
            except PowerCut:
                cuts += 1
                self.flash.power_on()
                self.start(thorough)
                self.poll()
            self.flash.power_on()
            if self.core[2] != self.true_wh:
                raise Lost("total %d of %d" % (self.core[2], self.true_wh))
            if thorough:
                self.start()
                self.poll()
        except Exception as error:
            name = schedule + ("/" + second if second else "")
            raise Lost("WATTLINE_CUT=%s: %r" % (name, error)) from error
        return cuts


def fresh(plan, parts=Parts):
    """Return a life at its beginning."""
    flash = FlashModel(11, plan.fill)
    flash.bad.update(plan.bad)
    life = Life(flash, plan, parts)
    life.start()
    return life


def cut_everywhere(plan, parts=Parts, seed=0, tears=TEARS, every=1):
    """Live and cut at each operation in each way; return cuts made.

    Parameters
    ----------
    plan : Plan
    parts : class
    seed : int
        Picks the bits that get done, and the second cuts.
    tears : sequence of str
    every : int
        Cut only every so many operations.
    """
    life = fresh(plan, parts)
    done = [0, 0]  # operations, cuts

    def watch(block, offset, new):
        done[0] += 1
        if done[0] % every:
            return
        for kind, tear in enumerate(tears):
            number = done[0] * 7 + kind + seed * 1009
            schedule = "%s:%d:%s:%d" % (plan.name, done[0], tear, number)
            second = None
            if number % 3 == 0:
                second = "%d:%s:%d" % (1 + number % 11, TEARS[number % 5], number)
            done[1] += _one(life, schedule, tear, number, (block, offset, new), second)

    life.flash.watcher = watch
    for _ in range(plan.polls):
        life.poll()
    return done[1]


def _one(life, schedule, tear, number, operation, second):
    flash = life.flash.fork()
    flash.tear(operation[0], operation[1], operation[2], tear, number)
    return life.fork(flash).after(schedule, number % 4 == 0, second)


def replay(plans, name, parts=Parts):
    """Do one cut again, as a failure printed it."""
    first, _, second = name.partition("/") if hasattr(name, "partition") else (name, "", "")
    which, at, tear, number = first.split(":")
    for plan in plans:
        if plan.name == which:
            break
    else:
        raise Lost("no such life: " + which)
    life = fresh(plan, parts)
    done = [0, 0]

    def watch(block, offset, new):
        done[0] += 1
        if done[0] == int(at):
            done[1] += _one(life, first, tear, int(number), (block, offset, new), second or None)

    life.flash.watcher = watch
    for _ in range(plan.polls):
        if not done[1]:
            life.poll()
    return done[1]
