"""The service voltage: extremes of an hour, ranges of a day, and the worst excursions.

A sample counts when the power-fail detector has not fired for a second after it and power has
been on for more than two seconds before it: what is nearer to a switching of the service is an
artefact of it. A sag with the service on is real and counts.

All voltages in tenths of a volt. Times in ms are monotonic; `utc_s` is 0 while unknown.

Context: one task. Allocates: nothing after construction, for integers below 2^30.
Source: ANSI C84.1, service voltage, ranges A and B.
"""

import struct
from array import array

from micropython import const

from endpoint.metering.gates import is_bench_supply, supply_is_fit
from endpoint.metering.rows import VOLTAGE_DAY_LAYOUT

NO_DATA = const(0xFFFF)

BEFORE_FAIL_MS = const(1000)
AFTER_RESTORE_MS = const(2000)

# Where a voltage lies.
BELOW_B = const(-2)
B_LOW = const(-1)
RANGE_A = const(0)
B_HIGH = const(1)
ABOVE_B = const(2)

# Inclusive limits: B low, A low, A high, B high.
_RANGES_120 = (1100, 1140, 1260, 1270)
_RANGES_240 = (2200, 2280, 2520, 2540)

WORST = const(10)

_HOUR_S = const(3600)
_HOURS_WAITING = const(6)  # ended, but their energy waits for a good read
_INTERVALS_WAITING = const(2)  # one that waits longer is estimated and sets no peak
_QUEUE = const(4)  # samples of the last second; polls are seconds apart
_LIMIT = const(0x3FFFFFFF)

DAY_ROW_BYTES = const(28)

_EXTREMES = "<HHIIII"
_EXTREMES_BYTES = const(20)
_ENDED = "<IHHH"
_ENDED_BYTES = const(10)
_EXCURSION = "<IIH"
_EXCURSION_BYTES = const(10)
STATE_BYTES = const(273)


def classify(dv, nominal_v):
    """Return where a voltage lies at a service of 120 or 240 V; limits are inclusive."""
    b_low, a_low, a_high, b_high = _RANGES_120 if nominal_v == 120 else _RANGES_240
    if dv < b_low:
        return BELOW_B
    if dv < a_low:
        return B_LOW
    if dv <= a_high:
        return RANGE_A
    return B_HIGH if dv <= b_high else ABOVE_B


def depth_dv(dv, nominal_v):
    """Return how far a voltage is outside range A; 0 inside."""
    _, a_low, a_high, _ = _RANGES_120 if nominal_v == 120 else _RANGES_240
    return max(a_low - dv, dv - a_high, 0)


class Extremes:
    """Smallest, largest and average voltage of a period.

    Attributes
    ----------
    minimum_dv, maximum_dv : int
        `NO_DATA` without a valid sample.
    minimum_s, maximum_s : int
        UTC second of the first sample of that size; 0 if not known.
    count : int
    """

    def __init__(self):
        self.clear()

    def clear(self):
        """Begin a new period."""
        self.minimum_dv = self.maximum_dv = NO_DATA
        self.minimum_s = self.maximum_s = 0
        self.count = self._sum_dv = 0

    def add(self, dv, utc_s):
        """Take one valid sample."""
        if not self.count or dv < self.minimum_dv:
            self.minimum_dv = dv
            self.minimum_s = utc_s
        if not self.count or dv > self.maximum_dv:
            self.maximum_dv = dv
            self.maximum_s = utc_s
        self.count += 1
        self._sum_dv += dv

    def average_dv(self):
        """Return the mean, rounded half up, or `NO_DATA`."""
        if not self.count:
            return NO_DATA
        return (2 * self._sum_dv + self.count) // (2 * self.count)

    def pack_into(self, buffer, offset):
        """Write the state; return where the next one goes."""
        struct.pack_into(
            _EXTREMES,
            buffer,
            offset,
            self.minimum_dv,
            self.maximum_dv,
            self.minimum_s,
            self.maximum_s,
            self.count,
            self._sum_dv,
        )
        return offset + _EXTREMES_BYTES

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote; return where the next one is."""
        (
            self.minimum_dv,
            self.maximum_dv,
            self.minimum_s,
            self.maximum_s,
            self.count,
            self._sum_dv,
        ) = struct.unpack_from(_EXTREMES, buffer, offset)
        return offset + _EXTREMES_BYTES


class Periods:
    """Extremes of the period that runs, and of those just ended until somebody takes them.

    Parameters
    ----------
    length_s : int
        Periods end at its multiples by the wall clock; 3600 or a part of it.
    waiting : int
        Ended periods kept.

    Attributes
    ----------
    offset_s : int
        Wall clock minus UTC; whole hours make no difference.
    """

    def __init__(self, length_s, waiting):
        self.length_s = length_s
        self.offset_s = 0
        self.running = Extremes()
        self._end_s = 0
        self._waiting = waiting
        self._next = 0
        self._ends_s = array("I", [0] * waiting)
        self._values_dv = array("H", [0] * (3 * waiting))

    def add(self, dv, utc_s):
        """Take a sample into the period of its own time."""
        end_s = utc_s - (utc_s + self.offset_s) % self.length_s + self.length_s
        if end_s != self._end_s:
            self._end()
            self._end_s = end_s
        self.running.add(dv, utc_s)

    def _end(self):
        """Put the running period with those that wait."""
        if self.running.count:
            at = self._next
            self._next = (at + 1) % self._waiting
            self._ends_s[at] = self._end_s
            self._values_dv[3 * at] = self.running.minimum_dv
            self._values_dv[3 * at + 1] = self.running.maximum_dv
            self._values_dv[3 * at + 2] = self.running.average_dv()
        self.running.clear()

    def take(self, end_s):
        """Return (minimum, maximum, average) of the period that ended at `end_s`.

        Each is `NO_DATA` when no valid sample came; zero hours are no voltage.
        """
        if end_s == self._end_s:
            self._end()
        for at in range(self._waiting):
            if self._ends_s[at] == end_s:
                return (
                    self._values_dv[3 * at],
                    self._values_dv[3 * at + 1],
                    self._values_dv[3 * at + 2],
                )
        return NO_DATA, NO_DATA, NO_DATA

    def restart(self, length_s):
        """Go on with periods of another length; samples of the running one are dropped."""
        self.length_s = length_s
        self.running.clear()
        self._end_s = 0

    def pack_into(self, buffer, offset):
        """Write the state; return where the next one goes."""
        struct.pack_into("<IH", buffer, offset, self._end_s, self._next)
        offset = self.running.pack_into(buffer, offset + 6)
        for at in range(self._waiting):
            struct.pack_into(
                _ENDED,
                buffer,
                offset,
                self._ends_s[at],
                self._values_dv[3 * at],
                self._values_dv[3 * at + 1],
                self._values_dv[3 * at + 2],
            )
            offset += _ENDED_BYTES
        return offset

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote; return where the next one is."""
        self._end_s, self._next = struct.unpack_from("<IH", buffer, offset)
        offset = self.running.unpack_from(buffer, offset + 6)
        for at in range(self._waiting):
            (
                self._ends_s[at],
                self._values_dv[3 * at],
                self._values_dv[3 * at + 1],
                self._values_dv[3 * at + 2],
            ) = struct.unpack_from(_ENDED, buffer, offset)
            offset += _ENDED_BYTES
        return offset


class Excursions:
    """The worst times outside range A: deepest first, then the longer, then the earlier.

    An excursion lasts from the first sample outside range A to the first one inside, or until
    power fails.
    """

    def __init__(self, nominal_v):
        self._nominal_v = nominal_v
        self._starts_s = array("I", [0] * WORST)
        self._lengths_s = array("I", [0] * WORST)
        self._values_dv = array("H", [0] * WORST)
        self._count = 0
        self._length_ms = 0
        self._start_s = 0
        self._dv = 0  # worst voltage of the one that runs; 0: none runs
        self.begun = 0

    def __len__(self):
        return self._count

    def entry(self, i):
        """Return (start in UTC, length in s, worst voltage), 0 = worst of those that are over."""
        return self._starts_s[i], self._lengths_s[i], self._values_dv[i]

    def sample(self, dv, utc_s):
        """Take a valid sample."""
        depth = depth_dv(dv, self._nominal_v)
        if not depth:
            self.end()
        elif not self._dv:
            self._dv = dv
            self._start_s = utc_s
            self._length_ms = 0
            self.begun += 1
        elif depth > depth_dv(self._dv, self._nominal_v):
            self._dv = dv

    def last(self, ms):
        """Let the one that runs last longer."""
        if self._dv:
            self._length_ms = min(self._length_ms + ms, _LIMIT)

    def end(self):
        """Put the one that runs where it belongs."""
        if not self._dv:
            return
        dv = self._dv
        self._dv = 0
        depth = depth_dv(dv, self._nominal_v)
        length_s = self._length_ms // 1000
        at = self._count
        while at and self._is_worse(depth, length_s, at - 1):
            at -= 1
        if at == WORST:
            return
        if self._count < WORST:
            self._count += 1
        for i in range(self._count - 1, at, -1):
            self._starts_s[i] = self._starts_s[i - 1]
            self._lengths_s[i] = self._lengths_s[i - 1]
            self._values_dv[i] = self._values_dv[i - 1]
        self._starts_s[at] = self._start_s
        self._lengths_s[at] = length_s
        self._values_dv[at] = dv

    def _is_worse(self, depth, length_s, at):
        other = depth_dv(self._values_dv[at], self._nominal_v)
        return depth > other or (depth == other and length_s > self._lengths_s[at])

    def clear(self):
        """Forget all."""
        self._count = 0

    def pack_into(self, buffer, offset):
        """Write the state; return where the next one goes."""
        struct.pack_into(
            "<BHHII",
            buffer,
            offset,
            self._count,
            self._dv,
            self.begun & 0xFFFF,
            self._start_s,
            self._length_ms,
        )
        offset += 13
        for i in range(WORST):
            struct.pack_into(_EXCURSION, buffer, offset, *self.entry(i))
            offset += _EXCURSION_BYTES
        return offset

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote; return where the next one is."""
        (
            self._count,
            self._dv,
            self.begun,
            self._start_s,
            self._length_ms,
        ) = struct.unpack_from("<BHHII", buffer, offset)
        offset += 13
        for i in range(WORST):
            (
                self._starts_s[i],
                self._lengths_s[i],
                self._values_dv[i],
            ) = struct.unpack_from(_EXCURSION, buffer, offset)
            offset += _EXCURSION_BYTES
        return offset


class Voltage:
    """Everything that is kept about one service's voltage.

    Parameters
    ----------
    nominal_v : int
        120 or 240.
    poll_s : int
        A sample speaks for the time until the next one, for two poll periods at most.
    interval_s : int
        Demand interval, for the coincident average.
    on_fit : callable, optional
        `on_fit(is_fit, mono_ms)` is told when samples that count leave the limits of the module
        or are back in them.

    Attributes
    ----------
    hours, intervals : Periods
    day : Extremes
    outside_a_ms, outside_b_ms : int
        Of the day so far; the time outside B is part of the time outside A.
    excursions : Excursions
    is_fit : bool
        The newest sample that counts was within the limits of the module.
    """

    def __init__(self, nominal_v, poll_s=60, interval_s=900, on_fit=None):
        self.nominal_v = nominal_v
        self.is_fit = True
        self._on_fit = on_fit
        self._hold_ms = 2000 * poll_s
        self.hours = Periods(_HOUR_S, _HOURS_WAITING)
        self.intervals = Periods(interval_s, _INTERVALS_WAITING)
        self.day = Extremes()
        self.outside_a_ms = self.outside_b_ms = 0
        self.excursions = Excursions(nominal_v)
        self._times_ms = [0] * _QUEUE
        self._samples_dv = array("H", [0] * _QUEUE)
        self._utcs_s = array("I", [0] * _QUEUE)
        self._queued = 0
        self._lit_ms = None  # restoration; None: nothing to wait for
        self._is_dark = False
        self._held_ms = None  # until when the last valid sample has been counted
        self._held_dv = 0
        self._held_left_ms = 0

    def now_dv(self):
        """Return the newest voltage that counts, 0.1 V; `NO_DATA` while dark or before one."""
        return NO_DATA if self._held_ms is None else self._held_dv

    def on_sample(self, mono_ms, dv, utc_s):
        """Take what the meter reports; it counts one second later."""
        self.settle(mono_ms)
        if self._is_dark:
            return
        if self._lit_ms is not None and mono_ms - self._lit_ms <= AFTER_RESTORE_MS:
            return
        if self._queued == _QUEUE:
            self._release()
        at = self._queued
        self._times_ms[at] = mono_ms
        self._samples_dv[at] = dv
        self._utcs_s[at] = utc_s
        self._queued += 1

    def settle(self, mono_ms):
        """Count the samples that no power failure can spoil any more."""
        while self._queued and mono_ms - self._times_ms[0] > BEFORE_FAIL_MS:
            self._release()
        if not self._queued:
            self._hold(mono_ms)

    def _release(self):
        """Count the oldest sample that waits."""
        mono_ms = self._times_ms[0]
        dv = self._samples_dv[0]
        utc_s = self._utcs_s[0]
        self._queued -= 1
        for i in range(self._queued):
            self._times_ms[i] = self._times_ms[i + 1]
            self._samples_dv[i] = self._samples_dv[i + 1]
            self._utcs_s[i] = self._utcs_s[i + 1]
        self._hold(mono_ms)
        is_fit = supply_is_fit(dv, self.nominal_v)
        if is_fit != self.is_fit:
            self.is_fit = is_fit
            if self._on_fit:
                self._on_fit(is_fit, mono_ms)
        if is_bench_supply(dv, self.nominal_v):
            self._held_ms = None
            self.excursions.end()
            return
        self._held_ms = mono_ms
        self._held_dv = dv
        self._held_left_ms = self._hold_ms
        self.excursions.sample(dv, utc_s)
        self.hours.add(dv, utc_s)
        self.intervals.add(dv, utc_s)
        self.day.add(dv, utc_s)

    def _hold(self, mono_ms):
        """Let the last valid sample speak for the time until now."""
        if self._held_ms is None:
            return
        ms = min(mono_ms - self._held_ms, self._held_left_ms)
        self._held_ms = mono_ms
        self._held_left_ms -= ms
        range_ = classify(self._held_dv, self.nominal_v)
        if range_ != RANGE_A:
            self.outside_a_ms += ms
            self.excursions.last(ms)
            if range_ in (BELOW_B, ABOVE_B):
                self.outside_b_ms += ms

    def on_dark(self, mono_ms):
        """Power has failed: the samples of the last second were artefacts."""
        self.settle(mono_ms)
        self._queued = 0
        self._hold(mono_ms)
        self._held_ms = None
        self.excursions.end()
        self._is_dark = True

    def on_lit(self, mono_ms):
        """Power is back."""
        self._is_dark = False
        self._lit_ms = mono_ms

    def close_day(self, end_s, buffer, offset=0):
        """Write the row of the local day that ended at `end_s`, and begin the next one.

        Call `settle` first. Minutes are whole; what is left of one is dropped.
        """
        day = self.day
        struct.pack_into(
            VOLTAGE_DAY_LAYOUT,
            buffer,
            offset,
            end_s,
            day.minimum_dv,
            day.maximum_dv,
            day.minimum_s,
            day.maximum_s,
            day.average_dv(),
            self.outside_a_ms // 60_000,
            self.outside_b_ms // 60_000,
            self.excursions.begun & 0xFFFF,
            day.count,
        )
        day.clear()
        self.outside_a_ms = self.outside_b_ms = 0
        self.excursions.begun = 0

    def pack_into(self, buffer, offset):
        """Write `STATE_BYTES` bytes; samples that wait belong to the time after."""
        offset = self.hours.pack_into(buffer, offset)
        offset = self.intervals.pack_into(buffer, offset)
        offset = self.day.pack_into(buffer, offset)
        struct.pack_into("<II", buffer, offset, self.outside_a_ms, self.outside_b_ms)
        self.excursions.pack_into(buffer, offset + 8)

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote, right after a start."""
        offset = self.hours.unpack_from(buffer, offset)
        offset = self.intervals.unpack_from(buffer, offset)
        offset = self.day.unpack_from(buffer, offset)
        self.outside_a_ms, self.outside_b_ms = struct.unpack_from("<II", buffer, offset)
        self.excursions.unpack_from(buffer, offset + 8)
