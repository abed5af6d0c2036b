"""One interval in progress: what it holds, how sure that is, and what happened in it.

Context: one task. Integers only.
"""

import struct

from micropython import const

from endpoint.metering.rows import (
    DARK,
    DST,
    EST,
    LONG,
    MISSING,
    PARTIAL,
    PF,
    SKIPPED,
    TIME,
)

_S_PER_MIN = const(60)
_COVERED_MAX_S = const(0xFFFF)

_STATE = "<BBIIIIIiIIHIIq"
STATE_BYTES = struct.calcsize(_STATE)
_FIELDS = (
    "length_min",
    "open_min",
    "end_s",
    "since_l",
    "reported_s",
    "forward_wh",
    "reverse_wh",
    "value_wh",
    "under_wh",
    "over_wh",
    "flags",
    "dark_s",
    "skip_s",
    "closed_wh",
)
_OPEN_MIN_AT = const(1)
_IS_UNSURE = const(0x80)  # beside the minutes, which need six bits


class Interval:
    """The open interval of one recording.

    Attributes
    ----------
    length_min, open_min : int
        Of the next interval to be opened, and of the open one.
    end_s : int
        Its end, UTC; 0: not open, since the time is not known.
    since_l : int
        Lit second of its beginning.
    forward_wh, reverse_wh, value_wh : int
    under_wh, over_wh : int
        How far the value may be too small or too large.
    dark_s, skip_s : int
        Seconds without power, and left out by the clock.
    flags : int
    reported_s : int
        Ends up to here have been reported as missing; their energy goes to a later interval.
    closed_wh : int
        Sum of the values of all closed intervals.
    """

    def __init__(self, length_min):
        self.length_min = length_min
        self.end_s = self.since_l = self.reported_s = 0
        self.closed_wh = 0
        self.open_min = length_min
        self._clear()

    def _clear(self):
        self.forward_wh = self.reverse_wh = self.value_wh = 0
        self.under_wh = self.over_wh = self.dark_s = self.skip_s = self.flags = 0
        self.is_unsure = False

    def open(self, label_s, at_l, offset_s, daylight):
        """Begin the interval that contains `label_s`; one that begins late is partial."""
        self._clear()
        length_s = self.length_min * _S_PER_MIN
        into_s = (label_s + offset_s) % length_s
        self.open_min = self.length_min
        self.end_s = label_s - into_s + length_s
        self.since_l = at_l
        if into_s:
            self.flags = PARTIAL
        if daylight:
            self.flags |= DST

    def go_on(self, at_l, offset_s, daylight):
        """Begin the interval that follows."""
        end_s = self.end_s
        self._clear()
        length_s = self.length_min * _S_PER_MIN
        into_s = (end_s + offset_s) % length_s  # not 0 where the length has changed
        self.open_min = self.length_min
        self.end_s = end_s - into_s + length_s
        self.since_l = at_l
        if into_s:
            self.flags = PARTIAL
        if daylight:
            self.flags |= DST

    def carry(self):
        """Keep what is here for the next interval: this one has been reported as missing."""
        self.over_wh += abs(self.value_wh)
        self.end_s += self.open_min * _S_PER_MIN
        self.flags |= EST

    def pack_row(self, layout, row, at_l, *rest):
        """Write the finished interval into `row`; return its value in Wh."""
        lit_s = at_l - self.since_l
        covered_s = lit_s + self.dark_s
        flags = self.flags
        if self.skip_s and not covered_s:
            flags = SKIPPED | flags & DST
        elif self.skip_s:
            flags |= PARTIAL | TIME
        if self.dark_s:
            flags |= PF
            if covered_s == self.dark_s and not flags & (PARTIAL | LONG):
                flags |= MISSING if self.is_unsure else DARK
        if self.is_unsure and not flags & MISSING:
            flags |= EST
        value_wh = self.value_wh
        struct.pack_into(
            layout,
            row,
            0,
            self.end_s,
            flags,
            min(covered_s, _COVERED_MAX_S),
            self.forward_wh,
            self.reverse_wh,
            value_wh,
            value_wh - self.over_wh,
            value_wh + self.under_wh,
            *rest,
        )
        self.closed_wh += value_wh
        return value_wh

    def pack_into(self, buffer, at):
        """Write `STATE_BYTES` bytes."""
        values = [getattr(self, name) for name in _FIELDS]
        struct.pack_into(_STATE, buffer, at, *values)
        if self.is_unsure:
            buffer[at + _OPEN_MIN_AT] |= _IS_UNSURE

    def unpack_from(self, buffer, at):
        """Take back what `pack_into` wrote."""
        for name, value in zip(_FIELDS, struct.unpack_from(_STATE, buffer, at)):
            setattr(self, name, value)
        self.is_unsure = bool(self.open_min & _IS_UNSURE)
        self.open_min &= ~_IS_UNSURE
