"""A serial port as the optical and programming tasks use it: chunks, never single bytes."""

from machine import UART, Pin
from micropython import const

# The driver's receive ring: four whole 64-byte packets with their acknowledgements.
_RX_BYTES = const(512)
_TX_BYTES = const(256)
_BITS_PER_BYTE = const(10)


class SerialPort:
    """One UART, 8N1. Context: task only.

    Parameters
    ----------
    number, tx, rx : int
        UART and GPIO numbers.
    baud_bps : int
        Bits per second.
    """

    def __init__(self, number, tx, rx, baud_bps):
        self._uart = UART(
            number,
            baud_bps,
            tx=Pin(tx),
            rx=Pin(rx, Pin.IN, Pin.PULL_UP),
            rxbuf=_RX_BYTES,
            txbuf=_TX_BYTES,
            timeout=0,
        )
        self.baud_bps = baud_bps
        self._byte_us = (_BITS_PER_BYTE * 1_000_000 + baud_bps - 1) // baud_bps

    def wire_us(self, count):
        """Return the time `count` characters take on the wire, in us."""
        return count * self._byte_us

    def write(self, view):
        """Queue bytes; they leave in the background."""
        self._uart.write(view)

    def readinto(self, buffer):
        """Read what has arrived; return the count (0 when nothing has)."""
        # Never ask for more than is there: the driver would spin through its character time-out.
        count = min(self._uart.any(), len(buffer))
        return self._uart.readinto(buffer, count) if count else 0

    def drain(self, buffer):
        """Throw away whatever has arrived, into `buffer`."""
        while self.readinto(buffer):
            pass
