"""The hardware watchdog, and the one bounded way to live without the tasks that feed it."""

import machine
from machine import WDT, Timer, mem32
from micropython import const

# RP2040 hardware limit is 8,388 ms; the longest blocking step (block erase) is below 0.5 s.
TIMEOUT_MS = const(8000)
_FEED_MS = const(2000)
# Ten minutes are enough to copy a whole application at 115,200 baud.
SERVICE_WINDOW_MS = const(600000)
# WATCHDOG CTRL register, ENABLE bit (RP2040 datasheet 4.7.6).
_CTRL = const(0x40058000)
_ENABLE = const(1 << 30)
# SCRATCH0 survives every reset but power-on; the SDK keeps 4 … 7 for itself.
_SCRATCH0 = const(0x4005800C)
_FAULT_MARK = const(0x0FA17000)
_FAULT_MASK = const(0x000000FF)


# The fault of a start whose watchdog bit before anybody could say why.
BLOCKED = const(255)


class Watchdog:
    """Starts the watchdog; it cannot be stopped again until reset."""

    def __init__(self):
        self._wdt = WDT(timeout=TIMEOUT_MS)
        # Stays when a task never gives the processor back: nobody is left to note anything.
        self.note_fault(BLOCKED)

    def feed(self):
        """Restart the count-down."""
        self._wdt.feed()

    def note_fault(self, number):
        """Keep a task number (1 … 254) across the reset that follows."""
        mem32[_SCRATCH0] = _FAULT_MARK | number

    def restart(self):
        """Reset the chip; flash and the noted fault survive."""
        machine.reset()


def take_fault():
    """Return the task number or `BLOCKED` noted so far, 0 if none, and forget it."""
    value = mem32[_SCRATCH0]
    mem32[_SCRATCH0] = 0
    return value & _FAULT_MASK if value & ~_FAULT_MASK == _FAULT_MARK else 0


class ServiceWindow:
    """Feeds a running watchdog for a bounded time while a person works at the console.

    Without it the board would reset under mpremote 8 s after the application was stopped;
    with it the application comes back by itself when the person forgets.
    """

    def __init__(self):
        self._left_ms = 0
        self._wdt = None
        self._timer = None

    def open(self):
        """Start feeding if the watchdog is running; do nothing otherwise."""
        self.close()
        if mem32[_CTRL] & _ENABLE:
            self._left_ms = SERVICE_WINDOW_MS
            self._wdt = WDT(timeout=TIMEOUT_MS)
            self._timer = Timer(-1)
            self._timer.init(period=_FEED_MS, mode=Timer.PERIODIC, callback=self._feed)

    def close(self):
        """Stop feeding: from here on somebody else does."""
        if self._timer is not None:
            self._timer.deinit()
            self._timer = None

    def _feed(self, timer):
        self._left_ms -= _FEED_MS
        if self._left_ms > 0:
            self._wdt.feed()
        else:
            timer.deinit()


# There is one watchdog: start-up code and application share its window.
service_window = ServiceWindow()
