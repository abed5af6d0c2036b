"""What the engine was told, in few bytes: enough to live through it again on a PC.

Entries are a stream of bytes cut into rows of a ring. An entry is a byte with its kind and which
of its four numbers changed, the change of the time step, the changes of those numbers, and for
some kinds bytes of any length. The row that is not full yet travels in the state record, so that
log and state never disagree. docs/journal.md has the format.

Context: task only. Times are ms of this start of the module, numbers 0 to 2^32 - 1.
"""

from array import array

from micropython import const

from endpoint.store import BadEntry, StoreError, TooLong, nor

# What happened, and its numbers a, b, c, d.
RESET = const(0)  # all numbers and times begin at 0 again
READ = const(1)  # forward_wh, reverse_wh, stamp, voltage_dv
TICK = const(2)
DARK = const(3)
LIT = const(4)
TIME = const(5)  # utc_s, bound_s
RESTART = const(6)  # cause, utc_s, bound_s; resets
SUPPLY = const(7)  # in_limits
NO_TABLE = const(8)
METER_CLOCK = const(9)  # meter_utc_s
TEST_MODE = const(10)  # active
SERIAL = const(11)  # the meter's identity from the next READ on
COMMAND = const(12)  # code, and the arguments as bytes
KEYFRAME = const(13)  # resets; the state record as bytes
NOTE = const(14)  # for people; a replay ignores it
LOST = const(15)  # never written: the decoder says that entries are missing before this place

KINDS = const(16)
FIELDS = const(4)
BYTES_MAX = const(4096)
NO_VOLTAGE = const(0xFFFF)
ROWS_MAX = const(0x3FFFFFFF)

_WITH_BYTES = const(0x7800)  # a bit for each kind from SERIAL to NOTE
_RESETTING = const(0x2041)  # RESET, RESTART, KEYFRAME
# A row's first byte is where the first entry begins in it, or one of these.
_NO_ENTRY = const(255)  # none does
_ANEW = const(0)  # at byte 1, and what came before is lost
_U32 = const(0xFFFFFFFF)


class InputLog:
    """Writes the log. Context: one task.

    Parameters
    ----------
    ring : Ring
        Mounted; its rows are the log's alone.

    Attributes
    ----------
    state_bytes : int
        What `pack_into` writes.
    rows_since_keyframe : int
        Full rows since the last keyframe; `ROWS_MAX` when the log cannot be read on without one.
    """

    def __init__(self, ring):
        self._ring = ring
        self._row_bytes = ring.row_bytes
        self._row = bytearray(ring.row_bytes)
        self.state_bytes = ring.row_bytes + 1
        self._count = 1
        self._row[0] = _ANEW
        self._last_ms = 0
        self._steps_ms = array("i", [0] * KINDS)
        self._fields = array("I", [0] * (KINDS * FIELDS))
        self._is_fresh = True
        self.rows_since_keyframe = ROWS_MAX

    def pack_into(self, buffer, offset):
        """Write the unfinished row; it belongs into the same record as the engine's state."""
        buffer[offset] = self._count
        nor.copy(buffer, offset + 1, self._row, 0, self._row_bytes)

    def unpack_from(self, buffer, offset):
        """Go on with an unfinished row, after the ring was mounted with the same record's number.

        Raises
        ------
        BadEntry
            This is not what `pack_into` wrote; nothing has changed.
        """
        count = buffer[offset]
        if not 1 <= count < self._row_bytes:
            raise BadEntry
        self._count = count
        nor.copy(self._row, 0, buffer, offset + 1, self._row_bytes)
        self._is_fresh = True

    def put(self, kind, at_ms, a=0, b=0, c=0, d=0, data=None, count=0):
        """Note one event, before the record that holds its result is committed.

        Parameters
        ----------
        kind : int
        at_ms : int
            When, below 2^32.
        a, b, c, d : int
            The numbers of this kind.
        data : bytes-like, optional
            For the kinds that have bytes: `SERIAL`, `COMMAND`, `KEYFRAME`, `NOTE`.
        count : int
            How many of them, at most 4096.

        Raises
        ------
        TooLong
            More than 4096 bytes.
        WornOut
            A full row found no place; the log goes on behind a gap.

        Allocates: nothing while every number is a small integer.
        """
        if count > BYTES_MAX:
            raise TooLong
        resets = _RESETTING >> kind & 1
        if self._is_fresh and not resets:
            self._begin(RESET, 0)
            self._varint(0)
            self._reset()
        if resets:
            self._reset()
        self._is_fresh = False
        base = kind * FIELDS
        fields = self._fields
        changed = a != fields[base]
        changed |= (b != fields[base + 1]) << 1
        changed |= (c != fields[base + 2]) << 2
        changed |= (d != fields[base + 3]) << 3
        self._begin(kind, changed)
        step_ms = at_ms - self._last_ms
        self._zigzag(step_ms - self._steps_ms[kind])
        self._last_ms = at_ms
        self._steps_ms[kind] = step_ms
        if changed & 1:
            self._varint(a - fields[base] & _U32)
            fields[base] = a
        if changed & 2:
            self._varint(b - fields[base + 1] & _U32)
            fields[base + 1] = b
        if changed & 4:
            self._zigzag(c - fields[base + 2])
            fields[base + 2] = c
        if changed & 8:
            self._zigzag(d - fields[base + 3])
            fields[base + 3] = d
        if _WITH_BYTES >> kind & 1:
            self._varint(count)
            self._bytes(data, count)
        if kind == KEYFRAME:
            self.rows_since_keyframe = 0

    def _reset(self):
        self._last_ms = 0
        for index in range(KINDS):
            self._steps_ms[index] = 0
        for index in range(KINDS * FIELDS):
            self._fields[index] = 0

    def _begin(self, kind, changed):
        if self._row[0] == _NO_ENTRY:
            self._row[0] = self._count
        self._byte(kind << 4 | changed)

    def _byte(self, value):
        self._row[self._count] = value
        self._count += 1
        if self._count == self._row_bytes:
            self._full()

    def _full(self):
        """Hand the row to the ring; if that fails, the entry is lost and the log begins anew."""
        self._count = 1
        self._is_fresh = True
        try:
            self._ring.append(self._row)
        except StoreError:
            self._row[0] = _ANEW
            self.rows_since_keyframe = ROWS_MAX
            raise
        self._is_fresh = False
        self._row[0] = _NO_ENTRY
        self.rows_since_keyframe += 1

    def _zigzag(self, value):
        self._varint(value * 2 if value >= 0 else -value * 2 - 1)

    def _varint(self, value):
        while value > 127:
            self._byte(value & 127 | 128)
            value >>= 7
        self._byte(value)

    def _bytes(self, data, count):
        done = 0
        while done < count:
            part = min(count - done, self._row_bytes - self._count)
            nor.copy(self._row, self._count, data, done, part)
            self._count += part
            done += part
            if self._count == self._row_bytes:
                self._full()


class Entry:
    """One entry of the log: `kind`, `at_ms`, `fields` (a, b, c, d) and `data`."""

    def __init__(self, kind, at_ms, fields, data):
        self.kind = kind
        self.at_ms = at_ms
        self.fields = fields
        self.data = data


class Decoder:
    """Reads the log back. Context: any; made for a PC, allocates as it likes.

    Feed the rows in rising order and then the unfinished one of the state record. What stands
    before the first keyframe, or between a gap and the next, cannot be understood and is left
    out; a gap after the first keyframe is told as a `LOST` entry.
    """

    def __init__(self):
        self._pending = bytearray()
        self._expected = None
        self._is_aligned = False
        self._is_keyed = False
        self._reset()

    def _reset(self):
        self._last_ms = 0
        self._steps_ms = [0] * KINDS
        self._fields = [0] * (KINDS * FIELDS)

    def feed(self, number, row, count=None):
        """Take the next row.

        Parameters
        ----------
        number : int
            The row's; a jump is a gap.
        row : bytes-like
        count : int or None
            Bytes of it that are filled, when it is the unfinished one.

        Returns
        -------
        list of Entry

        Raises
        ------
        BadEntry
            The bytes are no log; the decoder goes on at the next keyframe.
        """
        entries = []
        if self._expected is not None and number != self._expected:
            self._lose(entries)
        self._expected = number + 1
        start = 1
        if row[0] == _ANEW:
            self._lose(entries)
            self._is_aligned = True
        elif not self._is_aligned:
            start = row[0]
            if start == _NO_ENTRY:
                return entries
            self._is_aligned = True
        self._pending.extend(bytes(row[start : len(row) if count is None else count]))
        try:
            while True:
                length = self._entry(entries)
                if not length:
                    return entries
                self._pending = self._pending[length:]
        except BadEntry:
            self._lose(entries)
            raise

    def _lose(self, entries):
        if self._is_keyed:
            entries.append(Entry(LOST, self._last_ms, (0, 0, 0, 0), b""))
        self._is_keyed = self._is_aligned = False
        self._pending = bytearray()

    def _entry(self, entries):
        """Decode the entry at the start of what is pending; return its length, 0: not complete."""
        if not self._pending:
            return 0
        kind, changed = self._pending[0] >> 4, self._pending[0] & 15
        if kind == LOST:
            raise BadEntry
        at, step_ms = self._number(1)
        values = [0] * FIELDS
        for field in range(FIELDS):
            if at and changed >> field & 1:
                at, values[field] = self._number(at)
        data = b""
        if at and _WITH_BYTES >> kind & 1:
            at, count = self._number(at)
            if count > BYTES_MAX:
                raise BadEntry
            if not at or at + count > len(self._pending):
                return 0
            data = bytes(self._pending[at : at + count])
            at += count
        if at:
            self._take(kind, step_ms, values, data, entries)
        return at

    def _number(self, at):
        """Return (place behind, value) of the number at `at`; place 0 when it is cut off."""
        value = shift = 0
        while at < len(self._pending):
            byte = self._pending[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return at, value
            if shift > 35:
                raise BadEntry
        return 0, 0

    def _take(self, kind, step, values, data, entries):
        if _RESETTING >> kind & 1:
            self._reset()
        self._steps_ms[kind] += _unzigzag(step)
        self._last_ms += self._steps_ms[kind]
        base = kind * FIELDS
        for field in range(FIELDS):
            change = values[field] if field < 2 else _unzigzag(values[field])
            self._fields[base + field] = self._fields[base + field] + change & _U32
        self._is_keyed = self._is_keyed or kind == KEYFRAME
        if self._is_keyed and kind != RESET:
            fields = tuple(self._fields[base : base + FIELDS])
            entries.append(Entry(kind, self._last_ms, fields, data))


def _unzigzag(value):
    return -(value + 1 >> 1) if value & 1 else value >> 1
