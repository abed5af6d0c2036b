"""The module's monotonic clock and the microsecond timer that line phase is measured with."""

from time import ticks_diff, ticks_ms

from machine import mem32
from micropython import const

# RP2040 TIMER: low word of the free-running microsecond counter (RP2040 datasheet 4.6.5).
TIMERAWL = const(0x40054028)
# Microsecond times are kept to 30 bits, so that they stay small integers.
TIME_MASK = const(0x3FFFFFFF)


class Monotonic:
    """Milliseconds since construction, extended so that they never wrap.

    `ms()` must be called at least once per 6 days (`ticks_ms` wraps after 12.4 days and
    differences are valid over half of that). Context: task only.
    """

    def __init__(self):
        self._last_ticks = ticks_ms()
        self._total_ms = 0

    def ms(self):
        """Return elapsed milliseconds. Allocates: nothing for the first 12 days."""
        now = ticks_ms()
        self._total_ms += ticks_diff(now, self._last_ticks)
        self._last_ticks = now
        return self._total_ms

    def s(self):
        """Return elapsed whole seconds."""
        return self.ms() // 1000


def timer_us():
    """Return the microsecond timer's low 30 bits. Allocates: nothing that outlives the call."""
    return mem32[TIMERAWL] & TIME_MASK
