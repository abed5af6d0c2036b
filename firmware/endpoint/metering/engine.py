"""The metering engine: events in, rows and the endpoint's own totals out.

It composes registers (`register.py`), time (`clock.py`), the placement of energy in time
(`placement.py`), outages, voltage and tariffs. docs/engine.md describes its interface.

Every total is an opening value plus credited steps, so that the sums can be checked: what is
billed is opening + forward + counted reverse, net is its own opening + forward - reverse.

Context: one task. Integers only: Wh and s.
"""

import struct

from micropython import const

from endpoint.metering import BadReading, BadSetting, NotStarted, UnknownFormat, gates, rows
from endpoint.metering import replies as reply
from endpoint.metering.calendar import Site
from endpoint.metering.clock import AFTER_AWAY, AFTER_OUTAGE, KNOWN, NEVER_SET, Clock
from endpoint.metering.clock import STATE_BYTES as _CLOCK_BYTES
from endpoint.metering.demand import STATE_MAX_BYTES as _DEMAND_MAX_BYTES
from endpoint.metering.events import (
    CLOCK_SET,
    CLOCK_STEPPED,
    DEMAND_RESET,
    FORWARD_AMBIGUOUS,
    FORWARD_JUMPED,
    FROZEN,
    LOGGING_AGAIN,
    METER_CHANGED,
    METER_CLOCK_CHANGED,
    NO_TABLE,
    PEAK_CANCELLED,
    PEAK_PLANNED,
    POWER_FAILED,
    POWER_RETURNED,
    PRESET,
    RESTARTED,
    REVERSE_AMBIGUOUS,
    REVERSE_JUMPED,
    SCHEDULE_CANCELLED,
    SCHEDULE_PLANNED,
    SETTINGS_CHANGED,
    STARTED,
    STREAMING_SET,
    TIMES_UNKNOWN,
    TOU_EXPIRED,
    Events,
)
from endpoint.metering.forms import turn_gap_s
from endpoint.metering.outages import STATE_BYTES as _OUTAGES_BYTES
from endpoint.metering.outages import Outages
from endpoint.metering.placement import (
    CLEAR,
    OUTAGE,
    RAISE,
    RESET,
    SLEW,
    STEP,
    SYNC,
    UNSURE,
    UPTIME,
    Placement,
)
from endpoint.metering.placement import ROWS_PER_CALL as ROWS_PER_CALL
from endpoint.metering.placement import STATE_MAX_BYTES as _PLACEMENT_MAX_BYTES
from endpoint.metering.quantity import check
from endpoint.metering.register import (
    ACCEPTED,
    DISCONTINUITY,
    MODULUS_WH,
    STATE_1_BYTES,
    STATE_BYTES,
    SUSPECT,
    Register,
    signed,
)
from endpoint.metering.steps import CHANGED, COUNTED, NEGATED
from endpoint.metering.tou import NO_RATE, Tariff
from endpoint.metering.tou import STATE_BYTES as SCHEDULES_BYTES
from endpoint.metering.undated import STATE_MAX_BYTES as _UNDATED_MAX_BYTES
from endpoint.metering.undated import Undated
from endpoint.metering.voltage import DAY_ROW_BYTES, Voltage
from endpoint.metering.voltage import STATE_BYTES as _VOLTAGE_BYTES

SERIAL_MAX_BYTES = const(20)  # utility and manufacturer identities of C12.19 tables are no longer

# How long the module is taken to have been away when nobody can tell. Three days at the largest
# power are a twentieth of a turn on a 2S meter: energy used while a restart took its time passes,
# a register that fell to zero does not. A longer absence needs `absent()`.
UNKNOWN_GAP_S = const(259_200)

# States.
NOT_STARTED = const(0)
LOGGING = const(1)
NOT_LOGGING = const(2)

# Streaming.
STREAM_OFF = const(0)
STREAM_REGISTER = const(1)
STREAM_PROFILE = const(2)
MINIMUM = const(0)
MAXIMUM = const(1)

# Causes of a restart; those after the first are counted by `outages`.
POWER = const(0)
WATCHDOG = const(1)
REFLASH = const(2)
CRASH = const(3)
PROGRAMMED = const(4)

_READING_LIMIT_WH = const(0xFFFFFFFF)  # all ones is an error, not a value
_STAMP_MAX = const(0xFFFFFFFF)
_UTC_MAX_S = const(0xFFFFFFFF)
_MULTIPLIER_MAX = const(0xFFFF)
_PERIODS_MIN = (5, 15, 30, 60)
_DV_PER_V = const(10)
_OOR_VOLTAGE = const(1)
_OOR_SUPPLY = const(2)
# A meter clock that leaves its drift by more than this has been set.
_METER_CLOCK_STEP_S = const(60)

_FORMAT_1 = const(1)
_FORMAT = const(2)
_HEAD_1 = "<BBHHHI20s20sqqqqq"
_HEAD_1_BYTES = const(92)
_RECORD_1_BYTES = const(148)
_HEAD = "<BBHHHI20s20sqqqqqqqIIIIIIIIIBBBBiihBI"
HEAD_BYTES = struct.calcsize(_HEAD)
# Behind everything else, so that a record without it can be read.
_TAIL = "<H"
_TAIL_BYTES = const(2)
RECORD_BYTES = (
    HEAD_BYTES
    + 2 * STATE_BYTES
    + _CLOCK_BYTES
    + _OUTAGES_BYTES
    + _VOLTAGE_BYTES
    + _PLACEMENT_MAX_BYTES
    + _DEMAND_MAX_BYTES
    + _TAIL_BYTES
    + _UNDATED_MAX_BYTES
)

_DETENT = const(0x01)
_NET = const(0x02)
_NET_REGISTER_ONLY = const(0x04)
_PENDING = const(0x08)
_PENDING_DETENT = const(0x10)
_PENDING_NET = const(0x20)
_READ = const(0x40)


class Engine:
    """One meter's energy, carried through everything that can happen to it.

    Parameters
    ----------
    cap_w : int
        Largest believable average power of the form, W; see `forms` and `configure_cap`.
    detent, net : bool
        What is billed until `configure` says otherwise.
    firmware_version : int
        Decides which features exist.
    net_register_only : bool
        The meter's one register runs both ways; it is passed as the forward register.
    sink : object, optional
        `put(ring, sequence, row)` takes the rows.
    poll_s : int
        Poll period: a lit gap longer than two of them is an estimate where it is divided.
    nominal_dv : int
        Nominal service voltage, 0.1 V.

    Raises
    ------
    MeteringError
        The settings do not go together; see `quantity.check`.

    Attributes
    ----------
    forward, reverse : Register
        `baseline_wh` is the meter's own register at the last good read.
    forward_wh, reverse_wh, counted_reverse_wh : int
        Energy credited since the start; the last counts toward the bill (detent No).
    forward_step_wh, reverse_step_wh : int
        Steps of the last read.
    is_good : bool
        The last read was believed in full.
    serial, old_serial : bytes
        The meter now, and the one before it.
    meter_changes, stale_reads, ambiguous_steps : int
        Counters; the record keeps 16 bits of each. A read is ambiguous once, also when both
        registers may have made a whole turn.
    events : Events
        What happened; for the caller to take.
    placement : Placement
    demand : Demand
    undated : Undated
        Demand while the time is unknown.
    tariff : Tariff
    outages : Outages
    voltage : Voltage
    clock : Clock
    state : int
        `LOGGING`, `NOT_LOGGING` or `NOT_STARTED`.
    multiplier : int
        Of the meter, as far as it is known; sizes the cap and nothing else.
    streaming, extreme : int
    meter_clock_s : int or None
        The meter's clock minus ours, when both were last known.
    """

    def __init__(
        self,
        cap_w,
        detent,
        net,
        firmware_version,
        net_register_only=False,
        sink=None,
        poll_s=60,
        nominal_dv=2400,
    ):
        check(detent, net, firmware_version, net_register_only)
        self._form_cap_w = self._cap_w = cap_w
        self._poll_s = poll_s
        self._turn_gap_s = turn_gap_s(cap_w)
        self.multiplier = 1
        self._firmware_version = firmware_version
        self._net_register_only = net_register_only
        self._nominal_v = nominal_dv // _DV_PER_V
        self.detent = detent
        self.net = net
        self.pending = None
        self.forward = Register(net_register_only)
        self.reverse = Register()
        self.events = Events()
        self.serial = self.old_serial = b""
        self.meter_changes = self.stale_reads = self.ambiguous_steps = 0
        self.forward_wh = self.reverse_wh = self.counted_reverse_wh = 0
        self.forward_step_wh = self.reverse_step_wh = 0
        self.is_good = False
        self._opening_wh = 0
        self._net_opening_wh = 0
        self._is_started = False
        self._stamp = 0
        # Elapsed time toward plausibility.
        self._read_life_s = None
        self._extra_s = 0
        self._is_awake = True
        # Lit seconds of the first two readings of each register that were set aside.
        self._aside_l = [0, 0, 0, 0]
        # The books: what was credited to the bill, and what it ignores.
        self.credited_wh = 0
        self.ignored_wh = 0
        self._origin_wh = [0, 0]
        self.clock = Clock()
        self.outages = Outages()
        self.voltage = Voltage(self._nominal_v, poll_s, on_fit=self._on_fit)
        self.site = Site(0, False)
        self.tariff = Tariff(self.site)
        self.placement = Placement(
            cap_w, poll_s, self.site, self.tariff, sink, self.voltage, self._on_reset
        )
        self.demand = self.placement.demand
        self.undated = Undated()
        self.state = NOT_STARTED
        self.streaming = STREAM_OFF
        self.extreme = MINIMUM
        self.step_s = 15
        self.meter_clock_s = None
        self._out_of_limits = 0
        self._expired = 0
        self._day_end_s = 0
        self._row = bytearray(128)

    # What is billed.

    @property
    def billed_wh(self):
        """Energy since the start as detent counts it, in Wh; goes on while net is shown."""
        return self._opening_wh + self.forward_wh + self.counted_reverse_wh

    @property
    def net_wh(self):
        """Forward minus reverse since net was switched on, in Wh, signed."""
        return self._net_opening_wh + self.forward_wh - self.reverse_wh

    @property
    def total_wh(self):
        """The billing quantity, in Wh: the one total that the endpoint reports."""
        return self.net_wh if self.net else self.billed_wh

    @property
    def stream_wh(self):
        """The register that may be streamed, modulo 100,000 kWh: never net (rule D-7)."""
        return self.billed_wh % MODULUS_WH

    @property
    def rates_wh(self):
        """Energy of rates A to D since the first schedule, in Wh."""
        self.placement.flush()
        return self.placement.rates_wh[:4]

    @property
    def shadow_wh(self):
        """The same as the pending schedule would have it."""
        self.placement.flush()
        return self.placement.shadow_wh[:4]

    @property
    def rateless_wh(self):
        """Energy from before there was a schedule."""
        self.placement.flush()
        return self.placement.rates_wh[NO_RATE]

    @property
    def at_risk_wh(self):
        """Energy of each rate used so near to a switch that the clock's error may matter."""
        self.placement.flush()
        return self.placement.at_risk_wh[:4]

    @property
    def estimated_wh(self):
        """Energy divided between rates by estimation."""
        return self.placement.estimated_wh

    @property
    def unplaced_wh(self):
        """Energy that waits for its time or for the other register."""
        self.placement.flush()
        return self.placement.unplaced_wh

    def ledger(self):
        """Return the proof of the books (rule A-3).

        Returns
        -------
        tuple of (int, int, int)
            Energy debited by the registers, energy credited to rates, unplaced and ignored, and
            the sum of all differences, which is 0 or a fault.
        """
        placement = self.placement
        placement.flush()
        unplaced_wh = placement.unplaced_wh
        debit_wh = self.forward_wh + self.reverse_wh
        by_rate_wh = sum(placement.rates_wh) + unplaced_wh
        faults = abs(debit_wh - by_rate_wh - self.ignored_wh)
        faults += abs(self.credited_wh - by_rate_wh)
        faults += abs(placement.unexplained_wh())
        for cell in (placement.profile, placement.hour):
            by_time_wh = cell.closed_wh + cell.value_wh + unplaced_wh + placement.homeless_wh
            faults += abs(self.credited_wh - by_time_wh)
        for i, register in enumerate((self.forward, self.reverse)):
            wh = self.reverse_wh if i else self.forward_wh
            if self._net_register_only:
                wh = 0 if i else self.forward_wh - self.reverse_wh
            faults += abs(signed(self._origin_wh[i] + wh - register.baseline_wh))
        return debit_wh, by_rate_wh + self.ignored_wh, faults

    # Settings.

    def configure(self, detent, net):
        """Change what is billed, from the next good read on.

        Raises
        ------
        MeteringError
            The settings do not go together; nothing has changed.
        """
        check(detent, net, self._firmware_version, self._net_register_only)
        self.pending = (detent, net)

    def configure_profile(self, interval_min):
        """Change the length of the load profile's intervals, from the next one on.

        Raises
        ------
        BadSetting
        """
        if interval_min not in _PERIODS_MIN:
            raise BadSetting
        self.placement.profile.length_min = interval_min

    def configure_demand(
        self, period_min, sub_min, clpu_min=0, clpu_outage_s=300, lockout_s=86_400
    ):
        """Change demand intervals, cold-load pickup and the lock-out of resets.

        Raises
        ------
        BadDemand
            Nothing has changed.
        """
        demand = self.demand
        before = demand.sub_min
        is_same = (before, demand.period_min) == (sub_min, period_min)
        demand.configure(period_min, sub_min, clpu_min, clpu_outage_s, lockout_s)
        if not is_same:  # a start says the same again
            self.undated.stop()
        if before != sub_min:
            self.voltage.intervals.restart(sub_min * 60)
            self.placement.realign()

    def configure_clock(self, step_s, drift_ppm):
        """Change from which correction on the clock is said to step, and its drift.

        Raises
        ------
        BadSetting
        """
        if not 1 <= step_s <= 3600 or not 0 <= drift_ppm <= 10_000:
            raise BadSetting
        self.step_s = step_s
        self.placement.drift_ppm = drift_ppm

    def configure_cap(self, multiplier):
        """Size the believable power by the ratio that is programmed in the meter (rule E-7).

        Parameters
        ----------
        multiplier : int
            1 to 65,535; the record keeps it. Energy is never multiplied.

        Raises
        ------
        BadSetting
            Nothing has changed.
        """
        if not isinstance(multiplier, int) or not 1 <= multiplier <= _MULTIPLIER_MAX:
            raise BadSetting
        self.multiplier = multiplier
        self._cap_w = self._form_cap_w * multiplier
        self._turn_gap_s = turn_gap_s(self._cap_w)
        self.placement.limit(self._cap_w)

    def configure_site(self, offset_min, has_daylight):
        """Change the wall clock.

        Raises
        ------
        BadZone
        """
        site = Site(offset_min, has_daylight)
        if (site.offset_min, site.has_daylight) == (self.site.offset_min, self.site.has_daylight):
            return  # a start says the same again; the state must stay what its record says
        self.site = self.placement.site = site
        self.voltage.hours.offset_s = self.voltage.intervals.offset_s = offset_min * 60 % 3600
        self.tariff.move(site)
        self.placement.follow()

    # Events.

    def absent(self, gap_s, mono_s):
        """Tell, after a restart, that at `mono_s` the last read was `gap_s` seconds ago."""
        self._wake(mono_s)
        self._read_life_s = self.clock.life_s(self.clock.now_l(mono_s)) - gap_s
        self._extra_s = 0

    def on_read(self, serial, forward_wh, reverse_wh, mono_s, stamp=0):
        """Take one read of the meter.

        Parameters
        ----------
        serial : bytes
            The meter's identity, at most 20 bytes.
        forward_wh, reverse_wh : int
            Its registers.
        mono_s : int
            Monotonic seconds since this start of the module.
        stamp : int, optional
            The meter's own clock or table sequence, 32 bits; an unchanged one makes the read a
            repeat. 0: the meter shows none.

        Returns
        -------
        int
            Wh added to the billing quantity.

        Raises
        ------
        BadReading
            Not a read at all; nothing has changed.
        """
        self._refuse_nonsense(serial, forward_wh, reverse_wh, mono_s)
        if not 0 <= stamp <= _STAMP_MAX:
            raise BadReading
        self._wake(mono_s)
        # What the samples before this read say belongs in front of its energy.
        self.voltage.settle(mono_s * 1000)
        self.forward_step_wh = self.reverse_step_wh = 0
        self.is_good = False
        if stamp and stamp == self._stamp:
            self.stale_reads += 1
            return 0
        clock = self.clock
        now_l = clock.now_l(mono_s)
        life_s = clock.life_s(now_l)
        if self._read_life_s is None:
            elapsed_s = UNKNOWN_GAP_S
        else:
            elapsed_s = max(life_s - self._read_life_s, 0) + self._extra_s
        self._extra_s = 0
        self._read_life_s = life_s
        self._stamp = stamp
        if serial != self.serial:
            self._follow(serial, forward_wh, reverse_wh, now_l)
            credited_wh = 0
        else:
            credited_wh = self._credit(forward_wh, reverse_wh, elapsed_s, now_l)
        if self.state != LOGGING:
            if self.state == NOT_LOGGING:
                self._event(LOGGING_AGAIN, 0, now_l)
            self.state = LOGGING
        return credited_wh

    def _refuse_nonsense(self, serial, forward_wh, reverse_wh, mono_s):
        if not 0 < len(serial) <= SERIAL_MAX_BYTES or serial[-1] == 0:
            raise BadReading
        if not 0 <= forward_wh < _READING_LIMIT_WH or not 0 <= reverse_wh < _READING_LIMIT_WH:
            raise BadReading
        if mono_s < self.clock.last_mono_s:
            raise BadReading

    def _follow(self, serial, forward_wh, reverse_wh, now_l):
        """Go on with a meter that was not there before, crediting nothing."""
        old_wh = self.forward.baseline_wh
        self.forward.start(forward_wh)
        self.reverse.start(reverse_wh)
        self.is_good = True
        self.old_serial, self.serial = self.serial, bytes(serial)  # the caller's buffer may change
        self._anchor(0)
        self._anchor(1)
        if self._is_started:
            self.meter_changes += 1
            self._event(METER_CHANGED, old_wh, self.forward.baseline_wh)
            self.undated.doubt()
            for is_reverse in (False, True):
                self._queue(is_reverse, now_l, 0, CHANGED)
            self.placement.place()
        self._apply_pending()
        if not self._is_started:
            self._is_started = True
            self._open(now_l)

    def _anchor(self, i):
        """Tie a total to its register anew."""
        register = self.reverse if i else self.forward
        wh = self.reverse_wh if i else self.forward_wh
        if self._net_register_only:
            wh = 0 if i else self.forward_wh - self.reverse_wh
        self._origin_wh[i] = (register.baseline_wh - wh) % MODULUS_WH

    def _open(self, now_l):
        """Let every total begin where the meter stands."""
        self._opening_wh = self.forward.baseline_wh
        if not self.detent:
            self._opening_wh += self.reverse.baseline_wh
        self.placement.register_wh = self._opening_wh
        self._open_net()
        self._event(STARTED, self.forward.baseline_wh, self.reverse.baseline_wh)
        clock = self.clock
        offset_s = None if clock.doubt else clock.offset_s
        self.placement.start(now_l, offset_s, clock.uptime_s(now_l))
        self.placement.place()

    def _open_net(self):
        forward_wh = self.forward.baseline_wh
        if self._net_register_only:
            forward_wh = signed(forward_wh)
        self._net_opening_wh = (
            forward_wh - self.reverse.baseline_wh - self.forward_wh + self.reverse_wh
        )

    def _credit(self, forward_wh, reverse_wh, elapsed_s, now_l):
        forward = self.forward.offer(forward_wh, elapsed_s, self._cap_w)
        reverse = self.reverse.offer(reverse_wh, elapsed_s, self._cap_w)
        if forward == ACCEPTED and reverse == ACCEPTED:
            credited_wh = self._credit_good(now_l)
        else:
            credited_wh = self._credit_doubtful(forward, reverse, now_l)
        self.is_good = forward != SUSPECT and reverse != SUSPECT
        if self.is_good and self.pending is not None:
            self._apply_pending()
        return credited_wh

    def _sign(self):
        if self.net:
            return NEGATED
        return 0 if self.detent else COUNTED

    def _credit_good(self, now_l):
        forward_wh, reverse_wh = self.forward.step_wh, self.reverse.step_wh
        if forward_wh < 0:
            # A register that runs both ways gives its backward steps to the other direction.
            forward_wh, reverse_wh = 0, -forward_wh
        self.forward_step_wh, self.reverse_step_wh = forward_wh, reverse_wh
        self.forward_wh += forward_wh
        self.reverse_wh += reverse_wh
        if self.forward.gap_s > self._turn_gap_s or self.reverse.gap_s > self._turn_gap_s:
            self._note_both(ACCEPTED, ACCEPTED)
        credited_wh = forward_wh
        sign = NEGATED if self.net else 0 if self.detent else COUNTED
        if sign == COUNTED:
            self.counted_reverse_wh += reverse_wh
            credited_wh += reverse_wh
        elif sign:
            credited_wh -= reverse_wh
        self.credited_wh += credited_wh
        self.ignored_wh += forward_wh + reverse_wh - credited_wh
        placement = self.placement
        if not placement.is_dated:
            delivered_wh = credited_wh if sign == COUNTED else forward_wh
            self._count_undated(now_l, delivered_wh, reverse_wh)
        if not placement.accept(now_l, forward_wh, reverse_wh, sign):
            placement.queue(False, now_l, forward_wh, 0)
            placement.queue(True, now_l, reverse_wh, sign)
            placement.place()
            self._look_at_schedule()
        return credited_wh

    def _count_undated(self, now_l, wh, reverse_wh):
        """Count a step toward demand while the time is unknown (rule M-14)."""
        undated, clock = self.undated, self.clock
        if not undated.is_on:
            blind_s = 60 * self.demand.clpu_min if clock.doubt == AFTER_OUTAGE else 0
            undated.begin(clock.power_l, blind_s, self.demand)
            if clock.doubt == AFTER_AWAY:
                # Nobody knows how much of this step was used before the start.
                undated.add(now_l, now_l, 0, 0, False)
                return
        start_l = self.placement.forward.known_l()
        is_sure = now_l - start_l <= 2 * self._poll_s and not self.placement.is_in_test()
        undated.add(start_l, now_l, wh, reverse_wh, is_sure)

    def _credit_doubtful(self, forward, reverse, now_l):
        """Credit what can be believed when at least one register cannot."""
        self.undated.doubt()
        self._note_both(forward, reverse)
        before_wh = self.credited_wh
        if self._net_register_only:
            self._credit_one(False, self.forward, forward, now_l)
        else:
            self._credit_one(False, self.forward, forward, now_l)
            self._credit_one(True, self.reverse, reverse, now_l)
        self.placement.place()
        self._look_at_schedule()
        return self.credited_wh - before_wh

    def _credit_one(self, is_reverse, register, outcome, now_l):
        at = 2 if is_reverse else 0
        if outcome == SUSPECT:
            if register.suspects <= 2:
                self._aside_l[at + register.suspects - 1] = now_l
            return
        if outcome == ACCEPTED:
            self._book(is_reverse, now_l, register.step_wh, 0)
            return
        first_l, second_l = self._aside_l[at], self._aside_l[at + 1]
        self._book(is_reverse, first_l, 0, CHANGED)
        self._book(is_reverse, second_l, register.second_wh, 0)
        self._book(is_reverse, now_l, register.step_wh - register.second_wh, 0)
        self._anchor(1 if is_reverse else 0)

    def _book(self, is_reverse, end_l, wh, mark):
        """Credit one step of one register and queue it for its place in time."""
        if self._net_register_only:
            self._book_one(False, end_l, max(wh, 0), mark)
            self._book_one(True, end_l, max(-wh, 0), mark)
        else:
            self._book_one(is_reverse, end_l, wh, mark)

    def _book_one(self, is_reverse, end_l, wh, mark):
        value_wh = wh
        if is_reverse:
            self.reverse_step_wh += wh
            self.reverse_wh += wh
            if self.net:
                value_wh = -wh
            elif self.detent:
                value_wh = 0
            else:
                self.counted_reverse_wh += wh
        else:
            self.forward_step_wh += wh
            self.forward_wh += wh
        self.credited_wh += value_wh
        self.ignored_wh += wh - value_wh
        self._queue(is_reverse, end_l, wh, mark)

    def _queue(self, is_reverse, end_l, wh, mark):
        if is_reverse:
            mark |= self._sign()
        self.placement.queue(is_reverse, end_l, wh, mark)

    def _note_both(self, forward, reverse):
        is_ambiguous = self._note(self.forward, forward, FORWARD_JUMPED, FORWARD_AMBIGUOUS)
        if self._note(self.reverse, reverse, REVERSE_JUMPED, REVERSE_AMBIGUOUS) or is_ambiguous:
            self.ambiguous_steps += 1

    def _note(self, register, outcome, jumped, ambiguous):
        """Tell what is special about a step; return whether it may lack whole turns."""
        if outcome == DISCONTINUITY:
            self._event(jumped, register.jumped_from_wh, register.jumped_to_wh)
            return False
        if register.gap_s <= self._turn_gap_s:
            return False
        self._event(ambiguous, register.step_wh, register.gap_s)
        return True

    def _apply_pending(self):
        """Put new settings into force, now that the old ones have had all that was theirs."""
        if self.pending is None:
            return
        detent, net = self.pending
        self.pending = None
        if net and not self.net:
            self._open_net()
        self.detent = detent
        self.net = net
        self._event(SETTINGS_CHANGED, detent, net)

    def on_voltage(self, mono_ms, voltage_dv):
        """Take the voltage that came with a read; call it after `on_read`."""
        mono_s = mono_ms // 1000
        self._wake(mono_s)
        utc_s = self.clock.utc_s(mono_s)
        if utc_s >= self._day_end_s and utc_s:
            self._end_day(utc_s, mono_ms)
        self.voltage.on_sample(mono_ms, voltage_dv, utc_s)

    def _on_fit(self, is_fit, mono_ms):
        """Follow a voltage that left the limits at this moment, or is back in them."""
        self._limit(_OOR_VOLTAGE, is_fit, self.clock.lit_l(mono_ms // 1000))

    def _end_day(self, utc_s, mono_ms):
        """Close the voltage's local day."""
        self.voltage.settle(mono_ms)
        if self._day_end_s and self.voltage.day.count:
            self.voltage.close_day(self._day_end_s, self._row)
            self.placement.put(rows.VOLTAGE_DAY, memoryview(self._row)[:DAY_ROW_BYTES])
        self._day_end_s = self.site.midnight_s(utc_s)

    def on_supply(self, in_limits, mono_s):
        """Take whether frequency, supply and temperature are within the limits."""
        self._wake(mono_s)
        self._limit(_OOR_SUPPLY, in_limits, self.clock.now_l(mono_s))

    def _limit(self, bit, is_fit, at_l):
        before = self._out_of_limits
        self._out_of_limits = before & ~bit if is_fit else before | bit
        if bool(before) != bool(self._out_of_limits):
            kind = RAISE if self._out_of_limits else CLEAR
            self.placement.node(at_l, kind, rows.OOR)
            self.placement.place()

    def on_test_mode(self, active, mono_s):
        """Take whether the meter is in test mode: no peaks while it is."""
        self._wake(mono_s)
        kind = RAISE if active else CLEAR
        self.placement.node(self.clock.now_l(mono_s), kind, rows.TEST)
        self.placement.place()

    def on_meter_clock(self, meter_utc_s, mono_s):
        """Take the meter's own clock; it is reported and never places energy (rule C-6)."""
        self._wake(mono_s)
        utc_s = self.clock.utc_s(mono_s)
        if not utc_s:
            return
        before = self.meter_clock_s
        self.meter_clock_s = meter_utc_s - utc_s
        if before is not None and abs(self.meter_clock_s - before) > _METER_CLOCK_STEP_S:
            self._event(METER_CLOCK_CHANGED, before, self.meter_clock_s)

    def on_no_table(self, mono_s):
        """Take that the meter shows no usable data table: say so, record no zeros."""
        self._wake(mono_s)
        self.clock.now_l(mono_s)
        if self.state != NOT_LOGGING:
            self._event(NO_TABLE, 0, 0)
        self.state = NOT_LOGGING
        self._miss(mono_s)

    def _miss(self, mono_s):
        utc_s = self.clock.utc_s(mono_s)
        if utc_s and not self.clock.is_dark:
            if not self._is_started:
                self.placement.expect(utc_s)
            self.placement.miss(utc_s)

    def on_dark(self, mono_ms):
        """Take that power fails. Commit the record right after this call."""
        mono_s = mono_ms // 1000
        self._wake(mono_s)
        clock = self.clock
        if clock.is_dark:
            return
        utc_s = clock.utc_s(mono_s)
        self.voltage.on_dark(mono_ms)
        clock.go_dark(mono_s)
        now_l = clock.kept_l()
        self.outages.dark(utc_s, clock.uptime_s(now_l))
        self._event(POWER_FAILED, utc_s, now_l)

    def on_lit(self, mono_ms):
        """Power is back and the module never stopped."""
        clock = self.clock
        mono_s = mono_ms // 1000
        if not clock.is_dark or not self._is_awake:
            self._wake(mono_s)
            return
        now_l = clock.kept_l()
        dark_s = clock.go_lit(mono_s)
        self.voltage.on_lit(mono_ms)
        self.outages.lit(dark_s)
        self.placement.node(now_l, OUTAGE, dark_s)
        self._event(POWER_RETURNED, dark_s, now_l)
        if self.undated.is_on:
            self.undated.go_dark(now_l, dark_s)
        self._put_outage(0 if clock.doubt else now_l + clock.offset_s - dark_s, dark_s, 0)
        self.placement.place()

    def _put_outage(self, start_s, dark_s, flags):
        end_s = start_s + dark_s if start_s else 0
        bound_s = self.placement.bound_s(end_s) if end_s else 255
        struct.pack_into(
            rows.OUTAGE_LAYOUT, self._row, 0, start_s, dark_s, end_s, flags, bound_s, 0
        )
        self.placement.put(rows.OUTAGE, memoryview(self._row)[:16])

    def on_tick(self, mono_s):
        """Go on with what time alone can finish."""
        self._wake(mono_s)
        self.voltage.settle(mono_s * 1000)
        if self.clock.is_dark:
            return
        utc_s = self.clock.utc_s(mono_s)
        if self._day_end_s and utc_s >= self._day_end_s:
            self._end_day(utc_s, mono_s * 1000)
        self.placement.place()
        if self.state == NOT_LOGGING:
            self._miss(mono_s)

    def on_time(self, utc_s, mono_s, bound_s=1):
        """Take the time.

        Parameters
        ----------
        utc_s : int
            What time it was at `mono_s`.
        mono_s : int
        bound_s : int
            By how much it may be wrong.

        Raises
        ------
        BadReading
            No such time.
        """
        if not 0 < utc_s <= _UTC_MAX_S or bound_s < 0:
            raise BadReading
        self._wake(mono_s)
        clock = self.clock
        if mono_s < clock.last_mono_s:
            # The message took its time (rule C-7); what happened since then stays in its place.
            utc_s += clock.last_mono_s - mono_s
            mono_s = clock.last_mono_s
        now_l = clock.now_l(mono_s)
        power_up_s = 0
        if clock.doubt:
            power_up_s = utc_s - self.undated.uptime_s(now_l)
            self._resolve(utc_s, mono_s, now_l)
            self._event(CLOCK_SET, utc_s, now_l)
        else:
            before_s = clock.utc_s(mono_s)
            if utc_s != before_s:
                self._correct(utc_s - before_s, now_l)
                if abs(utc_s - before_s) >= self.step_s:
                    self._event(CLOCK_STEPPED, before_s, utc_s)
        self.placement.sync_s = utc_s
        self.placement.sync_bound_s = bound_s
        self.placement.place()
        if self.undated.is_on:
            self.placement.adopt_peak(self.undated, power_up_s)
            self.undated.stop()
        self._look_at_schedule()

    def _correct(self, by_s, now_l):
        """Move the clock by less or more than what flags."""
        self.clock.offset_s += by_s
        kind = STEP if abs(by_s) >= self.step_s else SLEW
        if self._is_started:
            self.placement.node(now_l, kind, by_s)

    def _resolve(self, utc_s, mono_s, now_l):
        """Date back what happened since the time was last known."""
        clock, placement = self.clock, self.placement
        doubt = clock.doubt
        clock.doubt = KNOWN
        last_s = clock.doubt_l + clock.offset_s
        gap_s = utc_s - mono_s - last_s  # until this start of the module
        late_s = 0
        if doubt == AFTER_OUTAGE:
            late_s = min(gap_s, 0)
            gap_s -= late_s
            placement.resolve(gap_s, clock.is_unsure)
            clock.dark_s += gap_s
            self._has_grown(gap_s)
            self._put_outage(last_s, gap_s, 1 if clock.is_unsure else 0)
        elif doubt == AFTER_AWAY:
            # The record's last second and the first of this start are one second apart.
            late_s = min(gap_s - 1, 0)
            gap_s -= late_s
            by_s = gap_s - 1
            from_l = clock.doubt_l + 1
            placement.shift(from_l, by_s)
            for i in range(4):
                if self._aside_l[i] >= from_l:
                    self._aside_l[i] += by_s
            clock.shift(by_s)
            now_l += by_s
            self._has_grown(by_s)
        self._extra_s = 0
        clock.is_unsure = False
        clock.offset_s = utc_s - now_l
        self.outages.sync(utc_s - clock.uptime_s(now_l))
        if self.demand.resets and not self.demand.reset_s:
            self.demand.reset_s = self.demand.reset_life_s - clock.dark_s + clock.offset_s
        if not placement.has_label:
            placement.date(clock.offset_s - placement.waiting_dark_s())
        placement.is_dated = True
        if self._is_started:
            if late_s:
                placement.node(now_l, STEP, late_s)
            if placement.runs_free():
                placement.node(now_l, SYNC, 0)

    def _has_grown(self, by_s):
        """Lengthen the time between two reads around a gap that was longer than it seemed."""
        if self._read_life_s is not None and not self._extra_s:
            self._read_life_s += by_s

    def on_restart(self, cause, mono_s, utc_s=0, bound_s=1):
        """Begin a new start of the module with a record from an earlier one.

        Parameters
        ----------
        cause : int
            `POWER`, `WATCHDOG`, `REFLASH`, `CRASH` or `PROGRAMMED`.
        mono_s : int
        utc_s : int, optional
            The time, from a clock that ran on; 0: not known.
        bound_s : int, optional
            By how much it may be wrong.
        """
        if self._is_awake:
            return
        self._is_awake = True
        clock, placement = self.clock, self.placement
        was_dark = clock.is_dark
        kept_l = clock.kept_l()
        self._extra_s = UNKNOWN_GAP_S
        self.undated.stop()  # nobody will ever date it
        if clock.doubt:
            kept_l = self._give_up(kept_l, was_dark)
        if was_dark:
            self.outages.lit()
            self.voltage.on_lit(0)
            clock.start_at(kept_l)
            if not clock.doubt:
                clock.doubt, clock.doubt_l = AFTER_OUTAGE, kept_l
            self._event(POWER_RETURNED, -1, kept_l)
        elif clock.doubt == AFTER_OUTAGE:
            # Nobody knows when it stopped: the gap is that of the outage before.
            clock.start_at(kept_l)
        else:
            if clock.is_unsure:
                placement.node(kept_l, RAISE, UNSURE)
                placement.node(kept_l + 1, CLEAR, UNSURE)
            clock.start_at(kept_l + 1)
            if not clock.doubt:
                clock.doubt, clock.doubt_l = AFTER_AWAY, kept_l
        if self._is_started:
            if clock.doubt == AFTER_OUTAGE:
                placement.node(kept_l, OUTAGE, -1)
            if not utc_s:
                placement.node(clock.power_l, UPTIME, 0)
            placement.is_dated = False
        if cause != POWER:
            self.outages.restarted(cause - 1)
            self._event(RESTARTED, cause, clock.power_l)
        if utc_s:
            self.on_time(utc_s, mono_s, bound_s)

    def _give_up(self, kept_l, was_dark):
        """Power went again before the time was known: its energy goes to the fallback rate."""
        clock, placement = self.clock, self.placement
        at_l = clock.doubt_l if placement.has_label else placement.at_l
        if clock.doubt == NEVER_SET and not self._is_started:
            return kept_l
        fallback = placement.fallback_rate(clock.doubt_l + clock.offset_s)
        before_wh = placement.homeless_wh
        placement.collapse(at_l, fallback)
        self._event(TIMES_UNKNOWN, placement.homeless_wh - before_wh, kept_l - at_l)
        for i in range(4):
            self._aside_l[i] = min(self._aside_l[i], at_l)
        if self._read_life_s is not None:
            self._read_life_s -= max(kept_l - at_l, 0)
        life_s = clock.life_s(at_l)
        self.demand.reset_life_s = min(self.demand.reset_life_s, life_s)
        if clock.doubt != NEVER_SET:
            clock.is_unsure = True
            if was_dark:
                clock.doubt = AFTER_OUTAGE
        return at_l

    def go_on(self, mono_s):
        """Go on within the start in which the record was written, at this second of it.

        For a replay that begins there; a module's own start calls `on_restart`.
        """
        self._is_awake = True
        self.clock.go_on(mono_s)

    def _wake(self, mono_s):
        """Treat a start that nobody announced as a restart of unknown cause."""
        if not self._is_awake:
            self.on_restart(POWER, mono_s)

    # Commands.

    def preset(self, total_wh):
        """Let the billing quantity go on from `total_wh`; the meter stays as it is.

        Raises
        ------
        NotStarted
            The first read would overwrite it.
        """
        if not self._is_started:
            raise NotStarted
        before = self.total_wh
        if self.net:
            self._net_opening_wh += total_wh - before
        else:
            self._opening_wh += total_wh - before
            self.placement.register_wh += total_wh - before
        self._event(PRESET, before, total_wh)

    def reset_demand(self, identity, mono_s):
        """Begin a new demand period; return a reply.

        Parameters
        ----------
        identity : int
            Number of the command, 32 bits: a repeated one is not executed again.
        mono_s : int
        """
        self._wake(mono_s)
        demand, clock = self.demand, self.clock
        if demand.was_done(identity):
            return reply.ALREADY_DONE
        if not self._is_started:
            return reply.NOT_STARTED
        now_l = clock.now_l(mono_s)
        dark_s = clock.dark_for_s(mono_s)
        life_s = clock.life_s(now_l) + dark_s
        if demand.resets and abs(life_s - demand.reset_life_s) < demand.lockout_s:
            return reply.TOO_SOON
        utc_s = clock.utc_s(mono_s)
        demand.note_reset(identity, utc_s, life_s)
        self.undated.reset()
        self._event(DEMAND_RESET, identity, demand.resets)
        if self.placement.has_boundary_before(utc_s):
            # An interval that ended before this has still to be closed: it is the old period's.
            self.placement.node(now_l, RESET, dark_s)
            self.placement.place()
        else:
            self._on_reset()
            demand.reset()
        return reply.DONE

    def _on_reset(self):
        """Hand out the demand period that ends."""
        demand, placement = self.demand, self.placement
        placement.flush()
        peaks = []
        for rate in range(4):
            peaks.append(demand.rate_w[rate])
            peaks.append(demand.rate_s[rate])
        struct.pack_into(
            rows.PERIOD_LAYOUT,
            self._row,
            0,
            demand.reset_s,
            demand.identities[-1],
            demand.reset_life_s,
            demand.resets & 0xFFFF,
            demand.coincident_dv,
            demand.coincident_w,
            demand.peak_w,
            demand.peak_s,
            demand.previous_w,
            demand.previous_s,
            0,
            demand.cumulative_w + demand.peak_w,
            *peaks,
            self.total_wh,
            *placement.rates_wh[:4],
            placement.unplaced_wh,
        )
        placement.put(rows.PERIOD, self._row)

    def freeze(self, mono_s):
        """Copy energies and peak into the frozen set; return a reply."""
        self._wake(mono_s)
        self.placement.flush()
        self.demand.freeze(self.total_wh, self.placement.rates_wh, self.clock.utc_s(mono_s))
        self._event(FROZEN, self.demand.frozen[9], self.total_wh)
        return reply.DONE

    def install_schedule(self, data, from_utc_s, mono_s):
        """Plan a schedule; return a reply.

        Parameters
        ----------
        data : bytes-like
            See `tou`.
        from_utc_s : int
            When it takes over; 0: now.
        mono_s : int

        Raises
        ------
        ScheduleRefused
            Nothing has changed.
        """
        self._wake(mono_s)
        utc_s = self.clock.utc_s(mono_s)
        placement, tariff = self.placement, self.tariff
        if not from_utc_s:
            if not utc_s:
                if tariff.active or tariff.pending:
                    return reply.TIME_UNKNOWN
                tariff.start(data)
                self._event(SCHEDULE_PLANNED, tariff.active.identity, 0)
                return reply.DONE
            from_utc_s = utc_s
        settled_s = self._settled_s(utc_s)
        tariff.plan(data, from_utc_s, settled_s, max(utc_s, settled_s))
        placement.begin_shadow(self.clock.now_l(mono_s))
        self._event(SCHEDULE_PLANNED, tariff.pending.identity, from_utc_s)
        self._expired = 0
        return reply.DONE

    def _settled_s(self, utc_s):
        """Return the instant up to which energy has its rate."""
        if self.placement.has_label and self._is_started:
            return self.placement.label_s()
        return utc_s

    def _seen_s(self, mono_s):
        """Return the instant up to which nothing can be taken back: it has begun."""
        utc_s = self.clock.utc_s(mono_s)
        return max(utc_s, self._settled_s(utc_s))

    def cancel_schedule(self, mono_s):
        """Forget the pending schedule; return a reply."""
        self._wake(mono_s)
        if not self.tariff.cancel(self._seen_s(mono_s)):
            return reply.NOTHING_TO_DO
        self.placement.follow()
        self._event(SCHEDULE_CANCELLED, 0, 0)
        return reply.DONE

    def add_peak(self, start_s, end_s, rate, mono_s):
        """Plan a critical-peak event; return a reply.

        Raises
        ------
        ScheduleRefused
            Nothing has changed.
        """
        self._wake(mono_s)
        self.tariff.add_event(start_s, end_s, rate, self._settled_s(self.clock.utc_s(mono_s)))
        self.placement.follow()
        self._event(PEAK_PLANNED, start_s, end_s)
        return reply.DONE

    def cancel_peak(self, start_s, mono_s):
        """Forget a critical-peak event that has not begun; return a reply."""
        self._wake(mono_s)
        if not self.tariff.cancel_event(start_s, self._seen_s(mono_s)):
            return reply.NOTHING_TO_DO
        self.placement.follow()
        self._event(PEAK_CANCELLED, start_s, 0)
        return reply.DONE

    def activate_streaming(self, mode, extreme, collector_can=True, headend_can=True):
        """Switch hourly streaming on or off; return a reply.

        Parameters
        ----------
        mode : int
            `STREAM_OFF`, `STREAM_REGISTER` or `STREAM_PROFILE`.
        extreme : int
            `MINIMUM` or `MAXIMUM` of the hourly voltage.
        collector_can, headend_can : bool
            Both must be able to.

        Raises
        ------
        BadSetting
        """
        if not STREAM_OFF <= mode <= STREAM_PROFILE or extreme not in (MINIMUM, MAXIMUM):
            raise BadSetting
        if mode:
            if not gates.can_stream(self._firmware_version):
                return reply.NOT_CAPABLE
            if not gates.may_activate_streaming(collector_can, headend_can):
                return reply.NOT_CAPABLE
        self.streaming = mode
        self.extreme = extreme
        self._event(STREAMING_SET, mode, extreme)
        return reply.DONE

    def _look_at_schedule(self):
        """Say once when the schedule in force has run out."""
        placement = self.placement
        if not placement.is_dated or (self.tariff.active is None and self.tariff.pending is None):
            return
        label_s = placement.label_s()
        if self._expired or not self.tariff.is_expired(label_s):
            return
        self._expired = 1
        self._event(TOU_EXPIRED, self.tariff.schedule_at(label_s).identity, label_s)

    @property
    def is_expired(self):
        """The schedule in force is past its last valid day (rule T-9)."""
        return bool(self._expired)

    def utc_s(self, mono_s):
        """Return UTC at a monotonic second, or 0 while it is not known."""
        return self.clock.utc_s(mono_s)

    def clock_bound_s(self, mono_s):
        """Return by how much `utc_s` may be wrong, at most 255."""
        return 255 if self.clock.doubt else self.placement.bound_s(self.clock.utc_s(mono_s))

    def _event(self, code, a, b):
        self.events.put(code, a, b)
        clock = self.clock
        utc_s = 0 if clock.doubt else clock.utc_s(clock.last_mono_s)
        bound_s = self.placement.bound_s(utc_s) if utc_s else 255
        life_s = clock.life_s(clock.kept_l())
        struct.pack_into(rows.EVENT_LAYOUT, self._row, 0, utc_s, life_s, code, bound_s, 0, a, b)
        self.placement.put(rows.EVENT, memoryview(self._row)[:28])

    # The record.

    def pack_into(self, buffer):
        """Write the whole state at the start of `buffer`, which has `RECORD_BYTES`.

        Returns
        -------
        int
            Bytes written.
        """
        struct.pack_into(
            _HEAD,
            buffer,
            0,
            _FORMAT,
            self._flags(),
            self.meter_changes & 0xFFFF,
            self.stale_reads & 0xFFFF,
            self.ambiguous_steps & 0xFFFF,
            self._stamp,
            self.serial,
            self.old_serial,
            self._opening_wh,
            self._net_opening_wh,
            self.forward_wh,
            self.reverse_wh,
            self.counted_reverse_wh,
            self.credited_wh,
            self.ignored_wh,
            self._origin_wh[0],
            self._origin_wh[1],
            self._aside_l[0],
            self._aside_l[1],
            self._aside_l[2],
            self._aside_l[3],
            self._day_end_s,
            self._extra_s,
            self.step_s,
            self.state,
            self.streaming << 4 | self.extreme,
            self._out_of_limits << 4 | self._expired,
            self._read_life_s is not None,
            self._read_life_s or 0,
            self.meter_clock_s or 0,
            self.site.offset_min,
            self.site.has_daylight | (self.meter_clock_s is not None) << 1,
            0,
        )
        at = HEAD_BYTES
        self.forward.pack_into(buffer, at)
        self.reverse.pack_into(buffer, at + STATE_BYTES)
        at += 2 * STATE_BYTES
        self.clock.pack_into(buffer, at)
        at += _CLOCK_BYTES
        self.outages.pack_into(buffer, at)
        at += _OUTAGES_BYTES
        self.voltage.pack_into(buffer, at)
        end = self.placement.pack_into(buffer, at + _VOLTAGE_BYTES)
        struct.pack_into(_TAIL, buffer, end, self.multiplier)
        end = self.undated.pack_into(buffer, end + _TAIL_BYTES)
        struct.pack_into("<I", buffer, HEAD_BYTES - 4, end)
        return end

    def _flags(self):
        flags = _DETENT * self.detent | _NET * self.net | _READ * self._is_started
        flags |= _NET_REGISTER_ONLY * self._net_register_only
        if self.pending is not None:
            flags |= _PENDING | _PENDING_DETENT * self.pending[0] | _PENDING_NET * self.pending[1]
        return flags

    def unpack_from(self, buffer):
        """Go on from a state that `pack_into` wrote; the settings are those of the record.

        Call it on a new engine, after `unpack_schedules_from`, and `on_restart` right after it.

        Parameters
        ----------
        buffer : bytes-like
            Format 2, or format 1: its totals and baselines go on, everything else begins.

        Raises
        ------
        UnknownFormat
            Too short, another format version, or another kind of meter; nothing has changed.
        """
        if len(buffer) < _RECORD_1_BYTES or buffer[0] not in (_FORMAT_1, _FORMAT):
            raise UnknownFormat
        if buffer[0] == _FORMAT and len(buffer) < HEAD_BYTES:
            raise UnknownFormat
        if bool(buffer[1] & _NET_REGISTER_ONLY) != self._net_register_only:
            raise UnknownFormat
        if buffer[0] == _FORMAT_1:
            self._unpack_1(buffer)
        elif len(buffer) < struct.unpack_from("<I", buffer, HEAD_BYTES - 4)[0]:
            raise UnknownFormat
        else:
            self._unpack(buffer)
        self._is_awake = False

    def _unpack_head(self, values):
        (
            flags,
            self.meter_changes,
            self.stale_reads,
            self.ambiguous_steps,
            self._stamp,
            serial,
            old_serial,
            self._opening_wh,
            self._net_opening_wh,
            self.forward_wh,
            self.reverse_wh,
            self.counted_reverse_wh,
        ) = values
        self.serial = serial.rstrip(b"\0")
        self.old_serial = old_serial.rstrip(b"\0")
        self.detent = bool(flags & _DETENT)
        self.net = bool(flags & _NET)
        self._is_started = bool(flags & _READ)
        self.pending = None
        if flags & _PENDING:
            self.pending = (bool(flags & _PENDING_DETENT), bool(flags & _PENDING_NET))

    def _unpack_1(self, buffer):
        """Take over the totals of a record of format 1; what is recorded begins now."""
        self._unpack_head(struct.unpack_from(_HEAD_1, buffer, 0)[1:])
        self.forward.unpack_from(buffer, _HEAD_1_BYTES, False)
        self.reverse.unpack_from(buffer, _HEAD_1_BYTES + STATE_1_BYTES, False)
        self._read_life_s = None
        if self._is_started:
            self.state = LOGGING
            self._anchor(0)
            self._anchor(1)
            # Everything so far belongs to the time before rates and intervals.
            placement = self.placement
            if self.net:
                self.credited_wh = self.forward_wh - self.reverse_wh
            else:
                self.credited_wh = self.forward_wh + self.counted_reverse_wh
            self.ignored_wh = self.forward_wh + self.reverse_wh - self.credited_wh
            placement.rates_wh[NO_RATE] = self.credited_wh
            placement.profile.closed_wh = placement.hour.closed_wh = self.credited_wh
            placement.register_wh = self.billed_wh
            placement.start(0, None, 0)

    def _unpack(self, buffer):
        values = struct.unpack_from(_HEAD, buffer, 0)
        self._unpack_head(values[1:13])
        self.credited_wh, self.ignored_wh = values[13:15]
        self._origin_wh = list(values[15:17])
        self._aside_l = list(values[17:21])
        self._day_end_s, self._extra_s, self.step_s, self.state, streaming = values[21:26]
        self.streaming, self.extreme = streaming >> 4, streaming & 15
        self._out_of_limits, self._expired = values[26] >> 4, values[26] & 1
        self.voltage.is_fit = not self._out_of_limits & _OOR_VOLTAGE
        self._read_life_s = values[28] if values[27] else None
        self.meter_clock_s = values[29] if values[31] & 2 else None
        self.configure_site(values[30], bool(values[31] & 1))
        at = HEAD_BYTES
        self.forward.unpack_from(buffer, at)
        self.reverse.unpack_from(buffer, at + STATE_BYTES)
        at += 2 * STATE_BYTES
        self.clock.unpack_from(buffer, at)
        at += _CLOCK_BYTES
        self.outages.unpack_from(buffer, at)
        at += _OUTAGES_BYTES
        self.voltage.unpack_from(buffer, at)
        at = self.placement.unpack_from(buffer, at + _VOLTAGE_BYTES)
        end = struct.unpack_from("<I", buffer, HEAD_BYTES - 4)[0]
        if at + _TAIL_BYTES <= end:
            self.configure_cap(struct.unpack_from(_TAIL, buffer, at)[0])
        self.undated.unpack_from(buffer, at + _TAIL_BYTES, end)
        self.voltage.intervals.length_s = 60 * self.demand.sub_min
        self.placement.go_on()

    def pack_schedules_into(self, buffer):
        """Write schedules and critical-peak events; return `SCHEDULES_BYTES`."""
        self.tariff.pack_into(buffer, 0)
        return SCHEDULES_BYTES

    def unpack_schedules_from(self, buffer):
        """Take back what `pack_schedules_into` wrote, before `unpack_from`.

        Raises
        ------
        ScheduleRefused, UnknownFormat
            Nothing has changed.
        """
        if len(buffer) < SCHEDULES_BYTES:
            raise UnknownFormat
        self.tariff.unpack_from(buffer, 0)
        self.placement.follow()
