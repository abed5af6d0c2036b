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
# Cosine of k/256 of a turn for the first quarter, 127 at the most, plus 128.
_QUARTER = (
    b"\xff\xff\xff\xff\xfe\xfe\xfe\xfd\xfd\xfc\xfb\xfa\xfa\xf9\xf8\xf6\xf5\xf4\xf3\xf1\xf0\xef"
    b"\xed\xeb\xea\xe8\xe6\xe4\xe2\xe0\xde\xdc\xda\xd8\xd5\xd3\xd1\xce\xcc\xc9\xc7\xc4\xc1\xbf"
    b"\xbc\xb9\xb6\xb3\xb1\xae\xab\xa8\xa5\xa2\x9f\x9c\x99\x96\x93\x90\x8c\x89\x86\x83\x80"
)
_HALF = _QUARTER + bytes(256 - b for b in reversed(_QUARTER[:-1]))
_COSINE = _HALF + bytes(256 - b for b in _HALF[1:-1])
_BIAS = const(0x20000000)
COUNT_MASK = const(0xFFFFFFF)


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


@micropython.viper
def _correlate(samples, at: int, steps, table, pairs, sums, ring, place: int):
    """Correlate one cycle, from sample `at` on, with four tones; update the running sums."""
    x = ptr16(samples)
    v = ptr16(pairs)
    step = ptr8(steps)
    cosine = ptr8(table)
    total = ptr32(sums)
    old = ptr32(ring)
    mean = 0
    j = 0
    while j < 32:
        pair = x[at] + x[at + 1]
        at += 2
        v[j] = pair
        mean += pair
        j += 1
    # The table is cosine + 128; the sums are kept as positive numbers.
    mean = (mean << 7) - 0x20000000
    slot = place << 3
    k4 = 0
    while k4 < 4:
        stride = step[k4]
        k = stride * place * 32
        i = 0
        q = 0
        j = 0
        while j < 32:
            pair = v[j]
            i += pair * cosine[k & 255]
            q += pair * cosine[(k + 192) & 255]
            k += stride
            j += 1
        i -= mean
        q -= mean
        total[k4 << 1] = total[k4 << 1] + i - old[slot]
        old[slot] = i
        slot += 1
        total[(k4 << 1) + 1] = total[(k4 << 1) + 1] + q - old[slot]
        old[slot] = q
        slot += 1
        k4 += 1


@micropython.viper
def _share(sums, history, row: int) -> int:
    """Write each tone's part of all four magnitudes, 12 bits; return their sum's magnitude."""
    total = ptr32(sums)
    out = ptr16(history)
    row = row << 2
    whole = 0
    k = 0
    while k < 4:
        i = total[k << 1] - 0x20000000
        q = total[(k << 1) + 1] - 0x20000000
        if i < 0:
            i = 0 - i
        if q < 0:
            q = 0 - q
        if q > i:
            swap = i
            i = q
            q = swap
        total[8 + k] = (i + ((q * 3) >> 3)) >> 3
        whole += total[8 + k]
        k += 1
    level = whole
    shift = 0
    while whole > 0x3FFFF:
        whole = whole >> 1
        shift += 1
    if whole == 0:
        whole = 1
    k = 0
    while k < 4:
        out[row + k] = ((total[8 + k] >> shift) << 12) // whole
        k += 1
    return level


@micropython.viper
def _score(history, row: int, rows: int, per_symbol: int, sync) -> int:
    """Return how well the sixteen symbols that end at `row` match the sync word."""
    share = ptr16(history)
    word = ptr8(sync)
    total = 0
    i = 15
    while i >= 0:
        total += share[(row << 2) + word[i]]
        row -= per_symbol
        if row < 0:
            row += rows
        i -= 1
    return total


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
    cycle : int
        Line cycles seen, modulo 2^28.
    started : int
        The cycle at whose beginning the first sync symbol of that frame began.
    score_q12 : int
        How well its sync word matched, 2^-12 per symbol: 65536 is perfect.
    level : int
        Sum of the four tones' magnitudes over the last symbol.
    """

    def __init__(self, tones):
        m = tones.cycles_per_symbol
        self.tones = tones
        self.soft = array("H", [0] * (DATA_SYMBOLS * TONES))
        self.cycle = 0
        self.started = 0
        self.score_q12 = 0
        self.level = 0
        self._m = m
        self._rows = SYNC_SYMBOLS * m
        self._steps = bytes(t * 8 // m for t in tones.tones)
        self._pairs = array("H", [0] * (CYCLE_SAMPLES // 2))
        # Running sums of I and Q, then room for four magnitudes.
        self._sums = array("i", [_BIAS] * (2 * TONES) + [0] * TONES)
        self._ring = array("i", [_BIAS] * (2 * TONES * m))
        self._history = array("H", [0] * (TONES * self._rows))
        self._place = 0
        self._row = 0
        self._best = _THRESHOLD
        self._since = -1

    @property
    def receiving(self):
        """Whether a sync word was found and its frame is being taken."""
        return self._since >= 0

    def reset(self):
        """Forget the frame under way; the samples that come next do not follow on."""
        self._since = -1
        self._best = _THRESHOLD
        for i in range(len(self._history)):
            self._history[i] = 0

    def feed(self, samples, at):
        """Take one line cycle.

        Parameters
        ----------
        samples : bytes-like
            Little-endian 16-bit codes of 12 bits.
        at : int
            First sample, counted in samples; 64 are taken.

        Returns
        -------
        bool
            Whether a frame's last symbol has just been written to `soft`.

        Allocates: nothing.
        """
        _correlate(
            samples,
            at,
            self._steps,
            _COSINE,
            self._pairs,
            self._sums,
            self._ring,
            self._place,
        )
        self._place += 1
        if self._place == self._m:
            self._place = 0
        row = self._row
        self.level = _share(self._sums, self._history, row)
        score = _score(self._history, row, self._rows, self._m, SYNC)
        self._row = row + 1 if row + 1 < self._rows else 0
        self.cycle = (self.cycle + 1) & COUNT_MASK
        if score > self._best:
            self._best = score
            self._since = 0
            return False
        if self._since < 0:
            return False
        self._since += 1
        if self._since % self._m:
            return False
        symbol = self._since // self._m - 1
        for k in range(TONES):
            self.soft[symbol * TONES + k] = self._history[row * TONES + k]
        if symbol < DATA_SYMBOLS - 1:
            return False
        self.started = (self.cycle - self.tones.frame_cycles) & COUNT_MASK
        self.score_q12 = self._best
        self._since = -1
        self._best = _THRESHOLD
        return True
