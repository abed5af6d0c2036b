"""Demand: block and rolling intervals, peaks, and what a reset and a freeze make of them.

Demand is the energy of an interval over its nominal length, whatever part of it was recorded.
A block interval is a window of one subinterval, so that one mechanism serves both.

Context: one task. Integers only: Wh, W, s.
"""

import struct

from micropython import const

from endpoint.metering import BadDemand
from endpoint.metering.rows import NO_PEAK

RATES = const(4)
_MIN_PER_H = const(60)
_PERIODS_MIN = (5, 15, 30, 60)
_IS_FROZEN = const(0x80)
_IDENTITIES = const(4)  # executed resets that are known again when they come late
NO_IDENTITY = const(0xFFFFFFFF)

_HEAD = "<BBBIBIIIHHBIIIIIIIIHIIII"
_HEAD_BYTES = struct.calcsize(_HEAD)
_FIELDS = (
    "period_min",
    "sub_min",
    "clpu_min",
    "lockout_s",
    "last_w",
    "peak_w",
    "peak_s",
    "coincident_dv",
    "clpu_outage_s",
    "rate",
    "coincident_w",
    "previous_w",
    "previous_s",
    "cumulative_w",
    "resets",
    "reset_s",
    "reset_life_s",
    "end_s",
    "flags",
    "since_l",
    "wh",
    "other_wh",
)
_COUNT_AT = const(4)  # the subintervals that follow; behind all fields the voltage in one word
_LIST = "<IIIIIIIIIIII"  # rate peaks and their times, identities
_LIST_BYTES = const(48)
_FROZEN = "<qqqqqqIIIH"
_FROZEN_BYTES = struct.calcsize(_FROZEN)
_SUB = "<IIIHHB"
_SUB_BYTES = const(17)
WINDOW_MAX = const(60)
STATE_MAX_BYTES = _HEAD_BYTES + _LIST_BYTES + _FROZEN_BYTES + WINDOW_MAX * _SUB_BYTES


class Demand:
    """Peaks since the last reset, and the intervals that may raise them.

    Attributes
    ----------
    period_min, sub_min, clpu_min, clpu_outage_s, lockout_s : int
        Settings; `sub_min` equals `period_min` for block demand.
    last_w : int
        The interval that ended last.
    peak_w, peak_s : int
        Largest since the reset, and the end of its interval (UTC); 0 W has no time.
    coincident_w, coincident_dv : int
        Demand of the reverse register and mean voltage in the interval of the peak; 0 dv: none.
    previous_w, previous_s, cumulative_w, resets, reset_s, reset_life_s : int
    rate_w, rate_s : list of int
        Peak of each rate.
    frozen : list of int
        Total, five rates (the fifth: none), peak, its time, freeze time, freezes.
    """

    def __init__(self):
        self.period_min = self.sub_min = 15
        self.clpu_min = 0
        self.clpu_outage_s = 300
        self.lockout_s = 86_400
        self.last_w = 0
        self.peak_w = self.peak_s = self.coincident_w = self.coincident_dv = 0
        self.previous_w = self.previous_s = self.cumulative_w = 0
        self.resets = self.reset_s = self.reset_life_s = 0
        self.rate_w = [0] * RATES
        self.rate_s = [0] * RATES
        self.identities = [NO_IDENTITY] * _IDENTITIES
        self.frozen = [0] * 10
        # The subinterval in progress.
        self.end_s = self.since_l = 0
        self.wh = self.other_wh = self.volts_dv = self.volts = self.flags = self.rate = 0
        # Those before it that share a window with it, oldest first.
        self._whs = []
        self._others_wh = []
        self._volts_dv = []
        self._volts = []
        self._marks = []

    def configure(self, period_min, sub_min, clpu_min, clpu_outage_s, lockout_s):
        """Change the intervals; the one in progress cannot set a peak any more.

        Raises
        ------
        BadDemand
            Nothing has changed.
        """
        if period_min not in _PERIODS_MIN or sub_min < 1 or period_min % sub_min:
            raise BadDemand
        if not 0 <= clpu_min <= 255 or not 0 <= clpu_outage_s <= 0xFFFF:
            raise BadDemand
        if not 0 <= lockout_s <= 0x3FFFFFFF:
            raise BadDemand
        if (period_min, sub_min) != (self.period_min, self.sub_min):
            self._forget()
        self.period_min = period_min
        self.sub_min = sub_min
        self.clpu_min = clpu_min
        self.clpu_outage_s = clpu_outage_s
        self.lockout_s = lockout_s

    def _forget(self):
        for values in (self._whs, self._others_wh, self._volts_dv, self._volts, self._marks):
            values.clear()

    def close(self):
        """End the subinterval in progress.

        Returns
        -------
        tuple of (int, int, bool)
            Demand in W, the rate it belongs to, and whether it could set a peak.
        """
        self._whs.append(self.wh)
        self._others_wh.append(self.other_wh)
        self._volts_dv.append(self.volts_dv)
        self._volts.append(self.volts)
        may = 0 if self.flags & NO_PEAK else 1
        self._marks.append(self.rate << 1 | may)
        self.wh = self.other_wh = self.volts_dv = self.volts = self.flags = 0
        may_set = self._all_may()
        rate = self._marks[0] >> 1
        self.last_w = sum(self._whs) * _MIN_PER_H // self.period_min
        if may_set:
            self._offer(rate)
        if len(self._whs) >= self.period_min // self.sub_min:
            for values in (self._whs, self._others_wh, self._volts_dv, self._volts, self._marks):
                values.pop(0)
        return self.last_w, rate, may_set

    def _all_may(self):
        for mark in self._marks:
            if not mark & 1:
                return False
        return True

    def _offer(self, rate):
        if self.last_w > self.peak_w:
            self.peak_w = self.last_w
            self.peak_s = self.end_s
            self.coincident_w = sum(self._others_wh) * _MIN_PER_H // self.period_min
            volts = sum(self._volts)
            self.coincident_dv = (2 * sum(self._volts_dv) + volts) // (2 * volts) if volts else 0
        if rate < RATES and self.last_w > self.rate_w[rate]:
            self.rate_w[rate] = self.last_w
            self.rate_s[rate] = self.end_s

    def offer(self, w, end_s, other_w, rate):
        """Take a peak that was found elsewhere, if it is larger; it has no coincident voltage."""
        if w > self.peak_w:
            self.peak_w, self.peak_s = w, end_s
            self.coincident_w, self.coincident_dv = other_w, 0
        if rate < RATES and w > self.rate_w[rate]:
            self.rate_w[rate], self.rate_s[rate] = w, end_s

    def was_done(self, identity):
        """Tell whether a reset with this number has been executed."""
        return identity in self.identities

    def note_reset(self, identity, utc_s, life_s):
        """Count a reset that is executed."""
        self.identities.pop(0)
        self.identities.append(identity)
        self.resets += 1
        self.reset_s = utc_s
        self.reset_life_s = life_s

    def reset(self):
        """Begin a new period; the interval in progress goes on."""
        self.previous_w = self.peak_w
        self.previous_s = self.peak_s
        self.cumulative_w += self.peak_w
        self.peak_w = self.peak_s = self.coincident_w = self.coincident_dv = 0
        for rate in range(RATES):
            self.rate_w[rate] = self.rate_s[rate] = 0
        self._forget()

    def continuous_cumulative_w(self):
        """Return the cumulative demand with the running peak."""
        return self.cumulative_w + self.peak_w

    def freeze(self, total_wh, rates_wh, utc_s):
        """Copy energies and peak into the frozen set."""
        self.frozen = [
            total_wh,
            rates_wh[0],
            rates_wh[1],
            rates_wh[2],
            rates_wh[3],
            rates_wh[4],
            self.peak_w,
            self.peak_s,
            utc_s,
            max(self.frozen[9] + 1 & 0xFFFF, 1),
        ]

    def pack_into(self, buffer, at):
        """Write the state; return where it ends."""
        values = [getattr(self, name) for name in _FIELDS]
        values.insert(_COUNT_AT, len(self._whs) | (_IS_FROZEN if self.frozen[9] else 0))
        values.append(self.volts_dv << 8 | min(self.volts, 255))
        struct.pack_into(_HEAD, buffer, at, *values)
        at += _HEAD_BYTES
        values = self.rate_w + self.rate_s + self.identities
        struct.pack_into(_LIST, buffer, at, *values)
        at += _LIST_BYTES
        if self.frozen[9]:
            struct.pack_into(_FROZEN, buffer, at, *self.frozen)
            at += _FROZEN_BYTES
        for i in range(len(self._whs)):
            struct.pack_into(
                _SUB,
                buffer,
                at,
                self._whs[i],
                self._others_wh[i],
                self._volts_dv[i],
                self._volts[i],
                0,
                self._marks[i],
            )
            at += _SUB_BYTES
        return at

    def unpack_from(self, buffer, at):
        """Take back the state; return where it ended."""
        values = list(struct.unpack_from(_HEAD, buffer, at))
        volts = values.pop()
        count = values.pop(_COUNT_AT)
        for name, value in zip(_FIELDS, values):
            setattr(self, name, value)
        self.volts_dv, self.volts = volts >> 8, volts & 0xFF
        at += _HEAD_BYTES
        values = struct.unpack_from(_LIST, buffer, at)
        self.rate_w = list(values[:4])
        self.rate_s = list(values[4:8])
        self.identities = list(values[8:])
        at += _LIST_BYTES
        if count & _IS_FROZEN:
            self.frozen = list(struct.unpack_from(_FROZEN, buffer, at))
            at += _FROZEN_BYTES
        self._forget()
        for _ in range(count & ~_IS_FROZEN):
            wh, other_wh, volts_dv, volts, _, marks = struct.unpack_from(_SUB, buffer, at)
            self._whs.append(wh)
            self._others_wh.append(other_wh)
            self._volts_dv.append(volts_dv)
            self._volts.append(volts)
            self._marks.append(marks)
            at += _SUB_BYTES
        return at
