"""The meter's own date as a count of seconds, whatever its time format.

Context: any. Allocates: a tuple, integers above 2**30.
Source: ANSI C12.19, LTIME_DATE; metering rules X-7, C-6.
"""

from endpoint.optical.times import LTIME, read_time, seconds_of


def date_s(data, at, config):
    """Return the LTIME_DATE at `at` as seconds since 1970, in the meter's own reckoning.

    Raises
    ------
    FormatError
        A field is no date, or says "never".
    """
    return seconds_of(read_time(data, at, LTIME, config.tm_format, config.most_first))
