"""Blind search: pilots against the symbols of every channel at every half-cycle.

Source: docs/phy.md, "Collector".
"""

import numpy as np
from numpy.typing import NDArray

from endpoint.line.frame import PILOT_BITS, PILOT_PERIOD, PILOT_PLACES, PILOTS, scrambler_into
from endpoint.line.profile import FRAME_SYMBOLS, Profile

PILOT_SLOTS = np.array([s for s in range(FRAME_SYMBOLS) if s % PILOT_PERIOD in PILOT_PLACES])
_BITS = PILOT_BITS >> np.arange(PILOTS - 1, -1, -1) & 1


def scrambler(channel: int) -> NDArray[np.int8]:
    """Return the channel's 280 scrambler signs: +1 for 0, -1 for 1."""
    bits = bytearray(FRAME_SYMBOLS)
    scrambler_into(bits, channel)
    return 1 - 2 * np.frombuffer(bits, np.int8)


class Search:
    """Symbols of all channels at all alignments, and how much each looks like a frame's start.

    Parameters
    ----------
    profile
        Symbol length.
    channels
        Channel numbers, one per column.

    Attributes
    ----------
    first, end
        Half-cycles whose symbols are held: `first` ≤ q < `end`.
    first_start, scored
        Starts whose pilots have been judged since the last `restart`.
    """

    # Past the frame itself: what a decision may wait for, in half-cycles.
    MARGIN = 64

    def __init__(self, profile: Profile, channels: NDArray[np.int64]) -> None:
        self._step = 2 * profile.cycles_per_symbol
        self.frame_halves = FRAME_SYMBOLS * self._step
        self._signs = np.array([scrambler(int(n))[PILOT_SLOTS] for n in channels])
        self._signs = (self._signs * (1 - 2 * _BITS)).T.astype(np.float32)
        self._columns = len(channels)
        self._span = self.frame_halves + self.MARGIN
        self.restart(0)

    def restart(self, first: int) -> None:
        """Forget everything; the next half-cycle is `first`."""
        size = 2 * self._span
        self._halves = np.zeros((0, self._columns), np.complex64)
        self._symbols = np.zeros((size, self._columns), np.complex64)
        self._scores = np.zeros((size, self._columns), np.float32)
        self._origin = first
        self.first = first
        self.end = first
        self.scored = first
        self.first_start = first

    def feed(self, halves: NDArray[np.complex64]) -> None:
        """Take the next half-cycles."""
        self._halves = np.concatenate([self._halves, halves])
        count = len(self._halves) - self._step + 1
        if count <= 0:
            return
        sums = np.cumsum(self._halves.astype(np.complex128), axis=0)
        sums = np.concatenate([np.zeros((1, self._columns)), sums])
        symbols = (sums[self._step :] - sums[: -self._step]).astype(np.complex64)
        self._halves = self._halves[count:]
        self._make_room(count)
        at = self.end - self._origin
        self._symbols[at : at + count] = symbols
        self.end += count
        self.first = max(self.first, self.end - self._span)
        self._score()

    def _make_room(self, count: int) -> None:
        if self.end - self._origin + count <= len(self._symbols):
            return
        shift = self.end - self._span - self._origin
        for array in (self._symbols, self._scores):
            array[: self._span] = array[shift : shift + self._span].copy()
        self._origin += shift

    def _score(self) -> None:
        """Correlate the pilots of all starts whose last symbol is known."""
        last = self.end - self._step * (FRAME_SYMBOLS - 1)
        count = last - self.scored
        if count <= 0:
            return
        start = self.scored - self._origin
        total = np.zeros((count, self._columns), np.complex64)
        power = np.zeros((count, self._columns), np.float32)
        for slot, sign in zip(PILOT_SLOTS, self._signs, strict=True):
            at = start + self._step * slot
            y = self._symbols[at : at + count]
            total += y * sign
            power += y.real**2 + y.imag**2
        scores = (total.real**2 + total.imag**2) / (power + 1e-30)
        self._scores[start : start + count] = scores
        self.scored = last

    def refine(self, start: int, column: int) -> int:
        """Return the alignment around `start` at which the frame's symbols hold most energy."""
        around = range(max(start - 2, self.first), start + 3)
        energy = [float(np.sum(np.abs(self.symbols(q)[:, column]) ** 2)) for q in around]
        return around[int(np.argmax(energy))]

    def symbols(self, start: int) -> NDArray[np.complex64]:
        """Return shape (280, channels): the symbols of a frame that starts at half `start`."""
        at = start - self._origin + self._step * np.arange(FRAME_SYMBOLS)
        return self._symbols[at]

    def scores(self, first: int, end: int) -> NDArray[np.float32]:
        """Return the pilots' scores (0 … 24; 1 on average for noise) of the starts given."""
        return self._scores[first - self._origin : end - self._origin]
