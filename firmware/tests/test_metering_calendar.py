"""Rules C-1, C-5, T-4 and T-12: dates, the wall clock, and when it moves."""

from endpoint.metering.calendar import DAY_S, FAR_S, BadZone, Site, date, days, weekday

EASTERN = (-300, True)


def refused(*arguments):
    try:
        Site(*arguments)
    except BadZone:
        return True
    return False


def test_days_and_dates_are_inverse():
    assert days(1970, 1, 1) == 0
    assert date(0) == (1970, 1, 1)
    day = days(1999, 12, 28)
    while day < days(2106, 2, 8):
        assert days(*date(day)) == day
        day += 37
    assert date(days(2000, 2, 29)) == (2000, 2, 29)
    assert days(2100, 3, 1) - days(2100, 2, 28) == 1
    assert days(2028, 3, 1) - days(2028, 2, 28) == 2


def test_T12_weekdays():
    assert weekday(days(2028, 2, 29)) == 1  # Tuesday
    assert weekday(days(2027, 7, 4)) == 6
    assert weekday(days(2027, 12, 25)) == 5
    assert weekday(0) == 3


def test_T4_daylight_time_of_the_years():
    # 2026 to 2030: day of March, day of November.
    for year, spring, autumn in (
        (2026, 8, 1),
        (2027, 14, 7),
        (2028, 12, 5),
        (2029, 11, 4),
        (2030, 10, 3),
    ):
        site = Site(*EASTERN)
        start_s = days(year, 3, spring) * DAY_S + 7 * 3600
        end_s = days(year, 11, autumn) * DAY_S + 6 * 3600
        assert site.change_s(days(year, 1, 1) * DAY_S) == start_s
        assert site.change_s(start_s) == end_s
        assert not site.is_daylight(start_s - 1) and site.is_daylight(start_s)
        assert site.is_daylight(end_s - 1) and not site.is_daylight(end_s)
        assert site.change_s(end_s) == days(*_next_spring(year)) * DAY_S + 7 * 3600


def _next_spring(year):
    day = days(year + 1, 3, 8)
    while weekday(day) != 6:
        day += 1
    return date(day)


def test_T4_daylight_time_is_a_setting_of_the_site():
    phoenix = Site(-420, False)
    july_s = days(2027, 7, 1) * DAY_S
    assert phoenix.offset_s(july_s) == -7 * 3600
    assert phoenix.change_s(july_s) > FAR_S
    assert Site(-420, True).offset_s(july_s) == -6 * 3600


def test_C1_local_time_is_derived():
    site = Site(*EASTERN)
    at_s = 1805007600
    assert at_s == days(2027, 3, 14) * DAY_S + 7 * 3600
    assert site.local_s(at_s) % DAY_S == 3 * 3600
    assert site.local_s(at_s - 1) % DAY_S == 2 * 3600 - 1
    assert site.is_daylight(at_s) and not site.is_daylight(at_s - 1)


def test_L1_days_have_23_24_and_25_hours():
    site = Site(*EASTERN)
    for month, day, hours in ((3, 13, 24), (3, 14, 23), (11, 7, 25), (11, 8, 24)):
        midnight_s = site.utc_s(days(2027, month, day) * DAY_S)
        assert site.midnight_s(midnight_s - 1) == midnight_s
        assert site.midnight_s(midnight_s) - midnight_s == hours * 3600


def test_wall_times_that_come_twice_or_never():
    site = Site(*EASTERN)
    twice = days(2027, 11, 7) * DAY_S + 5400
    assert site.local_s(site.utc_s(twice)) == twice and site.is_daylight(site.utc_s(twice))
    never = days(2027, 3, 14) * DAY_S + 9000
    assert site.local_s(site.utc_s(never)) == never + 3600


def test_zones_of_the_world_only():
    for zone in ((-721, False), (841, False), (-300, 1), (-301, False)):
        assert refused(*zone)
    for zone in ((-720, False), (840, False), (345, False)):
        assert not refused(*zone)
