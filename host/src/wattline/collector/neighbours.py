"""What strong carriers spill into their neighbours, predicted and taken away.

A carrier whose phase moves within a symbol is no longer orthogonal to the channels beside it.
Its means over whole symbols are free of the neighbours; a parabola through three of them tells
how it moved within the middle one, and from that follows the share in every neighbour.

Source: docs/phy.md, "Strong neighbours".
"""

import numpy as np
from numpy.typing import NDArray

# Neighbours on either side that are cleaned.
REACH = 12
# A carrier is strong from this energy over noise per symbol: its bits are then beyond doubt.
_STRONG = 40.0


def _leaks(parts: int) -> NDArray[np.complex128]:
    """Return shape (2, 2 * REACH + 1, parts): what t and t² - 1/12 leave in neighbours' parts."""
    fine = 64
    t = (np.arange(parts * fine) + 0.5) / (parts * fine) - 0.5
    turn = np.exp(-2j * np.pi * np.outer(np.arange(-REACH, REACH + 1), t + 0.5))
    out = [(turn * shape).reshape(-1, parts, fine).sum(axis=2) for shape in (t, t * t - 1 / 12)]
    return np.array(out) / (parts * fine)


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
        column = {int(n): i for i, n in enumerate(channels)}
        near = [
            [column.get(int(n) + d, -1) if d else -1 for d in range(-REACH, REACH + 1)]
            for n in channels
        ]
        self._near = np.array(near)

    def clean(self, rows: NDArray[np.complex64], noise: NDArray[np.float64]) -> None:
        """Clean the middle one of three symbols; `rows` has shape (3, parts, columns)."""
        symbols = rows.sum(axis=1)
        power = symbols.real**2 + symbols.imag**2
        strong = np.flatnonzero(power.min(axis=0) > _STRONG * noise)
        if len(strong) == 0:
            return
        strong = strong[np.argsort(-power[1, strong])]
        before, here, after = symbols[:, strong].astype(np.complex128)
        # Bits relative to the middle symbol's.
        before = before * np.sign((before * here.conj()).real)
        after = after * np.sign((after * here.conj()).real)
        slope = (after - before) / 2
        bend = (after + before) / 2 - here
        spill = slope[:, None, None] * self._leaks[0] + bend[:, None, None] * self._leaks[1]
        near = self._near[strong]
        used = near >= 0
        middle = rows[1]
        for part in range(len(middle)):
            np.subtract.at(middle[part], near[used], spill[:, :, part][used].astype(np.complex64))
