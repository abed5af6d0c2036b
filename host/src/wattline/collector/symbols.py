"""What every frame has in common: pilots, places of the code bits, scramblers."""

import numpy as np
from numpy.typing import NDArray

from endpoint.line.frame import (
    CODE_BITS,
    INTERLEAVE_START,
    INTERLEAVE_STEP,
    PILOT_BITS,
    PILOT_PERIOD,
    PILOT_PLACES,
    PILOTS,
    scrambler_into,
)
from endpoint.line.profile import FRAME_SYMBOLS
from wattline.collector import pac

PILOT_SLOTS = np.array([s for s in range(FRAME_SYMBOLS) if s % PILOT_PERIOD in PILOT_PLACES])
DATA_SLOTS = np.setdiff1d(np.arange(FRAME_SYMBOLS), PILOT_SLOTS)
# Code bit in each data slot.
CODE_PLACES = (INTERLEAVE_STEP * np.arange(CODE_BITS) + INTERLEAVE_START) % CODE_BITS
PILOT_SIGNS = (1 - 2 * (PILOT_BITS >> np.arange(PILOTS - 1, -1, -1) & 1)).astype(np.int8)
# +1 or -1 where the unscrambled symbol is known, 0 elsewhere.
KNOWN = np.zeros(FRAME_SYMBOLS, np.int8)
KNOWN[PILOT_SLOTS] = PILOT_SIGNS
# Energy per payload bit over energy per symbol, dB.
BIT_DB = 10 * np.log10(FRAME_SYMBOLS / 64)
_SCRAMBLERS = 511
_cache: dict[int, NDArray[np.int8]] = {}


def scrambler(channel: int) -> NDArray[np.int8]:
    """Return the channel's 280 scrambler signs: +1 for 0, -1 for 1."""
    key = channel % _SCRAMBLERS
    if key not in _cache:
        bits = bytearray(FRAME_SYMBOLS)
        scrambler_into(bits, channel)
        _cache[key] = 1 - 2 * np.frombuffer(bits, np.int8)
    return _cache[key]


def signs_of(word: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the 280 signs, before the scrambler, of an information word of 10 bytes."""
    bits = np.empty(CODE_BITS, np.uint8)
    pac.encode(word, bits)
    signs = KNOWN.copy()
    signs[DATA_SLOTS] = 1 - 2 * bits[CODE_PLACES].astype(np.int8)
    return signs
