"""Byte loops of the optical link, compiled to machine code on the chip.

Context: any. Allocates: nothing.
Source: ANSI C12.18, packet CRC (CRC-16/X-25) and table data checksum.
"""

import micropython
from micropython import const

# What `receive` found.
NOTHING = const(0)  # all bytes are taken
ACK = const(0x06)
NAK = const(0x15)
PACKET = const(1)
DAMAGED = const(2)

# The receiver's state, an array of words.
NEED = const(0)  # bytes of the packet under way; 0 between packets, SWALLOW for one too long
HAVE = const(1)
AT = const(2)  # bytes of the chunk that are taken
LIMIT = const(3)  # largest packet
CRC = const(4)  # of the packet found
STATE_WORDS = const(5)
SWALLOW = const(0x20000)  # no LENGTH reaches it, so only silence ends it

_STP = const(0xEE)
_HEADER_BYTES = const(6)
_OVERHEAD_BYTES = const(8)


@micropython.viper
def crc16(buffer, count: int) -> int:
    """Return the packet CRC of the first `count` bytes (X-25: check value 0x906E).

    The register moves by one byte per step without a table: 512 bytes of RAM would buy
    less than a tenth of a millisecond per packet.
    """
    p = ptr8(buffer)
    crc = 0xFFFF
    i = 0
    while i < count:
        d = (crc ^ p[i]) & 0xFF
        d = (d ^ (d << 4)) & 0xFF
        crc = (crc >> 8) ^ (d << 8) ^ (d << 3) ^ (d >> 4)
        i += 1
    return crc ^ 0xFFFF


@micropython.viper
def checksum(buffer, start: int, count: int) -> int:
    """Return the two's complement of the 8-bit sum of `count` bytes from `start`."""
    p = ptr8(buffer)
    total = 0
    i = start
    end = start + count
    while i < end:
        total += p[i]
        i += 1
    return (256 - (total & 0xFF)) & 0xFF


@micropython.viper
def copy(to, to_at: int, source, source_at: int, count: int):
    """Copy `count` bytes; the caller has checked both bounds, the buffers do not overlap."""
    t = ptr8(to)
    s = ptr8(source)
    i = 0
    while i < count:
        t[to_at + i] = s[source_at + i]
        i += 1


@micropython.viper
def same(a, a_at: int, b, b_at: int, count: int) -> bool:
    """Return whether `count` bytes of `a` and `b` are equal; the caller checked both bounds."""
    p = ptr8(a)
    q = ptr8(b)
    i = 0
    while i < count:
        if p[a_at + i] != q[b_at + i]:
            return False
        i += 1
    return True


@micropython.viper
def difference(a, b, count: int) -> int:
    """Return 0 if `count` bytes of `a` and `b` are equal, after the same time in any case."""
    p = ptr8(a)
    q = ptr8(b)
    found = 0
    i = 0
    while i < count:
        found |= p[i] ^ q[i]
        i += 1
    return found


@micropython.viper
def receive(state, packet, chunk, count: int) -> int:
    """Take bytes of `chunk` from word AT of `state` on, up to the first thing found.

    Parameters
    ----------
    state : array of int, shape (STATE_WORDS,)
    packet : bytearray
        Collects the packet; at least LIMIT bytes.
    chunk : bytes-like
    count : int
        Bytes in the chunk.

    Returns
    -------
    int
        NOTHING, ACK, NAK, PACKET (complete in `packet`, HAVE bytes) or DAMAGED.
    """
    s = ptr32(state)
    p = ptr8(packet)
    c = ptr8(chunk)
    need = s[0]
    have = s[1]
    at = s[2]
    found = 0
    while at < count and found == 0:
        byte = c[at]
        at += 1
        if need == 0:
            if byte == _STP:
                p[0] = byte
                have = 1
                need = _HEADER_BYTES
            elif byte == ACK or byte == NAK:
                found = byte
        elif need == SWALLOW:
            at = count
        else:
            p[have] = byte
            have += 1
            if have == need:
                if have == _HEADER_BYTES:
                    need = ((p[4] << 8) | p[5]) + _OVERHEAD_BYTES
                    if need > s[3]:
                        need = SWALLOW
                else:
                    end = have - 2
                    crc = int(crc16(packet, end))
                    s[4] = crc
                    need = 0
                    found = DAMAGED
                    if p[end] == (crc & 0xFF) and p[end + 1] == (crc >> 8):
                        found = PACKET
    s[0] = need
    s[1] = have
    s[2] = at
    return found


@micropython.viper
def pack(packet, control: int, left: int, data, at: int, count: int) -> int:
    """Make a packet around `count` bytes of `data` from `at`; return its length.

    The identity byte of `packet` is left as it is.
    """
    p = ptr8(packet)
    d = ptr8(data)
    p[0] = _STP
    p[2] = control
    p[3] = left
    p[4] = count >> 8
    p[5] = count & 0xFF
    i = 0
    while i < count:
        p[_HEADER_BYTES + i] = d[at + i]
        i += 1
    end = _HEADER_BYTES + count
    crc = int(crc16(packet, end))
    p[end] = crc & 0xFF
    p[end + 1] = crc >> 8
    return end + 2


@micropython.viper
def is_data(message, count: int) -> bool:
    """Return whether a read's reply of `count` bytes has the right count and checksum."""
    m = ptr8(message)
    if count < 4 or ((m[1] << 8) | m[2]) != count - 4:
        return False
    total = 0
    i = 3
    while i < count:
        total += m[i]
        i += 1
    return (total & 0xFF) == 0
