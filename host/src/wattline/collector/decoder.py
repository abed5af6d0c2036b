"""One frame: from 280 symbols to a payload that its check, its identity and its odds confirm.

What may be accepted, and how often noise passes, is stated in docs/phy.md, "False accepts".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from endpoint.line import PayloadError
from endpoint.line import payload as layout
from endpoint.line.frame import CODE_BITS, INFO_BITS, frame_crc
from endpoint.line.profile import FRAME_SYMBOLS
from wattline.collector import pac, phase
from wattline.collector.symbols import (
    BIT_DB,
    CODE_PLACES,
    DATA_SLOTS,
    KNOWN,
    scrambler,
    signs_of,
)

# List sizes to try in turn.
QUICK = (8, 32)
SEARCH = (8, 32, 128)
THOROUGH = (4, 32, 128, 1024, 1024)
# A frame is accepted when it is this likely to be the right one.
MIN_CONFIDENCE = 0.99
# Share of random payloads with a legal header: 4 bits of type, 3 of a selector below 2.
_LEGAL = sum(
    (0.25 if "selector" in (name for name, _ in fields) else 1.0) / 16
    for frame_type, fields in layout.LAYOUTS.items()
    if frame_type != layout.JOIN
)
# A JOIN's type and its unassigned bits.
_LEGAL_JOIN = 2.0**-28
# Below this energy over noise per symbol (-3.6 dB Eb/N0) nothing can be decoded; with a
# forecast of the payload this (-5.9 dB).
_MIN_SNR = 0.10
_MIN_SNR_FORECAST = 0.06
# A symbol with so many times the usual power is not used; noise does that once in 1,100.
_HIT = 7.0
# Share of the power above noise that an accepted word must explain.
_EXPLAINED = 0.45
# Phase step from symbol to symbol at first, rad; and what else is tried.
_WALK_RAD = 0.05
_WALKS_RAD = (0.02, 0.05, 0.15)
_NOISES = (1.0, 1.4, 2.0, 3.0)
# By how much (nats) something else must explain the symbols better.
_DOUBT = 3.0
# How much of a list's opinion is told to the phase model, from how many of its words.
_FEEDBACK = 0.5
_FEEDBACK_WORDS = 64
_FEEDBACK_LIMIT = 6.0
# Symbols over which the phase is averaged once the bits are known.
_PHASE_SYMBOLS = 61
_PHASE_WINDOW = np.hanning(_PHASE_SYMBOLS + 2)[1:-1]
_PHASE_WINDOW[_PHASE_SYMBOLS // 2] = 0.0


@dataclass(frozen=True)
class Decoded:
    """A frame whose check passed.

    Parameters
    ----------
    confidence
        Probability that the payload is the one that was sent, given that something was.
    ebn0_db
        Estimated energy per payload bit over noise density.
    corrected_bits
        Code bits received wrong.
    amplitude
        Mean amplitude of the carrier.
    symbols, phase_rad
        Symbols turned to ±1, and by how much they were turned.
    signs
        The 280 signs that were sent.
    """

    eid: int
    payload: bytes
    fields: dict[str, int]
    frame_type: int
    confidence: float
    ebn0_db: float
    corrected_bits: int
    amplitude: float
    symbols: NDArray[np.complex64]
    phase_rad: NDArray[np.float32]
    signs: NDArray[np.int8]


def decode(
    received: NDArray[np.complex64],
    noise: float,
    channel: int,
    eids: Iterable[int],
    sizes: Sequence[int] = SEARCH,
    forecast: NDArray[np.float32] | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> Decoded | None:
    """Return the frame in 280 symbols, or None.

    Parameters
    ----------
    received
        Symbols in order; 0 where nothing was received.
    noise
        Noise variance per complex symbol, measured elsewhere.
    channel
        Channel number, for the scrambler.
    eids
        Identities that a frame other than a JOIN may have.
    sizes
        List sizes to try in turn. The third and fifth attempt estimate noise and the phase's
        walk from the frame itself.
    forecast
        64 log-likelihood ratios of the payload's bits, positive for 0; None for none.
    min_confidence
        Required probability of being right.
    """
    y = (received * scrambler(channel)).astype(np.complex64)
    heard = y != 0
    energy = y.real**2 + y.imag**2
    if heard.any():
        # A symbol far above all others was hit by something else.
        heard &= energy < _HIT * np.median(energy[heard]) / np.log(2)
        y[~heard] = 0
    power = float(np.sum(energy[heard])) / max(int(np.count_nonzero(heard)), 1)
    least = _MIN_SNR if forecast is None else _MIN_SNR_FORECAST
    if power <= (1 + least) * noise or power == 0.0:
        return None
    masks = {_mask(eid): eid for eid in eids}
    allowed = np.sort(np.array(list(masks), np.int64))
    prior = np.zeros(INFO_BITS, np.float32)
    if forecast is not None:
        prior[:64] = forecast
    told = np.zeros(FRAME_SYMBOLS, np.float32)
    unbiased = np.zeros(FRAME_SYMBOLS, np.float32)
    llrs = np.empty(FRAME_SYMBOLS, np.float32)
    code = np.empty(CODE_BITS, np.float32)
    said = np.empty(CODE_BITS, np.float32)
    for attempt, size in enumerate(sizes):
        # Every other attempt from the third on doubts level and walk and listens to the last list.
        doubting = attempt >= 2 and attempt % 2 == 0
        leaning = told if doubting else unbiased
        variance, walk = max(noise, 0.01 * power), _WALK_RAD
        if doubting:
            variance, walk = _estimate(y, power, noise, told)
        _llrs(y, leaning, power, variance, walk, llrs)
        code[CODE_PLACES] = llrs[DATA_SLOTS]
        words, metrics, others = pac.decode(code, size, prior, _workspace(size))
        found = _best(words, metrics, others, masks, allowed)
        if found is not None and found[3] >= min_confidence:
            word, eid, fields, confidence = found
            decoded = measure(y, word, eid, fields, confidence, channel)
            # More power than the word explains is not signal, and the odds were too good.
            if decoded.amplitude**2 >= _EXPLAINED * (power - variance):
                return decoded
        if attempt + 1 < len(sizes):
            pac.soft_bits(words[:_FEEDBACK_WORDS], metrics[:_FEEDBACK_WORDS], said)
            lean = _FEEDBACK * said[CODE_PLACES]
            told[DATA_SLOTS] = np.clip(lean, -_FEEDBACK_LIMIT, _FEEDBACK_LIMIT)
    return None


@lru_cache(maxsize=20_000)
def _mask(eid: int) -> int:
    """Return what an identity does to the check of an empty payload."""
    return frame_crc(eid, bytes(8))


_spaces: dict[int, pac.Workspace] = {}


def _workspace(size: int) -> pac.Workspace:
    if size not in _spaces:
        _spaces[size] = pac.Workspace(size)
    return _spaces[size]


def _llrs(
    y: NDArray[np.complex64],
    told: NDArray[np.float32],
    power: float,
    variance: float,
    walk: float,
    llrs: NDArray[np.float32],
) -> float:
    """Run the phase model; return its log evidence, symbols' own noise included."""
    amplitude = np.sqrt(max(power - variance, 0.02 * power))
    evidence = phase.bit_llrs(y, KNOWN, told, amplitude, variance, walk, llrs)
    return evidence - FRAME_SYMBOLS * (np.log(variance) + power / variance)


def _estimate(
    y: NDArray[np.complex64], power: float, noise: float, told: NDArray[np.float32]
) -> tuple[float, float]:
    """Return the likeliest noise variance and walk."""
    scratch = np.empty(FRAME_SYMBOLS, np.float32)
    choice = max(noise, 0.01 * power), _WALK_RAD
    best = _llrs(y, told, power, *choice, scratch) + _DOUBT
    for factor in _NOISES:
        variance = min(max(noise * factor, 0.01 * power), 0.9 * power)
        for walk in _WALKS_RAD:
            evidence = _llrs(y, told, power, variance, walk, scratch)
            if evidence > best:
                best, choice = evidence, (variance, walk)
    return choice


def _best(
    words: NDArray[np.uint8],
    metrics: NDArray[np.float32],
    others: float,
    masks: dict[int, int],
    allowed: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], int, dict[str, int], float] | None:
    """Return word, identity, fields and confidence of the likeliest legal word."""
    legal = []
    for p in valid(words, allowed):
        payload = words[p, :8].tobytes()
        try:
            frame_type, fields = layout.unpack(payload)
        except PayloadError:
            continue
        if not _plausible(frame_type, fields):
            continue
        if frame_type == layout.JOIN:
            eid = fields["eid"]
        else:
            crc = int(words[p, 8]) << 8 | int(words[p, 9])
            eid = masks[crc ^ frame_crc(0, payload) ^ _CRC_OF_NOTHING]
        legal.append((p, eid, fields))
    if not legal:
        return None
    p, eid, fields = legal[0]
    # All other words that would have passed, against this one: those not in the list share
    # what is left of the probability.
    share = (len(allowed) * _LEGAL + _LEGAL_JOIN) * 2.0**-16
    wrong = share * np.exp(np.float64(others + metrics[p]))
    wrong += sum(np.exp(np.float64(metrics[p] - metrics[q])) for q, _, _ in legal[1:])
    return words[p].copy(), eid, fields, float(1 / (1 + wrong))


_CRC_OF_NOTHING = frame_crc(0, bytes(8))


def _plausible(frame_type: int, fields: dict[str, int]) -> bool:
    """Return whether all that is not assigned is as it must be."""
    if frame_type == layout.JOIN:
        return fields["capabilities"] == 0
    return fields.get("selector", 0) <= layout.ANSWER


def _crc_table() -> NDArray[np.uint16]:
    table = np.zeros(256, np.uint16)
    for i in range(256):
        crc = i << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
        table[i] = crc
    return table


_CRC = _crc_table()


@njit(cache=True)
def valid(words, allowed):
    """Return which words fit an allowed mask or, as a JOIN, themselves; ascending."""
    found = []
    for p in range(len(words)):
        word = words[p]
        crc = 0
        for i in range(8):
            crc = ((crc << 8) & 0xFFFF) ^ _CRC[(crc >> 8) ^ word[i]]
        rest = crc ^ (word[8] << 8 | word[9])
        if word[0] >> 4 == layout.JOIN:
            # The identity stands in bits 8 … 39.
            own = 0xFFFF
            for i in range(1, 5):
                own = ((own << 8) & 0xFFFF) ^ _CRC[(own >> 8) ^ word[i]]
            for _ in range(8):
                own = ((own << 8) & 0xFFFF) ^ _CRC[own >> 8]
            if own == rest:
                found.append(p)
        else:
            at = np.searchsorted(allowed, rest)
            if at < len(allowed) and allowed[at] == rest:
                found.append(p)
    return np.array(found, np.int64) if found else np.empty(0, np.int64)


def measure(
    y: NDArray[np.complex64],
    word: NDArray[np.uint8],
    eid: int,
    fields: dict[str, int],
    confidence: float,
    channel: int,
) -> Decoded:
    """Compare 280 unscrambled symbols with a known word."""
    signs = signs_of(word)
    turned, angle, amplitude, ebn0_db = fit(y, signs)
    data = turned.real[DATA_SLOTS]
    return Decoded(
        eid=eid,
        payload=word[:8].tobytes(),
        fields=fields,
        frame_type=int(word[0] >> 4),
        confidence=confidence,
        ebn0_db=ebn0_db,
        corrected_bits=int(np.count_nonzero(data < 0)),
        amplitude=amplitude,
        symbols=(turned * signs / amplitude).astype(np.complex64),
        phase_rad=np.unwrap(angle).astype(np.float32),
        signs=signs * scrambler(channel),
    )


def fit(
    y: NDArray[np.complex64], signs: NDArray[np.int8]
) -> tuple[NDArray[np.complex128], NDArray[np.float64], float, float]:
    """Return symbols without bits and phase, the phase, amplitude and Eb/N0 in dB."""
    z = y * signs
    # Each symbol's phase comes from its neighbours only, so that no noise is counted as signal.
    angle = np.angle(np.convolve(z, _PHASE_WINDOW, "same"))
    turned = z * np.exp(-1j * angle)
    heard = max(int(np.count_nonzero(z)), 1)
    power = float(np.sum(z.real**2 + z.imag**2)) / heard
    amplitude = float(max(np.sum(turned.real) / heard, 1e-3 * np.sqrt(power)))
    noise = max(power - amplitude**2, 1e-4 * power)
    return turned, angle, amplitude, float(10 * np.log10(amplitude**2 / noise) + BIT_DB)


def refit(decoded: Decoded, received: NDArray[np.complex64], channel: int) -> Decoded:
    """Return the same frame as measured on other symbols."""
    own = scrambler(channel)
    signs = decoded.signs * own
    turned, angle, amplitude, ebn0_db = fit((received * own).astype(np.complex64), signs)
    return replace(
        decoded,
        ebn0_db=ebn0_db,
        corrected_bits=int(np.count_nonzero(turned.real[DATA_SLOTS] < 0)),
        amplitude=amplitude,
        symbols=(turned * signs / amplitude).astype(np.complex64),
        phase_rad=np.unwrap(angle).astype(np.float32),
    )
