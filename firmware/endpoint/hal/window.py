"""The MicroPython console on the programming port, for as long as somebody opened it.

A soft reset, with which mpremote begins most of its work, takes the console from every port but
USB; start-up gives it back while the window is open. Starting the application closes it.
"""

from os import dupterm

from machine import UART, Pin, mem32
from micropython import const

# SCRATCH2 survives every reset but power-on; holds the rate of an open window.
_SCRATCH2 = const(0x40058014)
_MARK = const(0x2A000000)
_MARK_MASK = const(0x3F000000)
_BAUD_MASK = const(0x00FFFFFF)
_FIFO_BIT_MS = const(32 * 10_000)  # the transmitter's FIFO, ten bits for each character


def lend(uart, baud_bps):
    """Let the console speak on `uart`, besides USB."""
    mem32[_SCRATCH2] = _MARK | baud_bps
    dupterm(uart)


def take_back():
    """Leave the console to USB alone."""
    if mem32[_SCRATCH2]:
        mem32[_SCRATCH2] = 0
        dupterm(None)


def resume(number, tx, rx):
    """Lend UART `number` again after a soft reset, if its window is open; GPIO `tx`, `rx`."""
    marked = mem32[_SCRATCH2]
    if marked & _MARK_MASK == _MARK:
        baud_bps = marked & _BAUD_MASK
        # The console drops what does not fit in time; there is room when the FIFO is empty.
        patience_ms = _FIFO_BIT_MS // baud_bps + 2
        dupterm(
            UART(
                number,
                baud_bps,
                tx=Pin(tx),
                rx=Pin(rx, Pin.IN, Pin.PULL_UP),
                rxbuf=512,
                timeout=patience_ms,
                timeout_char=patience_ms,
            )
        )
