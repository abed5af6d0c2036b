"""Keeps the converter at 64 samples per line cycle: from line phase to the sampler's divider.

The sampler counts its samples; 64 of them are one cycle of the reference loop. Its divider is
a whole number of system clocks per sample, so the rate is right to 2e-5 and no better: each
step chooses the divider just below or just above the line's, whichever brings the count back.
Windows of whole cycles then cancel the line to the accuracy of one step, and no correction is
ever larger than it has to be.

Context: task only. Allocates: nothing.
Source: docs/phy.md, "Downlink".
"""

from micropython import const

from endpoint.line.detector import COUNT_MASK, CYCLE_SAMPLES
from endpoint.line.loop import CYCLES_FOLD, TIME_MASK

# Beyond a quarter of a cycle the count has slipped: begin anew instead of pulling.
_SLIPPED = const(16)
# Within this many samples one divider step is enough; beyond, one per mille more.
_NEAR = const(2)


class Pace:
    """Divider of one sampler, and what its samples mean.

    Parameters
    ----------
    loop : Loop
        Line phase.
    clock_mhz : int
        System clock in MHz.
    """

    def __init__(self, loop, clock_mhz):
        self._loop = loop
        self._clock_mhz = clock_mhz
        self._first = 0
        self._cycle = 0
        self._origin = 0

    @property
    def divider(self):
        """System clocks per sample for the loop's present period, nearest below."""
        # The period is in 2^-10 us; 2^-6 us times megahertz stay within 31 bits.
        return ((self._loop.period_x1024 >> 4) * self._clock_mhz >> 6) // CYCLE_SAMPLES

    def position(self, at_us):
        """Return the loop's place at a time as ``(cycle, sample)``, sample 0 … 63.

        `at_us` (low 30 bits) must be within a second of the loop's newest edge.
        """
        loop = self._loop
        gap_us = (at_us - loop.now_us) & TIME_MASK
        if gap_us > TIME_MASK >> 1:
            gap_us -= TIME_MASK + 1
        into_x16 = gap_us * 16 - loop.boundary_x16(0)
        period_x16 = loop.period_x1024 >> 6
        cycles = into_x16 // period_x16
        sample = (into_x16 - cycles * period_x16) * CYCLE_SAMPLES // period_x16
        return (loop.cycle + cycles) % CYCLES_FOLD, sample

    def begin(self, at_us, taken):
        """Choose where cycles of samples begin; return how many samples to skip before that.

        The sampler must be set to `divider` at the same time.

        Parameters
        ----------
        at_us : int
            Now.
        taken : int
            Samples complete by then, modulo 2^28.
        """
        cycle, sample = self.position(at_us)
        skip = CYCLE_SAMPLES - 1 - sample
        self._first = self._cycle = (cycle + 1) % CYCLES_FOLD
        self._origin = (taken + skip) & COUNT_MASK
        return skip

    def cycle_of(self, block):
        """Return the loop's cycle number of a block of 64 samples, counted since `begin`."""
        return (self._first + block) % CYCLES_FOLD

    def shift(self, cycles):
        """Follow the loop's cycle count when it is made the bus's own."""
        self._first = (self._first + cycles) % CYCLES_FOLD
        self._cycle = (self._cycle + cycles) % CYCLES_FOLD

    def steer(self, at_us, taken):
        """Return the divider to use from now on, or 0 when the count has slipped.

        Call at least once per second, with `taken` as for `begin`.
        """
        cycle, sample = self.position(at_us)
        passed = (cycle - self._cycle) % CYCLES_FOLD
        if passed > CYCLES_FOLD // 2:
            passed -= CYCLES_FOLD
        self._cycle = cycle
        self._origin = (self._origin + passed * CYCLE_SAMPLES) & COUNT_MASK
        ahead = (taken - self._origin - sample - 1) & COUNT_MASK
        if ahead > COUNT_MASK >> 1:
            ahead -= COUNT_MASK + 1
        if not -_SLIPPED < ahead < _SLIPPED:
            return 0
        divider = self.divider
        if ahead > 0:
            divider += 1
        if ahead > _NEAR or ahead < -_NEAR:
            divider += divider * (1 if ahead > 0 else -1) // 1000
        return divider
