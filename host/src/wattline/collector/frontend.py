"""From samples to whole line cycles: line phase, resampling, harmonic canceller, limiter.

Everything is streaming with bounded memory. One cycle is 64 samples from here on, at equal
phases of the collector's own reference loop.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wattline.line.reference import Reference

# Samples per line cycle after resampling.
SAMPLES = 64
# Interpolator.
_TAPS = 24
_FRACTIONS = 512
# Harmonic canceller: cycles in its average.
_COMB_CYCLES = 65
# Limiter: how many cycles it learns from at once, and what it calls impulsive: mean square
# over the median's estimate of it.
_LEARN_CYCLES = 240
_IMPULSIVE = 1.25
_CLIP_SIGMA = 1.5
# Share of the newest cycles in the running covariance.
_FORGET = 0.1


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
        at = np.flatnonzero(positive[1:] != positive[:-1])
        share = v[at] / (v[at] - v[at + 1])
        t_s = (self._count + at - 1 + share) / self._rate_sps
        self.reference.edges(t_s, positive[at + 1].astype(np.int64))
        self._last = float(v[-1])
        self._count += len(voltage)


class Clock:
    """Stands in for `LinePhase` when carriers follow crystals instead of the line."""

    def __init__(self, rate_sps: int) -> None:
        self.reference = Reference(300)
        self._rate_sps = rate_sps
        self._count = 0
        self._half = 0

    def feed(self, voltage: NDArray) -> None:
        """Take the next samples; only their number matters."""
        self._count += len(voltage)
        end = int(self._count / self._rate_sps * 120)
        halves = np.arange(self._half, end)
        self._half = end
        self.reference.edges((halves + 1) / 120.0, (halves % 2 == 1).astype(np.int64))


def interpolator() -> NDArray[np.float32]:
    """Return windowed-sinc taps for every fraction of a sample."""
    offset = np.arange(_TAPS) - (_TAPS // 2 - 1)
    x = offset[None, :] - (np.arange(_FRACTIONS)[:, None] + 0.5) / _FRACTIONS
    window = np.i0(8.0 * np.sqrt(np.maximum(1 - (x / (_TAPS / 2)) ** 2, 0.0))) / np.i0(8.0)
    taps = np.sinc(x) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


@njit(cache=True, fastmath=True)
def _resample(samples, first, rate_sps, times, phases, cycle, taps, out):
    """Fill `out` with whole cycles from `cycle` on."""
    knot = np.searchsorted(phases, cycle) - 1
    knot = min(max(knot, 0), len(phases) - 2)
    for c in range(len(out)):
        for j in range(SAMPLES):
            phase = cycle + c + j / SAMPLES
            while knot < len(phases) - 2 and phases[knot + 1] < phase:
                knot += 1
            slope = (times[knot + 1] - times[knot]) / (phases[knot + 1] - phases[knot])
            at = (times[knot] + (phase - phases[knot]) * slope) * rate_sps - first
            whole = int(np.floor(at))
            tap = taps[int((at - whole) * _FRACTIONS)]
            start = whole - (_TAPS // 2 - 1)
            total = np.float32(0.0)
            for i in range(_TAPS):
                total += samples[start + i] * tap[i]
            out[c, j] = total


class Resampler:
    """Current at 64 instants per cycle of the loop's phase."""

    def __init__(self, rate_sps: int, reference: Reference) -> None:
        self._rate_sps = rate_sps
        self._reference = reference
        self._taps = interpolator()
        self._buffer = np.zeros(0, np.float32)
        self._first = 0
        self._cycle: int | None = None

    def restart(self) -> None:
        """Begin at the first whole cycle that is known."""
        self._cycle = None

    def feed(self, current: NDArray) -> NDArray[np.float32]:
        """Take samples; return the whole cycles that are now known, shape (cycles, 64)."""
        self._buffer = np.concatenate([self._buffer, current.astype(np.float32, copy=False)])
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
        out = np.empty((cycles, SAMPLES), np.float32)
        times, phases = reference.knots
        _resample(
            self._buffer, self._first, self._rate_sps, times, phases, self._cycle, self._taps, out
        )
        self._cycle += cycles
        last = float(reference.times(np.array([self._cycle - 1.0 / SAMPLES]))[0])
        self._drop(int(last * self._rate_sps) - self._first - _TAPS)
        return out

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


@njit(cache=True, fastmath=True)
def _subtract_mean(history, weights, out):
    """Subtract from every cycle the weighted mean of the cycles around it."""
    for c in range(len(out)):
        row = out[c]
        row[:] = 0.0
        for d in range(len(weights)):
            weight = weights[d]
            source = history[c + d]
            for j in range(SAMPLES):
                row[j] += weight * source[j]


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
        out = np.empty((count, SAMPLES), np.float32)
        _subtract_mean(self._history, self._weights, out)
        self._history = self._history[count:]
        return out


class Limiter:
    """Clips impulses at a multiple of what is usual at their line phase.

    On a line without impulses it does nothing, because clipping noise that is Gaussian costs
    signal.

    Attributes
    ----------
    covariance
        Of what is left at the 64 line phases, for weighting; None on a line without impulses.
    """

    def __init__(self) -> None:
        self._limits: NDArray[np.float32] | None = None
        self._learned = np.zeros((0, SAMPLES), np.float32)
        self._looks = 0
        self.covariance: NDArray[np.float64] | None = None

    def feed(self, cycles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cycles, clipped in place if need be."""
        self._learned = np.concatenate([self._learned, cycles])
        if self._limits is None or len(self._learned) >= _LEARN_CYCLES:
            if len(self._learned) >= _LEARN_CYCLES // 8:
                self._learn(self._learned[-_LEARN_CYCLES:])
            if len(self._learned) >= _LEARN_CYCLES:
                self._learned = self._learned[:0]
        if self._limits is not None:
            np.clip(cycles, -self._limits, self._limits, out=cycles)
        return cycles

    def _learn(self, cycles: NDArray[np.float32]) -> None:
        sigma = 1.4826 * np.median(np.abs(cycles), axis=0).astype(np.float64)
        power = np.mean(cycles.astype(np.float64) ** 2, axis=0)
        usual = np.median(sigma)
        spread = power / np.maximum(sigma, 1e-3 * usual + 1e-30) ** 2
        impulsive = spread.mean() > _IMPULSIVE or sigma.max() > 1.6 * sigma.min()
        if not impulsive:
            self._limits = np.full(SAMPLES, np.inf, np.float32)
            self.covariance = None
            return
        limits = _CLIP_SIGMA * sigma
        self._limits = limits.astype(np.float32)
        clipped = np.clip(cycles, -limits, limits).astype(np.float64)
        learned = clipped.T @ clipped / len(clipped)
        if self.covariance is None:
            # Too few cycles to tell how line phases go together.
            self.covariance = np.diag(np.diag(learned))
            self._looks = 1
        else:
            self._looks += 1
            share = max(1 / self._looks, _FORGET)
            self.covariance = self.covariance + share * (learned - self.covariance)
