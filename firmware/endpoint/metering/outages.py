"""Interruptions of the service: counted, classified and logged; restarts, which are none.

An interruption of at most 300 s is momentary, a longer one sustained. Momentary interruptions
that begin within 300 s of the first one of their group are one event; when a sustained one
begins in that time, the group belongs to it and is no event.

If the clock stopped during an interruption, its length is unknown until the next time sync says
when power came back. Until then it is pending: in no counter, and never 0 s. When power fails
again before any sync, only the sum of the lengths can be known: it goes to the last of them,
because lines are lost after trials to switch them on again, not before; the entries are marked.

Context: one task. Allocates: nothing after construction, for integers below 2^30.
Source: IEEE 1366, definitions of interruptions and of momentary interruption events.
"""

import struct
from array import array

from micropython import const

MOMENTARY_MAX_S = const(300)
EVENT_WINDOW_S = const(300)

LOG_ENTRIES = const(12)

# Flags of a log entry.
PENDING = const(0x01)  # length not known yet
SHARED = const(0x02)  # length known only together with its neighbours
DATED_BACK = const(0x04)  # start computed from a later sync
CLOCK_STOPPED = const(0x08)  # length from the stored start and a dated-back restoration
_MEASURED = const(0x10)  # the length is known, the start is not

# Causes of a restart of the module with the service on.
WATCHDOG = const(0)
REFLASH = const(1)
CRASH = const(2)
PROGRAMMING = const(3)
RESTART_CAUSES = const(4)

_WIDTH = const(0xFFFFFFFF)  # every counter wraps at 32 bits
_NEVER = const(0)

_HEAD = "<IIIIIIIBBBB"
_HEAD_BYTES = const(32)
_ENTRY = "<IIIB"
_ENTRY_BYTES = const(13)
_RESTARTS = "<IIII"
_RESTARTS_BYTES = const(16)
STATE_BYTES = const(204)


class Outages:
    """Every interruption of one service.

    Attributes
    ----------
    power_fail : int
        Interruptions with a known length: always `blink + sustained`.
    blink, sustained : int
    dark_seconds : int
    overflow : int
        Interruptions that are no longer in the log.
    pending : int
        Interruptions whose length is not known yet.
    is_dark : bool
    restarts : array of int
        By cause.
    """

    def __init__(self):
        self.power_fail = self.blink = self.sustained = self.dark_seconds = 0
        self.overflow = 0
        self.pending = 0
        self.is_dark = False
        self.restarts = array("I", [0] * RESTART_CAUSES)
        self._events = 0
        self._group_s = _NEVER  # start of the group of momentary interruptions that is open
        self._starts_s = array("I", [0] * LOG_ENTRIES)
        self._lengths_s = array("I", [0] * LOG_ENTRIES)
        self._lit_s = array("I", [0] * LOG_ENTRIES)  # from the restoration before to the start
        self._flags = bytearray(LOG_ENTRIES)
        self._next = 0
        self._count = 0

    def __len__(self):
        return self._count

    def momentary_events(self):
        """Return the momentary events so far, the open one included.

        A sustained interruption that begins within 300 s takes the open one back.
        """
        return (self._events + (self._group_s != _NEVER)) & _WIDTH

    def entry(self, i):
        """Return (start in UTC, length in s or None, flags) of the log, 0 = oldest.

        A start of 0 with `PENDING` is not known yet.
        """
        at = (self._next - self._count + i) % LOG_ENTRIES
        flags = self._flags[at]
        length_s = None if flags & PENDING else self._lengths_s[at]
        return self._starts_s[at], length_s, flags

    def dark(self, start_s, lit_s=0):
        """Power has failed.

        Parameters
        ----------
        start_s : int
            UTC second; 0 if the time is not known.
        lit_s : int
            Seconds since power came back; needed when the time is not known.
        """
        if self.is_dark:
            return
        self.is_dark = True
        at = self._next
        if self._count == LOG_ENTRIES:
            self.overflow = (self.overflow + 1) & _WIDTH
            if self._flags[at] & PENDING:
                self._give_up(at)
        else:
            self._count += 1
        self._next = (at + 1) % LOG_ENTRIES
        self._starts_s[at] = start_s
        self._lengths_s[at] = 0
        self._lit_s[at] = lit_s
        self._flags[at] = PENDING
        self.pending += 1

    def _give_up(self, at):
        """Count an entry that leaves the log before anybody knew its length: as a blink."""
        self.pending -= 1
        self._classify(self._starts_s[at], 0)
        following = (at + 1) % LOG_ENTRIES
        if not self._starts_s[following]:
            self._starts_s[following] = self._starts_s[at] + self._lit_s[following]

    def lit(self, length_s=None):
        """Power is back, after `length_s` seconds if the clock ran all the time."""
        if not self.is_dark:
            return
        self.is_dark = False
        if length_s is None:
            return
        at = (self._next - 1) % LOG_ENTRIES
        if self.pending == 1 and self._starts_s[at]:
            self._close(at, length_s, 0)
            return
        self._lengths_s[at] = length_s
        self._flags[at] |= _MEASURED

    def sync(self, restored_s):
        """Take the time: power came back last at `restored_s` UTC.

        Everything pending gets its start and its length.
        """
        if not self.pending or self.is_dark:
            return
        count = self.pending
        first = (self._next - count) % LOG_ENTRIES
        known_s = 0
        unknown = last_unknown = 0
        for i in range(count):
            at = (first + i) % LOG_ENTRIES
            if i:
                known_s += self._lit_s[at]
            if self._flags[at] & _MEASURED:
                known_s += self._lengths_s[at]
            else:
                unknown += 1
                last_unknown = at
        start_s = self._starts_s[first]
        is_dated = not start_s
        if is_dated:  # nothing before it was ever dated: what was measured is all there is
            start_s = max(restored_s - known_s, 1)
        unknown_s = max(restored_s - start_s - known_s, 0)
        for i in range(count):
            at = (first + i) % LOG_ENTRIES
            if i:
                start_s += self._lit_s[at]
                is_dated = True
            flags = DATED_BACK if is_dated else 0
            length_s = self._lengths_s[at]
            if not self._flags[at] & _MEASURED:
                flags |= CLOCK_STOPPED | (SHARED if unknown > 1 else 0)
                if at == last_unknown:
                    length_s = unknown_s
            self._starts_s[at] = start_s
            start_s += length_s
            self._close(at, length_s, flags)

    def _close(self, at, length_s, flags):
        self._lengths_s[at] = length_s
        self._flags[at] = flags
        self.pending -= 1
        self._classify(self._starts_s[at], length_s)

    def _classify(self, start_s, length_s):
        self.power_fail = (self.power_fail + 1) & _WIDTH
        self.dark_seconds = (self.dark_seconds + length_s) & _WIDTH
        is_within = self._group_s != _NEVER and start_s - self._group_s <= EVENT_WINDOW_S
        if not is_within:
            self._end_group()
        if length_s > MOMENTARY_MAX_S:
            self.sustained = (self.sustained + 1) & _WIDTH
            self._group_s = _NEVER
            return
        self.blink = (self.blink + 1) & _WIDTH
        if not is_within:
            self._group_s = start_s

    def _end_group(self):
        if self._group_s != _NEVER:
            self._events += 1
            self._group_s = _NEVER

    def restarted(self, cause):
        """Count a restart of the module; it is no interruption."""
        self.restarts[cause] = (self.restarts[cause] + 1) & _WIDTH

    def pack_into(self, buffer, offset):
        """Write `STATE_BYTES` bytes."""
        struct.pack_into(
            _HEAD,
            buffer,
            offset,
            self.power_fail,
            self.blink,
            self.sustained,
            self.dark_seconds,
            self.overflow,
            self._events & _WIDTH,
            self._group_s,
            self.pending,
            self._next,
            self._count,
            self.is_dark,
        )
        offset += _HEAD_BYTES
        struct.pack_into(_RESTARTS, buffer, offset, *self.restarts)
        offset += _RESTARTS_BYTES
        for i in range(LOG_ENTRIES):
            struct.pack_into(
                _ENTRY,
                buffer,
                offset,
                self._starts_s[i],
                self._lengths_s[i],
                self._lit_s[i],
                self._flags[i],
            )
            offset += _ENTRY_BYTES

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote."""
        (
            self.power_fail,
            self.blink,
            self.sustained,
            self.dark_seconds,
            self.overflow,
            self._events,
            self._group_s,
            self.pending,
            self._next,
            self._count,
            is_dark,
        ) = struct.unpack_from(_HEAD, buffer, offset)
        self.is_dark = bool(is_dark)
        offset += _HEAD_BYTES
        restarts = struct.unpack_from(_RESTARTS, buffer, offset)
        for i in range(RESTART_CAUSES):
            self.restarts[i] = restarts[i]
        offset += _RESTARTS_BYTES
        for i in range(LOG_ENTRIES):
            (
                self._starts_s[i],
                self._lengths_s[i],
                self._lit_s[i],
                self._flags[i],
            ) = struct.unpack_from(_ENTRY, buffer, offset)
            offset += _ENTRY_BYTES
