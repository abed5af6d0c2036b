"""A serial port as the optical and programming tasks use it: chunks, never single bytes."""

from machine import UART, Pin
from micropython import const

# The driver's receive ring: four whole 64-byte packets with their acknowledgements.
_RX_BYTES = const(512)
_TX_BYTES = const(256)
_BITS_PER_BYTE = const(10)


class SerialPort:
    """One UART, 8N1. Context: task only.

    `uart` is the driver's stream, for a task that waits until it can be read.

    Parameters
    ----------
    number, tx, rx : int
        UART and GPIO numbers.
    baud_bps : int
        Bits per second.
    """

    def __init__(self, number, tx, rx, baud_bps):
        self.uart = UART(
            number,
            baud_bps,
            tx=Pin(tx),
            rx=Pin(rx, Pin.IN, Pin.PULL_UP),
            rxbuf=_RX_BYTES,
            txbuf=_TX_BYTES,
            timeout=0,
        )
        self._set_rate(baud_bps)

    def _set_rate(self, baud_bps):
        self.baud_bps = baud_bps
        self._byte_us = (_BITS_PER_BYTE * 1_000_000 + baud_bps - 1) // baud_bps

    def set_baud(self, baud_bps):
        """Change the rate; call it when nothing is on its way."""
        self.uart.init(baudrate=baud_bps)
        self._set_rate(baud_bps)

    def is_sent(self):
        """Return whether the last byte has left."""
        return self.uart.txdone()

    def wire_us(self, count):
        """Return the time `count` characters take on the wire, in us."""
        return count * self._byte_us

    def write(self, view):
        """Queue bytes; they leave in the background."""
        self.uart.write(view)

    def readinto(self, buffer):
        """Read what has arrived; return the count (0 when nothing has)."""
        # Never ask for more than is there: the driver would spin through its character time-out.
        count = min(self.uart.any(), len(buffer))
        return self.uart.readinto(buffer, count) if count else 0

    def drain(self, buffer):
        """Throw away whatever has arrived, into `buffer`."""
        while self.readinto(buffer):
            pass
