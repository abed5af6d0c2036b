"""The supply's warning that it is about to end."""

from asyncio import ThreadSafeFlag

from machine import Pin


class PowerFail:
    """One pin that is low from 20 ms before the supply ends until it is good again.

    An open pin reads as good.

    Parameters
    ----------
    pin : int
        GPIO.

    Attributes
    ----------
    changed : ThreadSafeFlag
        Set at every edge.
    """

    def __init__(self, pin):
        self.changed = ThreadSafeFlag()
        self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self._pin.irq(self._edge, Pin.IRQ_FALLING | Pin.IRQ_RISING)

    def is_failing(self):
        """Return whether the supply is about to end."""
        return not self._pin.value()

    def stop(self):
        """Let go of the pin's interrupt."""
        self._pin.irq(None)

    def _edge(self, pin):
        self.changed.set()
