"""What happened to the meter, as a code and two integers; text is formed elsewhere.

Context: any. Allocates: once.
"""

from array import array

from micropython import const

STARTED = const(1)  # first forward reading, first reverse reading
METER_CHANGED = const(2)  # last forward reading of the old meter, first of the new one
FORWARD_JUMPED = const(3)  # register discontinuity: old reading, new reading
REVERSE_JUMPED = const(4)
FORWARD_AMBIGUOUS = const(5)  # Wh credited, seconds since the reading before
REVERSE_AMBIGUOUS = const(6)
SETTINGS_CHANGED = const(7)  # detent, net
PRESET = const(8)  # total before, total after
CLOCK_SET = const(9)  # UTC second, lit second: dates what came before
CLOCK_STEPPED = const(10)  # UTC before, UTC after
POWER_FAILED = const(11)  # UTC or 0, lit second
POWER_RETURNED = const(12)  # seconds dark or -1, lit second
RESTARTED = const(13)  # cause, lit second
DEMAND_RESET = const(14)  # identity, resets
FROZEN = const(15)  # freezes, total
SCHEDULE_PLANNED = const(16)  # identity, UTC of its start
SCHEDULE_CANCELLED = const(17)
PEAK_PLANNED = const(18)  # start, end
PEAK_CANCELLED = const(19)  # start
STREAMING_SET = const(20)  # mode, extreme
NO_TABLE = const(21)  # the meter shows no usable data table
LOGGING_AGAIN = const(22)
TOU_EXPIRED = const(23)  # identity of the schedule, UTC
METER_CLOCK_CHANGED = const(24)  # difference before, difference now, s
SETTING_SET = const(25)  # which, value
TIMES_UNKNOWN = const(26)  # power failed again before the time was known: Wh, lit seconds

_FIELDS = const(3)


class Events:
    """The oldest events that nobody has taken yet.

    Parameters
    ----------
    capacity : int
        Events kept; a poll makes five at most.

    Attributes
    ----------
    lost : int
        Events that found no room.
    """

    def __init__(self, capacity=16):
        self._items = array("q", [0] * (_FIELDS * capacity))
        self._capacity = capacity
        self._first = 0
        self._count = 0
        self.lost = 0

    def __len__(self):
        return self._count

    def put(self, code, a, b):
        """Keep one event, or count it as lost."""
        if self._count == self._capacity:
            self.lost += 1
            return
        at = (self._first + self._count) % self._capacity * _FIELDS
        self._items[at] = code
        self._items[at + 1] = a
        self._items[at + 2] = b
        self._count += 1

    def take(self):
        """Return the oldest event as (code, a, b) and forget it, or None."""
        if not self._count:
            return None
        at = self._first * _FIELDS
        self._first = (self._first + 1) % self._capacity
        self._count -= 1
        return self._items[at], self._items[at + 1], self._items[at + 2]
