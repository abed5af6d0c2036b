"""From converter samples to soft symbols: four tones, non-coherently, in integers.

Samples come at 64 per line cycle, locked to the line, so that every window of whole line
cycles cancels the fundamental and its harmonics. Pairs are added, then correlated with the
four tones; a running sum over M cycles is a symbol at every possible alignment, one per
cycle. The sync word is searched at each of them, also while a frame is being taken: a better
match takes over, so a false start costs nothing.

Context: task only. Allocates: nothing after construction.
Source: docs/phy.md, "Downlink".
"""

from array import array

import micropython
from micropython import const

from endpoint.line.framing import DATA_SYMBOLS, SYNC, SYNC_SYMBOLS, TONES

CYCLE_SAMPLES = const(64)
# 0.39 of the most. In noise a share is a quarter and the sum of 16 is 4 +- 0.46, so this is passed
# falsely once in hours; a frame that can just be decoded has 7.2 +- 0.5.
_THRESHOLD = const(25559)
# Cosine of k/256 of a turn for the first quarter, in 2^-11.
# fmt: off
_QUARTER = (
    2047, 2046, 2045, 2041, 2037, 2032, 2025, 2017, 2008, 1997, 1986, 1973, 1959, 1944, 1927,
    1910, 1891, 1871, 1850, 1828, 1805, 1781, 1756, 1729, 1702, 1674, 1644, 1614, 1582, 1550,
    1517, 1483, 1447, 1411, 1375, 1337, 1299, 1259, 1219, 1179, 1137, 1095, 1052, 1009, 965,
    920, 875, 830, 783, 737, 690, 642, 594, 546, 497, 449, 399, 350, 300, 251, 201, 151, 100,
    50, 0,
)
# fmt: on
COUNT_MASK = const(0xFFFFFFF)
# What running sums are kept above zero by.
_BIAS = const(0x20000000)
# Everything the kernels need is in one array of words: state, one cycle's folded samples, the
# running sums of I and Q, four magnitudes, and by tone the waves over half a cycle and by
# cycle of the symbol the turns and what the running sums took from each.
_PLACE = const(0)
_ROW = const(1)
_BEST = const(2)
_SINCE = const(3)
_CYCLE = const(4)
_LEVEL = const(5)
_COMPLETE = const(6)
_M = const(7)
_ROWS = const(8)
_BOTH = const(9)
_DIFFERENCE = const(10)
_OFFSETS = const(11)
_FOLDED = const(16)
_SUMS = const(50)
_LEVELS = const(58)
_WAVES = const(64)
_TURNS = const(200)
_RING = const(264)
_WORDS = const(328)


class Tones:
    """One way of sending down.

    Parameters
    ----------
    name : str
        What people call it.
    cycles_per_symbol : int
        M, line cycles per symbol.
    tones : tuple of int, 4
        Tone t is at t / M of the line frequency.
    """

    def __init__(self, name, cycles_per_symbol, tones):
        self.name = name
        self.cycles_per_symbol = cycles_per_symbol
        self.tones = tones
        self.frame_cycles = cycles_per_symbol * (SYNC_SYMBOLS + DATA_SYMBOLS)


FIELD_TONES = Tones("field", 8, (34, 35, 37, 38))
BENCH_TONES = Tones("bench", 2, (5, 7, 9, 11))
# The downlink that goes with each uplink profile.
TONES_OF = {
    "bench": BENCH_TONES,
    "bench2": BENCH_TONES,
    "express": FIELD_TONES,
    "field2": FIELD_TONES,
    "field": FIELD_TONES,
}


def _cosine(k):
    """Return the cosine of k/256 of a turn, 2^-11, plus 2048."""
    k &= 255
    if k > 128:
        k = 256 - k
    return 2048 + (_QUARTER[k] if k <= 64 else -_QUARTER[128 - k])


@micropython.viper
def _fold(work, samples, at: int):
    """Add pairs of one cycle's samples, and fold them about the cycle's middle.

    Pairs at equal distance before and behind it leave their sum for the cosines and their
    difference for the sines: half the products of a correlation over the whole cycle.
    """
    w = ptr32(work)
    x = ptr16(samples)
    up = at + 32
    down = up
    to = _FOLDED
    later = x[up] + x[up + 1]
    both = later
    difference = 8192
    w[to] = both
    w[to + 1] = difference
    while to < _FOLDED + 30:
        to += 2
        up += 2
        down -= 2
        later = x[up] + x[up + 1]
        earlier = x[down] + x[down + 1]
        both += later + earlier
        w[to] = later + earlier
        later = 8192 + later - earlier
        difference += later
        w[to + 1] = later
    earlier = x[at] + x[at + 1]
    w[_FOLDED + 32] = earlier
    w[_FOLDED + 33] = 8192 - earlier
    w[_BOTH] = both + earlier
    w[_DIFFERENCE] = difference + 8192 - earlier


@micropython.viper
def _correlate(work):
    """Correlate the folded cycle with four tones; update the running sums.

    What is stored is never negative: what that adds to the sums of products is taken off.
    """
    w = ptr32(work)
    both = w[_BOTH] << 11
    difference = w[_DIFFERENCE] << 11
    wave = _WAVES
    turn = _TURNS + (w[_PLACE] << 3)
    old = turn + _RING - _TURNS
    offset = _OFFSETS
    total = _SUMS
    while total < _LEVELS:
        i = 0
        q = 0
        at = _FOLDED
        while at < _SUMS:
            i += w[at] * w[wave]
            q += w[at + 1] * w[wave + 1]
            at += 2
            wave += 2
        i = (i - both) >> 11
        q = (q - difference - ((w[offset] - 65536) << 13)) >> 11
        # From the cycle's middle to the symbol's beginning.
        c = w[turn] - 2048
        s = w[turn + 1] - 2048
        new = ((i * c - q * s) >> 4) + _BIAS
        w[total] = w[total] + new - w[old]
        w[old] = new
        new = ((q * c + i * s) >> 4) + _BIAS
        w[total + 1] = w[total + 1] + new - w[old + 1]
        w[old + 1] = new
        total += 2
        turn += 2
        old += 2
        offset += 1


@micropython.viper
def _share(work, history):
    """Write each tone's part of all four magnitudes, 12 bits; keep their sum as the level."""
    w = ptr32(work)
    out = ptr16(history)
    row = w[_ROW] << 2
    whole = 0
    k = 0
    while k < 4:
        i = w[_SUMS + (k << 1)] - _BIAS
        q = w[_SUMS + 1 + (k << 1)] - _BIAS
        if i < 0:
            i = 0 - i
        if q < 0:
            q = 0 - q
        if q > i:
            swap = i
            i = q
            q = swap
        i = (i + ((q * 3) >> 3)) >> 3
        w[_LEVELS + k] = i
        whole += i
        k += 1
    w[_LEVEL] = whole
    shift = 0
    while whole > 0x3FFFF:
        whole = whole >> 1
        shift += 1
    if whole == 0:
        whole = 1
    k = 0
    while k < 4:
        out[row + k] = ((w[_LEVELS + k] >> shift) << 12) // whole
        k += 1


@micropython.viper
def _score(work, history, sync) -> int:
    """Return how well the sixteen symbols that end at the newest row match the sync word."""
    w = ptr32(work)
    share = ptr16(history)
    word = ptr8(sync)
    rows = w[_ROWS] << 2
    row = w[_ROW] << 2
    step = w[_M] << 2
    total = 0
    i = 15
    while i >= 0:
        total += share[row + word[i]]
        row -= step
        if row < 0:
            row += rows
        i -= 1
    return total


@micropython.viper
def _hear(work, history, soft, samples, cycles: int) -> int:
    """Take line cycles up to the end of a frame; return how many were taken."""
    w = ptr32(work)
    share = ptr16(history)
    out = ptr16(soft)
    m = w[_M]
    w[_COMPLETE] = 0
    taken = 0
    while taken < cycles:
        _fold(work, samples, taken << 6)
        _correlate(work)
        _share(work, history)
        score = int(_score(work, history, SYNC))
        taken += 1
        row = w[_ROW] << 2
        place = w[_PLACE] + 1
        w[_PLACE] = 0 if place == m else place
        place = w[_ROW] + 1
        w[_ROW] = 0 if place == w[_ROWS] else place
        w[_CYCLE] = (w[_CYCLE] + 1) & COUNT_MASK
        since = w[_SINCE]
        if score > w[_BEST]:
            w[_BEST] = score
            w[_SINCE] = 1
        elif since > 0:
            w[_SINCE] = since + 1
            if since % m == 0:
                to = (since // m - 1) << 2
                k = 0
                while k < 4:
                    out[to + k] = share[row + k]
                    k += 1
                if to == 788:
                    w[_COMPLETE] = 1
                    return taken
    return taken


def _tables(work, tones):
    """Write the tones' waves and turns."""
    m = tones.cycles_per_symbol
    wave = _WAVES
    for k in range(TONES):
        # A pair of samples in 1/256 of the tone's turn.
        step = tones.tones[k] * 8 // m
        sines = 0
        for n in range(17):
            sines += _cosine(step * n - 64) - 2048
            work[wave] = _cosine(step * n)
            work[wave + 1] = _cosine(step * n - 64)
            wave += 2
        work[_OFFSETS + k] = sines + 65536
        for place in range(m):
            turn = _TURNS + 2 * (TONES * place + k)
            middle = step * (32 * place + 16)
            work[turn] = _cosine(middle)
            work[turn + 1] = _cosine(middle - 64)


class Detector:
    """Tones, sync and soft symbols of one downlink.

    Parameters
    ----------
    tones : Tones
        How the collector sends.

    Attributes
    ----------
    soft : array of 16-bit, 198 x 4
        The frame that was completed last, valid until the next call of `feed`.
    started : int
        The cycle at whose beginning the first sync symbol of that frame began.
    score_q12 : int
        How well its sync word matched, 2^-12 per symbol: 65536 is perfect.
    """

    def __init__(self, tones):
        m = tones.cycles_per_symbol
        self.tones = tones
        self.soft = array("H", [0] * (DATA_SYMBOLS * TONES))
        self.started = 0
        self.score_q12 = 0
        rows = SYNC_SYMBOLS * m
        self._history = array("H", [0] * (TONES * rows))
        self._work = work = array("i", [0] * _WORDS)
        for i in range(2 * TONES):
            work[_SUMS + i] = _BIAS
        for i in range(_RING, _WORDS):
            work[i] = _BIAS
        work[_M] = m
        work[_ROWS] = rows
        _tables(work, tones)
        self._search()

    @property
    def receiving(self):
        """Whether a sync word was found and its frame is being taken."""
        return self._work[_SINCE] > 0

    @property
    def cycle(self):
        """Line cycles seen, modulo 2^28."""
        return self._work[_CYCLE]

    @property
    def level(self):
        """Sum of the four tones' magnitudes over the last symbol."""
        return self._work[_LEVEL]

    def reset(self):
        """Forget the frame under way; the samples that come next do not follow on."""
        self._search()
        for i in range(len(self._history)):
            self._history[i] = 0

    def feed(self, samples, cycles):
        """Take whole line cycles; stop at the end of a frame.

        Parameters
        ----------
        samples : bytes-like
            Little-endian 16-bit codes of 12 bits, 64 a cycle.
        cycles : int
            How many cycles.

        Returns
        -------
        int
            Cycles taken. `complete` tells whether a frame's last symbol was the last.

        Allocates: nothing.
        """
        work = self._work
        taken = _hear(work, self._history, self.soft, samples, cycles)
        if work[_COMPLETE]:
            self.started = (work[_CYCLE] - self.tones.frame_cycles) & COUNT_MASK
            self.score_q12 = work[_BEST]
            self._search()
        return taken

    @property
    def complete(self):
        """Whether the last call of `feed` ended with a frame in `soft`."""
        return bool(self._work[_COMPLETE])

    def _search(self):
        self._work[_SINCE] = 0
        self._work[_BEST] = _THRESHOLD
