"""Decade 5: the clock and the rate in force."""

from datetime import timedelta

from endpoint.optical import services
from endpoint.optical.access import CONFLICT, DONE, INVALID

_SET_TIME, _SET_DATE = 1, 2


class Clock:
    """ST-51, 52 and 55; the clock counts local time and knows no daylight saving.

    Parameters
    ----------
    meter : FocusAL
    start : datetime
        Clock at simulated time zero.
    tiers : int
    """

    def __init__(self, meter, start, tiers):
        self._meter = meter
        self._start = start
        self._tiers = tiers

    def now(self):
        """Return the clock's datetime."""
        return self.at(self._meter.now_ns)

    def at(self, t_ns):
        """Return the clock's datetime at a simulated time, by its present setting."""
        return self._start + timedelta(seconds=t_ns // 1_000_000_000)

    def jump(self, seconds):
        """Put the clock forward, or back with a negative number."""
        self._start += timedelta(seconds=seconds)

    def tables(self):
        """Return the functions that make the tables' contents."""
        return {51: self._limits, 52: self._clock, 55: self._state}

    def writers(self):
        """Return the functions that take what is written."""
        return {52: self._write}

    def _limits(self):
        u = self._meter.encoder.u
        return bytes([0, 0, 0, 0, 0]) + u(2 * self._tiers, 2) + u(0, 2)

    def _clock(self):
        now = self.now()
        day = (now.weekday() + 1) % 7  # Sunday is 0
        return self._meter.encoder.long_time(now) + bytes([day])

    def _state(self):
        tier = self._meter.accounts.tier(self._meter.now_ns)
        return self._clock() + self._meter.encoder.u(tier, 2)

    def _write(self, offset, data):
        if offset:
            return services.ONP
        return services.OK if self._set(data) else services.ONP

    def _set(self, data):
        try:
            wanted = self._meter.encoder.read_long_time(data)
        except (ValueError, IndexError, OverflowError):
            return False
        self._meter.note(3)
        self.jump(round((wanted - self.now()).total_seconds()))
        self._meter.note(4)
        return True

    def set_by_procedure(self, parameters):
        """Carry out procedure 10."""
        encoder = self._meter.encoder
        if len(parameters) != 2 + encoder.long_bytes:
            return INVALID, b""
        before = encoder.long_time(self.now())
        if parameters[0] & (_SET_TIME | _SET_DATE) != _SET_TIME | _SET_DATE:
            return CONFLICT, before + before
        if not self._set(parameters[1:-1]):
            return INVALID, b""
        return DONE, before + encoder.long_time(self.now())
