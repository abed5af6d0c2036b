"""Demand while the time is unknown: peaks against uptime, until somebody can date them.

The energy itself waits in `steps` and is placed when the time comes. What waits there may have
to be joined, and a module that is never told the time still has to show its demand (rule M-14):
so each good read is also counted here, in intervals that run from power-up.

Only what is sure can set a peak: no gap of missed polls, no outage, no meter change.

Context: one task. Integers only: Wh, W, s.
"""

import struct

from micropython import const

_MIN_PER_H = const(60)
_S_PER_MIN = const(60)
_WINDOW_MAX = const(59)

_HEAD = "<BBIIIIIIIIIIBB"
_HEAD_BYTES = struct.calcsize(_HEAD)
_SUB = "<IIB"
_SUB_BYTES = const(9)
STATE_MAX_BYTES = _HEAD_BYTES + _WINDOW_MAX * _SUB_BYTES


class Undated:
    """Intervals from power-up, and the largest of them.

    Attributes
    ----------
    is_on : bool
        The time is unknown and something was read.
    last_w : int
        The interval that ended last.
    peak_w, peak_up_s, peak_other_w : int
        Largest since power-up or the last reset, the second of uptime at which its interval
        ended, and the demand of the reverse register in it.
    """

    def __init__(self):
        self.stop()

    def stop(self):
        """Forget everything: the time is known, or nobody will ever know it."""
        self.is_on = False
        self.last_w = self.peak_w = self.peak_up_s = self.peak_other_w = 0
        self._period_min = self._sub_min = 15
        self._power_l = self._dark_s = self._end_l = self._blind_l = 0
        self._wh = self._other_wh = 0
        self._may = True
        self._window = []

    def begin(self, power_l, blind_s, demand):
        """Begin at the lit second of power-up; nothing of the first `blind_s` sets a peak."""
        self.stop()
        self.is_on = True
        self._period_min, self._sub_min = demand.period_min, demand.sub_min
        self._power_l = power_l
        self._blind_l = power_l + blind_s
        self._end_l = power_l + self._sub_min * _S_PER_MIN
        self._may = not blind_s

    def uptime_s(self, at_l):
        """Return seconds since power-up at a lit second."""
        return at_l - self._power_l + self._dark_s

    def add(self, start_l, end_l, wh, other_wh, is_sure):
        """Count the energy between two good reads.

        Parameters
        ----------
        start_l, end_l : int
            Lit seconds; what lies before power-up is left out.
        wh, other_wh : int
            What demand counts, and the reverse register.
        is_sure : bool
            The reads follow each other as they should.
        """
        lit_s = end_l - start_l
        at_l = max(start_l, self._power_l)
        if self._end_l <= at_l:
            self._jump(at_l)  # nothing was read for a while after power-up
        while self._end_l <= end_l:
            if not is_sure and end_l - self._end_l > self._sub_min * _S_PER_MIN:
                # A long gap: none of its intervals is worth a peak, so none is counted.
                self._may = False
                self._close()
                self._window.clear()
                at_l = self._jump(end_l)
                break
            self._share(wh, other_wh, start_l, lit_s, at_l, self._end_l)
            at_l = self._end_l
            self._may = self._may and is_sure
            self._close()
        self._may = self._may and is_sure
        self._share(wh, other_wh, start_l, lit_s, at_l, end_l)

    def _share(self, wh, other_wh, start_l, lit_s, at_l, to_l):
        """Count the part of a step between two lit seconds of it: cumulative floor."""
        if lit_s and to_l > at_l:
            self._wh += wh * (to_l - start_l) // lit_s - wh * (at_l - start_l) // lit_s
            self._other_wh += other_wh * (to_l - start_l) // lit_s
            self._other_wh -= other_wh * (at_l - start_l) // lit_s

    def _jump(self, to_l):
        """Let the intervals end after a lit second; return where the running one begins."""
        sub_s = self._sub_min * _S_PER_MIN
        self._end_l += ((to_l - self._end_l) // sub_s + 1) * sub_s
        return self._end_l - sub_s

    def _close(self):
        may = self._may and self._end_l - self._sub_min * _S_PER_MIN >= self._blind_l
        self._window.append((self._wh, self._other_wh, may))
        total_wh = total_other_wh = 0
        for wh, other_wh, _ in self._window:
            total_wh += wh
            total_other_wh += other_wh
        self.last_w = total_wh * _MIN_PER_H // self._period_min
        if self.last_w > self.peak_w and self._all_may():
            self.peak_w = self.last_w
            self.peak_up_s = self.uptime_s(self._end_l)
            self.peak_other_w = total_other_wh * _MIN_PER_H // self._period_min
        if len(self._window) >= self._period_min // self._sub_min:
            self._window.pop(0)
        self._wh = self._other_wh = 0
        self._may = True
        self._end_l += self._sub_min * _S_PER_MIN

    def _all_may(self):
        for sub in self._window:
            if not sub[2]:
                return False
        return True

    def doubt(self):
        """Let the running interval set no peak."""
        self._may = False

    def go_dark(self, at_l, dark_s):
        """Take an outage through which the module ran: uptime goes on, the meter does not."""
        self._may = False
        self._dark_s += dark_s
        self._end_l -= dark_s
        if self._end_l <= at_l:
            self._window.clear()
            self._jump(at_l)

    def reset(self):
        """Begin a new demand period; the interval in progress goes on."""
        self.peak_w = self.peak_up_s = self.peak_other_w = 0
        self._window.clear()

    def pack_into(self, buffer, at):
        """Write the state; return where it ends."""
        if not self.is_on:
            return at
        struct.pack_into(
            _HEAD,
            buffer,
            at,
            len(self._window),
            self._may,
            self._power_l,
            self._dark_s,
            self._end_l & 0xFFFFFFFF,
            self._blind_l,
            self._wh,
            self._other_wh,
            self.last_w,
            self.peak_w,
            self.peak_up_s,
            self.peak_other_w,
            self._period_min,
            self._sub_min,
        )
        at += _HEAD_BYTES
        for wh, other_wh, may in self._window:
            struct.pack_into(_SUB, buffer, at, wh, other_wh, may)
            at += _SUB_BYTES
        return at

    def unpack_from(self, buffer, at, end):
        """Take back what stands between two places of a record; nothing: the time is known."""
        self.stop()
        if at + _HEAD_BYTES > end:
            return
        self.is_on = True
        (
            count,
            may,
            self._power_l,
            self._dark_s,
            self._end_l,
            self._blind_l,
            self._wh,
            self._other_wh,
            self.last_w,
            self.peak_w,
            self.peak_up_s,
            self.peak_other_w,
            self._period_min,
            self._sub_min,
        ) = struct.unpack_from(_HEAD, buffer, at)
        self._may = bool(may)
        for i in range(count):
            wh, other_wh, may = struct.unpack_from(_SUB, buffer, at + _HEAD_BYTES + i * _SUB_BYTES)
            self._window.append((wh, other_wh, bool(may)))
