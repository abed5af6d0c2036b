"""Byte loops of the optical link, compiled to machine code on the chip.

Context: any. Allocates: nothing.
Source: ANSI C12.18, packet CRC (CRC-16/X-25) and table data checksum.
"""

import micropython


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
