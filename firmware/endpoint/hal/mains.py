"""Time stamps of the mains zero crossings, gathered without the processor.

A PIO state machine pushes a word at every edge of the comparator; the first DMA channel,
paced by that FIFO, swallows the word and chains to the second, which copies the microsecond
timer into a ring and chains back. The processor reads the ring when it has time.
Stamp error: below 1 us plus the comparator's own. Source: RP2040 datasheet 2.5.1 (chaining).
"""

from machine import Pin
from micropython import const
from rp2 import DMA, StateMachine

from endpoint.hal.clock import TIMERAWL
from endpoint.hal.dma import (
    UNPACED,
    WORD,
    aligned_words,
    channel_number,
    channel_registers,
    ring_bits,
)
from endpoint.hal.pio_programs import edge_marks

# 64 stamps are half a second of 60 Hz: eight times the interval at which the ring is read.
RING_WORDS = const(64)
_STATE_MACHINE = const(0)
_RXF = const(0x50200020 + 4 * _STATE_MACHINE)
_DREQ_RX = const(4 + _STATE_MACHINE)


class ZeroCrossings:
    """Owner of one comparator input. Context: task only.

    Parameters
    ----------
    pin : int
        GPIO that is high while the line voltage is positive.
    """

    def __init__(self, pin):
        self.ring = aligned_words(RING_WORDS)
        self._dummy = bytearray(4)
        self._pin = pin
        self._swallow = None
        self._stamp = None
        self._machine = None
        self._read_index = 0
        self._registers = None
        self._base = 0

    def start(self):
        """Begin stamping; the ring is empty and its first stamp will be a rising edge."""
        self._swallow = DMA()
        self._stamp = DMA()
        self._machine = StateMachine(_STATE_MACHINE, edge_marks, in_base=Pin(self._pin, Pin.IN))
        stamp_control = self._stamp.pack_ctrl(
            size=WORD,
            inc_read=False,
            inc_write=True,
            ring_sel=True,
            ring_size=ring_bits(RING_WORDS),
            treq_sel=UNPACED,
            chain_to=channel_number(self._swallow),
        )
        self._stamp.config(read=TIMERAWL, write=self.ring, count=1, ctrl=stamp_control)
        swallow_control = self._swallow.pack_ctrl(
            size=WORD,
            inc_read=False,
            inc_write=False,
            treq_sel=_DREQ_RX,
            chain_to=channel_number(self._stamp),
        )
        self._registers = channel_registers(self._stamp)
        self._base = self._registers[1]
        self._read_index = 0
        self._swallow.config(
            read=_RXF, write=self._dummy, count=1, ctrl=swallow_control, trigger=True
        )
        self._machine.active(1)

    def stop(self):
        """Stop stamping and release the channels."""
        if self._machine is None:
            return
        self._machine.active(0)
        self._machine = None
        for channel in (self._swallow, self._stamp):
            channel.active(0)
            channel.close()

    def pending(self):
        """Return how many stamps wait, at most RING_WORDS − 1. Allocates: nothing."""
        write_index = (self._registers[1] - self._base) >> 2
        return (write_index - self._read_index) % RING_WORDS

    def take(self, stamps, count):
        """Copy the `count` oldest stamps (little-endian 32-bit us) into `stamps`.

        Returns `count`. Allocates: a few slices.
        """
        start = self._read_index
        first = min(count, RING_WORDS - start)
        stamps[: first * 4] = self.ring[start * 4 : (start + first) * 4]
        if count > first:
            stamps[first * 4 : count * 4] = self.ring[: (count - first) * 4]
        self._read_index = (start + count) % RING_WORDS
        return count
