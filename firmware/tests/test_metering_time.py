"""Rules A, C, L, M, T-composed, F-3, P-1, O-3, N1 to N3 and N8 on the whole engine."""

from endpoint.metering import BadDemand, replies, rows
from endpoint.metering.calendar import days
from endpoint.metering.engine import (
    MAXIMUM,
    MINIMUM,
    NOT_LOGGING,
    POWER,
    RECORD_BYTES,
    REFLASH,
    STREAM_PROFILE,
    STREAM_REGISTER,
    WATCHDOG,
    Engine,
)
from endpoint.metering.events import FORWARD_JUMPED, METER_CHANGED, METER_CLOCK_CHANGED
from endpoint.metering.rows import (
    CHG,
    DARK,
    DST,
    EST,
    LONG,
    MISSING,
    OOR,
    PARTIAL,
    PF,
    SKIPPED,
    TIME,
)
from endpoint.metering.tou import EVER_DAY, pack

_CAP_W = 72_000
_METER = b"12345678"


def utc(day, hour, minute=0, second=0, month=6, year=2027):
    return days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second


def clock(hour, minute=0, second=0, day=1):
    return utc(day, hour, minute, second)


def daily(*switches, fallback=0, rates=4, last_day=EVER_DAY, identity=1):
    """Return a schedule with one table for every day: (hour, minute, rate)."""
    table = [(60 * hour + minute, rate) for hour, minute, rate in switches]
    return pack(identity, rates, fallback, last_day, [(1, 1, 0, 0, 0, 0)], [table])


class Rows:
    """Keeps rows as dictionaries."""

    def __init__(self):
        self.rings = [[] for _ in range(rows.RINGS)]

    def put(self, ring, sequence, row):
        ring_rows = self.rings[ring]
        del ring_rows[sequence:]
        assert sequence == len(ring_rows)
        ring_rows.append(rows.unpack(ring, row) if ring != rows.VOLTAGE_DAY else bytes(row))


class Bench:
    """A module with a clock that is right, driven by UTC seconds."""

    def __init__(self, start_s, detent=True, net=False, poll_s=60, timed=True, **options):
        self.sink = Rows()
        self.options = (_CAP_W, detent, net, 20)
        self.more = dict(options, poll_s=poll_s, sink=self.sink)
        self.engine = Engine(*self.options, **self.more)
        self.mono = -start_s
        if timed:
            self.engine.on_time(start_s, 0)

    def at(self, utc_s):
        return utc_s + self.mono

    def read(self, utc_s, forward_wh, reverse_wh=0, **options):
        return self.engine.on_read(_METER, forward_wh, reverse_wh, self.at(utc_s), **options)

    def dark(self, start_s, end_s):
        self.engine.on_dark(self.at(start_s) * 1000)
        self.engine.on_lit(self.at(end_s) * 1000)

    def step(self, utc_s, to_s):
        self.engine.on_time(to_s, self.at(utc_s))
        self.mono += utc_s - to_s

    def constant(self, start_s, end_s, watts, wh, every_s=60):
        """Read at every minute from just after `start_s` to `end_s`; return the register."""
        at_s = start_s
        while at_s < end_s:
            at_s = min(at_s + every_s, end_s)
            self.read(at_s, wh + watts * (at_s - start_s) // 3600)
        return wh + watts * (end_s - start_s) // 3600

    def restart(self, utc_s, cause=POWER, known=False):
        """Carry the engine through its record into a new start at `utc_s`."""
        record = bytearray(RECORD_BYTES)
        self.engine.pack_into(record)
        schedules = bytearray(1024)
        self.engine.pack_schedules_into(schedules)
        self.engine = Engine(*self.options, **self.more)
        self.engine.unpack_schedules_from(schedules)
        self.engine.unpack_from(record)
        self.mono = -utc_s
        self.engine.on_restart(cause, 0, utc_s if known else 0)

    def intervals(self):
        """Return (end, Wh, flags) of the load profile; flags without DST."""
        found = self.sink.rings[rows.INTERVAL]
        return [(row["end_utc_s"], row["value_wh"], row["flags"] & ~DST) for row in found]

    def hours(self):
        return self.sink.rings[rows.HOUR]

    def demands(self):
        found = self.sink.rings[rows.DEMAND]
        return [(row["end_utc_s"], row["demand_w"]) for row in found]

    def balanced(self):
        assert self.engine.ledger()[2] == 0, self.engine.ledger()


def hourly(start_s, **options):
    bench = Bench(start_s, **options)
    bench.engine.configure_profile(60)
    return bench


def test_A1_no_outage():
    bench = hourly(clock(6, 58))
    bench.read(clock(6, 58), 1000)
    bench.read(clock(7, 4), 1360)
    assert bench.intervals() == [(clock(7), 120, PARTIAL | EST)]
    bench.read(clock(8), 1360)
    assert bench.intervals()[1:] == [(clock(8), 240, EST)]
    bench.balanced()


def test_A1_A2_outage_across_the_boundary():
    for poll_s, flags in ((60, EST), (300, 0)):
        bench = hourly(clock(6), poll_s=poll_s)
        bench.read(clock(6), 0)
        bench.read(clock(6, 50), 0)
        bench.dark(clock(6, 55), clock(7, 30))
        bench.read(clock(7, 31), 480)
        bench.read(clock(8), 480)
        assert bench.intervals() == [
            (clock(7), 400, PF | flags),
            (clock(8), 80, PF | flags),
        ]
        bench.balanced()


def test_A1_rounding():
    for net, register, parts in (
        (False, (100, 0), [33, 33, 34]),
        (True, (0, 100), [-34, -33, -33]),
    ):
        bench = Bench(clock(7), net=net)
        bench.read(clock(7), 0)
        bench.read(clock(7, 45), *register)
        assert [row[1] for row in bench.intervals()] == parts
        bench.balanced()
    bench = Bench(clock(7), net=True, net_register_only=True)
    bench.read(clock(7), 0)
    bench.read(clock(7, 45), 99_999_900)
    assert [row[1] for row in bench.intervals()] == [-34, -33, -33]
    bench.balanced()


def test_A1_no_lit_second():
    bench = hourly(clock(6, 59))
    bench.read(clock(6, 59), 0)
    bench.dark(clock(6, 59), clock(7, 1))
    bench.read(clock(7, 1), 5)
    bench.read(clock(8), 5)
    assert bench.intervals() == [(clock(7), 5, PARTIAL | PF | EST), (clock(8), 0, PF)]
    bench.balanced()


def test_A3_conservation():
    bench = Bench(clock(0))
    bench.engine.install_schedule(daily((0, 0, 0), (6, 0, 1), (12, 0, 2), (18, 0, 3)), 0, 0)
    bench.read(clock(0), 500)
    wh = 500
    for minute in range(1, 1441):
        wh += minute % 7
        bench.read(clock(0) + 60 * minute, wh)
        if not minute % 97:
            engine = bench.engine
            assert sum(engine.rates_wh) + engine.unplaced_wh == wh - 500
            bench.balanced()
    assert sum([row[1] for row in bench.intervals()]) == wh - 500
    assert sum([row["value_wh"] for row in bench.hours()]) == wh - 500


def test_A4_a_restart_is_no_outage():
    for known in (True, False):
        bench = hourly(clock(10))
        bench.read(clock(10), 0)
        bench.constant(clock(10), clock(10, 55), 6000, 0)
        bench.restart(clock(11, 4, 50), REFLASH, known)
        bench.read(clock(11, 5), 6500)
        if not known:
            bench.engine.on_time(clock(11, 5), bench.at(clock(11, 5)))
        assert bench.intervals() == [(clock(11), 6000, EST)]
        bench.read(clock(12), 6500)
        assert bench.intervals()[1][:2] == (clock(12), 500)
        assert bench.engine.outages.power_fail == 0
        bench.balanced()


def test_A5_reads_at_boundaries():
    bench = hourly(clock(7))
    bench.read(clock(7), 40_000)
    bench.read(clock(8), 41_500)
    assert bench.intervals() == [(clock(8), 1500, 0)]


def test_M1_nominal_length():
    for period_min, demand_w in ((60, 1250), (30, 2500), (15, 5000), (5, 15_000)):
        bench = Bench(clock(7))
        bench.engine.configure_demand(period_min, period_min)
        bench.read(clock(7), 0)
        bench.read(clock(7) + period_min * 60, 1250)
        assert bench.demands() == [(clock(7) + period_min * 60, demand_w)]
        assert bench.engine.demand.peak_w == demand_w


def test_M2_which_energy():
    for detent, net, demand_w in ((True, False, 300), (True, True, 300), (False, False, 1200)):
        bench = Bench(clock(7), detent, net)
        bench.engine.configure_demand(60, 60)
        bench.read(clock(7), 0, 0)
        bench.read(clock(8), 300, 900)
        assert bench.engine.demand.peak_w == demand_w
    bench = Bench(clock(7), net=True)
    bench.engine.configure_demand(60, 60)
    bench.read(clock(7), 0, 0)
    bench.read(clock(8), 0, 900)
    assert bench.demands() == [(clock(8), 0)]


def test_M3_block_and_rolling():
    for sub_min, demands in ((15, [4000, 4000]), (5, [0, 0, 4000, 8000, 8000, 4000])):
        bench = Bench(clock(7))
        bench.engine.configure_demand(15, sub_min)
        wh = 0
        bench.read(clock(7), wh)
        for number, used in enumerate((0, 0, 1000, 1000, 0, 0)):
            wh += used
            bench.read(clock(7, 5 * number + 5), wh)
        assert [row[1] for row in bench.demands()] == demands
        assert bench.engine.demand.peak_w == max(demands)
    for period_min, sub_min in ((15, 4), (45, 45), (15, 0), (15, 30), (25, 5), (0, 0)):
        try:
            bench.engine.configure_demand(period_min, sub_min)
        except BadDemand:
            continue
        raise AssertionError


def test_M4_short_interval_after_power_up():
    bench = Bench(clock(10))
    bench.read(clock(10), 0)
    bench.dark(clock(10), clock(10, 7))
    bench.constant(clock(10, 7), clock(10, 15), 6000, 0)
    assert bench.intervals() == [(clock(10, 15), 800, PF)]
    assert bench.demands() == [(clock(10, 15), 3200)]
    assert bench.engine.demand.peak_w == 3200


def test_M5_what_may_not_set_a_peak():
    bench = Bench(clock(7))
    bench.read(clock(7), 0)
    bench.read(clock(7, 10), 1000)
    bench.read(clock(7, 20), 2000)  # missed polls across the boundary
    bench.read(clock(7, 30), 3000)
    assert bench.engine.demand.peak_w == 0
    assert [row[1] for row in bench.demands()] == [6000, 6000]
    bench.read(clock(7, 45), 3100)
    assert bench.engine.demand.peak_w == 400
    bench.engine.on_test_mode(True, bench.at(clock(7, 50)))
    bench.engine.on_test_mode(False, bench.at(clock(7, 55)))
    bench.read(clock(8), 5000)
    bench.step(clock(8, 2), clock(8, 3))
    bench.read(clock(8, 15), 9000)
    assert bench.engine.demand.peak_w == 400
    bench.engine.on_read(b"other", 5, 0, bench.at(clock(8, 20)))
    bench.engine.on_read(b"other", 7005, 0, bench.at(clock(8, 30)))
    assert bench.engine.demand.peak_w == 400
    assert bench.intervals()[-1] == (clock(8, 30), 7000, CHG)
    bench.balanced()


def test_M5_rolling_window_with_a_doubtful_part():
    bench = Bench(clock(7))
    bench.engine.configure_demand(15, 5)
    bench.read(clock(7), 0)
    bench.step(clock(7, 2), clock(7, 3))
    for number in range(1, 5):
        bench.read(clock(7, 5 * number), 100 * number)
    # Windows that end 7:05 to 7:15 hold the part with the step.
    assert bench.engine.demand.peak_s == clock(7, 20)


def test_M6_ties_and_times():
    bench = Bench(clock(14))
    demand = bench.engine.demand
    bench.read(clock(14), 0)
    assert (demand.peak_w, demand.peak_s) == (0, 0)
    bench.read(clock(14, 15), 1250)
    bench.read(clock(16, 15), 1250)
    bench.read(clock(16, 30), 2500)
    assert (demand.peak_w, demand.peak_s) == (5000, clock(14, 15))


def test_M7_reset_block():
    bench = Bench(clock(14))
    bench.read(clock(14), 0)
    bench.read(clock(14, 15), 1250)
    assert bench.engine.reset_demand(1, bench.at(clock(14, 20))) == replies.DONE
    demand = bench.engine.demand
    assert (demand.peak_w, demand.peak_s) == (0, 0)
    assert (demand.previous_w, demand.previous_s) == (5000, clock(14, 15))
    assert (demand.cumulative_w, demand.resets) == (5000, 1)
    assert demand.reset_s == clock(14, 20)
    bench.read(clock(14, 30), 1950)
    assert (demand.peak_w, demand.peak_s) == (2800, clock(14, 30))
    period = bench.sink.rings[rows.PERIOD][0]
    assert (period["peak_w"], period["peak_s"]) == (5000, clock(14, 15))


def test_M7_reset_rolling():
    bench = Bench(clock(10))
    bench.engine.configure_demand(30, 15)
    demand = bench.engine.demand
    for minute, wh in ((0, 0), (15, 900), (30, 2000)):
        bench.read(clock(10, minute), wh)
    assert demand.peak_w == 4000
    bench.engine.reset_demand(1, bench.at(clock(10, 40)))
    bench.read(clock(10, 45), 2700)
    bench.read(clock(11), 3500)
    assert [row[1] for row in bench.demands()][2:] == [1400, 3000]
    assert demand.peak_w == 3000


def test_M7_an_interval_that_ended_before_the_reset_is_the_old_periods():
    bench = Bench(clock(14))
    bench.read(clock(14), 0)
    bench.read(clock(14, 14), 1000)
    bench.engine.reset_demand(1, bench.at(clock(14, 16)))
    bench.read(clock(14, 16), 1100)
    demand = bench.engine.demand
    assert (demand.previous_w, demand.previous_s) == (4200, clock(14, 15))
    assert demand.peak_w == 0
    bench.read(clock(14, 30), 1100)
    assert demand.peak_w == 200


def test_M8_identities_and_lock_out():
    bench = Bench(clock(10))
    bench.read(clock(10), 0)
    demand = bench.engine.demand
    demand.resets = 7
    demand.reset_life_s = -90_000
    reset = bench.engine.reset_demand
    assert reset(31, bench.at(clock(10, 1))) == replies.DONE
    assert demand.resets == 8
    assert reset(31, bench.at(clock(10, 3))) == replies.ALREADY_DONE
    assert reset(32, bench.at(clock(11, 3))) == replies.TOO_SOON
    assert demand.resets == 8
    assert demand.reset_s == clock(10, 1)
    bench.restart(clock(11, 5), WATCHDOG, True)
    assert bench.engine.reset_demand(31, bench.at(clock(12))) == replies.ALREADY_DONE
    bench.engine.configure_demand(15, 15, lockout_s=0)
    assert bench.engine.reset_demand(33, bench.at(clock(12, 1))) == replies.DONE
    assert bench.engine.demand.resets == 9


def test_M9_cumulative():
    bench = Bench(clock(0))
    bench.engine.configure_demand(60, 60, lockout_s=0)
    demand = bench.engine.demand
    wh = 0
    bench.read(clock(0), 0)
    for hour, used in enumerate((5200, 6100, 4400)):
        wh += used
        bench.read(clock(hour + 1), wh)
        bench.engine.reset_demand(hour, bench.at(clock(hour + 1)))
    assert demand.cumulative_w == 15_700
    bench.read(clock(4), wh + 3900)
    assert demand.continuous_cumulative_w() == 19_600


def test_M10_cold_load_pickup():
    for end_s, demand_w in ((clock(19, 10), 0), (clock(18, 43, 20), 6000)):
        bench = Bench(clock(18))
        bench.engine.configure_profile(30)
        bench.engine.configure_demand(30, 30, 20)
        bench.read(clock(18), 0)
        bench.read(clock(18, 40), 0)
        bench.dark(clock(18, 40), end_s)
        bench.read(clock(19, 10), 0)
        wh = bench.constant(clock(19, 10), clock(19, 30), 9000, 0)
        bench.constant(clock(19, 30), clock(20), 5000, wh)
        ends = dict(bench.demands())
        assert ends[clock(19, 30)] == demand_w
        assert ends[clock(20)] == 5000
        profile = {row[0]: row[1] for row in bench.intervals()}
        assert (profile[clock(19, 30)], profile[clock(20)]) == (3000, 2500)
        if not demand_w:
            assert (bench.engine.demand.peak_w, bench.engine.demand.peak_s) == (5000, clock(20))


def test_M11_rate_at_the_start():
    bench = Bench(clock(13))
    bench.engine.configure_demand(30, 30)
    bench.engine.install_schedule(daily((0, 0, 0), (14, 10, 1)), 0, bench.at(clock(13)))
    bench.read(clock(13), 0)
    bench.constant(clock(13), clock(14), 0, 0)
    wh = bench.constant(clock(14), clock(14, 30), 4000, 0)
    bench.constant(clock(14, 30), clock(15), 2000, wh)
    assert bench.engine.demand.rate_w == [4000, 2000, 0, 0]
    assert bench.engine.demand.rate_s[:2] == [clock(14, 30), clock(15)]
    assert bench.engine.tariff.schedule_at(clock(14)).unaligned_min(30) == 14 * 60 + 10
    bench.engine.reset_demand(5, bench.at(clock(15)))
    assert bench.engine.demand.rate_w == [0, 0, 0, 0]


def test_M12_freeze():
    bench = Bench(clock(10))
    bench.read(clock(10), 0)
    bench.read(clock(10, 15), 1100)
    bench.engine.freeze(bench.at(clock(10, 20)))
    bench.read(clock(10, 30), 1100 + 1225)
    frozen = bench.engine.demand.frozen
    assert (frozen[6], frozen[7], frozen[9]) == (4400, clock(10, 15), 1)
    assert frozen[0] == 1100
    assert bench.engine.demand.peak_w == 4900


def test_M13_coincident_value():
    bench = Bench(clock(16))
    bench.engine.configure_demand(60, 60)
    bench.read(clock(16), 0, 0)
    mono = bench.at(clock(16, 30))
    bench.engine.on_voltage(mono * 1000, 1182)
    bench.read(clock(17), 5000, 0)
    bench.engine.on_voltage(bench.at(clock(18, 30)) * 1000, 1150)
    bench.read(clock(19), 6000, 700)
    assert bench.engine.demand.peak_s == clock(17)
    assert bench.engine.demand.coincident_w == 0


def test_M13_coincident_voltage():
    bench = Bench(clock(16), nominal_dv=1200)
    bench.engine.configure_demand(60, 60)
    bench.read(clock(16), 0, 0)
    for at_s, voltage_dv in ((clock(16, 30), 1182), (clock(18, 30), 1150)):
        bench.engine.on_voltage(bench.at(at_s) * 1000, voltage_dv)
        bench.engine.on_tick(bench.at(at_s) + 10)
        wh = 5000 if at_s < clock(17) else 6000
        bench.read(at_s + 1800, wh)
    assert bench.engine.demand.peak_s == clock(17)
    assert bench.engine.demand.coincident_dv == 1182


def test_M14_clock_unknown():
    bench = Bench(0, timed=False)
    bench.read(0, 0)
    for at_s in range(60, 2001, 60):
        bench.read(at_s, at_s if at_s <= 1800 else 1800)
    bench.engine.on_time(clock(8, 40), 2000)
    bench.mono = 2000 - clock(8, 40)
    bench.read(clock(8, 40, 20), 1800)
    found = bench.sink.rings[rows.DEMAND]
    assert [(row["end_utc_s"], row["demand_w"]) for row in found[:2]] == [
        (clock(8, 21, 40), 3600),
        (clock(8, 36, 40), 3600),
    ]
    assert found[2]["end_utc_s"] == clock(8, 40)
    assert found[2]["flags"] & (PARTIAL | TIME) == PARTIAL | TIME
    assert not found[2]["may_set_peak"]
    bench.read(clock(8, 45), 1800)
    bench.read(clock(9), 1800)
    assert [row["end_utc_s"] for row in found[3:]] == [clock(8, 45), clock(9)]
    assert bench.engine.demand.peak_s == clock(8, 21, 40)
    bench.balanced()


def test_M14_a_start_that_knows_the_time_goes_on_with_the_interval():
    bench = Bench(clock(10))
    bench.read(clock(10), 0)
    wh = bench.constant(clock(10), clock(10, 5), 6000, 0)
    bench.engine.on_dark(bench.at(clock(10, 5)) * 1000)
    bench.restart(clock(10, 7), POWER, True)
    wh = bench.constant(clock(10, 7), clock(10, 15), 6000, wh)
    assert bench.demands() == [(clock(10, 15), 4 * 1300)]
    assert bench.intervals() == [(clock(10, 15), 1300, PF)]


def test_L1_intervals_of_local_days():
    for day, month, offset, ends in ((14, 3, -300, 23), (7, 11, -300, 25), (1, 6, -300, 24)):
        start_s = utc(day, 5, 0, 0, month)
        if month == 6:
            start_s -= 3600
        if month == 11:
            start_s -= 3600
        bench = hourly(start_s)
        bench.engine.configure_site(offset, True)
        bench.read(start_s, 0)
        bench.read(start_s + ends * 3600, 0)
        site = bench.engine.site
        local = [site.day(row["end_utc_s"] - 1) for row in bench.hours()]
        assert len(local) == ends
        assert len(set(local)) == 1
        assert site.day(start_s + ends * 3600) == local[0] + 1


def test_L2_outage_over_an_hour():
    bench = hourly(clock(9))
    bench.read(clock(9), 0)
    wh = bench.constant(clock(9), clock(9, 10), 2100, 0)
    bench.dark(clock(9, 10), clock(11, 40))
    bench.constant(clock(11, 40), clock(12), 600, wh)
    assert bench.intervals() == [
        (clock(10), 350, PF),
        (clock(11), 0, DARK | PF),
        (clock(12), 200, PF),
    ]
    bench.balanced()


def test_L3_register_and_profile_agree():
    bench = hourly(clock(9))
    bench.read(clock(9), 99_999_700)
    bench.read(clock(10), 99_999_800)
    bench.read(clock(11), 300)
    hours = bench.hours()
    assert [row["register_wh"] for row in hours] == [99_999_800, 300]
    assert hours[1]["value_wh"] == 500
    # A boundary in the dark: the register stood still.
    wh = bench.constant(clock(11), clock(11, 30), 1000, 300)
    bench.dark(clock(11, 30), clock(12, 30))
    bench.constant(clock(12, 30), clock(13), 1000, wh)
    assert bench.hours()[2]["register_wh"] == wh


def test_L4_forward_step():
    bench = hourly(clock(8))
    bench.read(clock(8), 0)
    wh = bench.constant(clock(8), clock(8, 20), 6000, 0)
    bench.step(clock(8, 20), clock(10, 5))
    bench.constant(clock(10, 5), clock(11), 6000, wh)
    assert bench.intervals() == [
        (clock(9), 2000, PARTIAL | TIME),
        (clock(10), 0, SKIPPED),
        (clock(11), 5500, PARTIAL | TIME),
    ]
    bench.balanced()


def test_L4_backward_step():
    bench = hourly(clock(8))
    bench.engine.configure_demand(60, 60)
    bench.read(clock(8), 0)
    wh = bench.constant(clock(8), clock(9, 10), 6000, 0)
    bench.step(clock(9, 10), clock(8, 50))
    bench.constant(clock(8, 50), clock(10), 6000, wh)
    assert bench.intervals() == [(clock(9), 6000, 0), (clock(10), 8000, LONG | TIME)]
    assert bench.engine.demand.peak_s == clock(9)
    bench.balanced()


def test_L6_a_day_of_streaming():
    bench = hourly(clock(0), nominal_dv=1200)
    assert bench.engine.activate_streaming(STREAM_PROFILE, MINIMUM) == replies.DONE
    bench.read(clock(0), 99_990_000)
    for minute in range(10, 1441, 10):
        bench.engine.on_voltage(bench.at(clock(0) + 60 * minute - 300) * 1000, 1200 - minute % 7)
        bench.read(clock(0) + 60 * minute, (99_990_000 + 10 * minute) % 100_000_000)
    hours = bench.hours()
    assert len(hours) == 24
    assert sum([row["value_wh"] for row in hours]) == 14_400
    assert all(1190 < row["minimum_dv"] <= 1200 for row in hours)


def test_C3_steps_and_slews():
    for by_s, flags in ((-14, 0), (14, 0), (-15, LONG | TIME), (15, PARTIAL | TIME)):
        bench = hourly(clock(8))
        bench.read(clock(8), 0)
        bench.step(clock(8, 30), clock(8, 30) + by_s)
        bench.read(clock(9), 100)
        assert bench.intervals() == [(clock(9), 100, flags)]


def test_C3_no_boundary_twice():
    bench = hourly(clock(8))
    bench.read(clock(8), 0)
    bench.read(clock(9, 0, 5), 100)
    bench.step(clock(9, 0, 5), clock(8, 59, 55))
    bench.read(clock(9), 110)
    bench.read(clock(10), 200)
    assert [row[0] for row in bench.intervals()] == [clock(9), clock(10)]
    bench.balanced()


def test_C4_elapsed_is_monotonic():
    bench = Bench(clock(8))
    bench.read(clock(8), 0)
    bench.step(clock(8, 0, 30), clock(9, 0, 30))
    assert bench.read(clock(9, 1), 1211) == 0
    bench = Bench(clock(8))
    bench.read(clock(8), 0)
    bench.step(clock(8, 0, 30), clock(9, 0, 30))
    assert bench.read(clock(9, 1), 1210) == 1210


def test_C5_daylight_is_no_time_change():
    bench = hourly(utc(14, 5, month=3))
    bench.engine.configure_site(-300, True)
    bench.read(utc(14, 5, month=3), 0)
    bench.read(utc(14, 8, month=3), 300)
    found = bench.hours()
    assert [row["end_utc_s"] for row in found] == [utc(14, hour, month=3) for hour in (6, 7, 8)]
    assert [row["covered_s"] for row in found] == [3600] * 3
    assert not any(row["flags"] & TIME for row in found)
    assert [bool(row["flags"] & DST) for row in found] == [False, False, True]


def test_C6_meter_clock_is_only_reported():
    bench = Bench(clock(7))
    bench.engine.install_schedule(daily((0, 0, 0), (8, 0, 1)), 0, bench.at(clock(7)))
    bench.read(clock(7), 0)
    bench.engine.on_meter_clock(clock(8, 5), bench.at(clock(7, 20)))
    bench.read(clock(7, 20), 500)
    assert bench.engine.meter_clock_s == 2700
    assert bench.engine.rates_wh == [500, 0, 0, 0]


def test_C2_drift_widens_the_bound():
    bench = Bench(clock(0))
    bench.engine.on_time(clock(0), 0, 0)
    assert bench.engine.clock_bound_s(0) == 0
    assert bench.engine.clock_bound_s(86_400) == 3  # 2.6 s a day at 30 ppm
    assert bench.engine.clock_bound_s(30 * 86_400) == 78
    assert Bench(0, timed=False).engine.clock_bound_s(5) == 255


def test_C7_time_at_a_symbol():
    bench = Bench(clock(11))
    bench.engine.on_tick(3600 + 43)
    bench.engine.on_time(clock(12), 3600, 1)  # what the frame's start said, 43 s ago
    assert bench.engine.utc_s(3600 + 43) == clock(12, 0, 43)
    bench.engine.on_time(clock(12), 3600 + 43 - 43, 1)
    assert bench.engine.utc_s(3600 + 43) == clock(12, 0, 43)


def test_X1_what_each_event_means():
    bench = Bench(clock(7))
    engine = bench.engine
    bench.read(clock(7), 99_999_900)
    while engine.events.take():
        pass
    assert bench.read(clock(7, 1), 100) == 200  # a rollover is no event
    assert engine.events.take() is None
    assert bench.read(clock(7, 2), 55_000_000) == 0
    assert bench.read(clock(7, 3), 300) == 200  # one bad read
    assert engine.forward.transients == 1
    assert engine.events.take() is None
    for minute, wh, credited in ((4, 70_000_000, 0), (5, 70_000_100, 0), (6, 70_000_300, 300)):
        assert bench.read(clock(7, minute), wh) == credited
    assert engine.events.take() == (FORWARD_JUMPED, 300, 70_000_000)
    engine.on_read(b"new", 3_000, 0, bench.at(clock(7, 7)))
    assert engine.events.take() == (METER_CHANGED, 70_000_300, 3_000)
    engine.on_meter_clock(clock(7, 8), bench.at(clock(7, 8)))
    engine.on_meter_clock(clock(9, 9), bench.at(clock(7, 9)))
    assert engine.events.take() == (METER_CLOCK_CHANGED, 0, 7200)
    assert engine.total_wh == 100_000_600
    bench.balanced()


def test_X7_repeated_snapshot():
    bench = hourly(clock(17), detent=True)
    bench.read(clock(17), 109_554_016, stamp=1700)
    bench.read(clock(18), 109_554_016, stamp=1700)
    bench.read(clock(19), 109_562_072, stamp=1900)
    assert bench.intervals() == [(clock(18), 4028, EST), (clock(19), 4028, EST)]
    assert bench.engine.demand.peak_w == 0
    assert bench.engine.stale_reads == 1


def test_X4_energy_among_the_agreeing_reads():
    bench = Bench(clock(6, 57))
    bench.read(clock(6, 57), 30_000_000)
    for minute, wh in ((58, 50), (59, 250), (60, 450)):
        bench.read(clock(6, minute), wh)
    bench.read(clock(7, 15), 450)
    assert bench.intervals() == [(clock(7), 400, PARTIAL | CHG), (clock(7, 15), 0, 0)]
    bench.balanced()


def test_X8_reverse_alone_is_doubtful():
    bench = Bench(clock(7), detent=False)
    assert bench.read(clock(7), 1000, 7000) == 0
    assert bench.read(clock(7, 1), 1500, 0) == 500
    assert bench.engine.unplaced_wh == 500
    assert bench.read(clock(7, 2), 2000, 7100) == 600
    assert bench.engine.unplaced_wh == 0
    assert bench.engine.reverse.transients == 1
    bench.balanced()


def test_T3_midnight():
    bench = Bench(utc(4, 23))
    tables = [[(0, 1), (21 * 60, 0)], [(0, 1)]]
    schedule = pack(1, 4, 0, EVER_DAY, [(1, 1, 0, 1, 1, 1)], tables)
    bench.engine.install_schedule(schedule, 0, 0)
    bench.read(utc(4, 23), 0)
    bench.read(utc(4, 23, 30), 0)
    bench.read(utc(5, 0, 30), 1000)
    assert bench.engine.rates_wh == [500, 500, 0, 0]


def eastern(start_s, watts, switches):
    bench = Bench(start_s)
    bench.engine.configure_site(-300, True)
    bench.engine.install_schedule(daily(*switches), 0, 0)
    bench.read(start_s, 0)
    return bench


def test_T4_spring_and_autumn():
    start_s = utc(14, 5, month=3)
    bench = eastern(start_s, 1800, ((0, 0, 0), (2, 15, 1), (5, 0, 0)))
    bench.constant(start_s, start_s + 23 * 3600, 1800, 0)
    assert bench.engine.rates_wh == [37_800, 3600, 0, 0]
    start_s = utc(7, 4, month=11)
    bench = eastern(start_s, 1200, ((0, 0, 0), (1, 30, 1), (2, 30, 0)))
    bench.constant(start_s, start_s + 25 * 3600, 1200, 0)
    assert bench.engine.rates_wh == [28_200, 1800, 0, 0]


def test_T5_boundary_in_a_gap():
    bench = Bench(clock(20))
    bench.engine.install_schedule(daily((0, 0, 1), (21, 0, 0)), 0, 0)
    bench.read(clock(20), 0)
    bench.read(clock(20, 40), 0)
    bench.read(clock(21, 20), 800)
    assert bench.engine.rates_wh == [400, 400, 0, 0]
    assert bench.engine.estimated_wh == 800


def test_T6_outage_across_a_switch():
    bench = Bench(clock(20))
    bench.engine.install_schedule(daily((0, 0, 1), (21, 0, 0)), 0, 0)
    bench.read(clock(20), 0)
    bench.read(clock(20, 57), 0)
    bench.dark(clock(20, 58), clock(23, 10))
    bench.read(clock(23, 11), 90)
    assert bench.engine.rates_wh == [45, 45, 0, 0]
    assert bench.engine.estimated_wh == 0


def test_T7_critical_peak_ends_in_the_dark():
    bench = Bench(clock(15))
    bench.engine.install_schedule(daily((0, 0, 0)), 0, 0)
    bench.engine.add_peak(clock(16), clock(19), 3, bench.at(clock(15)))
    bench.read(clock(15), 0)
    wh = bench.constant(clock(15), clock(18, 30), 3600, 0)
    bench.dark(clock(18, 30), clock(19, 20))
    bench.constant(clock(19, 20), clock(20), 3600, wh)
    assert bench.engine.rates_wh == [3600 + 2400, 0, 0, 9000]


def test_T8_time_unknown():
    bench = Bench(0, timed=False)
    bench.engine.install_schedule(daily((0, 0, 0), (7, 0, 1)), 0, 0)
    bench.read(0, 0)
    bench.read(1000, 600)
    assert bench.engine.unplaced_wh == 600
    bench.engine.on_time(clock(7, 5), 1000)
    assert bench.engine.rates_wh == [420, 180, 0, 0]
    assert bench.engine.unplaced_wh == 0
    bench.balanced()


def test_T8_power_fails_again():
    bench = Bench(clock(7))
    bench.engine.install_schedule(daily((0, 0, 1), fallback=2), 0, 0)
    bench.read(clock(7), 0)
    bench.read(clock(7, 10), 100)
    bench.engine.on_dark(bench.at(clock(7, 11)) * 1000)
    bench.restart(clock(8))
    bench.read(clock(8, 1), 150)
    assert bench.engine.unplaced_wh == 50
    bench.balanced()
    bench.engine.on_dark(bench.at(clock(8, 2)) * 1000)
    bench.restart(clock(9))
    assert bench.engine.rates_wh == [0, 100, 50, 0]
    assert (bench.engine.unplaced_wh, bench.engine.estimated_wh) == (0, 50)
    bench.read(clock(9, 1), 170)
    bench.engine.on_time(clock(9, 2), bench.at(clock(9, 2)))
    bench.read(clock(10), 170)
    assert bench.engine.rates_wh == [0, 120, 50, 0]
    assert sum([row["value_wh"] for row in bench.hours()]) == 170
    bench.balanced()


def test_T9_expiry():
    bench = Bench(utc(30, 23))
    schedule = daily((0, 0, 2), fallback=0, last_day=days(2027, 6, 30))
    bench.engine.install_schedule(schedule, 0, 0)
    bench.read(utc(30, 23), 0)
    bench.read(utc(30, 23, 50), 0)
    bench.read(utc(1, 0, 10, month=7), 40)
    assert bench.engine.rates_wh == [20, 0, 20, 0]
    assert bench.engine.is_expired


def test_T10_pending_schedule_and_N3():
    bench = Bench(clock(11))
    bench.engine.install_schedule(daily((0, 0, 0)), 0, 0)
    bench.read(clock(11), 0)
    bench.engine.install_schedule(daily((0, 0, 1), identity=2), clock(12), bench.at(clock(11)))
    bench.read(clock(11, 54), 0)
    bench.read(clock(12, 6), 120)
    assert bench.engine.rates_wh == [60, 60, 0, 0]
    assert bench.engine.shadow_wh == [0, 120, 0, 0]
    assert bench.engine.cancel_schedule(bench.at(clock(12, 6))) == replies.NOTHING_TO_DO


def test_T11_net_per_rate():
    bench = Bench(clock(10), net=True)
    bench.engine.install_schedule(daily((0, 0, 0), (11, 0, 2)), 0, 0)
    bench.read(clock(10), 0, 0)
    bench.read(clock(11), 900, 100)
    bench.read(clock(12), 950, 750)
    assert bench.engine.rates_wh == [800, 0, -600, 0]
    assert bench.engine.total_wh == 200


def test_O3_duration_needs_two_times():
    bench = Bench(clock(3))
    bench.read(clock(3), 0)
    bench.read(clock(3, 9, 30), 0)
    bench.engine.on_dark(bench.at(clock(3, 10)) * 1000)
    bench.restart(clock(5))
    assert bench.engine.outages.entry(0) == (clock(3, 10), None, 1)
    assert bench.engine.outages.power_fail == 0
    bench.engine.on_time(clock(5, 5), 300)
    assert bench.engine.outages.entry(0)[:2] == (clock(3, 10), 6600)
    assert bench.sink.rings[rows.OUTAGE][0]["duration_s"] == 6600


def test_O4_restarts_are_separate():
    bench = Bench(clock(3))
    bench.read(clock(3), 0)
    for hour in (4, 5):
        bench.engine.on_dark(bench.at(clock(hour)) * 1000)
        bench.restart(clock(hour, 1), POWER, True)
    bench.restart(clock(6), WATCHDOG, True)
    assert bench.engine.outages.power_fail == 2
    assert list(bench.engine.outages.restarts) == [1, 0, 0, 0]


def test_F3_no_table_is_not_zero():
    bench = hourly(clock(8))
    bench.engine.on_no_table(bench.at(clock(8, 1)))
    assert bench.engine.state == NOT_LOGGING
    for minute in range(2, 130):
        bench.engine.on_no_table(bench.at(clock(8) + 60 * minute))
    assert [(row[0], row[2]) for row in bench.intervals()] == [
        (clock(9), MISSING),
        (clock(10), MISSING),
    ]
    assert all(row["flags"] == MISSING for row in bench.hours())
    bench.read(clock(10, 30), 5000)
    bench.read(clock(11), 5100)
    assert bench.intervals()[2] == (clock(11), 100, PARTIAL)
    bench.balanced()


def test_F3_energy_after_missing_hours_is_kept():
    bench = hourly(clock(8))
    bench.read(clock(8), 0)
    for minute in range(2, 130):
        bench.engine.on_no_table(bench.at(clock(8) + 60 * minute))
    bench.read(clock(10, 30), 500)
    bench.read(clock(11), 600)
    assert bench.intervals()[2][:2] == (clock(11), 600)
    assert bench.intervals()[2][2] & EST
    bench.balanced()


def test_P1_outside_the_limits_is_flagged():
    bench = hourly(clock(8), nominal_dv=1200)
    bench.read(clock(8), 0)
    for minute in range(1, 61):
        bench.read(clock(8, minute), 15 * minute)
        voltage_dv = 940 if 20 <= minute < 30 else 1200
        bench.engine.on_voltage(bench.at(clock(8, minute)) * 1000, voltage_dv)
    bench.read(clock(8) + 3660, 915)
    assert bench.intervals() == [(clock(9), 900, OOR)]
    assert bench.hours()[0]["minimum_dv"] == 940


def test_V1_artefacts_of_switching():
    bench = hourly(clock(10), nominal_dv=1200)
    bench.read(clock(10), 0)
    voltage = bench.engine.on_voltage
    ms = bench.at(clock(10)) * 1000
    voltage(ms + 300_000, 1184)
    voltage(ms + 1_200_000, 1137)
    voltage(ms + 1_799_600, 710)
    bench.engine.on_dark(ms + 1_800_000)
    bench.engine.on_lit(ms + 3_000_000)
    voltage(ms + 3_001_000, 952)
    voltage(ms + 3_060_000, 1206)
    bench.engine.on_tick(bench.at(clock(10, 55)))
    bench.read(clock(11), 0)
    hour = bench.hours()[0]
    assert (hour["minimum_dv"], hour["maximum_dv"]) == (1137, 1206)
    assert hour["flags"] & PF


def test_V2_no_sample_no_number():
    bench = hourly(clock(10))
    bench.read(clock(10), 0)
    bench.read(clock(11), 0)
    assert bench.hours()[0]["minimum_dv"] == rows.NO_VOLTAGE


def test_D7_net_is_never_streamed():
    bench = hourly(clock(10), net=True)
    bench.engine.activate_streaming(STREAM_REGISTER, MAXIMUM)
    bench.read(clock(10), 1000, 1000)
    before = bench.engine.stream_wh
    bench.read(clock(11), 1400, 1900)
    assert bench.hours()[0]["value_wh"] == -500
    assert bench.hours()[0]["register_wh"] - before == 400
    assert bench.engine.stream_wh - before == 400


def test_D6_a_change_is_not_retroactive_in_intervals():
    bench = hourly(clock(8))
    bench.read(clock(8), 0, 300_000)
    bench.read(clock(8, 50), 0, 305_000)
    bench.engine.configure(False, False)
    bench.read(clock(9), 0, 305_000)
    bench.read(clock(9, 10), 0, 305_250)
    bench.read(clock(10), 0, 305_250)
    assert [row[1] for row in bench.intervals()] == [0, 250]
    bench.balanced()


def test_N1_bounds_contain_the_truth():
    bench = hourly(clock(8))
    bench.read(clock(8), 0)
    bench.read(clock(8, 50), 1000)
    bench.read(clock(9, 10), 5000)
    bench.read(clock(10), 6000)
    first, second = bench.hours()
    assert (first["value_wh"], first["least_wh"], first["most_wh"]) == (3000, 1000, 5000)
    assert (second["value_wh"], second["least_wh"], second["most_wh"]) == (3000, 1000, 5000)
    assert first["flags"] & EST


def test_N2_a_planted_watt_hour_shows():
    for place in ("rates_wh", "closed", "register", "queue"):
        bench = Bench(clock(8))
        bench.read(clock(8), 0)
        bench.read(clock(8, 30), 100)
        bench.balanced()
        placement = bench.engine.placement
        if place == "rates_wh":
            placement.rates_wh[4] += 1
        elif place == "closed":
            placement.profile.closed_wh -= 1
        elif place == "register":
            bench.engine.forward.baseline_wh += 1
        else:
            placement.unplaced_wh += 1
        assert bench.engine.ledger()[2]


def test_N8_energy_at_risk():
    bench = Bench(clock(20))
    bench.engine.on_time(clock(20), bench.at(clock(20)), 30)
    bench.engine.install_schedule(daily((0, 0, 1), (21, 0, 0)), 0, 0)
    bench.read(clock(20), 0)
    bench.constant(clock(20), clock(22), 3600, 0)
    risk_a, risk_b = bench.engine.at_risk_wh[:2]
    assert 30 <= risk_a <= 33
    assert 30 <= risk_b <= 33


def test_G1_streaming_gates():
    for version, answer in ((11, replies.NOT_CAPABLE), (12, replies.DONE)):
        engine = Engine(_CAP_W, True, False, version)
        assert engine.activate_streaming(STREAM_PROFILE, MAXIMUM) == answer
    for pair in ((True, False), (False, True), (False, False)):
        assert engine.activate_streaming(STREAM_PROFILE, MINIMUM, *pair) == replies.NOT_CAPABLE
    assert engine.extreme == MAXIMUM


def test_R36_streaming_survives_a_restart():
    bench = Bench(clock(8))
    bench.read(clock(8), 0)
    bench.engine.activate_streaming(STREAM_REGISTER, MAXIMUM)
    bench.engine.on_dark(bench.at(clock(9)) * 1000)
    bench.restart(clock(10))
    assert (bench.engine.streaming, bench.engine.extreme) == (STREAM_REGISTER, MAXIMUM)


def test_a_long_gap_is_worked_off_in_bounded_pieces():
    bench = Bench(clock(8))
    bench.engine.configure_profile(5)
    bench.read(clock(8), 0)
    bench.read(clock(8, day=5), 100_000)
    assert 300 <= len(bench.intervals()) + len(bench.hours()) + len(bench.demands()) < 320
    for number in range(20):
        bench.engine.on_tick(bench.at(clock(8, 1, number, day=5)))
    assert len(bench.intervals()) == 1152
    assert sum([row[1] for row in bench.intervals()]) == 100_000
    bench.balanced()


def test_a_record_of_format_1_goes_on():
    import struct

    record = bytearray(148)
    struct.pack_into(
        "<BBHHHI20s20sqqqqq", record, 0, 1, 0x41, 0, 0, 0, 0, _METER, b"", 1000, 0, 500, 20, 0
    )
    struct.pack_into("<IIIIHHII", record, 92, 1500, 0, 0, 0, 0, 0, 0, 0)
    struct.pack_into("<IIIIHHII", record, 120, 20, 0, 0, 0, 0, 0, 0, 0)
    engine = Engine(_CAP_W, True, False, 20)
    engine.unpack_from(record)
    assert engine.total_wh == 1500
    assert engine.on_read(_METER, 1600, 20, 5) == 100
    assert engine.total_wh == 1600
    assert engine.ledger()[2] == 0
