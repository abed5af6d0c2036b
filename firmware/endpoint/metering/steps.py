"""Energy of one register between two reads, waiting to be placed in time.

Time here is *lit time*: seconds with the service on, counted from the engine's start. A meter
counts in these seconds only, so that an outage is a point between two of them, and a step is
spread evenly over the lit seconds between its two reads (rule A-1).

Context: one task. Integers only.
"""

import struct

from micropython import const

# What is special about a step.
COUNTED = const(1)  # reverse energy that the bill adds (detent No)
NEGATED = const(2)  # reverse energy that the bill subtracts (net)
CHANGED = const(4)  # a meter change or a register discontinuity lies in it
HOMELESS = const(8)  # its time stays unknown: its rate is the fallback, already credited
ESTIMATED = const(16)  # it has been counted as divided between rates
VAGUE = const(32)  # part of it may lie before the gap at its beginning
SIGNS = const(3)

# What joining two neighbours costs beyond their length.
ACROSS_GRID = const(1 << 27)
ACROSS_HOURS = const(1 << 28)
_ACROSS_MARKS = const(1 << 29)
_S_PER_H = const(3600)

CAPACITY = const(28)  # hours of an unknown time: a day and what came before it

_HEAD = "<IB"
_HEAD_BYTES = const(5)
_STEP = "<IqB"
_STEP_BYTES = const(13)
STATE_MAX_BYTES = const(369)


class Steps:
    """The steps of one register, oldest first, each beginning where the one before ended.

    Attributes
    ----------
    start_l : int
        Lit second at which the oldest step begins.
    ends_l, steps_wh, marks : list of int
    """

    def __init__(self):
        self.ends_l = []
        self.steps_wh = []
        self.marks = []
        self.start_l = 0

    def begin(self, at_l):
        """Start anew: nothing waits."""
        self.start_l = at_l
        self.ends_l.clear()
        self.steps_wh.clear()
        self.marks.clear()

    def known_l(self):
        """Return the lit second up to which the register is known."""
        return self.ends_l[-1] if self.ends_l else self.start_l

    def add(self, end_l, wh, mark):
        """Append a step."""
        self.ends_l.append(end_l)
        self.steps_wh.append(wh)
        self.marks.append(mark)

    def is_over(self):
        """Tell whether two neighbours have to become one."""
        return len(self.ends_l) > CAPACITY

    def cheapest(self, grid_l, grid_s):
        """Find the two neighbours whose joining loses least.

        Parameters
        ----------
        grid_l, grid_s : int
            Neighbours that do not lie across a line of this grid come first, as nothing is lost
            to the intervals that it stands for; then those within an hour of it.

        Returns
        -------
        tuple of (int, int)
            Place of the first of them, and the cost: `ACROSS_HOURS` or more when both are spread
            wider than an hour.
        """
        best = -1
        least = 0
        start_l = self.start_l
        for i in range(len(self.ends_l) - 1):
            end_l = self.ends_l[i + 1]
            cost = end_l - start_l
            if self.marks[i] & self.marks[i + 1] & HOMELESS:
                cost = 0
            elif (start_l - grid_l) // grid_s != (end_l - 1 - grid_l) // grid_s:
                is_one_hour = (start_l - grid_l) // _S_PER_H == (end_l - 1 - grid_l) // _S_PER_H
                cost += ACROSS_GRID if is_one_hour else ACROSS_HOURS
            if (self.marks[i] ^ self.marks[i + 1]) & (SIGNS | HOMELESS):
                cost += _ACROSS_MARKS
            if best < 0 or cost < least:
                best, least = i, cost
            start_l = self.ends_l[i]
        return best, least

    def join(self, at):
        """Let two neighbours be one step."""
        self.steps_wh[at + 1] += self.steps_wh[at]
        self.marks[at + 1] |= self.marks[at]
        for values in (self.ends_l, self.steps_wh, self.marks):
            values.pop(at)

    def part(self, at_l, to_l):
        """Return the Wh of the oldest step between two lit seconds of it: cumulative floor."""
        return part(self.steps_wh[0], self.start_l, self.ends_l[0], at_l, to_l)

    def drop(self):
        """Forget the oldest step: all of it has its place."""
        self.start_l = self.ends_l.pop(0)
        self.steps_wh.pop(0)
        self.marks.pop(0)

    def shift(self, from_l, by_s):
        """Move everything from `from_l` on: the time before it was longer than thought."""
        for i in range(len(self.ends_l)):
            if self.ends_l[i] >= from_l:
                self.ends_l[i] += by_s
        if self.start_l >= from_l:
            self.start_l += by_s

    def pack_into(self, buffer, at):
        """Write the state; return where it ends."""
        struct.pack_into(_HEAD, buffer, at, self.start_l, len(self.ends_l))
        at += _HEAD_BYTES
        for i in range(len(self.ends_l)):
            struct.pack_into(_STEP, buffer, at, self.ends_l[i], self.steps_wh[i], self.marks[i])
            at += _STEP_BYTES
        return at

    def unpack_from(self, buffer, at):
        """Take back the state; return where it ended."""
        self.start_l, count = struct.unpack_from(_HEAD, buffer, at)
        self.begin(self.start_l)
        at += _HEAD_BYTES
        for _ in range(count):
            end_l, wh, mark = struct.unpack_from(_STEP, buffer, at)
            self.ends_l.append(end_l)
            self.steps_wh.append(wh)
            self.marks.append(mark)
            at += _STEP_BYTES
        return at


def part(wh, start_l, end_l, at_l, to_l):
    """Return what a step of `wh` gives to the lit seconds from `at_l` to `to_l`.

    Cumulative floor, so that the parts of a step add up to it; a step without a lit second
    gives everything at once.
    """
    lit_s = end_l - start_l
    if not lit_s:
        return wh
    return wh * (to_l - start_l) // lit_s - wh * (at_l - start_l) // lit_s
