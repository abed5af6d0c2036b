"""The last frame and a little more of every channel, and where frames may start in it.

Source: docs/phy.md, "Collector".
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from endpoint.line.profile import FRAME_SYMBOLS
from wattline.collector.channelizer import Channelizer
from wattline.collector.neighbours import Neighbours
from wattline.collector.symbols import PILOT_SIGNS, PILOT_SLOTS, scrambler

# Symbols that may be missing from a frame at the beginning or the end of what was heard.
MISSING_SYMBOLS = 12
# Power is averaged over so many symbols, and noise over so many averages: one frame.
_POWER_SYMBOLS = 8
_POWER_BLOCKS = 35
# Lower quartile of the mean power of 280 symbols of noise, over its mean.
_QUARTILE = 0.96


@njit(cache=True, fastmath=True)
def _score(parts, start, count, step, columns, signs, out):
    """Correlate the pilots of `count` starts in some columns."""
    pilots = len(PILOT_SLOTS)
    for q in range(count):
        for c in range(len(columns)):
            column = columns[c]
            re = np.float32(0.0)
            im = np.float32(0.0)
            power = np.float32(1e-30)
            for k in range(pilots):
                row = start + q + step * PILOT_SLOTS[k]
                y = parts[row, column]
                for j in range(1, step):
                    y += parts[row + j, column]
                re += signs[k, column] * y.real
                im += signs[k, column] * y.imag
                power += y.real * y.real + y.imag * y.imag
            out[q, c] = (re * re + im * im) / power


class History:
    """Parts of symbols of all channels: one frame (two of short symbols) and a margin.

    Parameters
    ----------
    channelizer
        Says what a column is and how many parts a symbol has.

    Attributes
    ----------
    frame
        Parts per frame.
    first, end
        Parts that are held: `first` ≤ q < `end`; earlier ones of the margin are zero.
    """

    # Past the frame itself: what a decision may wait for, in symbols.
    _MARGIN = 16
    # Frames of short symbols that are held, so that what a strong carrier hid can be searched
    # again once it is known.
    _FRAMES = 2

    def __init__(self, channelizer: Channelizer) -> None:
        self.step = channelizer.parts
        self.frame = FRAME_SYMBOLS * self.step
        self._channelizer = channelizer
        frames = self._FRAMES if channelizer.part_halves == 1 else 1
        self._span = frames * self.frame + (self._MARGIN + MISSING_SYMBOLS) * self.step
        self._signs = np.array(
            [scrambler(int(n))[PILOT_SLOTS] * PILOT_SIGNS for n in channelizer.channels]
        ).T.astype(np.float32)
        self.restart(0)

    def restart(self, first: int) -> None:
        """Forget everything; the next part is `first`."""
        columns = len(self._channelizer.channels)
        self._rows = np.zeros((2 * self._span, columns), np.complex64)
        self.first = first - MISSING_SYMBOLS * self.step
        self._origin = self.first
        self.end = first
        self._powers: list[NDArray[np.float64]] = []
        self._measured = first
        self.noise = np.zeros(columns)

    def feed(self, parts: NDArray[np.complex64]) -> None:
        """Take the next parts."""
        count = len(parts)
        if self.end - self._origin + count > len(self._rows):
            shift = self.end - self._span - self._origin
            self._rows[: self._span] = self._rows[shift : shift + self._span].copy()
            self._origin += shift
        at = self.end - self._origin
        self._rows[at : at + count] = parts
        self.end += count
        self.first = max(self.first, self.end - self._span)
        block = _POWER_SYMBOLS * self.step
        while self.end - self._measured >= block:
            self._measure(self._measured - self._origin)
            self._measured += block

    def _measure(self, at: int) -> None:
        """Average power and derive the noise of every column."""
        block = self._rows[at : at + _POWER_SYMBOLS * self.step]
        symbols = block.reshape(_POWER_SYMBOLS, self.step, -1).sum(axis=1)
        self._powers.append(np.mean(symbols.real**2 + symbols.imag**2, axis=0).astype(np.float64))
        if len(self._powers) > _POWER_BLOCKS:
            self._powers.pop(0)
        power = np.mean(self._powers, axis=0)
        used, gaps = self._channelizer.count, self._channelizer.gaps
        spare = np.median(power[used:])
        for gap in range(gaps.max() + 1):
            here = gaps == gap
            inside = power[:used][here[:used]]
            floor = min(
                spare, np.median(power[used:][here[used:]]) if here[used:].any() else spare
            )
            if len(inside) > 100:
                self.noise[here] = min(np.quantile(inside, 0.25) / _QUARTILE, floor)
            else:
                self.noise[here] = min(np.quantile(power[:used], 0.25) / _QUARTILE, floor)

    def block(self, start: int, count: int) -> NDArray[np.complex64]:
        """Return `count` parts of all columns from part `start` on, for changing in place."""
        at = start - self._origin
        return self._rows[at : at + count]

    def clean(self, start: int, neighbours: Neighbours) -> None:
        """Take strong carriers' spill out of the symbol that starts at part `start`."""
        at = start - self.step - self._origin
        if at < 0 or start < self.first + self.step:
            return
        rows = self._rows[at : at + 3 * self.step]
        neighbours.clean(rows.reshape(3, self.step, -1), self.noise)

    def scores(self, first: int, end: int, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the pilots' scores (0 … 24; 1 on average for noise) of starts and columns."""
        out = np.empty((end - first, len(columns)), np.float32)
        start = first - self._origin
        _score(self._rows, start, end - first, self.step, columns, self._signs, out)
        return out

    def parts(self, start: int, column: int) -> NDArray[np.complex64]:
        """Return shape (280, parts per symbol) of a frame that starts at part `start`."""
        at = start - self._origin
        rows = self._rows[at : at + self.frame, column]
        if len(rows) < self.frame:
            rows = np.concatenate([rows, np.zeros(self.frame - len(rows), np.complex64)])
        return rows.reshape(FRAME_SYMBOLS, self.step)

    def symbols(self, start: int, column: int) -> NDArray[np.complex64]:
        """Return the 280 symbols of a frame that starts at part `start`."""
        return self.parts(start, column).sum(axis=1)

    def refine(self, start: int, column: int) -> int:
        """Return the alignment around `start` at which the frame's symbols hold most energy."""
        near = min(2, self.step // 2)
        last = self.end - self.frame
        around = range(max(start - near, self.first), min(start + near, max(start, last)) + 1)
        energy = [float(np.sum(np.abs(self.symbols(q, column)) ** 2)) for q in around]
        return around[int(np.argmax(energy))]
