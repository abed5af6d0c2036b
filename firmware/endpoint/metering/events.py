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
