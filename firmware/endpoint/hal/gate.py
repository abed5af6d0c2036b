"""The carrier gate: a ring of words that DMA hands to PIO, so that edges never wait for Python.

A carrier is never played twice: `space` turns words that have been played into long low
times, and DMA stops by itself when `space` is not called for 512 words (R105).
"""

from array import array

import micropython
from machine import Pin
from micropython import const
from rp2 import DMA, StateMachine

from endpoint.hal.clock import TIME_MASK, timer_us
from endpoint.hal.dma import (
    UNPACED,
    WORD,
    aligned_words,
    channel_number,
    channel_registers,
    ring_bits,
)
from endpoint.hal.pio_programs import carrier_words

# 512 words are at least 0.5 s of the highest carrier (1,014 Hz, one word per period).
RING_WORDS = const(512)
_RING_MASK = const(511)
# 60 ms low, then the one microsecond that a word cannot leave out.
_SILENT_WORD = const(59996)
TICK_HZ = const(1000000)
_STATE_MACHINE = const(1)
_TXF = const(0x50200010 + 4 * _STATE_MACHINE)
_DREQ_TX = const(_STATE_MACHINE)
# DMA plays runs of 64 words; a second channel starts each next run from a table, whose last
# entry, 0, starts none. `space` rewinds the table, so a stopped task stops the carrier before
# the ring comes round to words that were played already.
_RUN_WORDS = const(64)
_RUNS = const(7)
# AL1_TRANS_COUNT_TRIG of a channel, from the channel's own base (RP2040 datasheet, table 120).
_DMA_BASE = const(0x50000000)
_CHANNEL_BYTES = const(0x40)
_TRANS_COUNT_TRIG = const(0x1C)


@micropython.viper
def _silence(ring, start: int, count: int):
    """Turn `count` words from `start` on into 60 ms of low each."""
    words = ptr32(ring)
    while count > 0:
        words[start & _RING_MASK] = _SILENT_WORD
        start += 1
        count -= 1


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
        self._feed = None
        self._reload = None
        self._runs = array("I", [_RUN_WORDS] * _RUNS + [0])
        self._machine = None
        self._registers = None
        self._base = 0

    def prepare(self):
        """Fill the ring with silence and set everything up; the pin stays low."""
        _silence(self.ring, 0, RING_WORDS)
        self._machine = StateMachine(
            _STATE_MACHINE, carrier_words, freq=TICK_HZ, sideset_base=Pin(self._pin, Pin.OUT)
        )
        self._feed = DMA()
        self._reload = DMA()
        self._reload.config(
            read=self._runs,
            write=_DMA_BASE + _CHANNEL_BYTES * channel_number(self._feed) + _TRANS_COUNT_TRIG,
            count=1,
            ctrl=self._reload.pack_ctrl(
                size=WORD, inc_read=True, inc_write=False, treq_sel=UNPACED
            ),
        )
        self._feed.config(
            read=self.ring,
            write=_TXF,
            count=_RUN_WORDS,
            ctrl=self._feed.pack_ctrl(
                size=WORD,
                inc_read=True,
                inc_write=False,
                ring_sel=False,
                ring_size=ring_bits(RING_WORDS),
                treq_sel=_DREQ_TX,
                chain_to=channel_number(self._reload),
            ),
        )
        self._registers = channel_registers(self._feed)
        self._base = self._registers[0]

    def start(self, at_us):
        """Begin playing the ring's first word at `at_us` (30-bit timer), a few us late at most.

        The ring must hold its first words by now: DMA takes the first four at once.
        """
        self._feed.active(1)
        while (at_us - timer_us()) & TIME_MASK < TIME_MASK >> 1:
            pass
        self._machine.active(1)

    def stop(self):
        """Leave the pin low and release the channels; `prepare` may follow."""
        if self._machine is None:
            return
        self._machine.active(0)
        self._machine = None
        for channel in (self._reload, self._feed):
            channel.active(0)
            channel.close()
        Pin(self._pin, Pin.OUT, value=0)

    def space(self, write_index):
        """Return how many words may be written from `write_index` on; they are silent now.

        Also lets the gate go on for up to half a second of the highest carrier.

        The state machine's own FIFO (4 words) is ahead of this and needs no room here.
        Allocates: nothing.
        """
        self._reload.config(read=self._runs)
        read_index = (self._registers[0] - self._base) >> 2
        free = (read_index - write_index - 1) % RING_WORDS
        _silence(self.ring, write_index, free)
        return free
