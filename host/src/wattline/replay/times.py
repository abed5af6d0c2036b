"""Instants as people write them: wall time of the site, UTC, or seconds from the start."""

import datetime as dt
import re
from typing import Any

from endpoint.metering.calendar import Site, days
from wattline.replay.table import ScenarioError, Table

_CLOCK = r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,3}))?)?"
_WALL = re.compile(rf"(?:([+-])(\d+)\s*d\s+)?{_CLOCK}")
_DATED = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)(?:[T ]\s*{_CLOCK})?\s*(Z|UTC|[+-]\d\d:?\d\d)?")
_LATER = re.compile(r"\+(?:\s*\d+(?:\.\d+)?\s*(?:ms|s|min|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DAY_MS = 86_400_000
_LAST_MS = 0xFFFFFFFF * 1000  # what a module's clock can hold
_HOW = (
    'a time such as "06:50", "+1d 00:10" (the day after the start), "2027-03-14 06:50" (wall '
    'time), "2027-03-14T11:50Z" (UTC), "+90s" or a number of seconds (after the start)'
)


class Times:
    """Turns what a person wrote into ms since 1970, UTC.

    Parameters
    ----------
    site : Site
    start_ms : int or None
        Where relative times count from and whose local day bare wall times belong to.
    """

    def __init__(self, site: Site, start_ms: int | None = None):
        self.site = site
        self.start_ms = start_ms

    def get(self, table: Table, key: str, default: int | None = None) -> Any:
        """Return the instant under a key, ms."""
        value = table.take(key)
        if value is None:
            return default
        return self.read(value, table, key)

    def need(self, table: Table, key: str) -> int:
        """Return the instant under a key that has to be there, ms."""
        found = self.get(table, key)
        if found is None:
            raise ScenarioError(f"{table.place} needs {key}: {_HOW}.")
        return found

    def read(self, value: Any, table: Table, key: str) -> int:
        """Return one instant, ms."""
        found = self._read(value)
        if found is None:
            raise ScenarioError(f"{key} in {table.place} must be {_HOW}, not {value!r}.")
        if not 0 < found <= _LAST_MS:
            raise ScenarioError(
                f"{key} in {table.place} must lie between 1970 and 2106, not {value!r}."
            )
        return found

    def parse(self, text: str) -> int | None:
        """Return the instant that a text names, ms, or None."""
        return self._read(text)

    def _read(self, value: Any) -> int | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            if abs(value) > _LAST_MS:
                return None
            return None if self.start_ms is None else self.start_ms + round(value * 1000)
        if isinstance(value, dt.datetime | dt.date | dt.time):
            value = value.isoformat()
        if not isinstance(value, str):
            return None
        value = value.strip()
        if match := _DATED.fullmatch(value):
            return self._dated(match)
        if self.start_ms is None:
            return None
        if match := _WALL.fullmatch(value):
            return self._wall(match)
        if _LATER.fullmatch(value):
            return self.start_ms + duration_ms(value)
        return None

    def _dated(self, match: re.Match) -> int | None:
        year, month, day = (int(match[i]) for i in (1, 2, 3))
        try:
            dt.date(year, month, day)
        except ValueError:
            return None
        ms = days(year, month, day) * _DAY_MS + _clock_ms(match, 4)
        zone = match[8]
        if zone is None:
            return self.site.utc_s(ms // 1000) * 1000 + ms % 1000
        if zone not in ("Z", "UTC"):
            digits = zone.replace(":", "")
            minutes = int(digits[1:3]) * 60 + int(digits[3:])
            ms -= minutes * 60_000 * (-1 if digits[0] == "-" else 1)
        return ms

    def _wall(self, match: re.Match) -> int:
        assert self.start_ms is not None
        day = self.site.day(self.start_ms // 1000)
        if match[2]:
            day += int(match[2]) * (-1 if match[1] == "-" else 1)
        ms = day * _DAY_MS + _clock_ms(match, 3)
        return self.site.utc_s(ms // 1000) * 1000 + ms % 1000


def _clock_ms(match: re.Match, first: int) -> int:
    hour, minute, second, fraction = (match[i] for i in range(first, first + 4))
    seconds = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    return seconds * 1000 + int((fraction or "0").ljust(3, "0"))


def duration_ms(text: str) -> int:
    """Return the length of "90s", "2h" or "+1h 30min" in ms."""
    return round(sum(float(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text)))


def period_s(table: Table, key: str, default: Any = None) -> Any:
    """Return the time between two of a row under a key, s: at least one."""
    found = seconds(table, key, default)
    if found is not None and found < 1:
        raise table.error(key, "at least one second")
    return found


def seconds(table: Table, key: str, default: Any = None) -> Any:
    """Return a length of time under a key in whole seconds: a number, or "5min"."""
    value = table.take(key, default)
    if value is default:
        return value
    if isinstance(value, str) and _LATER.fullmatch("+" + value.strip().lstrip("+")):
        return duration_ms(value) // 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise table.error(key, 'a whole number of seconds or a text such as "5min"')
    return int(value)


def utc_text(utc_s: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC; None for none."""
    if not utc_s:
        return None
    return dt.datetime.fromtimestamp(utc_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_text(site: Site, utc_s: int | None) -> str | None:
    """Return an instant as wall time with its offset; None for none."""
    if not utc_s:
        return None
    offset_s = site.offset_s(utc_s)
    zone = dt.timezone(dt.timedelta(seconds=offset_s))
    return dt.datetime.fromtimestamp(utc_s, zone).strftime("%Y-%m-%d %H:%M:%S%z")
