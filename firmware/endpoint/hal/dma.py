"""What two drivers need of DMA rings: aligned memory and the channel fields."""

from machine import mem32
from micropython import const
from uctypes import addressof

# DATA_SIZE code for 32-bit transfers (RP2040 datasheet, table 125).
WORD = const(2)
# TREQ_SEL code for "unpaced" (RP2040 datasheet 2.5.3).
UNPACED = const(0x3F)
# CHAN_ABORT register and its bits (RP2040 datasheet 2.5.7).
_CHAN_ABORT = const(0x50000444)
_ALL_CHANNELS = const(0xFFF)
_ABORT_LOOKS = const(100)


def aligned_words(count):
    """Return a writable memoryview of `count` 32-bit words, aligned to its own size.

    A DMA ring wraps on address bits, so its memory must start at a multiple of its size;
    `count` must be a power of two.
    """
    size = count * 4
    memory = memoryview(bytearray(2 * size))
    skip = -addressof(memory) % size
    return memory[skip : skip + size]


def channel_number(channel):
    """Return the number (0 … 11) of an `rp2.DMA` channel; its stub forgets the attribute."""
    return channel.channel


def channel_registers(channel):
    """Return the 16 registers of an `rp2.DMA` channel, a word each; same remark."""
    return channel.registers


def ring_bits(count):
    """Return RING_SIZE for a ring of `count` words (a power of two)."""
    bits = 2
    while 1 << bits < count * 4:
        bits += 1
    return bits


def abort_all():
    """Stop every channel, whoever started it: a soft reset leaves them running."""
    mem32[_CHAN_ABORT] = _ALL_CHANNELS
    # A transfer in flight ends within a few cycles; nothing may wait for ever at start-up.
    for _ in range(_ABORT_LOOKS):
        if not mem32[_CHAN_ABORT]:
            break
