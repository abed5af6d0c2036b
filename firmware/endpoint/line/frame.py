"""From 8 payload bytes to the 280 symbols of a frame, and the tables a decoder shares.

Chain: CRC-16 masked by the endpoint's identity, rate profile, PAC precoder, polar
transform, interleaver, pilots, scrambler of the channel.

Context: task only (one scratch area). Allocates: nothing.
Source: docs/phy.md, "Frame" and "Coding chain".
"""

import micropython
from micropython import const

from endpoint.line.profile import FRAME_SYMBOLS

CODE_BITS = const(256)
INFO_BITS = const(80)

# The 80 strongest positions, weakest first.
ORD = (
    b"\x6e\xe1\xd4\xab\x75\x9e\x3f\xe2\xc7\x76\xad\xd8\x79\xb3\xe4\xae\xcb\x7a\x5f\xb5"
    b"\xe8\xcd\x7c\xb6\xd3\xb9\xce\x6f\xf0\xd5\xba\x9f\xe3\xd6\x77\xbc\xd9\xe5\xaf\xda"
    b"\x7b\xe6\xe9\xdc\x7d\xb7\xea\xcf\x7e\xf1\xbb\xec\xf2\xd7\xbd\xf4\xbe\xdb\xe7\xf8"
    b"\xdd\xeb\xde\x7f\xed\xf3\xee\xf5\xbf\xf6\xf9\xfa\xdf\xfc\xef\xf7\xfb\xfd\xfe\xff"
)

# Slots s with s mod 35 in this list carry pilots; their bits, first slot first.
PILOT_PERIOD = const(35)
PILOT_PLACES = (5, 17, 29)
PILOT_BITS = const(0x8EC94B)
PILOTS = const(24)

# Data slot d carries code bit (101·d + 13) mod 256.
INTERLEAVE_STEP = const(101)
INTERLEAVE_START = const(13)

_bits = bytearray(CODE_BITS)
_key = bytearray(4)


@micropython.viper
def crc16(data, count: int, crc: int) -> int:
    """Continue CRC-16/CCITT-FALSE over `count` bytes; start with 0xFFFF."""
    p = ptr8(data)
    i = 0
    while i < count:
        crc ^= p[i] << 8
        k = 0
        while k < 8:
            crc = crc << 1
            if crc & 0x10000:
                crc ^= 0x11021
            k += 1
        i += 1
    return crc


def frame_crc(eid, payload):
    """Return the CRC over identity (4 bytes, big-endian) and payload (8 bytes).

    Allocates: nothing, if `eid` exists already.
    """
    for i in range(4):
        _key[3 - i] = (eid >> 8 * i) & 0xFF
    return crc16(payload, 8, crc16(_key, 4, 0xFFFF))


@micropython.viper
def _spread(bits, payload, order, crc: int):
    """Put payload and CRC on their positions, precode and transform in place."""
    v = ptr8(bits)
    p = ptr8(payload)
    o = ptr8(order)
    i = 0
    while i < 256:
        v[i] = 0
        i += 1
    i = 0
    while i < 64:
        v[o[i]] = (p[i >> 3] >> (7 - (i & 7))) & 1
        i += 1
    while i < 80:
        v[o[i]] = (crc >> (79 - i)) & 1
        i += 1
    # g = 0o133, downwards so that what is still needed is still there.
    i = 255
    while i >= 6:
        v[i] = v[i] ^ v[i - 1] ^ v[i - 3] ^ v[i - 4] ^ v[i - 6]
        i -= 1
    # Below the first information position (63) everything is zero.
    step = 1
    while step < 256:
        i = 0
        while i < 256:
            if not i & step:
                v[i] = v[i] ^ v[i + step]
            i += 1
        step = step << 1


@micropython.viper
def _place(out, bits, channel: int):
    """Interleave, insert pilots, scramble."""
    x = ptr8(out)
    v = ptr8(bits)
    r = 1 + channel % 511
    s = 0
    place = 0
    at = 13
    pilots = 0x8EC94B
    while s < 280:
        if place == 5 or place == 17 or place == 29:
            b = (pilots >> 23) & 1
            pilots = pilots << 1
        else:
            b = v[at]
            at = (at + 101) & 255
        x[s] = b ^ (r & 1)
        r = (r >> 1) | (((r ^ (r >> 4)) & 1) << 8)
        s += 1
        place += 1
        if place == 35:
            place = 0


def encode_into(symbols, payload, eid, channel, check=None):
    """Encode one frame.

    Parameters
    ----------
    symbols : bytearray, 280 bytes
        Receives one bit per symbol, as sent: 0 is phase 0, 1 is phase π.
    payload : bytes-like, 8 bytes
        Payload, most significant bit first.
    eid : int
        Endpoint identity, 32 bits; masks the CRC and is not sent.
    channel : int
        Channel number; selects the scrambler.
    check : int or None
        16 bits to send in place of the CRC, see `endpoint.line.seal`.
    """
    if check is None:
        check = frame_crc(eid, payload)
    _spread(_bits, payload, ORD, check)
    _place(symbols, _bits, channel)


def scrambler_into(symbols, channel):
    """Write the 280 scrambler bits of `channel`."""
    r = 1 + channel % 511
    for s in range(FRAME_SYMBOLS):
        symbols[s] = r & 1
        r = r >> 1 | ((r ^ r >> 4) & 1) << 8


def transform(bits):
    """Apply the polar transform to 256 bits (one per byte) in place; it is its own inverse."""
    step = 1
    while step < CODE_BITS:
        for i in range(CODE_BITS):
            if not i & step:
                bits[i] ^= bits[i + step]
        step <<= 1
