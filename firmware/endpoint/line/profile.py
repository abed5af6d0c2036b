"""Everything that tells one uplink profile from another, from one short description.

A channel number n = L·h + m names gap h between line harmonics (h = 6 … 16) and offset m
inside it; the carrier is n / L of the line frequency.

Context: any. Allocates: at import only.
Source: docs/phy.md, "Profiles".
"""

from micropython import const

from endpoint.line import ChannelError

FRAME_SYMBOLS = const(280)
FIRST_GAP = const(6)
LAST_GAP = const(16)
GAPS = const(11)
# Frames of neighbouring channels start 8 symbols apart, so that decoding load is even.
_STAGGER_SYMBOLS = const(8)
_STAGGER_CHANNELS = const(35)


class Profile:
    """One way of sending.

    Parameters
    ----------
    name : str
        What people call it.
    cycles_per_symbol : int
        L, line cycles per symbol.
    first_offset, last_offset : int
        Offsets m that are used, inclusive.
    bandwidth_mhz : int
        Noise bandwidth BN of the reference loop in mHz.
    join_offsets, guard_offsets : int
        How many of the lowest offsets belong to endpoints without a channel, and how many
        above those stay empty. Without a join sub-band every channel is open to all.

    Attributes
    ----------
    frame_cycles : int
        Line cycles per frame.
    """

    def __init__(
        self,
        name,
        cycles_per_symbol,
        first_offset,
        last_offset,
        bandwidth_mhz,
        join_offsets=0,
        guard_offsets=0,
    ):
        self.name = name
        self.cycles_per_symbol = cycles_per_symbol
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.bandwidth_mhz = bandwidth_mhz
        self.join_offsets = join_offsets
        self.guard_offsets = guard_offsets
        self.frame_cycles = FRAME_SYMBOLS * cycles_per_symbol

    def channel(self, gap, offset):
        """Return the channel number of an offset in a gap; raise ChannelError."""
        n = gap * self.cycles_per_symbol + offset
        self.check(n)
        return n

    def has(self, channel):
        """Return whether `channel` exists."""
        gap = channel // self.cycles_per_symbol
        offset = channel % self.cycles_per_symbol
        return FIRST_GAP <= gap <= LAST_GAP and self.first_offset <= offset <= self.last_offset

    def check(self, channel):
        """Raise ChannelError unless `channel` exists."""
        if not self.has(channel):
            raise ChannelError

    def is_join(self, channel):
        """Return whether an endpoint without time or assignment may use `channel`."""
        if not self.join_offsets:
            return True
        offset = channel % self.cycles_per_symbol
        return offset < self.first_offset + self.join_offsets

    def is_guard(self, channel):
        """Return whether `channel` stays empty between the join sub-band and the others."""
        above = channel % self.cycles_per_symbol - self.first_offset - self.join_offsets
        return 0 <= above < self.guard_offsets

    def channels(self):
        """Return all channel numbers, lowest first. Allocates: a list."""
        return [
            gap * self.cycles_per_symbol + offset
            for gap in range(FIRST_GAP, LAST_GAP + 1)
            for offset in range(self.first_offset, self.last_offset + 1)
        ]

    def first_channel(self, eid):
        """Return the channel that an endpoint uses until one is assigned to it.

        Consecutive identities use different channels.
        """
        offsets = self.join_offsets or self.last_offset - self.first_offset + 1
        place = eid % (GAPS * offsets)
        return self.channel(FIRST_GAP + place // offsets, self.first_offset + place % offsets)

    def frame_offset(self, channel):
        """Return the line cycle, modulo `frame_cycles`, at which frames of `channel` start."""
        return self.cycles_per_symbol * _STAGGER_SYMBOLS * (channel % _STAGGER_CHANNELS)


BENCH = Profile("bench", 4, 1, 3, 1000)
BENCH2 = Profile("bench2", 2, 1, 1, 1000)
EXPRESS = Profile("express", 96, 10, 86, 300)
FIELD2 = Profile("field2", 384, 39, 345, 300)
FIELD = Profile("field", 768, 77, 691, 300, join_offsets=12, guard_offsets=4)

PROFILES = {p.name: p for p in (BENCH, BENCH2, EXPRESS, FIELD2, FIELD)}
# What a command calls a profile: its place here.
NUMBERS = ("bench", "bench2", "express", "field2", "field")
