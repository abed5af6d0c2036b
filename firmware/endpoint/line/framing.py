"""The downlink's frames: 24 bytes to 214 tones, and 198 soft symbols back to 24 bytes.

Chain: CRC-16, six zero bits, convolutional code (K = 7, two bits per bit = one of four
tones), interleaver, sync word in front. The decoder is Viterbi's over 64 states.

Context: task only (one scratch area). Allocates: nothing after import.
Source: docs/phy.md, "Downlink".
"""

from array import array

import micropython
from micropython import const

from endpoint.line.frame import crc16

FRAME_BYTES = const(24)
SYNC = b"\x00\x03\x01\x02\x02\x00\x01\x03\x03\x01\x00\x00\x02\x03\x02\x01"
SYNC_SYMBOLS = const(16)
DATA_SYMBOLS = const(198)
TONES = const(4)

# Slot i carries step 61·i mod 198, so step s is found in slot 13·s mod 198.
_INTERLEAVE = const(61)


def _tone_of(register):
    a = b = 0
    for i in range(7):
        bit = register >> i & 1
        a ^= bit & 0o171 >> i
        b ^= bit & 0o133 >> i
    return 2 * a + b


# Tone of the encoder's seven-bit register, the newest bit highest.
_OUT = bytes(_tone_of(r) for r in range(128))
_old = array("i", [0] * 64)
_new = array("i", [0] * 64)
_chosen = bytearray(DATA_SYMBOLS * 8)


@micropython.viper
def _forward(soft, old, new, out, chosen):
    """Add, compare and select over all steps; leave one bit per state and step."""
    m = ptr16(soft)
    a = ptr32(old)
    b = ptr32(new)
    tone = ptr8(out)
    keep = ptr8(chosen)
    step = 0
    slot = 0
    at = 0
    while step < 198:
        base = slot << 2
        r = 0
        while r < 128:
            bits = 0
            k = 0
            while k < 8:
                from_zero = a[r & 63] + m[base + tone[r]]
                from_one = a[(r & 63) + 1] + m[base + tone[r + 1]]
                if from_one > from_zero:
                    from_zero = from_one
                    bits |= 1 << k
                b[r >> 1] = from_zero
                r += 2
                k += 1
            keep[at] = bits
            at += 1
        swap = a
        a = b
        b = swap
        slot += 13
        if slot >= 198:
            slot -= 198
        step += 1


@micropython.viper
def _back(frame, chosen):
    """Walk back from state zero; write the 24 bytes."""
    x = ptr8(frame)
    keep = ptr8(chosen)
    i = 0
    while i < 24:
        x[i] = 0
        i += 1
    state = 0
    step = 197
    while step >= 0:
        bit = state >> 5
        if step < 192:
            x[step >> 3] = x[step >> 3] | (bit << (7 - (step & 7)))
        one = (keep[(step << 3) + (state >> 3)] >> (state & 7)) & 1
        state = ((state << 1) & 63) | one
        step -= 1


def decode_into(frame, soft):
    """Decode one frame.

    Parameters
    ----------
    frame : bytearray, 24 bytes
        Receives the bytes.
    soft : array of 16-bit, 198 x 4
        For each slot the four tones' share of its magnitude, 12 bits.

    Returns
    -------
    bool
        Whether the CRC is right. Allocates: nothing.
    """
    for i in range(64):
        # Whatever does not begin in state zero is out of the race.
        _old[i] = 0 if i else 1 << 20
    _forward(soft, _old, _new, _OUT, _chosen)
    _back(frame, _chosen)
    return crc16(frame, FRAME_BYTES - 2, 0xFFFF) == frame[22] << 8 | frame[23]


def add_crc(frame):
    """Write the CRC into the last two of 24 bytes."""
    crc = crc16(frame, FRAME_BYTES - 2, 0xFFFF)
    frame[22] = crc >> 8
    frame[23] = crc & 0xFF


def tones_of(frame):
    """Return the 214 tone indices (one byte each) of a finished frame; for the sender."""
    steps = bytearray(DATA_SYMBOLS)
    register = 0
    for i in range(DATA_SYMBOLS):
        bit = frame[i >> 3] >> (7 - (i & 7)) & 1 if i < 8 * FRAME_BYTES else 0
        register = register >> 1 | bit << 6
        steps[i] = _OUT[register]
    return SYNC + bytes(steps[_INTERLEAVE * i % DATA_SYMBOLS] for i in range(DATA_SYMBOLS))
