"""A schedule as people write it: letters and times instead of numbers and bytes."""

from datetime import date
from typing import Any

from endpoint.metering import tou
from endpoint.metering.calendar import days
from wattline.replay.table import ScenarioError, Table

LETTERS = "ABCD"
_DAY_TYPES = ("weekday", "saturday", "sunday", "holiday")
_UNKNOWN = 99  # a rate that no schedule has; refused by the engine's own check


def rate_number(text: Any) -> int:
    """Return 0 to 3 for A to D; another letter gives a number that no schedule accepts."""
    text = str(text).strip().upper()
    return LETTERS.index(text) if len(text) == 1 and text in LETTERS else _UNKNOWN


class Written:
    """A schedule whose keys have been checked; whether it is valid is the engine's business.

    Parameters
    ----------
    table : Table
    """

    def __init__(self, table: Table):
        self.name = table.place
        self._raw = table.text("bytes")
        self._damage = table.flag("damaged", False)
        self._identity = table.integer("id", 1)
        self._rates = table.integer("rates", 4)
        self._fallback = rate_number(table.text("fallback", "A"))
        self._last_day = _date(table, "valid_through")
        self._holidays = [
            _as_date(value, table, "holidays") for value in table.take("holidays", []) or []
        ]
        self._tables: list[tuple] = []
        self._seasons = []
        seasons = table.many("seasons", "season")
        shared = {key: table.take(key) for key in _DAY_TYPES}
        for season in seasons:
            self._season(season, season.text("from", "01-01"), shared)
            season.done()
        if not seasons:
            self._season(table, "01-01", shared)
        self._seasons.sort()
        table.done()

    def _season(self, table: Table, start: str, shared: dict[str, Any]) -> None:
        month, _, day = start.partition("-")
        if not month.isdigit() or not day.isdigit():
            raise table.error("from", 'a month and a day such as "11-01"')
        numbers = []
        before = None
        for key in _DAY_TYPES:
            own = table.take(key)
            written = own if own is not None else shared[key]
            if written is None:
                written = before
            if written is None:
                raise ScenarioError(
                    f'{table.place} needs weekday: the day\'s switches, "00:00 A, 07:00 B".'
                )
            before = written
            switches = _switches(written, table, key)
            if switches not in self._tables:
                self._tables.append(switches)
            numbers.append(self._tables.index(switches))
        self._seasons.append((int(month), int(day), *numbers))

    def pack(self) -> bytes:
        """Return the bytes.

        Raises
        ------
        tou.ScheduleRefused
        """
        if self._raw is not None:
            return bytes.fromhex(self._raw)
        data = tou.pack(
            self._identity,
            self._rates,
            self._fallback,
            self._last_day,
            self._seasons,
            self._tables,
            self._holidays,
        )
        if self._damage:
            data = data[:-1] + bytes((data[-1] ^ 1,))
        return data


def _date(table: Table, key: str) -> int:
    value = table.take(key)
    return tou.EVER_DAY if value is None else _as_date(value, table, key)


def _as_date(value: Any, table: Table, key: str) -> int:
    try:
        day = date.fromisoformat(str(value))
        return days(day.year, day.month, day.day)
    except ValueError:
        pass
    raise ScenarioError(
        f'{key} in {table.place} must be dates such as "2027-12-25", not {value!r}.'
    )


def _switches(written: Any, table: Table, key: str) -> tuple:
    if isinstance(written, str):
        written = [part.split() for part in written.replace(";", ",").split(",") if part.strip()]
    switches = []
    try:
        for time, rate in written:
            hour, minute = map(int, str(time).split(":"))
            if not 0 <= minute < 60:
                raise ValueError
            switches.append((hour * 60 + minute, rate_number(rate)))
    except (TypeError, ValueError):
        raise ScenarioError(
            f'{key} in {table.place} must be switches such as "00:00 A, 07:00 B", not {written!r}.'
        ) from None
    return tuple(switches)
