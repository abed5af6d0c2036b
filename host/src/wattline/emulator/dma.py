"""DMA whose transfers take a clock each and follow their request line exactly.

Source: RP2040 datasheet 2.5 (channels 2.5.1-2.5.3, pacing timers 2.5.3.1, abort 2.5.5.3).
"""

from rp2040py.peripherals.dma import RPDMA, RPDMAChannel

from wattline.emulator.pio import CYCLE_NS

_CHAN_ABORT = 0x444
_TREQ_TIMER0 = 0x3B
_TREQ_PERMANENT = 0x3F
_BUSY = 1 << 24


class DmaChannel(RPDMAChannel):
    """One channel. One transfer takes one system clock once its request is there."""

    def start(self):
        """Trigger; a count of zero is over at once."""
        self._pace_count = 0
        self._pace_origin_ns = self._pace_due_ns = self.rp2040.clock.nanos
        self._pace = None
        super().start()
        if self.active and not self._trans_count:
            self._ctrl &= ~_BUSY

    def schedule_transfer(self):
        """Ask for the next transfer as soon as its request allows."""
        treq = self._treq_value
        if _TREQ_TIMER0 <= treq < _TREQ_PERMANENT:
            self._schedule_paced(self.dma.timer(treq - _TREQ_TIMER0))
        elif treq == _TREQ_PERMANENT or self.dma.dreq.get(treq):
            self.transfer_alarm.schedule(CYCLE_NS)

    def _schedule_paced(self, register):
        numerator, denominator = register >> 16, register & 0xFFFF
        if not numerator or not denominator:
            return
        if register != self._pace:
            # A new rate holds from the last tick on.
            self._pace = register
            self._pace_origin_ns, self._pace_count = self._pace_due_ns, 0
        self._pace_count += 1
        clocks = self._pace_count * denominator // numerator
        self._pace_due_ns = self._pace_origin_ns + clocks * CYCLE_NS
        self.transfer_alarm.schedule(max(0, self._pace_due_ns - self.rp2040.clock.nanos))

    def transfer(self):
        """Move one item, unless the request went away meanwhile."""
        treq = self._treq_value
        if self.active and (treq >= _TREQ_TIMER0 or self.dma.dreq.get(treq)):
            super().transfer()


class Dma(RPDMA):
    """The controller with its twelve channels."""

    def __init__(self, rp2040, name):
        super().__init__(rp2040, name)
        self.channels = [DmaChannel(self, rp2040, index) for index in range(12)]

    def timer(self, index):
        """Return the X/Y register of pacing timer `index` (0 to 3)."""
        return (self._timer0, self._timer1, self._timer2, self._timer3)[index]

    def read_uint32(self, offset):
        """Read a register; an abort is always over by the time anyone looks."""
        return 0 if offset == _CHAN_ABORT else super().read_uint32(offset)
