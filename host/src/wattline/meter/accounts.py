"""Demands, rates and load profile of the simulated meter, in blocks of fifteen minutes.

Energy comes from the exact integers of the load; a block's watt-hours are differences of
whole watt-hours, so that their sum is the register's step. All of this is invented: what a
FOCUS AL has of it is not public.
"""

from dataclasses import dataclass, replace

from wattline.meter.load import MW_NS_PER_WH, NS_PER_S

BLOCK_MINUTES = 15
BLOCK_NS = BLOCK_MINUTES * 60 * NS_PER_S
_BLOCKS_PER_HOUR = 60 // BLOCK_MINUTES
_BLOCKS_PER_DAY = 24 * _BLOCKS_PER_HOUR
_LATE_RATE_HOURS = range(12, 18)  # rate B; all other hours are rate A


@dataclass(frozen=True)
class Peak:
    """The largest block demand of one rate since the last reset.

    Attributes
    ----------
    watts : int
    end_ns : int or None
        End of that block; None before the first block.
    volts_dv : int
        Voltage at that moment: the coincident value.
    cumulative : int
        Sum of the peaks of all earlier resets, W.
    """

    watts: int = 0
    end_ns: int | None = None
    volts_dv: int = 0
    cumulative: int = 0


@dataclass(frozen=True)
class Interval:
    """One block of the load profile."""

    end_ns: int
    forward_wh: int
    reverse_wh: int
    dark: bool


class Accounts:
    """Everything that is summed or compared block by block.

    Parameters
    ----------
    energy : callable(int)
        Forward and reverse energy up to a time in ns, in mW ns.
    voltage_dv : callable(int)
        Voltage at a time in ns.
    was_dark : callable(int, int)
        Whether the service was off at any time between two times in ns.
    tiers : int
        Rates, 0 to 2.
    start_of_day_ns : int
        Time of day at simulated time zero.
    keep : int
        Intervals that are kept.
    """

    def __init__(self, energy, voltage_dv, was_dark, tiers, start_of_day_ns, keep):
        self._energy = energy
        self._voltage_dv = voltage_dv
        self._was_dark = was_dark
        self._tiers = tiers
        self._phase_ns = start_of_day_ns
        self._end_ns = BLOCK_NS - start_of_day_ns % BLOCK_NS
        self._begin_ns = 0
        self._keep = keep
        self._tier_wh = [[0, 0] for _ in range(tiers)]
        self.peaks = [Peak() for _ in range(1 + tiers)]
        self.resets = 0
        self.intervals = []
        self.recording = True
        self.recorded = 0  # intervals since the start, kept or not

    def tier(self, t_ns):
        """Return the rate in force, 0 for A; always 0 without rates."""
        hour = (self._phase_ns + t_ns) // (_BLOCKS_PER_HOUR * BLOCK_NS) % 24
        return 1 if self._tiers > 1 and hour in _LATE_RATE_HOURS else 0

    def advance(self, t_ns):
        """Close every block that ends at or before `t_ns`."""
        while self._end_ns <= t_ns:
            self._close(self._end_ns)
            self._begin_ns = self._end_ns
            self._end_ns += BLOCK_NS

    def _whole(self, t_ns):
        return [energy // MW_NS_PER_WH for energy in self._energy(t_ns)]

    def _step(self, end_ns):
        begin, end = self._whole(self._begin_ns), self._whole(end_ns)
        return end[0] - begin[0], end[1] - begin[1]

    def _close(self, end_ns):
        forward_wh, reverse_wh = self._step(end_ns)
        watts = forward_wh * _BLOCKS_PER_HOUR
        tier = self.tier(self._begin_ns)
        for place in (0, 1 + tier) if self._tiers else (0,):
            if watts > self.peaks[place].watts or self.peaks[place].end_ns is None:
                volts_dv = self._voltage_dv(end_ns)
                self.peaks[place] = replace(
                    self.peaks[place], watts=watts, end_ns=end_ns, volts_dv=volts_dv
                )
        if self._tiers:
            self._tier_wh[tier][0] += forward_wh
            self._tier_wh[tier][1] += reverse_wh
        if self.recording:
            dark = self._was_dark(self._begin_ns, end_ns)
            self.intervals.append(Interval(end_ns, forward_wh, reverse_wh, dark))
            del self.intervals[: -self._keep or None]
            self.recorded += 1

    def tier_wh(self, tier, t_ns):
        """Return forward and reverse energy of one rate at `t_ns`, in Wh."""
        forward, reverse = self._tier_wh[tier]
        if tier == self.tier(self._begin_ns):
            more = self._step(t_ns)
            forward, reverse = forward + more[0], reverse + more[1]
        return forward, reverse

    def present_w(self, t_ns):
        """Return the demand of the running block so far, in W."""
        return self._step(t_ns)[0] * _BLOCKS_PER_HOUR

    def reset_demand(self):
        """Start new peaks; the old ones are added to the cumulative demand."""
        self.resets += 1
        self.peaks = [Peak(cumulative=peak.cumulative + peak.watts) for peak in self.peaks]

    def clear(self):
        """Forget everything, as when the meter's data are cleared."""
        self._tier_wh = [[0, 0] for _ in range(self._tiers)]
        self.peaks = [Peak() for _ in range(1 + self._tiers)]
        self.resets = 0
        self.intervals.clear()
        self.recorded = 0
