"""Days, dates and the wall clock of one site, from UTC seconds.

Local time is derived and never a key: every instant here is UTC seconds since 1970, and a wall
time is that plus an offset. Daylight time follows the rule of the United States or none.

Context: one task. Allocates: a date tuple when asked; integers above 2^30 on the chip.
Source: 15 U.S.C. 260a (second Sunday of March, first Sunday of November, 02:00 wall time).
"""

from micropython import const

from endpoint.metering import MeteringError

DAY_S = const(86_400)
FAR_S = const(0xFFFFFFFF)  # the end of 32-bit time, February 2106: "never"

MONDAY = const(0)
SATURDAY = const(5)
SUNDAY = const(6)

_HOUR_S = const(3600)
_OFFSET_MIN_MIN = const(-720)  # the zones of the world reach from UTC-12 to UTC+14
_OFFSET_MAX_MIN = const(840)
_OFFSET_STEP_MIN = const(15)  # as the zones of the world do

_EPOCH_DAY = const(719_468)  # 1970-01-01, counted from 1 March of the year 0
_ERA_DAYS = const(146_097)  # 400 years


class BadZone(MeteringError):
    """A time zone is a multiple of 15 minutes from UTC-12 to UTC+14, daylight time yes or no."""


def days(year, month, day):
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    # Years begin in March here, so that the leap day is the last day of its year.
    if month <= 2:
        year -= 1
        month += 12
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - _EPOCH_DAY


def date(day):
    """Return (year, month, day) of a day counted from 1970-01-01."""
    day += _EPOCH_DAY
    era = day // _ERA_DAYS
    day %= _ERA_DAYS
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    year += era * 400
    return (year, month + 3, day) if month < 10 else (year + 1, month - 9, day)


def weekday(day):
    """Return the day of the week, Monday = 0, of a day counted from 1970-01-01."""
    return (day + 3) % 7


def _sunday(year, month, first):
    """Return the first Sunday on or after the `first` of a month."""
    day = days(year, month, first)
    return day + (SUNDAY - weekday(day)) % 7


class Site:
    """The wall clock where the module hangs.

    Parameters
    ----------
    offset_min : int
        Standard time minus UTC, in minutes: -300 for US Eastern.
    has_daylight : bool
        Whether the site's clocks move; no in Hawaii, most of Arizona, and wherever the utility
        keeps its meters on standard time.

    Raises
    ------
    BadZone
    """

    def __init__(self, offset_min, has_daylight):
        if not _OFFSET_MIN_MIN <= offset_min <= _OFFSET_MAX_MIN or offset_min % _OFFSET_STEP_MIN:
            raise BadZone
        if not isinstance(has_daylight, bool):
            raise BadZone
        self.offset_min = offset_min
        self.has_daylight = has_daylight
        self._standard_s = offset_min * 60
        # What holds from `_since_s` until `_change_s`; empty until somebody asks.
        self._since_s = self._change_s = self._offset_s = 0

    def _look_up(self, utc_s):
        """Find the two changes of the clock around an instant."""
        self._offset_s = self._standard_s
        if not self.has_daylight:
            self._since_s = 0
            self._change_s = FAR_S + 1
            return
        year = date((utc_s + self._standard_s) // DAY_S)[0]
        spring_s = self._spring_s(year)
        autumn_s = self._autumn_s(year)
        if utc_s < spring_s:
            self._since_s, self._change_s = self._autumn_s(year - 1), spring_s
        elif utc_s < autumn_s:
            self._since_s, self._change_s = spring_s, autumn_s
            self._offset_s += _HOUR_S
        else:
            self._since_s, self._change_s = autumn_s, self._spring_s(year + 1)

    def _spring_s(self, year):
        return _sunday(year, 3, 8) * DAY_S + 2 * _HOUR_S - self._standard_s

    def _autumn_s(self, year):
        # 02:00 daylight time is 01:00 standard time.
        return _sunday(year, 11, 1) * DAY_S + _HOUR_S - self._standard_s

    def offset_s(self, utc_s):
        """Return wall time minus UTC at an instant, in seconds."""
        if not self._since_s <= utc_s < self._change_s:
            self._look_up(utc_s)
        return self._offset_s

    def is_daylight(self, utc_s):
        """Tell whether daylight time is in force."""
        return self.offset_s(utc_s) != self._standard_s

    def change_s(self, utc_s):
        """Return the next instant at which the clocks move, after `utc_s`; else `FAR_S` + 1."""
        self.offset_s(utc_s)
        return self._change_s

    def local_s(self, utc_s):
        """Return the wall time as seconds since 1970-01-01 00:00 on the wall."""
        return utc_s + self.offset_s(utc_s)

    def utc_s(self, local_s):
        """Return the instant of a wall time.

        A wall time that comes twice means its first pass; one that is left out is read in
        standard time.
        """
        utc_s = local_s - self._standard_s
        if self.has_daylight and self.is_daylight(utc_s - _HOUR_S):
            return utc_s - _HOUR_S
        return utc_s

    def day(self, utc_s):
        """Return the local day, counted from 1970-01-01."""
        return self.local_s(utc_s) // DAY_S

    def midnight_s(self, utc_s):
        """Return the instant of the first local midnight after `utc_s`."""
        return self.utc_s((self.day(utc_s) + 1) * DAY_S)
