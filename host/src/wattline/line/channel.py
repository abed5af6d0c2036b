"""What the line adds to the endpoints' currents: harmonics of the load, and noise.

Source: docs/phy.md, "Line model".
"""

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import FRAME_SYMBOLS

_ORDERS = np.arange(1, 21)
_MODULATION = 0.02
_MODULATION_S = 5.0
_PAYLOAD_BITS = 64
# A symbol's energy relative to the energy per payload bit, all overhead counted.
SYMBOLS_PER_BIT = FRAME_SYMBOLS / _PAYLOAD_BITS


def noise_rms(amplitude_a: float, ebn0_db: float, symbol_s: float, rate_sps: float) -> float:
    """Return the white noise per sample (A rms) that gives a carrier its Eb/N0.

    Parameters
    ----------
    amplitude_a
        Amplitude of the carrier's fundamental at the collector.
    ebn0_db
        Energy of the whole frame, pilots and check included, per payload bit, over N0.
    symbol_s
        Symbol time.
    rate_sps
        Sampling rate.
    """
    symbol_energy = amplitude_a**2 * symbol_s / 2
    n0 = symbol_energy * SYMBOLS_PER_BIT / 10 ** (ebn0_db / 10)
    return float(np.sqrt(n0 * rate_sps / 2))


class LoadCurrent:
    """Current of everything else on the line: harmonics 1 … 20 of the line, slowly breathing.

    Parameters
    ----------
    fundamental_a
        Amplitude of the fundamental; harmonic h has 1/h^1.5 of 6 % of it, odd ones more.
    seed
        Seed of phases and modulation.
    """

    def __init__(self, fundamental_a: float, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 4])
        shares = np.where(_ORDERS % 2 == 1, 0.3, 0.03) / _ORDERS**1.5
        shares[0] = 1.0
        self._amplitudes = fundamental_a * shares
        self._angles = self._rng.uniform(-np.pi, np.pi, len(_ORDERS))
        self._states = self._rng.normal(0.0, _MODULATION, len(_ORDERS))

    def current(self, phase: NDArray[np.float64], duration_s: float) -> NDArray[np.float64]:
        """Return the current in A at line phases in cycles, over a block of `duration_s`."""
        keep = np.exp(-duration_s / _MODULATION_S)
        kicks = self._rng.normal(0.0, _MODULATION * np.sqrt(1 - keep**2), len(_ORDERS))
        before, self._states = self._states, keep * self._states + kicks
        ramp = np.linspace(0.0, 1.0, len(phase))
        turn = np.exp(2j * np.pi * np.mod(phase, 1.0))
        power = np.ones_like(turn)
        total = np.zeros(len(phase))
        for i, amplitude in enumerate(self._amplitudes):
            power = power * turn
            swell = 1 + before[i] + (self._states[i] - before[i]) * ramp
            total += amplitude * swell * (power * np.exp(1j * self._angles[i])).real
        return total


class Impulses:
    """Bursts at two fixed phases of every cycle, each ringing for 24 samples.

    Parameters
    ----------
    power_a2
        Mean power that they add, in A².
    seed
        Seed of their heights.
    """

    _PHASES = (0.13, 0.63)
    _RING = 24
    _SPREAD = 0.8

    def __init__(self, power_a2: float, rate_sps: int, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 8])
        n = np.arange(self._RING)
        self._shape = np.exp(-n / 6.0) * np.cos(2 * np.pi * 0.17 * n)
        energy = float(np.sum(self._shape**2)) * np.exp(2 * self._SPREAD**2)
        self._scale = np.sqrt(power_a2 * rate_sps / (len(self._PHASES) * 60.0) / energy)
        self._tail = np.zeros(self._RING)

    def current(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the current in A at ascending line phases in cycles."""
        out = np.zeros(len(phase) + self._RING)
        out[: self._RING] = self._tail
        for offset in self._PHASES:
            whole = np.floor(phase - offset)
            at = np.flatnonzero(np.diff(whole, prepend=whole[0]) > 0)
            count = len(at)
            heights = np.exp(self._SPREAD * self._rng.normal(size=count))
            heights *= self._rng.normal(size=count) * self._scale
            for i, height in zip(at, heights, strict=True):
                out[i : i + self._RING] += height * self._shape
        self._tail = out[len(phase) :]
        return out[: len(phase)]
