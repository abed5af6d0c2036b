"""Section 6 of the rules: the rate as a function of the instant."""

from endpoint.metering import tou
from endpoint.metering.calendar import DAY_S, Site, days
from endpoint.metering.tou import (
    EVER_DAY,
    NO_RATE,
    SCHEDULE_MAX_BYTES,
    STATE_BYTES,
    Schedule,
    Tariff,
    check,
    pack,
)

A, B, C, D = range(4)
EVERY_DAY = ((1, 1, 0, 0, 0, 0),)


def hm(text):
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def table(*switches):
    return tuple((hm(time), rate) for time, rate in switches)


def simple(*switches, **changes):
    fields = {
        "identity": 7,
        "rates": 4,
        "fallback": A,
        "last_day": EVER_DAY,
        "seasons": EVERY_DAY,
        "tables": (table(*switches),),
        "holidays": (),
    }
    fields.update(changes)
    return pack(
        fields["identity"],
        fields["rates"],
        fields["fallback"],
        fields["last_day"],
        fields["seasons"],
        fields["tables"],
        fields["holidays"],
    )


def tariff(data, site=None):
    made = Tariff(site or Site(0, False))
    made.start(data)
    return made


def utc(year, month, day, hour=0, minute=0, second=0):
    return days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second


def seconds_by_rate(made, from_s, until_s):
    """Return the seconds of each rate, found span by span."""
    spent = [0, 0, 0, 0]
    while from_s < until_s:
        end_s = min(made.until_s(from_s), until_s)
        spent[made.rate_at(from_s)] += end_s - from_s
        from_s = end_s
    return spent


def refused(action, *arguments):
    try:
        action(*arguments)
    except tou.ScheduleRefused as error:
        return type(error)
    return None


def test_T1_rate_is_a_function_of_the_instant():
    made = tariff(simple(("00:00", A), ("07:00", B), ("21:00", A)))
    assert made.rate_at(utc(2027, 6, 1, 7, 0, 3)) == B
    assert made.rate_at(utc(2027, 6, 1, 6, 59, 58)) == A
    assert made.rate_at(utc(2027, 6, 1, 20, 59, 59)) == B
    assert made.rate_at(utc(2027, 6, 1, 21)) == A


def test_T2_precedence_event_holiday_day_type():
    christmas = days(2027, 12, 25)
    weekday_ = table(("00:00", A))
    saturday = table(("00:00", B))
    holiday = table(("00:00", C))
    data = pack(
        1, 4, A, EVER_DAY, ((1, 1, 0, 1, 0, 2),), (weekday_, saturday, holiday), (christmas,)
    )
    made = tariff(data)
    noon_s = utc(2027, 12, 25, 12)
    made.add_event(utc(2027, 12, 25, 17), utc(2027, 12, 25, 18), D, noon_s)
    assert made.rate_at(utc(2027, 12, 24, 12)) == A
    assert made.rate_at(noon_s) == C
    assert made.rate_at(utc(2027, 12, 25, 16, 59, 59)) == C
    assert made.rate_at(utc(2027, 12, 25, 17)) == D
    assert made.rate_at(utc(2027, 12, 25, 17, 59, 59)) == D
    assert made.rate_at(utc(2027, 12, 25, 18)) == C
    assert made.rate_at(utc(2027, 12, 18, 12)) == B  # an ordinary Saturday


def test_T2_observed_dates_are_the_lists_business():
    tables = (table(("00:00", A)), table(("00:00", C)))
    season = ((1, 1, 0, 0, 0, 1),)
    literal = tariff(pack(1, 4, A, EVER_DAY, season, tables, (days(2027, 7, 4),)))
    assert literal.rate_at(utc(2027, 7, 4)) == C and literal.rate_at(utc(2027, 7, 5)) == A
    listed = tariff(pack(1, 4, A, EVER_DAY, season, tables, (days(2027, 7, 5),)))
    assert listed.rate_at(utc(2027, 7, 4)) == A and listed.rate_at(utc(2027, 7, 5)) == C


def test_T3_midnight_belongs_to_the_next_days_table():
    friday = table(("00:00", B), ("21:00", A))
    saturday = table(("00:00", B))
    made = tariff(pack(1, 4, A, EVER_DAY, ((1, 1, 0, 1, 0, 0),), (friday, saturday)))
    from_s = utc(2027, 6, 4, 23, 30)  # a Friday
    assert seconds_by_rate(made, from_s, from_s + 3600) == [1800, 1800, 0, 0]


def test_T4_spring_and_autumn_days():
    site = Site(-300, True)
    made = tariff(simple(("00:00", A), ("02:15", B), ("05:00", A)), site)
    from_s = utc(2027, 3, 14, 5)
    spent = seconds_by_rate(made, from_s, site.midnight_s(from_s))
    assert [s // 2 for s in spent] == [37_800, 3_600, 0, 0]  # Wh at 1.8 kW
    made = tariff(simple(("00:00", A), ("01:30", B), ("02:30", A)), site)
    from_s = utc(2027, 11, 7, 4)
    spent = seconds_by_rate(made, from_s, site.midnight_s(from_s))
    assert [s // 3 for s in spent] == [28_200, 1_800, 0, 0]  # Wh at 1.2 kW


def test_T7_critical_peak_ends_on_time():
    made = tariff(simple(("00:00", A)))
    start_s = utc(2027, 7, 1, 16)
    made.add_event(start_s, start_s + 3 * 3600, D, start_s - 60)
    assert seconds_by_rate(made, start_s - 3600, start_s + 4 * 3600) == [7200, 0, 0, 10800]
    # What is over makes room, what falls together is refused.
    assert refused(made.add_event, start_s + 60, start_s + 120, B, start_s) is tou.BadEvent
    assert refused(made.add_event, start_s, start_s, B, start_s) is tou.BadEvent
    assert refused(made.add_event, start_s - 60, start_s, 4, start_s - 99) is tou.UnknownRate
    for i in range(1, tou.EVENTS_MAX):
        made.add_event(start_s + i * DAY_S, start_s + i * DAY_S + 1, B, start_s)
    late_s = start_s + 9 * DAY_S
    assert refused(made.add_event, late_s, late_s + 1, B, start_s) is tou.TooManyEvents
    made.add_event(late_s, late_s + 1, B, start_s + 10_800)
    assert made.cancel_event(late_s, start_s) and not made.cancel_event(late_s, start_s)
    assert made.rate_at(late_s) == A


def test_T9_expiry_goes_to_the_fallback_rate():
    made = tariff(simple(("00:00", C), last_day=days(2027, 6, 30)))
    midnight_s = utc(2027, 7, 1)
    made.add_event(midnight_s, midnight_s + 60, D, 0)
    assert made.rate_at(midnight_s - 1) == C and not made.is_expired(midnight_s - 1)
    assert made.rate_at(midnight_s) == A and made.is_expired(midnight_s)
    assert made.until_s(midnight_s - 600) == midnight_s


def test_T10_pending_schedule_takes_over_by_the_clock():
    made = tariff(simple(("00:00", A)))
    noon_s = utc(2027, 6, 1, 12)
    made.plan(simple(("00:00", B), identity=8), noon_s, noon_s - 7200, noon_s - 7200)
    assert seconds_by_rate(made, noon_s - 360, noon_s + 360) == [360, 360, 0, 0]
    assert made.schedule_at(noon_s).identity == 8
    # Before its time it may be replaced or cancelled.
    made.plan(simple(("00:00", C), identity=9), noon_s, noon_s - 3600, noon_s - 3600)
    assert made.rate_at(noon_s) == C
    assert made.cancel(noon_s - 1) and made.rate_at(noon_s) == A
    assert not made.cancel(noon_s - 1)
    # In force already: it stays, and the next one waits behind it.
    made.plan(simple(("00:00", B)), noon_s, noon_s - 60, noon_s - 60)
    assert not made.cancel(noon_s)
    later = simple(("00:00", D))
    assert refused(made.plan, later, noon_s + 3600, noon_s - 1, noon_s + 5) is tou.NotSettled
    assert refused(made.plan, later, noon_s - 3600, noon_s, noon_s) is tou.TooLate
    made.plan(later, noon_s + 3600, noon_s, noon_s + 5)
    assert made.rate_at(noon_s) == B and made.rate_at(noon_s + 3600) == D


def test_T10_an_invalid_schedule_changes_nothing():
    made = tariff(simple(("00:00", A)))
    before = bytearray(STATE_BYTES)
    made.pack_into(before, 0)
    bad = bytearray(simple(("00:00", B)))
    bad[-1] ^= 1
    assert refused(made.plan, bad, 1000, 0, 0) is tou.ScheduleDamaged
    after = bytearray(STATE_BYTES)
    made.pack_into(after, 0)
    assert before == after


def test_T10_R81_reasons_to_refuse():
    assert refused(simple, ("00:00", 4)) is tou.UnknownRate
    assert refused(simple, ("06:00", A)) is tou.NoMidnight
    assert refused(simple) is tou.NoMidnight
    assert refused(simple, ("00:00", A), ("07:00", B), ("06:00", A)) is tou.TimesUnordered
    assert refused(simple, ("00:00", A), ("07:00", B), ("07:00", A)) is tou.TimesUnordered
    assert refused(simple, ("00:00", A), ("24:00", B)) is tou.TimesUnordered
    day_table = (table(("00:00", A)),)
    for seasons in (
        (),
        ((2, 30, 0, 0, 0, 0),),
        ((13, 1, 0, 0, 0, 0),),
        ((1, 1, 0, 1, 0, 0),),
        ((3, 1, 0, 0, 0, 0), (3, 1, 0, 0, 0, 0)),
    ):
        assert refused(pack, 1, 4, A, EVER_DAY, seasons, day_table) is tou.BadSeason
    holidays = (5, 5)
    assert (
        refused(pack, 1, 4, A, EVER_DAY, EVERY_DAY, day_table, holidays) is tou.HolidaysUnordered
    )
    assert refused(pack, 1, 5, A, EVER_DAY, EVERY_DAY, day_table) is tou.UnknownRate
    assert refused(pack, 1, 2, C, EVER_DAY, EVERY_DAY, day_table) is tou.UnknownRate
    assert refused(pack, 1, 4, A, EVER_DAY, EVERY_DAY, day_table, range(81)) is tou.TooManyParts
    assert refused(check, b"") is tou.UnknownSchedule
    assert refused(check, bytes(SCHEDULE_MAX_BYTES + 1)) is tou.TooManyParts


def test_every_cut_and_every_flipped_bit_is_refused():
    data = simple(("00:00", A), ("07:00", B), holidays=(days(2027, 7, 4),))
    check(data)
    for size in range(len(data)):
        assert refused(check, data[:size]) is not None
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        assert refused(check, bad) is not None


def test_T12_seasons_wrap_the_year():
    winter = table(("00:00", B))
    summer = table(("00:00", A))
    data = pack(1, 4, A, EVER_DAY, ((4, 1, 0, 0, 0, 0), (11, 1, 1, 1, 1, 1)), (summer, winter))
    made = tariff(data)
    for month, day, rate in (
        (10, 31, A),
        (11, 1, B),
        (12, 31, B),
        (1, 1, B),
        (3, 31, B),
        (4, 1, A),
    ):
        assert made.rate_at(utc(2027, month, day, 12)) == rate
    assert made.rate_at(utc(2028, 2, 29, 12)) == B
    weekdays = tariff(pack(1, 4, A, EVER_DAY, ((1, 1, 0, 1, 1, 1),), (summer, winter)))
    assert weekdays.rate_at(utc(2028, 2, 29, 12)) == A


def test_M11_warning_when_a_switch_is_no_multiple_of_the_interval():
    assert Schedule(simple(("00:00", A), ("14:10", B))).unaligned_min(30) == hm("14:10")
    assert Schedule(simple(("00:00", A), ("14:30", B))).unaligned_min(30) == -1


def test_spans_agree_with_a_walk_over_every_minute():
    site = Site(-300, True)
    data = pack(
        1,
        4,
        A,
        days(2027, 11, 8),
        ((1, 1, 0, 1, 2, 3), (11, 7, 1, 1, 1, 3)),
        (
            table(("00:00", A), ("01:30", B), ("02:15", C), ("21:00", A)),
            table(("00:00", B), ("12:00", C)),
            table(("00:00", D), ("01:01", A), ("01:59", B)),
            table(("00:00", C)),
        ),
        (days(2027, 11, 5),),
    )
    made = tariff(data, site)
    made.add_event(utc(2027, 11, 6, 3, 7), utc(2027, 11, 6, 9, 1), D, 0)
    made.plan(simple(("00:00", C), ("05:00", D)), utc(2027, 11, 6, 22, 17), 0, 0)
    for month, day, length in ((3, 13, 2), (11, 4, 6)):
        from_s = utc(2027, month, day, 5)
        until_s = from_s + length * DAY_S
        spent = seconds_by_rate(made, from_s, until_s)
        walked = [0, 0, 0, 0]
        for at_s in range(from_s, until_s, 60):
            fresh = made._find(at_s)[0]
            walked[fresh] += 60
        assert spent == walked


def test_next_switch_skips_midnights_without_a_change():
    made = tariff(simple(("00:00", A), ("07:00", B), ("21:00", A)))
    evening_s = utc(2027, 6, 1, 22)
    assert made.next_switch_s(evening_s, evening_s + DAY_S) == utc(2027, 6, 2, 7)
    assert made.next_switch_s(evening_s, evening_s + 60) == evening_s + 60


def test_N3_shadow_is_the_pending_schedule_before_its_time():
    made = tariff(simple(("00:00", A)))
    assert made.shadow(utc(2027, 6, 1))[0] == NO_RATE
    at_s = utc(2027, 6, 20)
    made.plan(simple(("00:00", B), ("07:00", C)), at_s, 0, 0)
    assert made.shadow(utc(2027, 6, 1, 6)) == (B, utc(2027, 6, 1, 7))
    assert made.rate_at(utc(2027, 6, 1, 6)) == A
    assert made.shadow(at_s + 7 * 3600)[0] == made.rate_at(at_s + 7 * 3600) == C


def test_no_schedule_no_rate():
    made = Tariff(Site(0, False))
    assert made.rate_at(1_800_000_000) == NO_RATE
    made.plan(simple(("00:00", B)), 1_800_000_000, 0, 0)
    assert made.rate_at(1_799_999_999) == NO_RATE and made.rate_at(1_800_000_000) == B


def test_state_comes_back_byte_for_byte():
    made = tariff(simple(("00:00", A)))
    made.plan(simple(("00:00", B), identity=8), 1_800_000_000, 0, 0)
    made.add_event(1_800_000_500, 1_800_000_900, D, 0)
    state = bytearray(STATE_BYTES + 3)
    made.pack_into(state, 3)
    other = Tariff(Site(0, False))
    other.unpack_from(state, 3)
    again = bytearray(STATE_BYTES + 3)
    other.pack_into(again, 3)
    assert state == again
    for at_s in (1_799_999_999, 1_800_000_000, 1_800_000_600):
        assert other.rate_at(at_s) == made.rate_at(at_s)
    empty = bytearray(STATE_BYTES)
    other.unpack_from(empty, 0)
    assert other.rate_at(0) == NO_RATE and not other.events
