"""What journal and rings share: the numbers of the flash and the handling of one page.

Source: rp2.Flash and the W25Q16JV behind it: erase 4096 bytes, program 256 (datasheet, sector
erase and page program). A page may be programmed again where its bytes are 255 still, and any
byte may be programmed to 0 at any time.
"""

import micropython
from micropython import const

from endpoint.store import TooSmall

BLOCK_BYTES = const(4096)
PAGE_BYTES = const(256)
PAGES = const(16)  # in a block

# MicroPython's extended block protocol.
IOCTL_BLOCK_COUNT = const(4)
IOCTL_BLOCK_SIZE = const(5)
IOCTL_BLOCK_ERASE = const(6)

# Blocks that one call may erase because others refuse: 4 of 400 ms stay below the watchdog's 8 s.
ERASES_MAX = const(4)


@micropython.viper
def fill(page, value: int):
    """Set all 256 bytes of a page to a value."""
    to = ptr8(page)
    for index in range(256):
        to[index] = value


@micropython.viper
def fill_part(page, at: int, count: int, value: int):
    """Set `count` bytes from `at` on to a value."""
    to = ptr8(page)
    for index in range(at, at + count):
        to[index] = value


@micropython.viper
def copy(page, at: int, source, start: int, count: int):
    """Put `count` bytes of `source` from `start` on at `at`; ranges are the caller's to check."""
    to = ptr8(page)
    give = ptr8(source)
    for index in range(count):
        to[at + index] = give[start + index]


@micropython.viper
def is_all(buffer, count: int, value: int) -> bool:
    """Return whether the first `count` bytes have one value."""
    take = ptr8(buffer)
    for index in range(count):
        if take[index] != value:
            return False
    return True


@micropython.viper
def is_same(left, right, count: int) -> bool:
    """Return whether two buffers begin with the same `count` bytes."""
    one = ptr8(left)
    two = ptr8(right)
    for index in range(count):
        if one[index] != two[index]:
            return False
    return True


@micropython.viper
def number_at(buffer, at: int) -> int:
    """Return the little-endian number of four bytes, 2^30 - 1 for all that are too large."""
    take = ptr8(buffer)
    high = take[at + 3]
    if high > 63:
        return 0x3FFFFFFF
    return take[at] | take[at + 1] << 8 | take[at + 2] << 16 | high << 24


def part(device, first, blocks):
    """Return how many blocks a part of a device has.

    Parameters
    ----------
    device : rp2.Flash or alike
    first : int
        Block at which the part begins.
    blocks : int or None
        Its length; None: all the rest.

    Raises
    ------
    TooSmall
        Fewer than two blocks, more than the device has, or blocks of another size.
    """
    there = device.ioctl(IOCTL_BLOCK_COUNT, 0) - first
    if blocks is None:
        blocks = there
    if first < 0 or blocks < 2 or blocks > there:
        raise TooSmall
    if device.ioctl(IOCTL_BLOCK_SIZE, 0) != BLOCK_BYTES:
        raise TooSmall
    return blocks
