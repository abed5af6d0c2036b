"""From samples to symbols: line phase, resampling, harmonic canceller, half-cycle transforms.

Everything is streaming with bounded memory. A half-cycle is the unit of time from here on:
half q covers line phase q/2 … (q+1)/2 of the collector's own reference loop.
"""

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import Profile
from wattline.line.reference import Reference

# Samples per line cycle after resampling.
SAMPLES = 64
_HALF = SAMPLES // 2
# Interpolator.
_TAPS = 24
_FRACTIONS = 512
# Harmonic canceller: cycles in its average.
_COMB_CYCLES = 65


class LinePhase:
    """Zero crossings out of voltage samples, into the reference loop."""

    def __init__(self, rate_sps: int, bandwidth_mhz: int) -> None:
        self.reference = Reference(bandwidth_mhz)
        self._rate_sps = rate_sps
        self._last = 0.0
        self._count = 0

    def feed(self, voltage: NDArray) -> None:
        """Take the next samples."""
        v = np.concatenate([[self._last], voltage])
        positive = v > 0
        for i in np.flatnonzero(positive[1:] != positive[:-1]):
            share = v[i] / (v[i] - v[i + 1])
            t_s = (self._count + i - 1 + share) / self._rate_sps
            self.reference.edge(t_s, int(positive[i + 1]))
        self._last = float(v[-1])
        self._count += len(voltage)


def _interpolator() -> NDArray[np.float32]:
    """Return windowed-sinc taps for every fraction of a sample."""
    offset = np.arange(_TAPS) - (_TAPS // 2 - 1)
    x = offset[None, :] - (np.arange(_FRACTIONS)[:, None] + 0.5) / _FRACTIONS
    window = np.i0(8.0 * np.sqrt(np.maximum(1 - (x / (_TAPS / 2)) ** 2, 0.0))) / np.i0(8.0)
    taps = np.sinc(x) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


class Resampler:
    """Current at 64 instants per cycle of the loop's phase."""

    def __init__(self, rate_sps: int, reference: Reference) -> None:
        self._rate_sps = rate_sps
        self._reference = reference
        self._taps = _interpolator()
        self._buffer = np.zeros(0, np.float32)
        self._first = 0
        self._cycle: int | None = None

    def restart(self) -> None:
        """Begin at the first whole cycle that is known."""
        self._cycle = None

    def feed(self, current: NDArray) -> NDArray[np.float32]:
        """Take samples; return the whole cycles that are now known, shape (cycles, 64)."""
        self._buffer = np.concatenate([self._buffer, current])
        reference = self._reference
        last_s = (self._first + len(self._buffer) - _TAPS) / self._rate_sps
        end = reference.phase_until
        if last_s < reference.until_s:
            if last_s <= reference.since_s:
                return self._none()
            end = float(reference.phase(np.array([last_s]))[0])
        if self._cycle is None:
            oldest_s = max(reference.since_s, (self._first + _TAPS) / self._rate_sps)
            if oldest_s >= reference.until_s:
                return self._none()
            self._cycle = int(np.ceil(reference.phase(np.array([oldest_s]))[0]))
        cycles = int(np.floor(end)) - self._cycle
        if cycles <= 0:
            return self._none()
        phase = self._cycle + np.arange(cycles * SAMPLES) / SAMPLES
        at = reference.times(phase) * self._rate_sps - self._first
        self._cycle += cycles
        whole = np.floor(at).astype(np.int64)
        taps = self._taps[((at - whole) * _FRACTIONS).astype(np.int64)]
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, _TAPS)
        out = np.einsum("ij,ij->i", windows[whole - (_TAPS // 2 - 1)], taps)
        self._drop(int(whole[-1]) - _TAPS)
        return out.reshape(cycles, SAMPLES)

    def _none(self) -> NDArray[np.float32]:
        # Before the loop runs only a second is worth keeping.
        self._drop(len(self._buffer) - self._rate_sps)
        return np.zeros((0, SAMPLES), np.float32)

    def _drop(self, count: int) -> None:
        if count > 0:
            self._buffer = self._buffer[count:]
            self._first += count

    @property
    def cycle(self) -> int | None:
        """The next cycle that `feed` will return, in cycles of the loop; None before any."""
        return self._cycle


class HarmonicCanceller:
    """Subtracts what repeats at equal line phase: a Hann-weighted average of 65 cycles."""

    DELAY_CYCLES = _COMB_CYCLES // 2

    def __init__(self) -> None:
        window = np.hanning(_COMB_CYCLES + 2)[1:-1]
        self._weights = -(window / window.sum()).astype(np.float32)
        self._weights[self.DELAY_CYCLES] += 1
        self._history = np.zeros((0, SAMPLES), np.float32)

    def restart(self) -> None:
        """Forget everything."""
        self._history = self._history[:0]

    def feed(self, cycles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take whole cycles; return as many, late by `DELAY_CYCLES`, once 65 are known."""
        self._history = np.concatenate([self._history, cycles])
        count = len(self._history) - _COMB_CYCLES + 1
        if count <= 0:
            return np.zeros((0, SAMPLES), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._history, _COMB_CYCLES, axis=0)
        out = windows @ self._weights
        self._history = self._history[count:]
        return out


class HalfCycles:
    """Correlates every half-cycle with the carriers of all channels."""

    def __init__(self, profile: Profile, channels: NDArray[np.int64]) -> None:
        self._two_l = 2 * profile.cycles_per_symbol
        self._channels = channels
        angle = 2 * np.pi * np.outer(np.arange(_HALF), channels)
        angle /= SAMPLES * profile.cycles_per_symbol
        # Twice the mean over a symbol is the carrier's complex amplitude. Real and imaginary
        # parts stand side by side, so that one real product serves both.
        scale = 1 / (_HALF * profile.cycles_per_symbol)
        kernel = scale * np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
        self._kernel = kernel.astype(np.float32)

    def transform(self, cycles: NDArray[np.float32], first_half: int) -> NDArray[np.complex64]:
        """Return shape (halves, channels) for cycles that begin at half `first_half`."""
        halves = cycles.reshape(-1, _HALF)
        q = first_half + np.arange(len(halves))
        turns = (q[:, None] * self._channels % self._two_l) / self._two_l
        parts = halves @ self._kernel
        columns = len(self._channels)
        sums = parts[:, :columns] + 1j * parts[:, columns:]
        return sums * np.exp(-2j * np.pi * turns).astype(np.complex64)
