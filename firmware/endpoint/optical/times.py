"""C12.19 times in every TM_FORMAT, both ways.

A date and time is (year, month, day, hour, minute, second); STIME_DATE has second 0. All fields
0 stands for "never": that is how meters fill what has not happened yet. Whether the meter counts
local time or GMT is not told here.

Context: any. Allocates: tuples, bytes, integers above 2**30.
Source: ANSI C12.19, TM_FORMAT.
"""

from micropython import const

from endpoint.optical.formats import FormatError, unsigned

NONE = const(0)
BCD = const(1)
BYTES = const(2)
MINUTES = const(3)
SECONDS = const(4)

# Kinds of time.
LTIME = const(0)  # date and time to the second
STIME = const(1)  # date and time to the minute
TIME = const(2)  # time of day

_SIZES = ((0, 6, 6, 5, 4), (0, 5, 5, 4, 4), (0, 3, 3, 4, 4))
_NEVER = (0, 0, 0, 0, 0, 0)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH_DAY = const(719_468)  # 1970-01-01, counted from 1 March of the year 0
_ERA_DAYS = const(146_097)  # 400 years
_DAY_S = const(86_400)
_LARGEST_S = 0xFFFFFFFF


def time_bytes(kind, tm_format):
    """Return the length of a time; FormatError if the format is unknown."""
    if tm_format >= len(_SIZES[0]):
        raise FormatError
    return _SIZES[kind][tm_format]


def read_time(buffer, at, kind, tm_format, most_first):
    """Return the time at `at` as a tuple of fields.

    Parameters
    ----------
    kind : int
        LTIME, STIME or TIME.

    Returns
    -------
    tuple of int
        Six fields, for TIME three: hour, minute, second.

    Raises
    ------
    FormatError
        A field is out of range, the format is unknown, has no time, or is TIME in MINUTES or
        SECONDS: it is not known what that counts.
    """
    size = time_bytes(kind, tm_format)
    if size == 0 or len(buffer) < at + size:
        raise FormatError
    if tm_format == BCD or tm_format == BYTES:
        fields = [_field(buffer[at + i], tm_format) for i in range(size)]
        if kind == TIME:
            return _checked_clock(tuple(fields))
        if kind == STIME:
            fields.append(0)
        if not any(fields):
            return _NEVER
        fields[0] += 1900 if fields[0] >= 90 else 2000
        return _checked(tuple(fields))
    if kind == TIME:
        raise FormatError
    count = unsigned(buffer, at, 4, most_first)
    if count == _LARGEST_S:
        raise FormatError
    second = 0
    if tm_format == MINUTES:
        if kind == LTIME:
            second = buffer[at + 4]
            if second >= 60:
                raise FormatError
        count *= 60
    count += second
    return date_of(count) if count else _NEVER


def write_time(fields, kind, tm_format, most_first):
    """Return the bytes of a time; the inverse of `read_time`."""
    size = time_bytes(kind, tm_format)
    if size == 0:
        return b""
    if tm_format == BCD or tm_format == BYTES:
        if kind == TIME:
            fields = _checked_clock(fields)
        elif fields != _NEVER:
            fields = _checked(fields)
            if not 1990 <= fields[0] < 2090:
                raise FormatError
            fields = (fields[0] % 100,) + fields[1:]
        if tm_format == BCD:
            fields = [field // 10 << 4 | field % 10 for field in fields]
        return bytes(fields[:size])
    if kind == TIME:
        raise FormatError
    count = 0 if fields == _NEVER else seconds_of(fields)
    second = count % 60
    if tm_format == MINUTES:
        count //= 60
    elif kind == STIME:
        count -= second
    if not 0 <= count < _LARGEST_S:
        raise FormatError
    data = count.to_bytes(4, "big" if most_first else "little")
    return data + bytes([second]) if size == 5 else data


def seconds_of(fields):
    """Return the seconds from 1970-01-01 00:00 to a date and time; FormatError if it is none."""
    year, month, day, hour, minute, second = _checked(fields)
    # Years begin in March here, so that the leap day is the last day of its year.
    if month <= 2:
        year -= 1
        month += 12
    day += (153 * (month - 3) + 2) // 5 - 1
    day += year * 365 + year // 4 - year // 100 + year // 400 - _EPOCH_DAY
    return day * _DAY_S + hour * 3600 + minute * 60 + second


def date_of(seconds):
    """Return the date and time that many seconds after 1970-01-01 00:00."""
    day = seconds // _DAY_S + _EPOCH_DAY
    seconds %= _DAY_S
    era = day // _ERA_DAYS
    day %= _ERA_DAYS
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (1 if month <= 2 else 0)
    return (year, month, day, seconds // 3600, seconds // 60 % 60, seconds % 60)


def _field(byte, tm_format):
    if tm_format == BYTES:
        return byte
    if byte >> 4 > 9 or byte & 0x0F > 9:
        raise FormatError
    return (byte >> 4) * 10 + (byte & 0x0F)


def _checked(fields):
    year, month, day = fields[:3]
    if not 1 <= month <= 12 or year < 1:
        raise FormatError
    last = _MONTH_DAYS[month - 1]
    if month == 2 and year % 4 == 0 and (year % 100 or year % 400 == 0):
        last = 29
    if not 1 <= day <= last:
        raise FormatError
    _checked_clock(fields[3:])
    return fields


def _checked_clock(fields):
    hour, minute, second = fields
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise FormatError
    return fields
