"""One frame: from 280 symbols to a payload that its check, its identity and its odds confirm.

What may be accepted, and how often something wrong is, is stated in docs/phy.md, "False accepts".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from endpoint.line import payload as layout
from endpoint.line.frame import CODE_BITS, INFO_BITS, frame_crc
from endpoint.line.profile import FRAME_SYMBOLS
from endpoint.line.seal import crypt_into, opened
from wattline.collector import pac, phase, plausible
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
RECALL = (32, 128)
# A frame is accepted when it is this likely to be the right one.
MIN_CONFIDENCE = 0.999
# Share of frames that are JOINs.
_JOINS = 1 / 16
# Bits in which JOINs differ: identity and firmware.
_JOIN_BITS = 36
# Below this energy over noise per symbol (-3.6 dB Eb/N0) nothing can be decoded; with a
# forecast of the payload this (-5.9 dB).
_MIN_SNR = 0.10
_MIN_SNR_FORECAST = 0.06
# A symbol with so many times the usual power is not used; noise does that once in 1,100.
_HIT = 7.0
# Phase step from symbol to symbol at first, rad; and what else is tried.
_WALK_RAD = 0.05
_WALKS_RAD = (0.02, 0.05, 0.15)
_NOISES = (1.0, 1.4, 2.0, 3.0)
# Odds (nats) from which a word is accepted from a short list; below, from a list of this many
# if it says what meters usually say, else from the longest.
_BEYOND_DOUBT = 20.0
_LONG_LIST = 128
# A list of this many is not begun when the symbols tell less than this of the code bits: about
# 60 bits are needed. Noise has 26 on average, a frame at 0 dB 62, both within 13 or so.
_COSTLY_LIST = 1024
_HOPELESS_BITS = 36.0
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
class Key:
    """What opens one endpoint's sealed frame.

    Parameters
    ----------
    secret
        The endpoint's working key.
    frame
        Frame number, from `endpoint.line.seal.frame_number`.
    encrypted
        Whether its payloads are encrypted as well.
    """

    secret: bytes
    frame: int
    encrypted: bool = False

    def stream_signs(self, eid: int) -> NDArray[np.int8]:
        """Return -1 for every payload bit that encryption turns over, else +1."""
        stream = bytearray(8)
        if self.encrypted:
            crypt_into(stream, self.secret, eid, self.frame)
        return 1 - 2 * np.unpackbits(np.frombuffer(stream, np.uint8)).astype(np.int8)


@dataclass(frozen=True)
class _Word:
    """A word that passed a check."""

    word: NDArray[np.uint8]
    eid: int
    payload: bytes
    fields: dict[str, int]
    sealed: bool


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
    sealed
        Whether a key confirmed it instead of a plain check.
    """

    eid: int
    payload: bytes
    fields: dict[str, int]
    frame_type: int
    sealed: bool
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
    keys: Mapping[int, Key] | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    as_forecast: float = 0.9,
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
        64 log-likelihood ratios of the payload's bits as sent, positive for 0; None for none.
    keys
        Of endpoints whose frames may be sealed.
    min_confidence
        Required probability of being right.
    as_forecast
        Share of frames that follow the forecast.
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
    keys = keys or {}
    masks = {_mask(eid): eid for eid in eids}
    identities = len(masks) + len(keys)
    allowed = np.sort(np.array(list(masks), np.int64))
    prior = np.zeros(INFO_BITS, np.float32)
    if forecast is not None:
        prior[:64] = forecast
    told = np.zeros(FRAME_SYMBOLS, np.float32)
    unbiased = np.zeros(FRAME_SYMBOLS, np.float32)
    llrs = np.empty(FRAME_SYMBOLS, np.float32)
    code = np.empty(CODE_BITS, np.float32)
    said = np.empty(CODE_BITS, np.float32)
    candidates: dict[bytes, _Word] = {}
    for attempt, size in enumerate(sizes):
        # Every other attempt from the third on doubts level and walk and listens to the last list.
        doubting = attempt >= 2 and attempt % 2 == 0
        leaning = told if doubting else unbiased
        variance, walk = max(noise, 0.01 * power), _WALK_RAD
        if doubting:
            variance, walk = _estimate(y, power, noise, told)
        _llrs(y, leaning, power, variance, walk, llrs)
        code[CODE_PLACES] = llrs[DATA_SLOTS]
        if size >= _COSTLY_LIST and forecast is None and _told_bits(code) < _HOPELESS_BITS:
            break
        words, metrics = pac.decode(code, size, prior, _workspace(size))
        amplitude = _amplitude(power, variance)
        for candidate in _passing(words, masks, allowed, keys):
            candidates[candidate.word.tobytes()] = candidate
        if candidates:
            odds = {}
            for candidate in candidates.values():
                signs = signs_of(candidate.word)
                explained = phase.gain(y, KNOWN, signs, amplitude, variance, walk)
                odds[explained + _log_prior(candidate, identities, forecast, as_forecast)] = (
                    candidate
                )
            best = max(odds)
            confidence = float(np.exp(best - np.logaddexp.reduce([0.0, *odds])))
            # A wrong word may pass where a short list lacks the right one.
            enough = _LONG_LIST if plausible.usual(odds[best].fields) else max(sizes)
            settled = best >= _BEYOND_DOUBT or size >= enough or attempt + 1 == len(sizes)
            if settled and confidence >= min_confidence:
                return measure(y, odds[best], confidence, channel)
        if attempt + 1 < len(sizes):
            pac.soft_bits(words[:_FEEDBACK_WORDS], metrics[:_FEEDBACK_WORDS], said)
            lean = _FEEDBACK * said[CODE_PLACES]
            told[DATA_SLOTS] = np.clip(lean, -_FEEDBACK_LIMIT, _FEEDBACK_LIMIT)
    return None


def _told_bits(code: NDArray[np.float32]) -> float:
    """Return how many bits the symbols tell of the code bits, one by one."""
    surer = 1 / (1 + np.exp(-np.abs(code.astype(np.float64))))
    other = np.maximum(1 - surer, 1e-12)
    return CODE_BITS + float(np.sum(surer * np.log2(surer) + other * np.log2(other)))


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
    amplitude = _amplitude(power, variance)
    evidence = phase.bit_llrs(y, KNOWN, told, amplitude, variance, walk, llrs)
    return evidence - FRAME_SYMBOLS * (np.log(variance) + power / variance)


def _amplitude(power: float, variance: float) -> float:
    return float(np.sqrt(max(power - variance, 0.02 * power)))


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


def _passing(
    words: NDArray[np.uint8],
    masks: dict[int, int],
    allowed: NDArray[np.int64],
    keys: Mapping[int, Key],
) -> Iterator[_Word]:
    """Yield the words of a list that are legal and fit an identity."""
    for p in valid(words, allowed):
        payload = words[p, :8].tobytes()
        fields = plausible.legal(payload)
        if fields is None:
            continue
        if payload[0] >> 4 == layout.JOIN:
            eid = fields["eid"]
        else:
            check = int(words[p, 8]) << 8 | int(words[p, 9])
            eid = masks[check ^ frame_crc(0, payload) ^ _CRC_OF_NOTHING]
        yield _Word(words[p].copy(), eid, payload, fields, sealed=False)
    for eid, key in keys.items():
        for word in words:
            check = int(word[8]) << 8 | int(word[9])
            plain = opened(key.secret, eid, key.frame, word[:8].tobytes(), check, key.encrypted)
            fields = None if plain is None else plausible.legal(bytes(plain))
            if fields is not None and plain[0] >> 4 != layout.JOIN:
                yield _Word(word.copy(), eid, bytes(plain), fields, sealed=True)


def _log_prior(
    candidate: _Word, identities: int, forecast: NDArray[np.float32] | None, as_forecast: float
) -> float:
    """Return the logarithm of a word's probability before anything was received.

    All words that could pass have 1 together; so whatever is received, and be it noise, the
    sum over all wrong ones of the probability that they seem likely stays below what is asked.
    """
    if candidate.payload[0] >> 4 == layout.JOIN:
        return float(np.log(_JOINS) - _JOIN_BITS * np.log(2))
    frame_type = candidate.payload[0] >> 4
    usual = np.log((1 - _JOINS) / identities)
    usual += plausible.log_probability(frame_type, candidate.fields)
    if forecast is None:
        return float(usual)
    bits = np.unpackbits(candidate.word[:8])
    told = float(-np.sum(np.logaddexp(0.0, np.where(bits, forecast, -forecast))))
    return float(
        np.logaddexp(np.log(1 - as_forecast) + usual, np.log(as_forecast / identities) + told)
    )


_CRC_OF_NOTHING = frame_crc(0, bytes(8))


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


def measure(y: NDArray[np.complex64], found: _Word, confidence: float, channel: int) -> Decoded:
    """Compare 280 unscrambled symbols with a known word."""
    signs = signs_of(found.word)
    turned, angle, amplitude, ebn0_db = fit(y, signs)
    data = turned.real[DATA_SLOTS]
    return Decoded(
        eid=found.eid,
        payload=found.payload,
        fields=found.fields,
        frame_type=found.payload[0] >> 4,
        sealed=found.sealed,
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
