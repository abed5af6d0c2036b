"""The mains: a wandering line phase, and what comparator and voltage divider make of it.

Source: docs/phy.md, "Line model".
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NOMINAL_HZ = 60.0
# Knots of the frequency deviation; between knots frequency is linear, phase quadratic.
_KNOT_S = 0.25
_BLOCK_KNOTS = 240
# Ornstein-Uhlenbeck part of the deviation.
_WANDER_HZ = 0.018
_WANDER_S = 100.0
_WANDER_LIMIT_HZ = 0.050
# Slow sinusoid.
_SWING_HZ = 0.020
_SWING_S = 1800.0
# Voltage harmonics: order, share of the fundamental, phase in rad.
_VOLTAGE_HARMONICS = ((3, 0.010, 0.4), (5, 0.020, 1.9), (7, 0.008, -0.8))


class Mains:
    """Line phase as a function of time, repeatable from its seed.

    Parameters
    ----------
    seed
        Seed of the wander.
    frequency_hz
        Mean frequency.
    wander
        Whether frequency moves at all.
    voltage_v
        Voltage in V rms.
    """

    def __init__(
        self,
        seed: int = 0,
        frequency_hz: float = NOMINAL_HZ,
        wander: bool = True,
        voltage_v: float = 240.0,
    ) -> None:
        self.voltage_v = voltage_v
        self._rng = np.random.default_rng([seed, 1])
        self._mean_hz = frequency_hz
        self._wander = wander
        self._state_hz = self._rng.normal(0.0, _WANDER_HZ) if wander else 0.0
        self._frequency = np.array([self._mean_hz + self._clipped(self._state_hz)])
        self._phase = np.zeros(1)

    @staticmethod
    def _clipped(deviation_hz: float) -> float:
        return min(max(deviation_hz, -_WANDER_LIMIT_HZ), _WANDER_LIMIT_HZ)

    def _extend(self) -> None:
        """Add one block of knots."""
        keep = np.exp(-_KNOT_S / _WANDER_S)
        kicks = self._rng.normal(0.0, _WANDER_HZ * np.sqrt(1 - keep * keep), _BLOCK_KNOTS)
        frequency = np.empty(_BLOCK_KNOTS)
        first = len(self._frequency)
        for i in range(_BLOCK_KNOTS):
            deviation = 0.0
            if self._wander:
                self._state_hz = keep * self._state_hz + kicks[i]
                swing = np.sin(2 * np.pi * (first + i) * _KNOT_S / _SWING_S)
                deviation = self._clipped(self._state_hz) + _SWING_HZ * swing
            frequency[i] = self._mean_hz + deviation
        both = np.concatenate([self._frequency[-1:], frequency])
        steps = np.cumsum((both[:-1] + both[1:]) * (_KNOT_S / 2))
        self._phase = np.concatenate([self._phase, self._phase[-1] + steps])
        self._frequency = np.concatenate([self._frequency, frequency])

    def phase(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return line phase in cycles at ascending times ≥ 0 (s); zero at time 0."""
        while t_s[-1] >= (len(self._phase) - 1) * _KNOT_S:
            self._extend()
        knot = (t_s / _KNOT_S).astype(np.int64)
        x = t_s - knot * _KNOT_S
        start = self._frequency[knot]
        slope = (self._frequency[knot + 1] - start) / _KNOT_S
        return self._phase[knot] + x * (start + 0.5 * slope * x)

    def times(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when (s) ascending phases ≥ 0 (cycles) are reached."""
        while phase[-1] >= self._phase[-1]:
            self._extend()
        t_s = np.interp(phase, self._phase, np.arange(len(self._phase)) * _KNOT_S)
        for _ in range(2):
            t_s = np.maximum(t_s - (self.phase(t_s) - phase) / self._mean_hz, 0.0)
        return t_s

    def voltage(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the line voltage in V at ascending times (s)."""
        angle = 2 * np.pi * np.mod(self.phase(t_s), 1.0)
        wave = np.sin(angle)
        for order, share, offset in _VOLTAGE_HARMONICS:
            wave += share * (np.sin(order * angle + offset) - np.sin(offset) * np.cos(angle))
        return self.voltage_v * np.sqrt(2) * wave

    def crossings(
        self, seed: int = 0, jitter_s: float = 2e-6, threshold_s: float = 0.0
    ) -> Iterator[tuple[int, int]]:
        """Yield the edges of a zero-crossing comparator as ``(t_ns, level)``, for ever.

        Parameters
        ----------
        seed
            Seed of the jitter.
        jitter_s
            Time noise of every edge, s rms.
        threshold_s
            How much later than the crossing it rises, and earlier it falls.
        """
        rng = np.random.default_rng([seed, 2])
        half = 1
        while True:
            halves = np.arange(half, half + 128)
            rising = halves % 2 == 0
            t_s = self.times(halves * 0.5) + rng.normal(0.0, 1.0, 128) * jitter_s
            t_s += np.where(rising, threshold_s, -threshold_s)
            for t, level in zip(np.rint(t_s * 1e9).astype(np.int64), rising, strict=True):
                yield int(t), int(level)
            half += 128
