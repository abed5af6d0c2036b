"""The carrier gate: a ring of words that DMA hands to PIO, so that edges never wait for Python.

Whatever is not freshly written is silence: `erase_behind` turns words that have been played
into long low times, so a stopped task leaves a quiet pin, never a stale carrier (R105).
"""

from machine import Pin
from micropython import const
from rp2 import DMA, StateMachine

from endpoint.hal.clock import timer_us
from endpoint.hal.dma import UNPACED, WORD, aligned_words, ring_bits
from endpoint.hal.pio_programs import carrier_words

# 512 words are at least 0.5 s of the highest carrier (1,014 Hz, one word per period).
RING_WORDS = const(512)
TICK_HZ = const(1000000)
_STATE_MACHINE = const(1)
_TXF = const(0x50200010 + 4 * _STATE_MACHINE)
_DREQ_TX = const(_STATE_MACHINE)
# Any number of transfers does; the reload channel starts the next run without a gap.
_RUN_TRANSFERS = const(0x10000000)
# AL1_TRANS_COUNT_TRIG of a channel, from the channel's own base (RP2040 datasheet, table 120).
_DMA_BASE = const(0x50000000)
_CHANNEL_BYTES = const(0x40)
_TRANS_COUNT_TRIG = const(0x1C)


class CarrierGate:
    """Owner of the gate pin. Context: task only.

    Parameters
    ----------
    pin : int
        GPIO that drives the transmitter; low is off.
    """

    def __init__(self, pin):
        self.ring = aligned_words(RING_WORDS)
        self._pin = pin
        self._feed = DMA()
        self._reload = DMA()
        self._reload_count = _RUN_TRANSFERS.to_bytes(4, "little")
        self._machine = None
        self._registers = None
        self._base = 0

    def start(self):
        """Begin playing the ring at its first word; return the start time in us (32 bits)."""
        self._machine = StateMachine(
            _STATE_MACHINE, carrier_words, freq=TICK_HZ, sideset_base=Pin(self._pin, Pin.OUT)
        )
        reload_control = self._reload.pack_ctrl(
            size=WORD, inc_read=False, inc_write=False, treq_sel=UNPACED
        )
        self._reload.config(
            read=self._reload_count,
            write=_DMA_BASE + _CHANNEL_BYTES * self._feed.channel + _TRANS_COUNT_TRIG,
            count=1,
            ctrl=reload_control,
        )
        feed_control = self._feed.pack_ctrl(
            size=WORD,
            inc_read=True,
            inc_write=False,
            ring_sel=False,
            ring_size=ring_bits(RING_WORDS),
            treq_sel=_DREQ_TX,
            chain_to=self._reload.channel,
        )
        self._feed.config(
            read=self.ring, write=_TXF, count=_RUN_TRANSFERS, ctrl=feed_control, trigger=True
        )
        self._registers = self._feed.registers
        self._base = self._registers[0] & ~(RING_WORDS * 4 - 1)
        self._machine.active(1)
        return timer_us()

    def stop(self):
        """Leave the pin low and release the channels."""
        if self._machine is not None:
            self._machine.active(0)
        for channel in (self._reload, self._feed):
            channel.active(0)
            channel.close()
        Pin(self._pin, Pin.OUT, value=0)

    def read_index(self):
        """Return the ring index of the next word DMA will take. Allocates: nothing."""
        return (self._registers[0] - self._base) >> 2
