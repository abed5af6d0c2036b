"""Samples of the line, gathered without the processor, at a rate that can be steered.

A DMA pacing timer sets the rate: at each of its ticks one channel starts a conversion, and a
second channel, paced by the converter, stores the result in a ring. The converter's own
divider would be simpler, but writing it restarts the interval under way, which is a phase
slip at every correction; the pacing timer can be changed at any time.

The ring holds 2,048 samples, of which 1,984 may wait: 0.51 s of a 60 Hz line at 64 per cycle,
0.49 s at 63 Hz. The processor may be busy, or stopped by a flash write, for so long without
losing one; `lost` counts what a longer absence cost.

Source: RP2040 datasheet 2.5 (pacing timers 2.5.3.1), 4.9 (converter; 2 us per conversion).
"""

from array import array

from machine import ADC, Pin, mem32
from micropython import const
from rp2 import DMA

from endpoint.hal.dma import WORD, aligned_words, channel_registers, ring_bits

RING_SAMPLES = const(2048)
COUNT_MASK = const(0xFFFFFFF)
# Samples nearest to being overwritten that are given up: room for those that come meanwhile.
_MARGIN = const(64)
_HALFWORD = const(1)
# TREQ_SEL of pacing timer 0, and of the converter's FIFO (table 122).
_TREQ_TIMER0 = const(0x3B)
_DREQ_ADC = const(36)
_TIMER0 = const(0x50000420)
_ADC_CS_SET = const(0x4004E000)
_ADC_FCS = const(0x4004C008)
_ADC_FIFO = const(0x4004C00C)
_START_ONCE = const(4)
# Threshold 1, clear over- and underflow, DREQ on, FIFO on.
_FIFO_ON = const(0x01000C09)
_CHANNEL_SHIFT = const(12)
_ADC_CS = const(0x4004C000)
_ENABLED = const(1)
_FIRST_PIN = const(26)
# The longest run that a small integer can count: 3.2 days; then the sampler starts again.
_RUN_SAMPLES = const(0x3FFFFFFF)
_RUN_LOW = const(0x100000)
_TRANS_COUNT = const(2)


class LineSampler:
    """Owner of one converter input and of pacing timer 0. Context: task only.

    Parameters
    ----------
    pin : int
        26, 27, 28 or 29.

    Attributes
    ----------
    lost : int
        Times that samples were overwritten before they were taken.
    runs : int
        Times sampling was started; samples follow on only within one run.
    """

    def __init__(self, pin):
        self._pin = pin
        self.ring = aligned_words(RING_SAMPLES // 2)
        self._command = array("I", [_START_ONCE])
        self._start = None
        self._store = None
        self._registers = None
        self._read = 0
        self.lost = 0
        self.runs = 0

    def start(self, divider):
        """Begin sampling once per `divider` system clocks (1,025 … 65,535)."""
        ADC(Pin(self._pin))
        mem32[_ADC_CS] = (self._pin - _FIRST_PIN) << _CHANNEL_SHIFT | _ENABLED
        mem32[_ADC_FCS] = _FIFO_ON
        self._store = DMA()
        self._start = DMA()
        self._store.config(
            read=_ADC_FIFO,
            write=self.ring,
            count=_RUN_SAMPLES,
            ctrl=self._store.pack_ctrl(
                size=_HALFWORD,
                inc_read=False,
                inc_write=True,
                ring_sel=True,
                ring_size=ring_bits(RING_SAMPLES // 2),
                treq_sel=_DREQ_ADC,
            ),
            trigger=True,
        )
        self._registers = channel_registers(self._store)
        self._read = 0
        self.runs += 1
        self.steer(divider)
        self._start.config(
            read=self._command,
            write=_ADC_CS_SET,
            count=_RUN_SAMPLES,
            ctrl=self._start.pack_ctrl(
                size=WORD, inc_read=False, inc_write=False, treq_sel=_TREQ_TIMER0
            ),
            trigger=True,
        )

    def stop(self):
        """Stop sampling and release the channels; `start` may follow."""
        if self._start is None:
            return
        for channel in (self._start, self._store):
            channel.active(0)
            channel.close()
        mem32[_ADC_FCS] = 0
        self._start = self._store = None

    def steer(self, divider):
        """Set the system clocks per sample from the next sample on. Allocates: nothing."""
        mem32[_TIMER0] = 1 << 16 | divider

    def count(self):
        """Return the samples taken by the converter in this run, modulo 2^28.

        Allocates: nothing.
        """
        return (_RUN_SAMPLES - self._registers[_TRANS_COUNT]) & COUNT_MASK

    @property
    def worn(self):
        """Whether the run is about to end: stop and start between two frames."""
        return self._registers[_TRANS_COUNT] < _RUN_LOW

    def pending(self):
        """Return how many samples wait, or -1 when some were lost: then begin anew.

        Allocates: nothing.
        """
        waiting = (self.count() - self._read) & COUNT_MASK
        if waiting > RING_SAMPLES - _MARGIN:
            self.lost += 1
            self._read = self.count()
            return -1
        return waiting

    def skip(self, samples):
        """Pass over samples that are there or still to come."""
        self._read = (self._read + samples) & COUNT_MASK

    def skip_all(self):
        """Pass over everything that waits; return `count` of the next sample to be taken."""
        self._read = self.count()
        return self._read

    def take(self, samples, count):
        """Copy the `count` oldest samples into `samples` (bytearray, 2 bytes each).

        Returns `count`. Allocates: a few slices.
        """
        at = self._read % RING_SAMPLES
        first = min(count, RING_SAMPLES - at)
        samples[: 2 * first] = self.ring[2 * at : 2 * (at + first)]
        if count > first:
            samples[2 * first : 2 * count] = self.ring[: 2 * (count - first)]
        self._read = (self._read + count) & COUNT_MASK
        return count
