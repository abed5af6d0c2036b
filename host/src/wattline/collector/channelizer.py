"""From line cycles to parts of symbols: every carrier of a profile, a few times per symbol.

A part is the share of a symbol's amplitude that falls into a fraction of its time; the sum of
all parts of a symbol is its complex amplitude. Short symbols are cut into half-cycles, long
ones into quarters.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from endpoint.line.profile import FIRST_GAP, GAPS, LAST_GAP, Profile
from wattline.collector.frontend import SAMPLES

_HALF = SAMPLES // 2
# From this symbol length on parts are quarters of a symbol.
_LONG = 32
_QUARTERS = 4


class Channelizer:
    """Cycles in, parts of all channels out.

    Parameters
    ----------
    profile
        Symbol length and channels.

    Attributes
    ----------
    parts
        Parts per symbol.
    part_halves
        Length of a part in half-cycles.
    channels
        Channel number of every column; behind `count` follow carriers that nobody uses, for
        measuring noise.
    count
        How many columns are channels.
    gaps
        Gap of every column, 0 for the lowest.
    """

    def __init__(self, profile: Profile) -> None:
        used = profile.channels()
        self._cycles = profile.cycles_per_symbol
        self.count = len(used)
        self.channels = np.array(used + self._spare(profile))
        self.gaps = np.minimum(self.channels // self._cycles, LAST_GAP) - FIRST_GAP
        if self._cycles < _LONG:
            self.parts = 2 * self._cycles
            self.part_halves = 1
            self._prepare_short()
        else:
            self.parts = _QUARTERS
            self.part_halves = 2 * self._cycles // _QUARTERS
            self._prepare_long(profile)

    def feed(
        self,
        cycles: NDArray[np.float32],
        first_half: int,
        covariance: NDArray[np.float64] | None = None,
    ) -> NDArray[np.complex64]:
        """Return shape (parts, channels) of cycles that begin at half-cycle `first_half`.

        `covariance` is that of the noise at the 64 line phases, or None if it is even and white.
        """
        if self._cycles < _LONG:
            return self._short(cycles, first_half)
        if covariance is not self._learned:
            self._learned = covariance
            self._whiten(covariance)
        size = self.part_halves // 2
        out = [
            self._long(cycles[i : i + size], first_half // 2 + i)
            for i in range(0, len(cycles), size)
        ]
        return np.array(out).reshape(-1, len(self.channels))

    @staticmethod
    def _spare(profile: Profile) -> list[int]:
        length = profile.cycles_per_symbol
        if length < _LONG:
            return [length * LAST_GAP + length + m for m in range(1, 2 * length) if m != length]
        away = [d for d in range(2, 10) if d < profile.first_offset]
        offsets = [profile.first_offset - d for d in away] + [
            profile.last_offset + d for d in away
        ]
        return [length * h + m for h in range(FIRST_GAP, LAST_GAP + 1) for m in offsets]

    def _prepare_short(self) -> None:
        angle = 2 * np.pi * np.outer(np.arange(_HALF), self.channels)
        angle /= SAMPLES * self._cycles
        # Twice the mean over a symbol is the carrier's complex amplitude. Real and imaginary
        # parts stand side by side, so that one real product serves both.
        scale = 1 / (_HALF * self._cycles)
        kernel = scale * np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
        self._kernel = kernel.astype(np.float32)

    def _short(self, cycles: NDArray[np.float32], first_half: int) -> NDArray[np.complex64]:
        halves = cycles.reshape(-1, _HALF)
        q = first_half + np.arange(len(halves))
        turns = (q[:, None] * self.channels % self.parts) / self.parts
        sums = halves @ self._kernel
        columns = len(self.channels)
        values = sums[:, :columns] + 1j * sums[:, columns:]
        return values * np.exp(-2j * np.pi * turns).astype(np.complex64)

    def _prepare_long(self, profile: Profile) -> None:
        length = self._cycles
        # Offsets up to half the spacing of harmonics come from the transform itself, those
        # above from its mirror image.
        self._low = np.arange(0, length // 2 + 1)
        gaps = np.concatenate([np.arange(FIRST_GAP, LAST_GAP + 1), -np.arange(7, 18)])
        j = np.arange(SAMPLES)
        self._columns = np.exp(2j * np.pi * np.outer(j, gaps) / SAMPLES)
        scale = 2 / (SAMPLES * length)
        self._learned = None
        self._whiten(None)
        self._plain = (scale * self._columns.conj().T).astype(np.complex64)
        ramp = np.exp(-2j * np.pi * np.outer(j, self._low) / (SAMPLES * length))
        self._ramp = ramp.astype(np.complex64)
        self._roots = np.exp(-2j * np.pi * np.arange(length) / length).astype(np.complex64)
        gap, offset = np.divmod(self.channels, length)
        mirrored = offset > length // 2
        self._offset = offset
        self._mirrored = mirrored
        row = np.where(mirrored, GAPS + gap - FIRST_GAP, gap - FIRST_GAP)
        column = np.where(mirrored, length - offset, offset)
        self._place = row * len(self._low) + column

    def _whiten(self, covariance: NDArray[np.float64] | None) -> None:
        """Prepare the combiner of least variance for noise of this covariance."""
        if covariance is None:
            self._inverse = self._unmix = None
            return
        level = np.trace(covariance) / SAMPLES
        inverse = np.linalg.inv(covariance / level + 1e-3 * np.eye(SAMPLES))
        # What the combiner makes of unit carriers in all gaps, for every offset.
        columns = self._columns[None] / self._ramp.T[:, :, None]
        mixed = columns.conj().transpose(0, 2, 1) @ (inverse @ columns)
        self._inverse = inverse.astype(np.float32)
        self._unmix = (SAMPLES * np.linalg.inv(mixed)).astype(np.complex64)

    def _long(self, cycles: NDArray[np.float32], first: int) -> NDArray[np.complex64]:
        if self._inverse is not None:
            cycles = cycles @ self._inverse
        lines = scipy.fft.rfft(np.ascontiguousarray(cycles.T), n=self._cycles, axis=1)
        lines *= self._ramp
        found = self._plain @ lines
        if self._unmix is not None:
            found = (self._unmix @ found.T[:, :, None])[:, :, 0].T
        found = found.reshape(-1)[self._place]
        np.conjugate(found, out=found, where=self._mirrored)
        return found * self._roots[first * self._offset % self._cycles]
