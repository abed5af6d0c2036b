"""The edge generator: line cycles and symbols in, words for the gate's state machine out.

Edge k of the square-wave carrier lies at phase k·π of (n / L)·phi. A line cycle holds
2n / L half-periods, so edge positions are exact fractions of a cycle: no oscillator, no
accumulated error. The length of the next few cycles is chosen so that they end where the
loop now expects that boundary; corrections of the loop are thereby spread evenly and the
waveform never jumps. Symbols change at even k, where a change of bit omits one edge.

A word holds the pin low for (w & 0xFFFF) + 3 us, then high for (w >> 16) + 1 us. Silence is
low time in words of a line cycle, each ending in the one microsecond that a word cannot omit:
short words, because the state machine's FIFO holds several that are then out of reach.

Context: task only. Allocates: nothing, except where a frame starts.
Source: docs/phy.md, "Carrier".
"""

from array import array

import micropython
from micropython import const

from endpoint.line.loop import CYCLES_FOLD, HOLD_OVER_CYCLES, TIME_MASK
from endpoint.line.profile import FRAME_SYMBOLS

# Cycles per call of the kernel: long enough to be cheap, short against the loop.
_BATCH_CYCLES = const(8)
# Line periods that the generator follows, 1/16 us: 64 to 56 Hz, and nominal.
_SHORTEST_X16 = const(250000)
_LONGEST_X16 = const(285714)
_NOMINAL_X16 = const(266667)

_TAIL = const(0)  # last edge, relative to the coming cycle boundary, 1/256 us, biased
_LEVEL = const(1)  # level since then
_LOW = const(2)  # low ticks not yet written
_HIGH = const(3)  # high ticks not yet written
_POSITION = const(4)  # next edge in units of 1/2n cycle from the boundary
_PARITY = const(5)  # k & 1 of the next edge
_CYCLE = const(6)  # cycle within the symbol
_SYMBOL = const(7)  # symbol within the frame
_PERIOD = const(8)  # cycle length, 1/16 us
_L = const(9)
_TWO_N = const(10)
_CYCLES = const(11)  # cycles to play
_INDEX = const(12)  # ring index of the next word
_MASK = const(13)  # ring size - 1
_WORDS = const(14)
# A word read back is unsigned where the machine's own word is longer than 32 bits.
_BIAS = const(0x20000000)


@micropython.viper
def _play(state, symbols, ring) -> int:
    """Play _CYCLES cycles of carrier; return the words written."""
    s = ptr32(state)
    bits = ptr8(symbols)
    out = ptr32(ring)
    two_n = s[_TWO_N]
    length = s[_L]
    period = s[_PERIOD]
    index = s[_INDEX]
    mask = s[_MASK]
    tail = s[_TAIL] - _BIAS
    level = s[_LEVEL]
    low = s[_LOW]
    high = s[_HIGH]
    position = s[_POSITION]
    parity = s[_PARITY]
    symbol = s[_SYMBOL]
    cycle = s[_CYCLE]
    bit = bits[symbol]
    spread = period * length
    stride = ((spread // two_n) << 4) + ((spread % two_n) << 4) // two_n
    written = 0
    left = s[_CYCLES]
    while left > 0:
        at = ((period * position) // two_n) << 4
        while position < two_n:
            ticks = (at - tail + 128) >> 8
            tail += ticks << 8
            if level:
                high += ticks
            else:
                low += ticks
            rises = 1 ^ parity ^ bit
            if level > rises:
                # R105: whatever asked for it, the pin is never high for longer than the
                # longest pulse there is.
                extra = high - 3000
                if extra > 0:
                    high = 3000
                else:
                    extra = 0
                out[index] = (low - 3) | ((high - 1) << 16)
                index = (index + 1) & mask
                written += 1
                low = extra
                high = 0
            level = rises
            parity ^= 1
            position += length
            at += stride
        position -= two_n
        tail -= period << 4
        left -= 1
        cycle += 1
        if cycle == length:
            cycle = 0
            symbol += 1
            if left > 0:
                bit = bits[symbol]
    s[_INDEX] = index
    s[_TAIL] = tail + _BIAS
    s[_LEVEL] = level
    s[_LOW] = low
    s[_HIGH] = high
    s[_POSITION] = position
    s[_PARITY] = parity
    s[_SYMBOL] = symbol
    s[_CYCLE] = cycle
    return written


@micropython.viper
def _rest(state, ring) -> int:
    """Play _CYCLES cycles of silence; return the words written."""
    s = ptr32(state)
    out = ptr32(ring)
    index = s[_INDEX]
    written = 0
    left = s[_CYCLES]
    while left > 0:
        tail = s[_TAIL] - _BIAS
        ticks = (128 - tail) >> 8
        tail += ticks << 8
        if s[_LEVEL]:
            out[index] = (s[_LOW] - 3) | ((s[_HIGH] + ticks - 1) << 16)
            index = (index + 1) & s[_MASK]
            written += 1
            s[_LEVEL] = 0
            s[_LOW] = 0
            s[_HIGH] = 0
        else:
            low = s[_LOW] + ticks
            if low > 8000:
                out[index] = low - 4
                index = (index + 1) & s[_MASK]
                written += 1
                low = 0
            s[_LOW] = low
        s[_TAIL] = tail - (s[_PERIOD] << 4) + _BIAS
        left -= 1
    s[_INDEX] = index
    return written


class Carrier:
    """Fills the gate's ring with one endpoint's carrier.

    Parameters
    ----------
    loop : Loop
        Source of line phase.
    profile : Profile
        Symbol length and frame timing.
    channel : int
        Channel number.
    next_frame : callable
        ``next_frame(start_us)`` is called when a frame may start at that time (low 30 bits,
        us) and returns its 280 symbols, one bit per byte, or None to stay silent until the
        next frame position.
    ring : bytearray or memoryview
        Words of 4 bytes; their number is a power of two.
    """

    def __init__(self, loop, profile, channel, next_frame, ring):
        self._loop = loop
        self._profile = profile
        self._next_frame = next_frame
        self._ring = ring
        self._symbols = None
        self._aligned = False
        self._cycle = 0
        self._boundary_us = 0
        self._boundary_x16 = 0
        s = array("i", [0] * _WORDS)
        s[_L] = profile.cycles_per_symbol
        s[_MASK] = len(ring) // 4 - 1
        self._state = s
        self.tune(channel)

    def tune(self, channel):
        """Choose the channel of all frames that start from now on; raise ChannelError."""
        self._profile.check(channel)
        self.channel = channel
        self._frame_offset = self._profile.frame_offset(channel)

    def start(self, at_us):
        """Say when (us, any number of bits) the ring's first word begins to play."""
        self._boundary_us = at_us & TIME_MASK
        self._boundary_x16 = 0
        self._aligned = False
        self._symbols = None
        s = self._state
        s[_INDEX] = s[_LEVEL] = s[_LOW] = s[_HIGH] = 0
        s[_TAIL] = _BIAS

    def shift(self, cycles):
        """Move the cycle count with the loop's; a frame that is now out of place ends here."""
        self._cycle = (self._cycle + cycles) % CYCLES_FOLD
        if cycles % self._profile.frame_cycles:
            self._symbols = None

    @property
    def cycle(self):
        """The cycle that the ring has been filled up to, by the loop's count."""
        return self._cycle

    @property
    def filled_us(self):
        """Time up to which carrier or silence has been generated (low 30 bits, us)."""
        return self._boundary_us

    @property
    def index(self):
        """Ring index of the next word that will be written."""
        return self._state[_INDEX]

    @property
    def sending(self):
        """Whether a frame is on the line, as far as the ring has been filled."""
        return self._symbols is not None

    @property
    def symbol(self):
        """The symbol up to which the ring has been filled, 0 … 280."""
        return self._state[_SYMBOL]

    def fill(self, space, until_us):
        """Write words until the ring reaches a time or has no room for the next step.

        Parameters
        ----------
        space : int
            Free words in the ring.
        until_us : int
            Time to reach (us; low 30 bits count), well ahead: up to 25 ms of what has
            been generated can still wait for the end of its word.

        Returns
        -------
        int
            Words written, from where the last call stopped.
        """
        s = self._state
        written = 0
        while (until_us - self._boundary_us) & TIME_MASK < TIME_MASK >> 1:
            most = _BATCH_CYCLES * (self.channel // s[_L] + 2)
            if space - written < most or until_us & TIME_MASK == self._boundary_us:
                break
            self._plan()
            if self._symbols is None:
                written += _rest(s, self._ring)
            else:
                written += _play(s, self._symbols, self._ring)
            self._advance()
        return written

    def _plan(self):
        """Choose what the next batch is: how many cycles, how long, carrier or silence."""
        s = self._state
        ahead = self._cycle - self._loop.cycle
        if ahead < -CYCLES_FOLD // 2:
            ahead += CYCLES_FOLD
        if not self._loop.locked or (self._aligned and ahead > HOLD_OVER_CYCLES - _BATCH_CYCLES):
            self._symbols = None
            self._aligned = False
            s[_CYCLES] = 1
            s[_PERIOD] = _NOMINAL_X16
        elif not self._aligned:
            self._align()
        else:
            self._frame()
            cycles = s[_CYCLES]
            length = self._until(ahead + cycles) // cycles
            s[_PERIOD] = min(max(length, _SHORTEST_X16), _LONGEST_X16)

    def _until(self, ahead):
        """Return the time from our boundary to a cycle counted from the loop's, 1/16 us."""
        loop = self._loop
        gap_us = (loop.now_us - self._boundary_us) & TIME_MASK
        if gap_us > TIME_MASK >> 1:
            gap_us -= TIME_MASK + 1
        return gap_us * 16 - self._boundary_x16 + loop.boundary_x16(ahead)

    def _align(self):
        """Stretch one silent cycle so that it ends on a boundary of the line."""
        s = self._state
        period = self._loop.period_x1024 >> 6
        # From half a period to one and a half.
        ahead = (period + period // 2 - self._until(0)) // period
        if not -HOLD_OVER_CYCLES < ahead <= HOLD_OVER_CYCLES:
            s[_PERIOD] = _NOMINAL_X16
        else:
            s[_PERIOD] = self._until(ahead)
            self._cycle = (self._loop.cycle + ahead - 1) % CYCLES_FOLD
            self._aligned = True
        s[_CYCLES] = 1

    def _frame(self):
        """Ask for a frame where one may start; end the batch where this frame ends."""
        s = self._state
        frame_cycles = self._profile.frame_cycles
        if self._symbols is None:
            passed = (self._cycle - self._frame_offset) % frame_cycles
        else:
            passed = s[_SYMBOL] * s[_L] + s[_CYCLE]
            if s[_SYMBOL] == FRAME_SYMBOLS:
                passed = 0
        if passed == 0:
            self._symbols = self._next_frame(self._boundary_us)
            # A channel change moves the frame's place; wait for it in silence.
            if (self._cycle - self._frame_offset) % frame_cycles:
                self._symbols = None
            s[_SYMBOL] = s[_CYCLE] = s[_POSITION] = s[_PARITY] = 0
            s[_TWO_N] = 2 * self.channel
        s[_CYCLES] = min(_BATCH_CYCLES, frame_cycles - passed)

    def _advance(self):
        """Move our boundary past the batch."""
        s = self._state
        total = self._boundary_x16 + s[_CYCLES] * s[_PERIOD]
        self._boundary_us = (self._boundary_us + (total >> 4)) & TIME_MASK
        self._boundary_x16 = total & 15
        if self._aligned:
            self._cycle = (self._cycle + s[_CYCLES]) % CYCLES_FOLD
