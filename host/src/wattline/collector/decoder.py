"""One frame: from 280 symbols to a payload that its check, its identity and its fit confirm.

What may be accepted, and how often noise passes, is stated in docs/phy.md, "False accepts".
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endpoint.line import PayloadError
from endpoint.line import payload as layout
from endpoint.line.frame import (
    CODE_BITS,
    INTERLEAVE_START,
    INTERLEAVE_STEP,
    encode_into,
    frame_crc,
)
from endpoint.line.profile import FRAME_SYMBOLS
from wattline.collector import pac, phase
from wattline.collector.search import _BITS, PILOT_SLOTS, scrambler

_DATA_SLOTS = np.setdiff1d(np.arange(FRAME_SYMBOLS), PILOT_SLOTS)
_CODE_PLACES = (INTERLEAVE_STEP * np.arange(CODE_BITS) + INTERLEAVE_START) % CODE_BITS
_KNOWN = np.zeros(FRAME_SYMBOLS, np.int8)
_KNOWN[PILOT_SLOTS] = 1 - 2 * _BITS
# Energy per payload bit over energy per symbol.
_BIT_DB = 10 * np.log10(FRAME_SYMBOLS / 64)
# Symbols over which the phase is averaged once the bits are known.
_PHASE_SYMBOLS = 61
# How well a word must fit all 280 symbols: coherent energy over mean energy per symbol. The
# best word that a list finds in noise reaches 47 ± 4, a frame at 2 dB 70 ± 8 (docs/phy.md).
FIT_EXPECTED = 52.0
FIT_UNEXPECTED = 58.0


@dataclass(frozen=True)
class Decoded:
    """A frame whose check passed."""

    eid: int
    payload: bytes
    fields: dict[str, int]
    frame_type: int
    ebn0_db: float
    corrected_bits: int
    amplitude: float
    fit: float
    symbols: NDArray[np.complex64]
    phase_rad: NDArray[np.float32]


def decode(
    received: NDArray[np.complex64],
    noise: float,
    channel: int,
    eids: Iterable[int],
    sizes: Iterable[int] = (32,),
    min_fit: float = FIT_EXPECTED,
) -> Decoded | None:
    """Return the frame in 280 symbols, or None.

    Parameters
    ----------
    received
        Symbols in order.
    noise
        Noise variance per complex symbol, measured elsewhere.
    channel
        Channel number, for the scrambler.
    eids
        Identities that a frame other than a JOIN may have.
    sizes
        List sizes to try in turn; later tries also assume more noise.
    min_fit
        Required of all frames but JOINs, whose content checks itself.
    """
    masks = {frame_crc(eid, bytes(8)): eid for eid in eids}
    signs = scrambler(channel)
    y = received.astype(np.complex128) * signs
    power = float(np.mean(np.abs(y) ** 2))
    if power == 0.0:
        return None
    for attempt, size in enumerate(sizes):
        variance = min(max(noise * 1.8**attempt, 0.01 * power), 0.9 * power)
        amplitude = np.sqrt(power - variance)
        llrs = phase.bit_llrs(y, _KNOWN, amplitude, variance)
        code = np.empty(CODE_BITS)
        code[_CODE_PLACES] = llrs[_DATA_SLOTS]
        words, _ = pac.decode(code.astype(np.float32), size)
        for word in words:
            found = _check(word.tobytes(), masks)
            if found is not None:
                decoded = measure(received, channel, *found)
                if decoded.frame_type == layout.JOIN or decoded.fit >= min_fit:
                    return decoded
    return None


def _check(word: bytes, masks: dict[int, int]) -> tuple[int, bytes] | None:
    """Return identity and payload if check and header allow this word."""
    payload = word[:8]
    crc = int.from_bytes(word[8:], "big")
    try:
        frame_type, fields = layout.unpack(payload)
    except PayloadError:
        return None
    if frame_type == layout.JOIN:
        eid = fields["eid"]
        # No capability is assigned yet, and what is not assigned is zero.
        good = fields["capabilities"] == 0 and crc == frame_crc(eid, payload)
        return (eid, payload) if good else None
    # The CRC is linear: identity and payload contribute separately.
    mask = crc ^ frame_crc(0, payload) ^ frame_crc(0, bytes(8))
    if mask not in masks or fields["selector"] > layout.ANSWER:
        return None
    return masks[mask], payload


def measure(received: NDArray[np.complex64], channel: int, eid: int, payload: bytes) -> Decoded:
    """Compare 280 received symbols with a known frame."""
    sent = bytearray(FRAME_SYMBOLS)
    encode_into(sent, payload, eid, channel)
    bits = 1 - 2 * np.frombuffer(sent, np.int8)
    z = received.astype(np.complex128) * bits
    # Each symbol's phase comes from its neighbours only, so that no noise is counted as signal.
    window = np.hanning(_PHASE_SYMBOLS + 2)[1:-1]
    window[_PHASE_SYMBOLS // 2] = 0.0
    angle = np.angle(np.convolve(z, window, "same"))
    turned = z * np.exp(-1j * angle)
    power = float(np.mean(np.abs(z) ** 2))
    amplitude = float(max(np.mean(turned.real), 1e-3 * np.sqrt(power)))
    noise = max(power - amplitude**2, 1e-4 * power)
    frame_type, fields = layout.unpack(payload)
    return Decoded(
        eid=eid,
        payload=payload,
        fields=fields,
        frame_type=frame_type,
        ebn0_db=float(10 * np.log10(amplitude**2 / noise) + _BIT_DB),
        corrected_bits=int(np.count_nonzero(turned.real[_DATA_SLOTS] < 0)),
        amplitude=amplitude,
        fit=FRAME_SYMBOLS * amplitude**2 / power,
        symbols=(turned * bits / amplitude).astype(np.complex64),
        phase_rad=np.unwrap(angle).astype(np.float32),
    )
