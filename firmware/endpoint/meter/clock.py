"""The meter's own date as a count of seconds, whatever its time format.

Context: any. Allocates: integers above 2**30.
Source: ANSI C12.19, LTIME_DATE; metering rules X-7, C-6.
"""

from micropython import const

from endpoint.optical.formats import FormatError, unsigned

_TM_BCD = const(1)
_TM_BYTES = const(2)
_TM_MINUTES = const(3)
_DAYS_TO_1970 = const(719468)  # from 1 March of year 0
_DAYS_IN_400_YEARS = const(146097)


def date_s(data, at, config):
    """Return the LTIME_DATE at `at` as seconds since 1970, in the meter's own reckoning.

    Raises
    ------
    FormatError
        A field is no date.
    """
    tm_format = config.tm_format
    if tm_format == _TM_BCD or tm_format == _TM_BYTES:
        year, month, day, hour, minute, second = [
            _field(data[at + i], tm_format) for i in range(6)
        ]
        if not (0 < month <= 12 and 0 < day <= 31 and hour < 24 and minute < 60 and second < 60):
            raise FormatError
        year += 1900 if year >= 90 else 2000
        return ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    count_s = unsigned(data, at, 4, config.most_first)
    if count_s == 0xFFFFFFFF:
        raise FormatError
    return count_s * 60 + data[at + 4] if tm_format == _TM_MINUTES else count_s


def _field(byte, tm_format):
    if tm_format == _TM_BYTES:
        return byte
    if byte & 0x0F > 9 or byte >> 4 > 9:
        raise FormatError
    return (byte >> 4) * 10 + (byte & 0x0F)


def _days(year, month, day):
    """Return days since 1 January 1970; years begin in March, so that a leap day ends one."""
    if month <= 2:
        year -= 1
        month += 12
    return (
        year // 400 * _DAYS_IN_400_YEARS
        + (year % 400) * 365
        + (year % 400) // 4
        - (year % 400) // 100
        + (153 * (month - 3) + 2) // 5
        + day
        - 1
        - _DAYS_TO_1970
    )
