"""What strong carriers spill into their neighbours, predicted and taken away.

A carrier whose phase moves within a symbol is no longer orthogonal to the channels beside it.
Its means over whole symbols are free of the neighbours. Three of them, and how fast this carrier
usually moves, tell the likeliest motion within the middle one (that of a random walk seen in
noise); from that follows the share in every neighbour, and how uncertain it remains.

Source: docs/phy.md, "Strong neighbours".
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Neighbours on either side that are cleaned.
REACH = 12
# A carrier is strong from this energy over noise per symbol: its bits are then beyond doubt.
_STRONG = 40.0
# Variance of slope and bend of three means of a random walk that moves by 1 per mean.
_SLOPE, _BEND = 5 / 12, 1 / 4
# Share of a new symbol in the rate of motion; a slope this far (squared) above is a step.
_LEARN = 1 / 32
_STEP = 9.0


def _leaks(parts: int) -> NDArray[np.complex128]:
    """Return shape (2, 2 * REACH + 1, parts): what t and t² - 1/12 leave in neighbours' parts."""
    fine = 64
    t = (np.arange(parts * fine) + 0.5) / (parts * fine) - 0.5
    turn = np.exp(-2j * np.pi * np.outer(np.arange(-REACH, REACH + 1), t + 0.5))
    out = [(turn * shape).reshape(-1, parts, fine).sum(axis=2) for shape in (t, t * t - 1 / 12)]
    return np.array(out) / (parts * fine)


@njit(cache=True)
def _subtract(middle, near, strong, spill, leaks, shares, left, doubt):
    """Take the spill of strong carriers out of their neighbours, and add up what is doubtful."""
    for i in range(len(strong)):
        for d in range(2 * REACH + 1):
            column = near[strong[i], d]
            if column < 0:
                continue
            for part in range(len(middle)):
                middle[part, column] -= (
                    spill[0, i] * leaks[0, d, part] + spill[1, i] * leaks[1, d, part]
                )
            rest = shares[0, i] * left[0, d]
            rest += shares[1, i] * left[1, d] + shares[2, i] * left[2, d]
            doubt[column] += max(rest, 0.0)


class Neighbours:
    """Cleans symbols in place, one behind the newest.

    Parameters
    ----------
    channels
        Channel number of every column, in groups of consecutive numbers.
    parts
        Parts per symbol.
    """

    def __init__(self, channels: NDArray[np.int64], parts: int) -> None:
        self._channels = channels
        self._leaks = _leaks(parts)
        away = np.arange(-REACH, REACH + 1)
        away[REACH] = 1
        turn = 2 * np.pi * away
        # Power that motion of unit rate leaves in a neighbour's symbol, and what slope and bend
        # can tell of it.
        self._left = np.array([2 / turn**2, -0.5 / turn**2, -2 / turn**4])
        # Usual rate of every column's motion, per symbol and power: level, then phase.
        self._rates = np.zeros((2, len(channels)))
        column = {int(n): i for i, n in enumerate(channels)}
        near = [
            [column.get(int(n) + d, -1) if d else -1 for d in range(-REACH, REACH + 1)]
            for n in channels
        ]
        self._near = np.array(near)

    def clean(self, rows: NDArray[np.complex64], noise: NDArray[np.float64]) -> None:
        """Clean the middle one of three symbols; `rows` has shape (3, parts, columns).

        What remains uncertain counts as noise: symbols are scaled to the noise of all others.
        """
        symbols = rows.sum(axis=1)
        power = symbols.real**2 + symbols.imag**2
        strong = np.flatnonzero(power.min(axis=0) > _STRONG * noise)
        if len(strong) == 0:
            return
        before, here, after = symbols[:, strong].astype(np.complex128)
        # Bits and phase relative to the middle symbol's.
        unit = here / np.abs(here)
        here = np.abs(here)
        before, after = before * unit.conj(), after * unit.conj()
        before *= np.sign(before.real)
        after *= np.sign(after.real)
        slope, bend = (after - before) / 2, (after + before) / 2 - here
        quiet = noise[strong] / 2
        spill = np.zeros((2, len(strong)), complex)
        shares = np.zeros((3, len(strong)))
        for quadrature, (s, b) in enumerate(((slope.real, bend.real), (slope.imag, bend.imag))):
            rate = self._rate(quadrature, strong, s, here, quiet)
            by_slope = 0.5 * rate / (_SLOPE * rate + 0.5 * quiet)
            by_bend = 0.5 * rate / (_BEND * rate + 1.5 * quiet)
            side = unit if quadrature == 0 else 1j * unit
            spill += side * np.array([by_slope * s, by_bend * b])
            shares += np.array([rate, rate * by_slope, rate * by_bend])
        # What is strong itself has no use for weights, and is looked at again as a neighbour.
        doubt = np.zeros(len(self._channels))
        _subtract(rows[1], self._near, strong, spill, self._leaks, shares, self._left, doubt)
        doubt[strong] = 0.0
        rows[1] *= np.sqrt(noise / np.maximum(noise + doubt, 1e-30)).astype(np.float32)

    def _rate(
        self,
        quadrature: int,
        strong: NDArray[np.int64],
        slope: NDArray[np.float64],
        level: NDArray[np.float64],
        quiet: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return how fast strong carriers move, as power per symbol, and learn from it."""
        usual = self._rates[quadrature, strong]
        expected = _SLOPE * usual * level**2 + quiet / 2
        seen = np.minimum(slope**2, _STEP * expected)
        measured = (seen - quiet / 2) / (_SLOPE * level**2)
        self._rates[quadrature, strong] = np.maximum(usual + _LEARN * (measured - usual), 0.0)
        return np.where(slope**2 > _STEP * expected, slope**2 / _SLOPE, usual * level**2)
