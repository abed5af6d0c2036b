"""The analogue-to-digital converter with one source per channel and exact sample times.

Source: RP2040 datasheet 4.9 (conversion time 4.9.2.2, pacing 4.9.2.3).
"""

from rp2040py.peripherals.adc import (
    CS_AINSEL_MASK,
    CS_AINSEL_SHIFT,
    CS_RROBIN_MASK,
    CS_RROBIN_SHIFT,
    CS_START_MANY,
    FCS_EN,
    FCS_OVER,
    FCS_SHIFT,
    RPADC,
)

_CONVERSION_NS = 2000  # 96 clocks at 48 MHz
_CONVERSION_CLOCKS = 96
_FULL_SCALE = 4095


class AdcChannel:
    """One input. `source` is a function of time in ns that returns a code from 0 to 4095."""

    def __init__(self):
        self.source = lambda t_ns: 0

    def sample(self, t_ns):
        """Return the code at `t_ns`, held to the range of the converter."""
        return min(_FULL_SCALE, max(0, int(self.source(t_ns))))


class Adc(RPADC):
    """Each conversion samples its source when it starts and is ready 2 us later."""

    def __init__(self, rp2040, name):
        super().__init__(rp2040, name)
        self.channels = [AdcChannel() for _ in range(self.num_channels)]
        self._held_code = 0
        self._run_origin_ns = None
        self._run_count = 0
        self.on_adc_read = self._convert

    def reset(self):
        """Go back to power-on; what is wired to the inputs stays."""
        super().reset()
        self._run_origin_ns = None

    @property
    def _selected(self):
        return (self.cs >> CS_AINSEL_SHIFT) & CS_AINSEL_MASK

    def _convert(self, channel):
        now_ns = self.rp2040.clock.nanos
        if self._run_origin_ns is None:
            self._run_origin_ns, self._run_count = now_ns, 0
        code = self.channels[channel].sample(int(now_ns)) if channel < self.num_channels else 0
        self._held_code = code
        self.sample_alarm.schedule(_CONVERSION_NS)

    def _on_sample_alarm(self):
        self.busy = False
        self.result = self._held_code
        if self.fcs & FCS_EN:
            self._push(self._held_code >> 4 if self.fcs & FCS_SHIFT else self._held_code)
        self._advance_round_robin()
        if self.cs & CS_START_MANY:
            self._schedule_next()
        else:
            self._run_origin_ns = None

    def _on_multi_shot_alarm(self):
        if self.cs & CS_START_MANY:
            self.start_adc_read()
        else:
            self._run_origin_ns = None

    def _push(self, code):
        if self.fifo.full:
            self.fcs |= FCS_OVER
            return
        self.fifo.push(code)
        self._update_dma()
        self.check_interrupts()

    def _advance_round_robin(self):
        mask = (self.cs >> CS_RROBIN_SHIFT) & CS_RROBIN_MASK
        if not mask:
            return
        channel = (self._selected + 1) % self.num_channels
        while not mask & (1 << channel):
            channel = (channel + 1) % self.num_channels
        self.cs &= ~(CS_AINSEL_MASK << CS_AINSEL_SHIFT)
        self.cs |= channel << CS_AINSEL_SHIFT

    def _schedule_next(self):
        """Start conversion n at n periods after the first, without accumulating an error."""
        period_q8 = max(_CONVERSION_CLOCKS << 8, (1 << 8) + (self.clock_div & 0xFFFFFF))
        self._run_count += 1
        due_ns = self._run_origin_ns + self._run_count * period_q8 * 125 // (6 * 256)
        self.multi_shot_alarm.schedule(max(0, -(-due_ns // 8) * 8 - self.rp2040.clock.nanos))
