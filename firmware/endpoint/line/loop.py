"""The reference loop: line phase from the zero-crossing times of both edges, in integers.

The midpoint between two neighbouring edges does not move with the comparator's threshold.
Between midpoints, half a line cycle apart, the phase is interpolated at the instants of a
grid of exactly 1/60 s (100,000 sixths of a microsecond, so the grid never drifts); each
grid instant is one step of a second-order loop. Grid instants without a measurement are
stepped on the loop's own frequency: the flywheel counts cycles, raw edges never do.

The endpoint and the collector run this same code, so that its lag is common to both.

Context: any. Allocates: nothing after construction.
Source: docs/phy.md, "Reference loop".
"""

from array import array

import micropython
from micropython import const

# Cycle counts run modulo 1,024 field frames (42 days), a multiple of every profile's frame.
CYCLES_FOLD = const(220200960)
# The longest extrapolation that still means something, and stays within 32 bits.
HOLD_OVER_CYCLES = const(110)
TIME_MASK = const(0x3FFFFFFF)

# State, 32-bit words. Times "now" are relative to the newest edge, in sixths of a us.
_RUNNING = const(0)  # 0 while acquiring
_LEVEL = const(1)  # 1 when the next edge rises
_NOW = const(2)  # time stamp of the newest edge, low 30 bits, us
_GRID = const(3)  # next grid instant, relative to now
_PHASE = const(4)  # phase at the last grid instant, 2^-28 cycles
_CYCLE = const(5)  # whole cycles at the last grid instant
_DEVIATION = const(6)  # frequency / 60 Hz - 1, 2^-30
_EDGE = const(7)  # last accepted edge, relative to now
_HALF = const(8)  # its half-cycle number, relative to _CYCLE
_MID = const(9)  # last midpoint, relative to now
_MID_HALF = const(10)  # half-cycle before that midpoint, relative to _CYCLE
_CHAINED = const(11)  # 1 when the last midpoint ends at the last accepted edge
_GOOD = const(12)  # measured steps in a row with a small error
_COASTED = const(13)  # steps in a row without measurement
_STEPS = const(14)  # grid instants passed, modulo 2^28
_PERIOD = const(15)  # line period, 2^-10 us
_COUNT = const(16)  # plausible intervals in a row while acquiring
_SUM = const(17)  # their sum, us
_INTERVAL = const(18)  # the interval before this edge, us
_KP = const(19)  # 2^-16
_KI = const(20)  # 2^-22
_EPOCH = const(21)  # acquisitions so far
_ERROR = const(22)  # phase error of the last measured step, 2^-20 cycles
_SETTLE = const(23)  # good steps in a row that make it settled
_WORDS = const(24)
# Added to the words that can be negative: a word read back is unsigned where the machine's
# own word is longer than 32 bits.
_BIAS = const(0x20000000)


@micropython.viper
def _start(state, rising: int):
    """Begin to run at the midpoint between the last two edges; the newest is `rising`."""
    s = ptr32(state)
    # Sixteen intervals are eight cycles: 400,000 / 3 us at 60 Hz.
    span = s[_SUM] * 3
    excess = (400000 - span) << 14
    deviation = ((excess // span) << 12) + ((excess % span) << 12) // span
    s[_DEVIATION] = (deviation << 4) + _BIAS
    mid = 0 - 3 * s[_INTERVAL]
    s[_GRID] = mid + 100000 + _BIAS
    s[_MID] = mid + _BIAS
    s[_EDGE] = _BIAS
    s[_HALF] = 1 + rising + _BIAS
    s[_MID_HALF] = rising + _BIAS
    s[_PHASE] = (1 + 2 * rising) << 26
    s[_CHAINED] = 1
    s[_GOOD] = 0
    s[_COASTED] = 0
    s[_EPOCH] = (s[_EPOCH] + 1) & 0xFFFF
    s[_RUNNING] = 1


@micropython.viper
def _acquire(state, rising: int):
    """Judge one interval between edges; sixteen plausible ones in a row start the loop."""
    s = ptr32(state)
    interval = s[_INTERVAL]
    s[_COUNT] = s[_COUNT] + 1
    s[_SUM] = s[_SUM] + interval
    # A half-cycle of 56 to 64 Hz, uneven by a comparator threshold of up to 0.8 ms.
    if interval < 7000 or interval > 9700:
        s[_COUNT] = 0
        s[_SUM] = 0
    elif s[_COUNT] == 16:
        if s[_SUM] >= 125000 and s[_SUM] <= 142857:
            _start(state, rising)
        s[_COUNT] = 0
        s[_SUM] = 0


@micropython.viper
def _step(state, measured: int, known: int):
    """Pass one grid instant; `measured` is its phase in 2^-20 cycles from cycle _CYCLE."""
    s = ptr32(state)
    deviation = s[_DEVIATION] - _BIAS
    phase = s[_PHASE] + 0x10000000 + ((deviation + 2) >> 2)
    if known:
        error = measured - (phase >> 8)
        if error > 0x1FFFF:
            error = 0x1FFFF
        if error < -0x1FFFF:
            error = -0x1FFFF
        phase += (error * s[_KP] + 128) >> 8
        deviation += (error * s[_KI] + 2048) >> 12
        # 57 to 63 Hz with a little room.
        if deviation > 0x3C00000:
            deviation = 0x3C00000
        if deviation < -0x3C00000:
            deviation = -0x3C00000
        s[_DEVIATION] = deviation + _BIAS
        s[_ERROR] = error + _BIAS
        s[_COASTED] = 0
        # An error within 1/64 cycle counts as good; once settled, the lag of a ramp is none.
        if error > -0x4000 and error < 0x4000:
            if s[_GOOD] < 0xFFFF:
                s[_GOOD] = s[_GOOD] + 1
        elif s[_GOOD] < s[_SETTLE]:
            s[_GOOD] = 0
    else:
        s[_COASTED] = s[_COASTED] + 1
        if s[_COASTED] > 110:
            s[_RUNNING] = 0
            s[_GOOD] = 0
    cycles = phase >> 28
    s[_PHASE] = phase & 0xFFFFFFF
    s[_HALF] = s[_HALF] - 2 * cycles
    s[_MID_HALF] = s[_MID_HALF] - 2 * cycles
    cycles += s[_CYCLE]
    if cycles >= 220200960:
        cycles -= 220200960
    s[_CYCLE] = cycles
    s[_GRID] = s[_GRID] + 100000
    s[_STEPS] = (s[_STEPS] + 1) & 0xFFFFFFF


@micropython.viper
def _accept(state, half: int):
    """Take the newest edge as half-cycle `half`; step the grid up to the new midpoint."""
    s = ptr32(state)
    base = s[_CYCLE]
    if half == s[_HALF] - _BIAS + 1:
        mid = (s[_EDGE] - _BIAS) >> 1
        old = s[_MID] - _BIAS
        span = mid - old
        while s[_GRID] - _BIAS < mid:
            past = (s[_GRID] - _BIAS - old) << 14
            if s[_CHAINED] and past >= 0:
                part = ((past // span) << 5) + ((past % span) << 5) // span
                _step(state, ((s[_MID_HALF] - _BIAS) << 19) + 0x40000 + part, 1)
            else:
                _step(state, 0, 0)
        s[_MID] = mid + _BIAS
        s[_MID_HALF] = s[_HALF]
        s[_CHAINED] = 1
    else:
        s[_CHAINED] = 0
    passed = s[_CYCLE] - base
    if passed < 0:
        passed += 220200960
    s[_EDGE] = _BIAS
    s[_HALF] = half - 2 * passed + _BIAS


@micropython.viper
def _track(state, rising: int):
    """Judge one edge against the flywheel: near its half-cycle, and later than the last."""
    s = ptr32(state)
    # Nothing can measure what lies more than one and a half periods back.
    while s[_GRID] - _BIAS < -150000:
        _step(state, 0, 0)
    elapsed = 100000 + _BIAS - s[_GRID]
    turned = (elapsed * 5243) // 500
    turned += (turned * ((s[_DEVIATION] - _BIAS) >> 18)) >> 12
    x = (s[_PHASE] >> 8) + turned
    if not rising:
        x -= 0x80000
    off = ((x + 0x80000) & 0xFFFFF) - 0x80000
    # Within 3/32 cycle, 1.56 ms: a ramp of 15 mHz/s takes a loop of 0.3 Hz 1/15 cycle off.
    if off > -0x18000 and off < 0x18000:
        half = ((x - off) >> 19) + 1 - rising
        if half > s[_HALF] - _BIAS:
            _accept(state, half)


@micropython.viper
def _feed(state, stamps, count: int):
    """Consume `count` time stamps."""
    s = ptr32(state)
    p = ptr32(stamps)
    i = 0
    while i < count:
        now = p[i] & 0x3FFFFFFF
        interval = (now - s[_NOW]) & 0x3FFFFFFF
        rising = s[_LEVEL]
        s[_LEVEL] = 1 - rising
        s[_NOW] = now
        s[_INTERVAL] = interval
        if interval > 1800000:
            s[_RUNNING] = 0
            s[_GOOD] = 0
        if s[_RUNNING]:
            s[_GRID] = s[_GRID] - 6 * interval
            s[_EDGE] = s[_EDGE] - 6 * interval
            s[_MID] = s[_MID] - 6 * interval
            _track(state, rising)
        else:
            _acquire(state, rising)
        i += 1
    # Period in 2^-10 us: 2^10 · 50,000 / (3 (1 + deviation)) by long division, in which
    # a / f = 2^-16 of it and f is 1 + deviation in 2^-21.
    f = (0x20000000 + ((s[_DEVIATION] - _BIAS) >> 1)) >> 8
    a = 546133333
    q = a // f
    a = (a % f) << 8
    q = (q << 8) + a // f
    a = (a % f) << 8
    s[_PERIOD] = (q << 8) + a // f


@micropython.viper
def _boundary(state, cycles: int) -> int:
    """Return when cycle _CYCLE + `cycles` starts, relative to the newest edge, 1/16 us."""
    s = ptr32(state)
    period = s[_PERIOD] >> 6
    phase = s[_PHASE]
    part = (period * (phase >> 16) + ((period * ((phase >> 4) & 0xFFF)) >> 12)) >> 12
    return ((s[_GRID] - _BIAS - 100000) * 8) // 3 + ((cycles * s[_PERIOD]) >> 6) - part


class Loop:
    """Line phase, cycle count and frequency from zero crossings.

    Parameters
    ----------
    bandwidth_mhz : int
        Noise bandwidth BN in mHz (damping 1).
    first_rises : bool
        Whether the first edge ever fed is a rising one.
    """

    def __init__(self, bandwidth_mhz, first_rises=True):
        s = array("i", [0] * _WORDS)
        # wn = 1.6 BN; per step of 1/60 s: Kp = 2 wn/60, Ki = (wn/60)^2.
        s[_KP] = (bandwidth_mhz * 32 * 65536 + 300000) // 600000
        s[_KI] = (bandwidth_mhz * bandwidth_mhz * 256 * 4096 // 360000 + 500) // 1000
        s[_LEVEL] = 1 if first_rises else 0
        s[_PERIOD] = 17066667
        s[_DEVIATION] = s[_GRID] = s[_ERROR] = _BIAS
        # Three time constants of the loop, or one second.
        s[_SETTLE] = 60000 // bandwidth_mhz
        self._state = s

    def feed(self, stamps, count):
        """Consume time stamps of consecutive edges, which alternate in direction.

        Parameters
        ----------
        stamps : bytes-like
            32-bit little-endian microsecond counts; only the low 30 bits are used.
        count : int
            How many to take.

        Allocates: nothing. Call at least once per 100 s.
        """
        _feed(self._state, stamps, count)

    def shift(self, cycles):
        """Add to the cycle count, to make it the bus's own; phase is not touched."""
        self._state[_CYCLE] = (self._state[_CYCLE] + cycles) % CYCLES_FOLD

    @property
    def locked(self):
        """Whether phase and frequency have settled and hold-over has not run out."""
        return self._state[_RUNNING] == 1 and self._state[_GOOD] >= self._state[_SETTLE]

    @property
    def running(self):
        """Whether phase is being tracked, settled or not."""
        return self._state[_RUNNING] == 1

    @property
    def cycle(self):
        """Line cycles at the last grid instant, modulo `CYCLES_FOLD`."""
        return self._state[_CYCLE]

    @property
    def phase_q28(self):
        """Fraction of a cycle at the last grid instant, 2^-28 cycles."""
        return self._state[_PHASE]

    @property
    def grid_sixths(self):
        """The last grid instant relative to the newest edge, in sixths of a us (≤ 0)."""
        return self._state[_GRID] - _BIAS - 100000

    @property
    def steps(self):
        """Grid instants passed, modulo 2^28."""
        return self._state[_STEPS]

    @property
    def now_us(self):
        """Time stamp of the newest edge, low 30 bits."""
        return self._state[_NOW]

    @property
    def epoch(self):
        """Acquisitions so far; cycles are counted without a gap while this stays the same."""
        return self._state[_EPOCH]

    @property
    def error_q20(self):
        """Phase error of the last measured step, 2^-20 cycles."""
        return self._state[_ERROR] - _BIAS

    @property
    def coasted(self):
        """Grid instants since the last measurement."""
        return self._state[_COASTED]

    @property
    def period_x1024(self):
        """Line period in 2^-10 us."""
        return self._state[_PERIOD]

    @property
    def frequency_mhz(self):
        """Line frequency in mHz."""
        return 60000 + ((self._state[_DEVIATION] - _BIAS) // 1024 * 60000 >> 20)

    def boundary_x16(self, ahead):
        """Return when a cycle starts.

        Parameters
        ----------
        ahead : int
            The cycle, counted from `cycle`; at most `HOLD_OVER_CYCLES`.

        Returns
        -------
        int
            Its positive-going zero crossing relative to `now_us`, in 1/16 us.
        """
        return _boundary(self._state, ahead)
