"""Places energy in time: intervals, hours, demand and rates, all by one walk along lit time.

Reads give steps (`steps.py`), the world gives nodes: outages, clock steps, marks. The walk goes
from where everything is placed to where both registers are known, stops at every boundary of
anything that is recorded, and gives each piece its share of the step it lies in (rule A-1).

Lit time `_l` counts seconds with the service on. Label time `_s` is UTC as the module's clock
had it; an outage is a jump of the label without lit time, a clock step is one without either.

Context: one task. Integers only.
"""

import struct

from micropython import const

from endpoint.metering.demand import Demand
from endpoint.metering.interval import STATE_BYTES as INTERVAL_BYTES
from endpoint.metering.interval import Interval
from endpoint.metering.rows import (
    CHG,
    DEMAND,
    DEMAND_LAYOUT,
    EST,
    HOUR,
    HOUR_LAYOUT,
    INTERVAL,
    INTERVAL_LAYOUT,
    LONG,
    MISSING,
    NO_VOLTAGE,
    PARTIAL,
    PF,
    RINGS,
    TEST,
    TIME,
)
from endpoint.metering.steps import (
    ACROSS_HOURS,
    CHANGED,
    COUNTED,
    ESTIMATED,
    HOMELESS,
    NEGATED,
    SIGNS,
    VAGUE,
    Steps,
    part,
)
from endpoint.metering.steps import STATE_MAX_BYTES as _STEPS_BYTES
from endpoint.metering.tou import NO_RATE

ROWS_PER_CALL = const(300)  # three days of quarter hours, what a chip writes in some seconds

# Kinds of nodes.
OUTAGE = const(0)  # value: seconds
UNSURE_OUTAGE = const(1)  # ... in which power came and went, nobody knows when
STEP = const(2)  # value: clock correction that flags
SLEW = const(3)  # value: clock correction that does not
UPTIME = const(4)  # demand intervals run from here
SYNC = const(5)  # ... and are aligned again
RAISE = const(6)  # value: flag that holds from here
CLEAR = const(7)
RESET = const(8)  # demand reset; value: seconds into the outage behind it
SHADOW = const(9)  # another pending schedule: its registers begin here
NODES_MAX = const(15)

UNSURE = const(0x1000)  # flag of the walk only: energy was used here that has another place

_S_PER_MIN = const(60)
_S_PER_H = const(3600)
_SLACK_WH_S = const(36_000)
_MODULUS_WH = const(100_000_000)
_NEVER_S = const(0x1FFFFFFFF)
_BOUND_MAX_S = const(255)
_PPM = const(1_000_000)

_HEAD = "<IqBBHqqqIIIqqqqqqqqqqIIIIIIiiiBIIIII"
_HEAD_BYTES = struct.calcsize(_HEAD)
_NODE = "<IBiI"
_NODE_BYTES = const(13)
STATE_MAX_BYTES = (
    _HEAD_BYTES + 4 * RINGS + 2 * INTERVAL_BYTES + 2 * _STEPS_BYTES + NODES_MAX * _NODE_BYTES
)


class Placement:
    """Everything that is recorded against time.

    Parameters
    ----------
    cap_w, poll_s : int
    site : calendar.Site
    tariff : tou.Tariff
    sink
        `put(ring, sequence, row)`.
    volts : voltage.Voltage
        Periods that end with the hours and with the demand subintervals.
    on_reset : callable
        Told when a demand reset reaches its place, before the peaks move.

    Attributes
    ----------
    rates_wh, shadow_wh : list of int
        Rates A to D, and what no schedule had a rate for.
    estimated_wh, at_risk_wh, unplaced_wh, register_wh
        `register_wh` is the streamable register as far as energy is placed.
    """

    def __init__(self, cap_w, poll_s, site, tariff, sink, volts, on_reset):
        self._cap_w = cap_w
        self._long_s = 2 * poll_s
        self.site = site
        self._tariff = tariff
        self._sink = sink
        self._volts = volts
        self._on_reset = on_reset
        self.trace = None
        self.forward = Steps()
        self.reverse = Steps()
        self.profile = Interval(15)
        self.hour = Interval(60)
        self.demand = Demand()
        self._nodes_l = []
        self._nodes_kind = []
        self._nodes_s = []
        self._nodes_full_s = []
        self.at_l = 0
        self.offset_s = 0  # label minus lit time, where everything is placed
        self.is_started = False
        self.is_dated = False  # labels are known up to now
        self.has_label = False  # ... and where everything is placed
        self._sticky = 0
        self.rates_wh = [0] * 5
        self.shadow_wh = [0] * 5
        self.at_risk_wh = [0] * 5
        self.estimated_wh = 0
        self.unplaced_wh = 0
        self._vague = 0  # registers whose next step begins before a gap that nobody can date
        self._unsure_wh = 0  # energy used somewhere in that gap
        self.homeless_wh = 0  # has a rate, the fallback, and no interval yet
        self.register_wh = 0
        self._rate = self._shadow = NO_RATE
        self._rate_until_s = self._shadow_until_s = _NEVER_S
        self._risk_from_s = _NEVER_S
        self._risk_to_s = 0
        self._clpu_to_s = 0
        self._uptime_s = 0  # label at which unaligned demand intervals began; 0: aligned
        self._forward_wh = self._reverse_wh = self._value_wh = 0  # the open piece
        self._sign = 0
        self._piece_l = 0
        self._next_l = 0
        self._next_s = 0
        self.sync_s = 0
        self.sync_bound_s = 0
        self.drift_ppm = 30
        self.sequences = [0] * RINGS
        self._row = bytearray(40)
        self._rows_left = 0

    def limit(self, cap_w):
        """Follow another believable power."""
        self._cap_w = cap_w

    def label_s(self):
        """Return the label of the place up to which everything is placed."""
        return self.at_l + self.offset_s

    def bound_s(self, label_s):
        """Return by how much the clock may be wrong at an instant, in s (rule C-2)."""
        age_s = abs(label_s - self.sync_s)
        bound_s = self.sync_bound_s + (age_s * self.drift_ppm + _PPM - 1) // _PPM
        return min(bound_s, _BOUND_MAX_S)

    def start(self, at_l, offset_s, uptime_s):
        """Begin recording at the first read.

        Parameters
        ----------
        at_l : int
        offset_s : int or None
            None while the time is not known.
        uptime_s : int
            Since power came on.
        """
        for i in range(len(self._nodes_l)):
            if self._nodes_kind[i] == RAISE:
                self._sticky |= self._nodes_s[i]
            elif self._nodes_kind[i] == CLEAR:
                self._sticky &= ~self._nodes_s[i]
        for values in (self._nodes_l, self._nodes_kind, self._nodes_s, self._nodes_full_s):
            values.clear()
        self.forward.begin(at_l)
        self.reverse.begin(at_l)
        self.at_l = self._piece_l = at_l
        self.is_started = True
        if offset_s is not None:
            self.date(offset_s)
        else:
            self.node(at_l, UPTIME, uptime_s)

    def date(self, offset_s):
        """Tell the label of the place up to which everything is placed."""
        self.offset_s = offset_s
        self.has_label = self.is_dated = True
        if self.is_started and not self.hour.end_s:
            self._open_all()

    def _open_all(self):
        label_s = self.label_s()
        offset_s = self.site.offset_s(label_s)
        daylight = self.site.is_daylight(label_s)
        self.profile.open(label_s, self.at_l, offset_s, daylight)
        self.hour.open(label_s, self.at_l, offset_s, daylight)
        self._align_demand(label_s)
        self._look_up_rates()
        self._aim()

    def _align_demand(self, label_s):
        demand = self.demand
        sub_s = demand.sub_min * _S_PER_MIN
        into_s = (label_s + self.site.offset_s(label_s)) % sub_s
        self._uptime_s = 0
        self._open_demand(label_s, label_s - into_s + sub_s)
        if into_s:
            demand.flags |= PARTIAL

    def _open_demand(self, label_s, end_s):
        demand = self.demand
        demand.since_l = self.at_l
        demand.end_s = end_s
        demand.rate = self._tariff.rate_at(label_s)

    def accept(self, at_l, forward_wh, reverse_wh, sign):
        """Take the steps of one read that was good in full; the quick way where possible.

        Returns
        -------
        bool
            False: it has to be queued and walked.
        """
        if at_l >= self._next_l or self.forward.ends_l or self.reverse.ends_l:
            return False
        if self._nodes_l or self._sticky or not self.is_dated:
            return False
        value_wh = forward_wh
        if sign:
            value_wh += reverse_wh if sign == COUNTED else -reverse_wh
            if sign != self._sign:
                self.flush()
                self._sign = sign
        elif self._sign:
            self.flush()
            self._sign = 0
        self._forward_wh += forward_wh
        self._reverse_wh += reverse_wh
        self._value_wh += value_wh
        self.unplaced_wh += value_wh
        self.at_l = self.forward.start_l = self.reverse.start_l = at_l
        return True

    def queue(self, is_reverse, end_l, wh, mark):
        """Append a step of one register."""
        sign = mark & SIGNS
        if not is_reverse or sign == COUNTED:
            self.unplaced_wh += wh
        elif sign:
            self.unplaced_wh -= wh
        steps = self.reverse if is_reverse else self.forward
        if self._vague:
            bit = 2 if is_reverse else 1
            if self._vague & bit:
                self._vague &= ~bit
                mark |= VAGUE
        steps.add(end_l, wh, mark)
        if steps.is_over():
            self._make_room(steps, is_reverse)

    def _make_room(self, steps, is_reverse):
        """Join two steps; while the time is unknown, rather the oldest ones get the fallback.

        Steps of one demand interval are joined first, then those of one hour since power-up, so
        that what waits keeps its hour (rule T-8).
        """
        grid_l = self._uptime_l()
        grid_s = self.demand.sub_min * _S_PER_MIN
        at, cost = steps.cheapest(grid_l, grid_s)
        while cost >= ACROSS_HOURS and not self.is_dated:
            rate = self.fallback_rate(self.label_s())
            for i in range(len(steps.marks)):
                if not steps.marks[i] & HOMELESS:
                    self._give_up(steps, i, is_reverse, rate)
                    break
            else:
                break
            at, cost = steps.cheapest(grid_l, grid_s)
        steps.join(at)

    def _uptime_l(self):
        """Return the lit second of power-up while the time is unknown."""
        for i in range(len(self._nodes_l) - 1, -1, -1):
            if self._nodes_kind[i] == UPTIME:
                return self._nodes_l[i] - self._nodes_s[i]
        return self.forward.start_l

    def fallback_rate(self, label_s):
        """Return the rate of energy whose time stays unknown.

        Parameters
        ----------
        label_s : int
            The last known time, if there ever was one.
        """
        tariff = self._tariff
        schedule = tariff.schedule_at(label_s) if self.has_label else tariff.active
        if schedule is None and not self.has_label:
            schedule = tariff.pending
        return NO_RATE if schedule is None else schedule.fallback

    def _give_up(self, steps, i, is_reverse, rate):
        """Give a step to the fallback rate; its interval is still to be found."""
        value_wh = steps.steps_wh[i]
        if is_reverse:
            value_wh = self._signed(value_wh, steps.marks[i])
        steps.marks[i] |= HOMELESS
        self.rates_wh[rate] += value_wh
        self.unplaced_wh -= value_wh
        self.homeless_wh += value_wh
        self.estimated_wh += abs(value_wh)

    def node(self, at_l, kind, value_s):
        """Append what happened at a lit second."""
        if len(self._nodes_l) >= NODES_MAX:
            self._join_nodes()
        self._nodes_l.append(at_l)
        self._nodes_kind.append(kind)
        self._nodes_s.append(value_s)
        self._nodes_full_s.append(value_s if kind <= UNSURE_OUTAGE else 0)

    def _join_nodes(self):
        """Make room: the two newest outages become one, else the oldest mark or reset goes."""
        found = -1
        for i in range(len(self._nodes_l) - 1, -1, -1):
            if self._nodes_kind[i] <= UNSURE_OUTAGE:
                if found >= 0:
                    self._nodes_kind[i] = UNSURE_OUTAGE
                    self._nodes_s[i] += self._nodes_s[found]
                    self._nodes_full_s[i] += self._nodes_full_s[found]
                    self._drop_node(found)
                    return
                found = i
        for i in range(len(self._nodes_l) - 1):
            if self._nodes_kind[i] in (STEP, SLEW) and self._nodes_kind[i + 1] in (STEP, SLEW):
                self._nodes_s[i] += self._nodes_s[i + 1]
                self._nodes_kind[i] = min(self._nodes_kind[i], self._nodes_kind[i + 1])
                self._drop_node(i + 1)
                return
        for i in range(len(self._nodes_l)):
            if self._nodes_kind[i] in (RAISE, CLEAR):
                self._drop_node(i)
                return
        self._drop_node(self._nodes_kind.index(RESET))

    def _drop_node(self, i):
        for values in (self._nodes_l, self._nodes_kind, self._nodes_s, self._nodes_full_s):
            values.pop(i)

    def resolve(self, full_s, is_unsure):
        """Tell how long the outage lasted that was appended with -1 s."""
        for i in range(len(self._nodes_l)):
            if self._nodes_kind[i] <= UNSURE_OUTAGE and self._nodes_s[i] < 0:
                self._nodes_s[i] = self._nodes_full_s[i] = full_s
                self._nodes_kind[i] = UNSURE_OUTAGE if is_unsure else OUTAGE

    def unexplained_wh(self):
        """Return what of the unplaced energy no waiting step accounts for.

        Between two reads nobody can tell while a step is partly placed; it is 0 then.
        """
        if max(self.forward.start_l, self.reverse.start_l) < self.at_l:
            return 0
        if min(self.forward.start_l, self.reverse.start_l) < self.at_l and self.is_dated:
            return 0
        left_wh = self.unplaced_wh + self.homeless_wh - sum(self.forward.steps_wh)
        for i in range(len(self.reverse.steps_wh)):
            left_wh -= self._signed(self.reverse.steps_wh[i], self.reverse.marks[i])
        return left_wh

    def runs_free(self):
        """Tell whether demand intervals run from power-up, not on the grid of the clock."""
        return UPTIME in self._nodes_kind or bool(self._uptime_s)

    def waiting_dark_s(self):
        """Return the seconds of the outages that wait."""
        dark_s = 0
        for i in range(len(self._nodes_l)):
            if self._nodes_kind[i] <= UNSURE_OUTAGE:
                dark_s += self._nodes_s[i]
        return dark_s

    def collapse(self, to_l, fallback):
        """Give up dating what waits: it goes to the fallback rate and to the place `to_l`.

        Parameters
        ----------
        to_l : int
            Lit second that the time was last known for, or where recording began.
        fallback : int
            Rate.
        """
        self.flush()
        self._vague = 3
        self._unsure_wh = 0
        for steps, is_reverse in ((self.forward, False), (self.reverse, True)):
            sums = {}
            for i in range(len(steps.ends_l)):
                mark = steps.marks[i] & (SIGNS | CHANGED)
                if not steps.marks[i] & HOMELESS:
                    self._give_up(steps, i, is_reverse, fallback)
                sums[mark] = sums.get(mark, 0) + steps.steps_wh[i]
            start_l = min(steps.start_l, to_l)
            self._unsure_wh += sum(steps.steps_wh)
            steps.begin(start_l)
            for mark in sorted(sums):
                steps.add(to_l, sums[mark], mark | HOMELESS)
        for i in range(len(self._nodes_l) - 1, -1, -1):
            kind = self._nodes_kind[i]
            if kind in (RAISE, CLEAR, RESET, SHADOW):
                self._nodes_l[i] = min(self._nodes_l[i], to_l)
            elif (
                self._nodes_l[i] > to_l
                or kind == UPTIME
                or (kind <= UNSURE_OUTAGE and self._nodes_s[i] < 0)
            ):
                self._drop_node(i)

    def shift(self, from_l, by_s):
        """Move what happened from `from_l` on: the lit time before it was longer."""
        self.forward.shift(from_l, by_s)
        self.reverse.shift(from_l, by_s)
        for i in range(len(self._nodes_l)):
            if self._nodes_l[i] >= from_l:
                self._nodes_l[i] += by_s
        if self.at_l >= from_l:
            self.at_l += by_s
            self._piece_l += by_s

    def is_in_test(self):
        """Tell whether the meter is in test mode, also where nothing is placed yet."""
        for i in range(len(self._nodes_l) - 1, -1, -1):
            if self._nodes_kind[i] in (RAISE, CLEAR) and self._nodes_s[i] == TEST:
                return self._nodes_kind[i] == RAISE
        return bool(self._sticky & TEST)

    def adopt_peak(self, undated, power_up_s):
        """Take over a peak that was found against uptime, where placing has lost the detail."""
        if not undated.peak_w:
            return
        demand = self.demand
        end_s = power_up_s + undated.peak_up_s
        rate = self._tariff.rate_at(end_s - demand.period_min * _S_PER_MIN)
        demand.offer(undated.peak_w, end_s, undated.peak_other_w, rate)

    def has_boundary_before(self, label_s):
        """Tell whether a demand interval has ended, now or before, that is not closed yet."""
        return not self.is_dated or self.demand.end_s <= label_s

    def place(self):
        """Place what can be placed, at most `ROWS_PER_CALL` rows at once."""
        if not self.is_dated or not self.is_started:
            return
        self._rows_left = ROWS_PER_CALL
        forward, reverse = self.forward, self.reverse
        to_l = min(forward.known_l(), reverse.known_l())
        while self._rows_left > 0:
            if self.label_s() >= self._next_s:
                self._cross()
            elif forward.ends_l and forward.ends_l[0] <= self.at_l:
                self._give_at_once(forward, False)
            elif reverse.ends_l and reverse.ends_l[0] <= self.at_l:
                self._give_at_once(reverse, True)
            elif self._is_node_due(to_l):
                self._apply_node()
            elif self.at_l < to_l:
                self._walk(to_l)
            else:
                break
        self._next_l = self._next_s - self.offset_s

    def _is_node_due(self, to_l):
        """Tell whether a node is next; an outage waits for what a read may still put before it."""
        if not self._nodes_l or self._nodes_l[0] > self.at_l:
            return False
        if self._nodes_kind[0] == RESET and self._nodes_s[0]:
            self._let_outage_first()
        return self.at_l < to_l or (
            self._nodes_kind[0] > UNSURE_OUTAGE
            and not (self._nodes_kind[0] == RESET and self._nodes_s[0])
        )

    def _let_outage_first(self):
        """Put the outage, and what else happened at this lit second, before a reset in it."""
        for i in range(1, len(self._nodes_l)):
            if self._nodes_l[i] > self.at_l:
                self._nodes_s[0] = 0
                return
            if self._nodes_kind[i] != RESET:
                self._to_front(i)
                return

    def _to_front(self, i):
        """Put a node before all others."""
        for values in (self._nodes_l, self._nodes_kind, self._nodes_s, self._nodes_full_s):
            values.insert(0, values.pop(i))

    def _give_at_once(self, steps, is_reverse):
        """Give a step without a lit second to the place where it is."""
        wh, mark = steps.steps_wh[0], steps.marks[0]
        steps.drop()
        if wh:
            self._flag(EST)
        if is_reverse:
            self._give(0, wh, self._signed(wh, mark), mark)
        else:
            self._give(wh, 0, wh, mark | self._sign)

    def _signed(self, wh, mark):
        if mark & COUNTED:
            return wh
        return -wh if mark & NEGATED else 0

    def _is_one_step(self):
        """Tell whether both registers step together: the bill knows one step and divides that."""
        forward, reverse = self.forward, self.reverse
        if not forward.ends_l or forward.start_l != reverse.start_l:
            return False
        return forward.ends_l[0] == reverse.ends_l[0]

    def _walk(self, to_l):
        """Go on to the next place where something ends, in one straight piece."""
        forward, reverse = self.forward, self.reverse
        at_l = self.at_l
        to_l = min(to_l, at_l + self._next_s - self.label_s(), forward.ends_l[0])
        to_l = min(to_l, reverse.ends_l[0])
        if self._nodes_l:
            to_l = min(to_l, self._nodes_l[0])
        forward_wh = forward.part(at_l, to_l)
        reverse_wh = reverse.part(at_l, to_l)
        mark = reverse.marks[0]
        signed_wh = self._signed(reverse.steps_wh[0], mark)
        if self._is_one_step():
            whole_wh = forward.steps_wh[0] + signed_wh
            value_wh = part(whole_wh, forward.start_l, forward.ends_l[0], at_l, to_l)
        else:
            value_wh = forward_wh
            value_wh += part(signed_wh, reverse.start_l, reverse.ends_l[0], at_l, to_l)
        self._give(forward_wh, reverse_wh, value_wh, mark | forward.marks[0])
        if (mark | forward.marks[0]) & CHANGED:
            self._flag(CHG)
        if self._sticky:
            self._flag(self._sticky & ~UNSURE)
            if self._sticky & UNSURE:
                self._doubt()
        self.at_l = to_l
        ends_forward, ends_reverse = forward.ends_l[0] == to_l, reverse.ends_l[0] == to_l
        if ends_forward:
            self._divide_all(forward, False)
        if ends_reverse:
            self._divide_all(reverse, True)
            reverse.drop()
        if ends_forward:
            forward.drop()

    def _give(self, forward_wh, reverse_wh, value_wh, mark):
        sign = mark & SIGNS
        if sign != self._sign:
            self.flush()
            self._sign = sign
        if mark & HOMELESS:
            self.flush()
        self._forward_wh += forward_wh
        self._reverse_wh += reverse_wh
        self._value_wh += value_wh
        if mark & HOMELESS:
            self._flag(EST)
            self.flush(False)
            for cell in (self.profile, self.hour):
                cell.over_wh += forward_wh + reverse_wh
                if sign == NEGATED:
                    cell.under_wh += reverse_wh

    def _doubt(self):
        """Widen the bounds by the energy that was used in a gap and could not be dated."""
        wh = self._unsure_wh
        for steps in (self.forward, self.reverse):
            if steps.marks and steps.marks[0] & VAGUE:
                wh += steps.steps_wh[0]
        for cell in (self.profile, self.hour):
            if not cell.is_unsure:
                cell.is_unsure = True
                cell.under_wh += wh
                cell.over_wh += wh

    def _flag(self, flag):
        self.profile.flags |= flag
        self.hour.flags |= flag
        self.demand.flags |= flag

    def _divide_all(self, steps, is_reverse):
        """Say of a step that ends how sure the open intervals are of what they hold of it."""
        mark = steps.marks[0]
        if is_reverse and not mark & SIGNS:
            return
        start_l = steps.start_l
        self._divide(self.profile, steps, is_reverse)
        self._divide(self.hour, steps, is_reverse)
        since_l = self.demand.since_l
        if start_l < since_l < self.at_l or (since_l <= start_l and self.at_l < steps.ends_l[0]):
            if steps.ends_l[0] - start_l > self._long_s:
                self.demand.flags |= EST

    def _divide(self, cell, steps, is_reverse):
        """Say how sure a cell is of its share of a step that it does not hold in full."""
        start_l, end_l, at_l = steps.start_l, steps.ends_l[0], self.at_l
        low_l = max(start_l, cell.since_l)
        mark = steps.marks[0]
        if low_l >= at_l or (low_l == start_l and at_l == end_l and not mark & VAGUE):
            return
        wh = steps.steps_wh[0]
        lit_s = at_l - low_l
        share_wh = part(wh, start_l, end_l, low_l, at_l)
        if is_reverse and self._is_one_step():
            # What is left of the one step's share, so that the bounds are those of the value.
            forward_wh = self.forward.steps_wh[0]
            whole_wh = forward_wh + self._signed(wh, mark)
            share_wh = part(whole_wh, start_l, end_l, low_l, at_l)
            share_wh -= part(forward_wh, start_l, end_l, low_l, at_l)
            if mark & NEGATED:
                share_wh = -share_wh
        others_wh = (self._cap_w * (end_l - start_l - lit_s) + _SLACK_WH_S) // _S_PER_H
        most_wh = max(min(wh, (self._cap_w * lit_s + _SLACK_WH_S) // _S_PER_H), share_wh)
        least_wh = 0 if mark & VAGUE else min(max(0, wh - others_wh), share_wh)
        if is_reverse and mark & NEGATED:
            cell.over_wh += most_wh - share_wh
            cell.under_wh += share_wh - least_wh
        else:
            cell.under_wh += most_wh - share_wh
            cell.over_wh += share_wh - least_wh
        if end_l - start_l > self._long_s:
            cell.flags |= EST

    def flush(self, has_rate=True):
        """Give the open piece to everything that records."""
        forward_wh, reverse_wh = self._forward_wh, self._reverse_wh
        value_wh = self._value_wh
        counts = self._sign & COUNTED
        has_energy = forward_wh or reverse_wh or value_wh
        if has_energy:
            for cell in (self.profile, self.hour):
                cell.forward_wh += forward_wh
                cell.reverse_wh += reverse_wh
                cell.value_wh += value_wh
            delivered_wh = value_wh if counts else forward_wh
            if self.label_s() > self._clpu_to_s:
                self.demand.wh += delivered_wh
                self.demand.other_wh += reverse_wh
            self.register_wh += delivered_wh
            if not has_rate:
                self.homeless_wh -= value_wh
            else:
                self.unplaced_wh -= value_wh
                self.rates_wh[self._rate] += value_wh
                if self._risk_from_s < self.label_s() or self._piece_is_at_risk():
                    self.at_risk_wh[self._rate] += abs(value_wh)
                if self._shadow != NO_RATE:
                    self.shadow_wh[self._shadow] += value_wh
            self._forward_wh = self._reverse_wh = self._value_wh = 0
        if self.trace and (has_energy or self.at_l > self._piece_l):
            self.trace(
                self._piece_l + self.offset_s,
                self.label_s(),
                self.at_l - self._piece_l,
                forward_wh,
                reverse_wh,
                value_wh,
                self._rate if has_rate else NO_RATE,
                self.profile.flags,
            )
        self._piece_l = self.at_l

    def _piece_is_at_risk(self):
        return self._piece_l + self.offset_s < self._risk_to_s

    def _aim(self):
        """Find the next boundary of anything."""
        label_s = self.label_s()
        next_s = min(
            self.profile.end_s,
            self.hour.end_s,
            self.demand.end_s,
            self._rate_until_s,
            self._shadow_until_s,
        )
        for edge_s in (self._clpu_to_s, self._risk_from_s, self._risk_to_s):
            if label_s < edge_s < next_s:
                next_s = edge_s
        self._next_s = next_s
        self._next_l = next_s - self.offset_s

    def _cross(self):
        """Close and open whatever has its boundary here."""
        self.flush()
        label_s = self.label_s()
        ends = label_s >= self.hour.end_s or label_s >= self.profile.end_s
        ends = ends or label_s >= self.demand.end_s
        if ends:
            for steps, is_reverse in ((self.forward, False), (self.reverse, True)):
                if steps.ends_l and steps.start_l < self.at_l < steps.ends_l[0]:
                    self._divide_ending(steps, is_reverse, label_s)
            if label_s >= self.profile.end_s:
                self._close_profile()
            if label_s >= self.hour.end_s:
                self._close_hour()
            if label_s >= self.demand.end_s:
                self._close_demand()
        if label_s >= min(self._rate_until_s, self._shadow_until_s):
            self._look_up_rates()
        self._aim()

    def _divide_ending(self, steps, is_reverse, label_s):
        if is_reverse and not steps.marks[0] & SIGNS:
            return
        for cell in (self.profile, self.hour):
            if label_s >= cell.end_s:
                self._divide(cell, steps, is_reverse)
        if label_s >= self.demand.end_s and self.at_l > self.demand.since_l:
            if steps.ends_l[0] - steps.start_l > self._long_s:
                self.demand.flags |= EST

    def put(self, ring, row):
        """Hand out one row."""
        if self._sink is not None:
            self._sink.put(ring, self.sequences[ring], row)
        self.sequences[ring] += 1
        self._rows_left -= 1

    def _close_profile(self):
        cell = self.profile
        if cell.end_s <= cell.reported_s:
            cell.carry()
            return
        end_s = cell.end_s
        cell.pack_row(INTERVAL_LAYOUT, self._row, self.at_l, self.bound_s(end_s), cell.open_min, 0)
        self.put(INTERVAL, memoryview(self._row)[:32])
        cell.go_on(self.at_l, self.site.offset_s(end_s), self.site.is_daylight(end_s))

    def _close_hour(self):
        cell = self.hour
        end_s = cell.end_s
        if end_s <= cell.reported_s:
            cell.carry()
            return
        minimum_dv, maximum_dv, average_dv = self._volts.hours.take(end_s)
        cell.pack_row(
            HOUR_LAYOUT,
            self._row,
            self.at_l,
            self.register_wh % _MODULUS_WH,
            minimum_dv,
            maximum_dv,
            average_dv,
            self.bound_s(end_s),
            0,
        )
        self.put(HOUR, self._row)
        cell.go_on(self.at_l, self.site.offset_s(end_s), self.site.is_daylight(end_s))

    def miss(self, label_s):
        """Report the intervals that have ended by `label_s` as missing, never as zero."""
        if not self.is_dated:
            return
        self._rows_left = ROWS_PER_CALL
        for cell, layout, ring in (
            (self.profile, INTERVAL_LAYOUT, INTERVAL),
            (self.hour, HOUR_LAYOUT, HOUR),
        ):
            length_s = cell.length_min * _S_PER_MIN
            end_s = max(cell.end_s, cell.reported_s + length_s)
            while end_s <= label_s and self._rows_left > 0:
                bound_s = self.bound_s(end_s)
                head = (end_s, MISSING, 0, 0, 0, 0, 0, 0)
                if ring == INTERVAL:
                    struct.pack_into(layout, self._row, 0, *head, bound_s, cell.length_min, 0)
                    self.put(ring, memoryview(self._row)[:32])
                else:
                    none = (0, NO_VOLTAGE, NO_VOLTAGE, NO_VOLTAGE, bound_s, 0)
                    struct.pack_into(layout, self._row, 0, *head, *none)
                    self.put(ring, self._row)
                cell.reported_s = end_s
                end_s += length_s

    def expect(self, label_s):
        """Begin the intervals that will be reported missing, before any read."""
        offset_s = self.site.offset_s(label_s)
        for cell in (self.profile, self.hour):
            length_s = cell.length_min * _S_PER_MIN
            if not cell.end_s and not cell.reported_s:
                cell.reported_s = label_s - (label_s + offset_s) % length_s

    def _close_demand(self, early_flags=0):
        demand = self.demand
        demand.flags |= early_flags
        flags = demand.flags
        end_s = demand.end_s
        if early_flags:
            end_s = demand.end_s = self.label_s()
        average_dv = self._volts.intervals.take(end_s)[2]
        if average_dv != NO_VOLTAGE:
            demand.volts_dv, demand.volts = average_dv, 1
        demand_w, rate, may_set = demand.close()
        struct.pack_into(DEMAND_LAYOUT, self._row, 0, end_s, flags, rate, may_set, demand_w)
        self.put(DEMAND, memoryview(self._row)[:12])
        self._open_demand(end_s, end_s + demand.sub_min * _S_PER_MIN)
        if not self._uptime_s:
            # A change of the intervals' length leads back to the grid here.
            sub_s = demand.sub_min * _S_PER_MIN
            demand.end_s -= (demand.end_s + self.site.offset_s(end_s)) % sub_s

    def _look_up_rates(self):
        """Follow the schedule to the rate in force here."""
        label_s = self.label_s()
        tariff = self._tariff
        rate = tariff.rate_at(label_s)
        until_s = tariff.until_s(label_s)
        if rate != self._rate:
            self._switch(rate)
        self._rate_until_s = until_s
        self._shadow, self._shadow_until_s = tariff.shadow(label_s)
        self._risk_from_s = _NEVER_S
        if until_s < _NEVER_S >> 1:
            bound_s = self.bound_s(until_s)
            if bound_s and tariff.rate_at(until_s) != rate:
                self._risk_from_s = until_s - bound_s

    def _switch(self, rate):
        """Change the rate; energy that a long gap divides here is an estimate (rule T-5)."""
        if self._rate != NO_RATE:
            self._risk_to_s = self.label_s() + self.bound_s(self.label_s())
        for steps in (self.forward, self.reverse):
            if not steps.ends_l or not steps.start_l < self.at_l < steps.ends_l[0]:
                continue
            mark = steps.marks[0]
            counts = steps is self.forward or mark & SIGNS
            is_long = steps.ends_l[0] - steps.start_l > self._long_s
            if counts and is_long and not mark & ESTIMATED:
                self.estimated_wh += steps.steps_wh[0]
                steps.marks[0] |= ESTIMATED
        self._rate = rate

    def realign(self):
        """Follow a new length of the demand intervals: the one that runs sets no peak."""
        if self.has_label and self.hour.end_s:
            self.flush()
            label_s = self.label_s()
            sub_s = self.demand.sub_min * _S_PER_MIN
            self.demand.end_s = label_s - (label_s + self.site.offset_s(label_s)) % sub_s + sub_s
            self.demand.flags |= TIME
            self._aim()

    def follow(self):
        """Look at schedule, site and settings again: a command changed them."""
        if self.is_dated and self.is_started and self.hour.end_s:
            self.flush()
            self._look_up_rates()
            self._aim()

    def begin_shadow(self, at_l):
        """Begin the registers of another pending schedule at a lit second."""
        self.flush()
        self.shadow_wh = [0] * 5
        self.follow()
        if SHADOW in self._nodes_kind:
            self._drop_node(self._nodes_kind.index(SHADOW))
        if self.is_started and at_l > self.at_l:
            self.node(at_l, SHADOW, 0)

    def _apply_node(self):
        kind = self._nodes_kind[0]
        self.flush()
        if kind <= UNSURE_OUTAGE:
            self._pass_dark(kind == UNSURE_OUTAGE)
            return
        value_s = self._nodes_s[0]
        if kind == STEP and value_s > 0:
            self._pass_skipped()
            return
        self._drop_node(0)
        if kind == STEP or kind == SLEW:
            self.offset_s += value_s
            if kind == STEP:
                self._flag(TIME | LONG)
            if self._clpu_to_s:
                self._clpu_to_s += value_s
            if self.label_s() < self._next_s:
                self._look_up_rates()
        elif kind == UPTIME:
            label_s = self.label_s()
            if self.at_l > self.demand.since_l or self.demand.flags & PF:
                self._close_demand(PARTIAL)
            self._uptime_s = label_s
            self._open_demand(label_s, label_s - value_s + self.demand.sub_min * _S_PER_MIN)
            while self.demand.end_s <= label_s:
                self.demand.end_s += self.demand.sub_min * _S_PER_MIN
        elif kind == SYNC:
            if self.at_l > self.demand.since_l:
                self._close_demand(PARTIAL | TIME)
            self._align_demand(self.label_s())
        elif kind == RAISE:
            self._sticky |= value_s
            self._flag(value_s & ~UNSURE)
        elif kind == CLEAR:
            self._sticky &= ~value_s
        elif kind == SHADOW:
            self.shadow_wh = [0] * 5
        else:
            self._on_reset()
            self.demand.reset()
        self._aim()

    def _pass_dark(self, is_unsure):
        left_s = self._nodes_s[0]
        by_s = min(left_s, self._next_s - self.label_s())
        reset_s = self._reset_in_dark_s()
        if reset_s:
            by_s = min(by_s, reset_s)
        if by_s > 0:
            self.offset_s += by_s
            self._near_resets(by_s)
            for cell in (self.profile, self.hour):
                cell.dark_s += by_s
                cell.flags |= PF
            if is_unsure:
                self._doubt()
            self.demand.flags |= PF
            left_s -= by_s
            self._nodes_s[0] = left_s
        if left_s <= 0:
            demand = self.demand
            if demand.clpu_min and self._nodes_full_s[0] > demand.clpu_outage_s:
                self._clpu_to_s = self.label_s() + demand.clpu_min * _S_PER_MIN
            self._drop_node(0)
            if self.label_s() < self._next_s:
                self._aim()
        elif reset_s == by_s > 0:
            self._to_front(1)

    def _reset_in_dark_s(self):
        """Return the seconds into the outage that is first after which a reset came, 0 if none."""
        if len(self._nodes_l) < 2 or self._nodes_kind[1] != RESET:
            return 0
        return self._nodes_s[1] if self._nodes_l[1] == self._nodes_l[0] else 0

    def _near_resets(self, by_s):
        """Go on in an outage towards the resets that came in it."""
        for i in range(1, len(self._nodes_l)):
            if self._nodes_kind[i] != RESET or self._nodes_l[i] != self._nodes_l[0]:
                return
            self._nodes_s[i] = max(0, self._nodes_s[i] - by_s)

    def _pass_skipped(self):
        left_s = self._nodes_s[0]
        by_s = min(left_s, self._next_s - self.label_s())
        self.offset_s += by_s
        for cell in (self.profile, self.hour):
            cell.skip_s += by_s
        self.demand.flags |= TIME | PARTIAL
        left_s -= by_s
        self._nodes_s[0] = left_s
        if left_s <= 0:
            self._drop_node(0)
            if self.label_s() < self._next_s:
                self._look_up_rates()
                self._aim()

    def pack_into(self, buffer, at):
        """Write the state; return where it ends."""
        flags = self.is_started | self.is_dated << 1 | self.has_label << 2 | self._vague << 3
        rates, shadow, risk = self.rates_wh, self.shadow_wh, self.at_risk_wh
        struct.pack_into(
            _HEAD,
            buffer,
            at,
            self.at_l,
            self.offset_s,
            flags,
            self._rate << 4 | self._shadow,
            self._sticky,
            self.unplaced_wh,
            self.homeless_wh,
            self.register_wh,
            self.estimated_wh & 0xFFFFFFFF,
            self._clpu_to_s,
            self._risk_to_s,
            rates[0],
            rates[1],
            rates[2],
            rates[3],
            rates[4],
            shadow[0],
            shadow[1],
            shadow[2],
            shadow[3],
            shadow[4],
            risk[0],
            risk[1],
            risk[2],
            risk[3],
            risk[4],
            self._uptime_s,
            self._forward_wh,
            self._reverse_wh,
            self._value_wh,
            self._sign,
            self._piece_l,
            self.sync_s,
            self.sync_bound_s,
            self.drift_ppm,
            self._unsure_wh & 0xFFFFFFFF,
        )
        at += _HEAD_BYTES
        for sequence in self.sequences:
            struct.pack_into("<I", buffer, at, sequence)
            at += 4
        self.profile.pack_into(buffer, at)
        self.hour.pack_into(buffer, at + INTERVAL_BYTES)
        at = self.forward.pack_into(buffer, at + 2 * INTERVAL_BYTES)
        at = self.reverse.pack_into(buffer, at)
        buffer[at] = len(self._nodes_l)
        at += 1
        for i in range(len(self._nodes_l)):
            struct.pack_into(
                _NODE,
                buffer,
                at,
                self._nodes_l[i],
                self._nodes_kind[i],
                self._nodes_s[i],
                self._nodes_full_s[i] & 0xFFFFFFFF,
            )
            at += _NODE_BYTES
        return self.demand.pack_into(buffer, at)

    def unpack_from(self, buffer, at):
        """Take back the state; return where it ended."""
        values = struct.unpack_from(_HEAD, buffer, at)
        self.at_l, self.offset_s, flags, rates, self._sticky = values[:5]
        self.is_started = bool(flags & 1)
        self.is_dated = bool(flags & 2)
        self.has_label = bool(flags & 4)
        self._vague = flags >> 3
        self._rate, self._shadow = rates >> 4, rates & 15
        self.unplaced_wh, self.homeless_wh, self.register_wh, self.estimated_wh = values[5:9]
        self._clpu_to_s, self._risk_to_s = values[9:11]
        self.rates_wh = list(values[11:16])
        self.shadow_wh = list(values[16:21])
        self.at_risk_wh = list(values[21:26])
        self._uptime_s, self._forward_wh, self._reverse_wh, self._value_wh = values[26:30]
        self._sign, self._piece_l, self.sync_s, self.sync_bound_s, self.drift_ppm = values[30:35]
        self._unsure_wh = values[35]
        at += _HEAD_BYTES
        for ring in range(RINGS):
            self.sequences[ring] = struct.unpack_from("<I", buffer, at)[0]
            at += 4
        self.profile.unpack_from(buffer, at)
        self.hour.unpack_from(buffer, at + INTERVAL_BYTES)
        at = self.forward.unpack_from(buffer, at + 2 * INTERVAL_BYTES)
        at = self.reverse.unpack_from(buffer, at)
        count = buffer[at]
        at += 1
        while self._nodes_l:
            self._drop_node(0)
        for _ in range(count):
            node_l, kind, value_s, full_s = struct.unpack_from(_NODE, buffer, at)
            self._nodes_l.append(node_l)
            self._nodes_kind.append(kind)
            self._nodes_s.append(value_s)
            self._nodes_full_s.append(full_s)
            at += _NODE_BYTES
        at = self.demand.unpack_from(buffer, at)
        self._next_l = 0
        return at

    def go_on(self):
        """After `unpack_from`: find boundaries and rates again, with the schedules in place."""
        if self.is_started and self.hour.end_s:
            label_s = self.label_s()
            rate = self._rate
            self._look_up_rates()
            if rate != self._rate:
                # The record was written before the switch was reached.
                self._rate = rate
                self._rate_until_s = label_s
            self._aim()
            self._next_l = 0
