"""The reference loop as a function of time: what carriers are locked to.

Both the modelled endpoints and the collector use it; the loop itself is `endpoint.line.loop`.
"""

from array import array

import numpy as np
from numpy.typing import NDArray

from endpoint.line.loop import CYCLES_FOLD, Loop

# Knots that are kept at least, s: longer than a block, the loop's delay and hold-over.
_KEPT_S = 8.0


class Reference:
    """Loop output phi(t) in cycles, linear between the instants of the loop's grid.

    Parameters
    ----------
    bandwidth_mhz
        Noise bandwidth of the loop.

    Attributes
    ----------
    starts
        How often the loop has begun anew; phi is continuous while this stays the same.
    """

    def __init__(self, bandwidth_mhz: int) -> None:
        self._loop = Loop(bandwidth_mhz)
        self._times_s: list[float] = []
        self._phases: list[float] = []
        self._stamp = array("I", [0])
        self._steps = 0
        self._level = 1
        self.starts = 0

    @property
    def locked(self) -> bool:
        """Whether the loop has settled."""
        return self._loop.locked

    @property
    def frequency_hz(self) -> float:
        """Line frequency."""
        return 1e6 * 1024 / self._loop.period_x1024

    @property
    def until_s(self) -> float:
        """Time up to which `phase` is known; 0 before the loop runs."""
        return self._times_s[-1] if self._times_s else 0.0

    @property
    def since_s(self) -> float:
        """Time from which `phase` is known."""
        return self._times_s[0] if self._times_s else 0.0

    def edge(self, t_s: float, level: int) -> None:
        """Take one zero crossing; `level` is 1 for a rising one. Unpaired edges are dropped."""
        if level != self._level:
            return
        self._level = 1 - level
        t_us = round(t_s * 1e6)
        self._stamp[0] = t_us & 0xFFFFFFFF
        loop = self._loop
        loop.feed(self._stamp, 1)
        if loop.epoch != self.starts:
            self.starts = loop.epoch
            self._steps = loop.steps
            self._times_s.clear()
            self._phases.clear()
        elif loop.steps == self._steps:
            return
        self._steps = loop.steps
        if not loop.running:
            return
        cycles = loop.cycle + loop.phase_q28 / (1 << 28)
        if self._phases:
            turns = round((self._phases[-1] - cycles) / CYCLES_FOLD)
            cycles += max(turns, 0) * CYCLES_FOLD
        self._times_s.append((t_us + loop.grid_sixths / 6) * 1e-6)
        self._phases.append(cycles)
        if len(self._times_s) > 2 * 60 * _KEPT_S:
            del self._times_s[: int(60 * _KEPT_S)]
            del self._phases[: int(60 * _KEPT_S)]

    def phase(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return phi in cycles at times between `since_s` and `until_s`."""
        return np.interp(t_s, self._times_s, self._phases)

    def times(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when (s) phi has the given values (cycles)."""
        return np.interp(phase, self._phases, self._times_s)

    @property
    def phase_until(self) -> float:
        """Return phi at `until_s`."""
        return self._phases[-1] if self._phases else 0.0

    @property
    def phase_since(self) -> float:
        """Return phi at `since_s`."""
        return self._phases[0] if self._phases else 0.0
