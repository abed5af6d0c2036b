"""Time of use: which rate is in force at an instant, and until when.

The rate is a function of the instant, the schedule and the critical-peak events, without memory
of earlier switches; an outage or a restart changes nothing. Spans are computed, never stepped
through.

A schedule travels and is kept as one byte string, at most `SCHEDULE_MAX_BYTES` long, little
endian::

    u8   format, 1                      u8   rates used, 1 to 4
    u8   fallback rate                  u8   seasons     u8 day tables     u8 holidays
    u16  last valid day                 u32  identity of the schedule
    season:  u8 month, u8 day, u8 table of weekdays, Saturdays, Sundays, holidays
    holiday: u16 day
    table:   u8 switches, then u16 each: minute of the day * 4 + rate
    u32  CRC-32 of everything before it

Days are counted from 1970-01-01. Seasons, holidays and switches are in ascending order; the
last season lasts until the first one of the next year.

Context: one task.
"""

import binascii
import struct

from micropython import const

from endpoint.metering import MeteringError
from endpoint.metering.calendar import DAY_S, FAR_S, SATURDAY, date, weekday

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RATES = const(4)
NO_RATE = const(4)  # no schedule is in force
EVER_DAY = const(0xFFFF)  # a last valid day that never comes: in the year 2149

SCHEDULE_MAX_BYTES = const(320)
SEASONS_MAX = const(6)
TABLES_MAX = const(12)
SWITCHES_MAX = const(12)  # of one day
HOLIDAYS_MAX = const(80)  # eight a year for ten years

EVENTS_MAX = const(4)

_FORMAT = const(1)
_HEAD = "<BBBBBBHI"
_HEAD_BYTES = const(12)
_SEASON_BYTES = const(6)
_HOLIDAY_BYTES = const(2)
_CRC_BYTES = const(4)
_DAY_MIN = const(1440)
_MONTH_DAYS = b"\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"

# Tables of a season, in this order.
_WEEKDAY = const(0)
_HOLIDAY = const(3)

_EVENT = "<IIB"
_EVENT_BYTES = const(9)
_STATE = "<HHI"
_STATE_HEAD_BYTES = const(8)
STATE_BYTES = const(684)  # head, two schedules, events


class ScheduleRefused(MeteringError):
    """Base of every reason to refuse a schedule or a critical-peak event, always as a whole."""


class UnknownSchedule(ScheduleRefused):
    """Not a schedule of format 1, or not as long as its own counts say."""


class ScheduleDamaged(ScheduleRefused):
    """The check sum does not fit."""


class TooManyParts(ScheduleRefused):
    """More seasons, day tables, switches, holidays or bytes than a module keeps."""


class NoMidnight(ScheduleRefused):
    """A day table does not begin at 00:00."""


class UnknownRate(ScheduleRefused):
    """A rate that the schedule does not have."""


class TimesUnordered(ScheduleRefused):
    """Switches of one day are not in ascending order, or past 24:00."""


class BadSeason(ScheduleRefused):
    """No season, no such date, dates not in ascending order, or no such day table."""


class HolidaysUnordered(ScheduleRefused):
    """Holidays are not in ascending order."""


class BadEvent(ScheduleRefused):
    """A critical-peak event has no length, or falls together with another one."""


class TooManyEvents(ScheduleRefused):
    """The module keeps four critical-peak events that are not over."""


class TooLate(ScheduleRefused):
    """A start that lies before energy that has its rate already."""


class NotSettled(ScheduleRefused):
    """The pending schedule has begun but energy still waits for its rate: read first."""


def _word(data, at):
    return data[at] | data[at + 1] << 8


class Schedule:
    """One calendar of rates.

    Parameters
    ----------
    data : bytes-like
        As described above; copied.

    Raises
    ------
    ScheduleRefused
        One of its subclasses names the reason.

    Attributes
    ----------
    data : bytes
    identity, rates, fallback, last_day : int
        `last_day` is the last valid local day.
    """

    def __init__(self, data):
        check(data)
        self.data = bytes(data)
        (
            _,
            self.rates,
            self.fallback,
            self._seasons,
            self._tables,
            self._holidays,
            self.last_day,
            self.identity,
        ) = struct.unpack_from(_HEAD, self.data, 0)
        self._holidays_at = _HEAD_BYTES + self._seasons * _SEASON_BYTES
        self._tables_at = self._holidays_at + self._holidays * _HOLIDAY_BYTES
        # The table of the day that was asked for last.
        self._day = -1
        self._table_at = 0

    def is_expired(self, local_s):
        """Tell whether a wall time lies after the last valid day."""
        return local_s // DAY_S > self.last_day

    def is_holiday(self, day):
        """Tell whether a local day is in the list."""
        at = self._holidays_at
        for _ in range(self._holidays):
            if _word(self.data, at) == day:
                return True
            at += _HOLIDAY_BYTES
        return False

    def span(self, local_s):
        """Return (rate, wall time until which it lasts at least); both ends as `Site.local_s`."""
        day = local_s // DAY_S
        if day > self.last_day:
            return self.fallback, FAR_S + DAY_S
        if day != self._day:
            self._table_at = self._find_table(day)
            self._day = day
        minute = local_s % DAY_S // 60
        at = self._table_at
        rate = until_min = 0
        for _ in range(self.data[at]):
            switch = _word(self.data, at + 1)
            until_min = switch >> 2
            if until_min > minute:
                break
            rate = switch & 3
            at += 2
        else:
            until_min = _DAY_MIN
        return rate, day * DAY_S + until_min * 60

    def _find_table(self, day):
        """Return where the day's own table begins."""
        _, month, of_month = date(day)
        season = self._seasons - 1  # before the first season of a year the last one goes on
        at = _HEAD_BYTES
        for i in range(self._seasons):
            if (self.data[at], self.data[at + 1]) > (month, of_month):
                break
            season = i
            at += _SEASON_BYTES
        kind = _HOLIDAY if self.is_holiday(day) else max(_WEEKDAY, weekday(day) - SATURDAY + 1)
        number = self.data[_HEAD_BYTES + season * _SEASON_BYTES + 2 + kind]
        at = self._tables_at
        for _ in range(number):
            at += 1 + 2 * self.data[at]
        return at

    def unaligned_min(self, period_min):
        """Return the first switch (minute of its day) that does not begin a demand interval.

        Returns
        -------
        int
            -1: every switch is a multiple of `period_min`. Otherwise the intervals around the
            switch count for the rate at their start; worth a warning, not a refusal.
        """
        at = self._tables_at
        for _ in range(self._tables):
            for i in range(self.data[at]):
                minute = _word(self.data, at + 1 + 2 * i) >> 2
                if minute % period_min:
                    return minute
            at += 1 + 2 * self.data[at]
        return -1


def check(data):
    """Refuse bytes that are not a complete, consistent schedule.

    Raises
    ------
    ScheduleRefused
        One of its subclasses names the reason.
    """
    size = len(data)
    if size > SCHEDULE_MAX_BYTES:
        raise TooManyParts
    if size < _HEAD_BYTES + _CRC_BYTES or data[0] != _FORMAT:
        raise UnknownSchedule
    body = bytes(data[: size - _CRC_BYTES])
    if binascii.crc32(body) != struct.unpack_from("<I", data, size - _CRC_BYTES)[0]:
        raise ScheduleDamaged
    _, rates, fallback, seasons, tables, holidays, _, _ = struct.unpack_from(_HEAD, body, 0)
    if seasons > SEASONS_MAX or tables > TABLES_MAX or holidays > HOLIDAYS_MAX:
        raise TooManyParts
    if not 1 <= rates <= RATES or fallback >= rates:
        raise UnknownRate
    at = _HEAD_BYTES + seasons * _SEASON_BYTES
    if at + holidays * _HOLIDAY_BYTES > len(body):
        raise UnknownSchedule
    _check_seasons(body, seasons, tables)
    _check_holidays(body, at, holidays)
    at += holidays * _HOLIDAY_BYTES
    for _ in range(tables):
        at = _check_table(body, at, rates)
    if at != len(body):
        raise UnknownSchedule


def _check_seasons(body, seasons, tables):
    if not seasons:
        raise BadSeason
    before = (0, 0)
    for at in range(_HEAD_BYTES, _HEAD_BYTES + seasons * _SEASON_BYTES, _SEASON_BYTES):
        start = (body[at], body[at + 1])
        if not before < start or not 1 <= start[0] <= 12:
            raise BadSeason
        if not 1 <= start[1] <= _MONTH_DAYS[start[0] - 1] or max(body[at + 2 : at + 6]) >= tables:
            raise BadSeason
        before = start


def _check_holidays(body, at, holidays):
    before = -1
    for _ in range(holidays):
        day = _word(body, at)
        if day <= before:
            raise HolidaysUnordered
        before = day
        at += _HOLIDAY_BYTES


def _check_table(body, at, rates):
    """Check the day table at `at`; return where the next one begins."""
    if at >= len(body) or at + 1 + 2 * body[at] > len(body):
        raise UnknownSchedule
    switches = body[at]
    if switches > SWITCHES_MAX:
        raise TooManyParts
    at += 1
    if not switches or _word(body, at) >> 2:
        raise NoMidnight
    before = -1
    for _ in range(switches):
        minute = _word(body, at) >> 2
        if not before < minute < _DAY_MIN:
            raise TimesUnordered
        if _word(body, at) & 3 >= rates:
            raise UnknownRate
        before = minute
        at += 2
    return at


def pack(identity, rates, fallback, last_day, seasons, tables, holidays=()):
    """Return the bytes of a schedule.

    Parameters
    ----------
    identity : int
        32 bits that name this schedule wherever it is reported.
    rates : int
        1 to 4.
    fallback : int
        Rate, 0 = A, after the last valid day and while the time stays unknown.
    last_day : int
        Last valid local day since 1970-01-01, or `EVER_DAY`.
    seasons : sequence of (int, int, int, int, int, int)
        Month, day, and the tables of weekdays, Saturdays, Sundays and holidays.
    tables : sequence of sequence of (int, int)
        Minute of the day and rate.
    holidays : sequence of int
        Local days since 1970-01-01.

    Raises
    ------
    ScheduleRefused
        One of its subclasses names the reason.
    """
    if max(len(seasons), len(tables), len(holidays)) > 255:
        raise TooManyParts
    if not 0 <= fallback < rates <= RATES:
        raise UnknownRate
    if not 0 <= last_day <= EVER_DAY or not 0 <= identity <= FAR_S:
        raise UnknownSchedule
    parts = [
        struct.pack(
            _HEAD,
            _FORMAT,
            rates,
            fallback,
            len(seasons),
            len(tables),
            len(holidays),
            last_day,
            identity,
        )
    ]
    for season in seasons:
        if min(season) < 0 or max(season) > 255:
            raise BadSeason
        parts.append(bytes(season))
    for day in holidays:
        if not 0 <= day <= EVER_DAY:
            raise HolidaysUnordered
        parts.append(struct.pack("<H", day))
    for switches in tables:
        if len(switches) > SWITCHES_MAX:
            raise TooManyParts
        parts.append(bytes((len(switches),)))
        for minute, rate in switches:
            if not 0 <= minute < _DAY_MIN:
                raise TimesUnordered
            if not 0 <= rate < rates:
                raise UnknownRate
            parts.append(struct.pack("<H", minute << 2 | rate))
    body = b"".join(parts)
    data = body + struct.pack("<I", binascii.crc32(body))
    check(data)
    return data


class Tariff:
    """The schedule in force, the one that waits, and the critical-peak events.

    Everything here changes by command only: a pending schedule takes over by the clock, so that
    its activation costs no write and works while the module is off.

    Parameters
    ----------
    site : calendar.Site
        The wall clock that the schedules are written for.

    Attributes
    ----------
    active, pending : Schedule or None
        `pending` stays in its place after `pending_s` has passed, until the next one comes.
    pending_s : int
        UTC second from which `pending` is in force.
    events : list of (int, int, int)
        Start, end (UTC, end excluded) and rate, in order of time.
    """

    def __init__(self, site):
        self._site = site
        self.active: Any = None
        self.pending: Any = None
        self.pending_s = 0
        self.events = []
        self._forget()

    def _forget(self):
        """Drop the span found last."""
        self._since_s = self._until_s = 0
        self._rate = NO_RATE

    def move(self, site):
        """Follow another wall clock from now on."""
        self._site = site
        self._forget()

    def schedule_at(self, utc_s):
        """Return the schedule in force, or None."""
        if self.pending is not None and utc_s >= self.pending_s:
            return self.pending
        return self.active

    def is_expired(self, utc_s):
        """Tell whether the schedule in force is past its last valid day."""
        schedule = self.schedule_at(utc_s)
        return schedule is not None and schedule.is_expired(self._site.local_s(utc_s))

    def rate_at(self, utc_s):
        """Return the rate in force, 0 to 3, or `NO_RATE`."""
        if not self._since_s <= utc_s < self._until_s:
            self._rate, self._until_s = self._find(utc_s)
            self._since_s = utc_s
        return self._rate

    def until_s(self, utc_s):
        """Return an instant after `utc_s` until which the rate does not change.

        The rate may be the same after it: spans end at midnight and when the clocks move, too.
        """
        self.rate_at(utc_s)
        return self._until_s

    def next_switch_s(self, utc_s, limit_s):
        """Return the first instant after `utc_s` with another rate, or `limit_s`."""
        rate = self.rate_at(utc_s)
        at_s = self.until_s(utc_s)
        while at_s < limit_s and self.rate_at(at_s) == rate:
            at_s = self.until_s(at_s)
        return min(at_s, limit_s)

    def _find(self, utc_s):
        until_s = FAR_S + 1
        schedule = self.schedule_at(utc_s)
        if self.pending is not None and utc_s < self.pending_s:
            until_s = self.pending_s
        if schedule is None:
            return NO_RATE, until_s
        rate, until_s = self._of_schedule(schedule, utc_s, until_s)
        if schedule.is_expired(self._site.local_s(utc_s)):
            return rate, until_s
        for start_s, end_s, event_rate in self.events:
            if utc_s < start_s:
                return rate, min(until_s, start_s)
            if utc_s < end_s:
                return event_rate, min(until_s, end_s)
        return rate, until_s

    def _of_schedule(self, schedule, utc_s, until_s):
        offset_s = self._site.offset_s(utc_s)
        rate, until_local_s = schedule.span(utc_s + offset_s)
        return rate, min(until_s, until_local_s - offset_s, self._site.change_s(utc_s))

    def shadow(self, utc_s):
        """Return (rate, until) as the pending schedule would have it, from now on or before.

        Critical-peak events belong to the bill and not to the schedule: the shadow has none.
        Without a pending schedule the rate is `NO_RATE`.
        """
        if self.pending is None:
            return NO_RATE, FAR_S + 1
        return self._of_schedule(self.pending, utc_s, FAR_S + 1)

    def start(self, data):
        """Put a schedule into force for the first time, at once."""
        self.active = Schedule(data)
        self._forget()

    def plan(self, data, from_s, settled_s, now_s):
        """Let a schedule take over at `from_s`; one that waited for its own time is replaced.

        Parameters
        ----------
        data : bytes-like
        from_s : int
            UTC second.
        settled_s : int
            Everything up to this instant has its rate already.
        now_s : int
            A schedule that has begun by now is not replaced.

        Raises
        ------
        ScheduleRefused
            Nothing has changed.
        """
        schedule = Schedule(data)
        if from_s < settled_s:
            raise TooLate
        if self._is_begun(now_s):
            if not self._is_begun(settled_s):
                raise NotSettled
            self.active = self.pending
        self.pending = schedule
        self.pending_s = from_s
        self._forget()

    def cancel(self, now_s):
        """Forget the pending schedule; one that is in force already stays.

        Returns
        -------
        bool
            There was one to forget.
        """
        waits = self.pending is not None and not self._is_begun(now_s)
        if waits:
            self.pending = None
            self._forget()
        return waits

    def _is_begun(self, utc_s):
        return self.pending is not None and self.pending_s <= utc_s

    def add_event(self, start_s, end_s, rate, settled_s):
        """Add a critical-peak event; those that are over make room.

        Raises
        ------
        BadEvent, UnknownRate, TooManyEvents
            Nothing has changed.
        """
        if not 0 <= start_s < end_s <= FAR_S:
            raise BadEvent
        if not 0 <= rate < RATES:
            raise UnknownRate
        kept = [event for event in self.events if event[1] > settled_s]
        for event in kept:
            if start_s < event[1] and event[0] < end_s:
                raise BadEvent
        if len(kept) == EVENTS_MAX:
            raise TooManyEvents
        kept.append((start_s, end_s, rate))
        kept.sort()
        self.events = kept
        self._forget()

    def cancel_event(self, start_s, now_s):
        """Forget the event that begins at `start_s`, unless it has begun; tell whether it did."""
        if start_s <= now_s:
            return False
        kept = [event for event in self.events if event[0] != start_s]
        found = len(kept) < len(self.events)
        self.events = kept
        self._forget()
        return found

    def pack_into(self, buffer, offset):
        """Write `STATE_BYTES` bytes."""
        active = self.active.data if self.active else b""
        pending = self.pending.data if self.pending else b""
        struct.pack_into(_STATE, buffer, offset, len(active), len(pending), self.pending_s)
        offset += _STATE_HEAD_BYTES
        for data in (active, pending):
            buffer[offset : offset + len(data)] = data
            end = offset + SCHEDULE_MAX_BYTES
            buffer[offset + len(data) : end] = bytes(SCHEDULE_MAX_BYTES - len(data))
            offset = end
        for i in range(EVENTS_MAX):
            event = self.events[i] if i < len(self.events) else (0, 0, 0)
            struct.pack_into(_EVENT, buffer, offset, *event)
            offset += _EVENT_BYTES

    def unpack_from(self, buffer, offset):
        """Take back what `pack_into` wrote.

        Raises
        ------
        ScheduleRefused
            The bytes are not those; nothing has changed.
        """
        active_bytes, pending_bytes, pending_s = struct.unpack_from(_STATE, buffer, offset)
        if max(active_bytes, pending_bytes) > SCHEDULE_MAX_BYTES:
            raise UnknownSchedule
        offset += _STATE_HEAD_BYTES
        active = pending = None
        if active_bytes:
            active = Schedule(buffer[offset : offset + active_bytes])
        offset += SCHEDULE_MAX_BYTES
        if pending_bytes:
            pending = Schedule(buffer[offset : offset + pending_bytes])
        offset += SCHEDULE_MAX_BYTES
        events = []
        for _ in range(EVENTS_MAX):
            event = struct.unpack_from(_EVENT, buffer, offset)
            if event[1]:
                events.append(event)
            offset += _EVENT_BYTES
        self.active = active
        self.pending = pending
        self.pending_s = pending_s
        self.events = events
        self._forget()
