"""A serial wire: levels over time, and a receiver that samples them at its own speed.

A receiver sees nothing but levels, so a wrong baud rate, parity or stop bit shows in the
bytes and flags exactly as it would on a bench. Times are nanoseconds from power-on.
"""

from bisect import bisect_right
from dataclasses import dataclass

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Format:
    """How a character looks: data bits (5 to 8), parity (None, 0 even, 1 odd), stop bits."""

    bits: int = 8
    parity: int | None = None
    stop: int = 1

    @property
    def length(self):
        """Bits of a whole frame, start and stop bits included."""
        return 1 + self.bits + (self.parity is not None) + self.stop

    def levels(self, value):
        """Return the levels of the frame of `value`, one per bit."""
        data = [(value >> index) & 1 for index in range(self.bits)]
        parity = [] if self.parity is None else [(sum(data) + self.parity) & 1]
        return [0, *data, *parity, *([1] * self.stop)]


@dataclass(frozen=True)
class Rate:
    """Bit time as the exact fraction `ns_x` / `per` nanoseconds."""

    ns_x: int
    per: int

    @classmethod
    def baud(cls, baud):
        """Return the rate of `baud` bits per second."""
        return cls(_NS_PER_S, baud)

    def bits_ns(self, halves):
        """Return the time of `halves` half bits in whole nanoseconds, rounded down."""
        return halves * self.ns_x // (2 * self.per)


class Wire:
    """The level of one line: high when nobody pulls it low."""

    def __init__(self):
        self._times = [-1]
        self._levels = [1]

    def put(self, t_ns, level):
        """Let the line change to `level` at `t_ns`; times never go back."""
        if level == self._levels[-1]:
            return
        self._times.append(t_ns)
        self._levels.append(level)

    def level(self, t_ns):
        """Return the level at `t_ns`."""
        return self._levels[bisect_right(self._times, t_ns) - 1]

    def next_fall(self, t_ns):
        """Return when the line next falls at or after `t_ns`, or None if it is not known to."""
        for index in range(max(1, bisect_right(self._times, t_ns - 1)), len(self._times)):
            if not self._levels[index]:
                return self._times[index]
        return None

    def cut(self, t_ns):
        """Release the line at `t_ns`: what was to come after does not."""
        keep = bisect_right(self._times, t_ns)
        del self._times[keep:], self._levels[keep:]
        self.put(t_ns, 1)

    def forget_before(self, t_ns):
        """Drop what lies before `t_ns`."""
        keep = bisect_right(self._times, t_ns) - 1
        if keep > 0:
            del self._times[:keep], self._levels[:keep]


@dataclass(frozen=True)
class Character:
    """What a receiver made of one frame, and when it knew."""

    value: int
    t_ns: int
    framing: bool = False
    parity: bool = False
    is_break: bool = False


class Receiver:
    """Turn the levels of a wire into characters.

    Parameters
    ----------
    clock
        The simulated clock of the chip.
    wire : Wire
        The line to listen to.
    setting : callable
        Returns ``(Rate, Format)`` as they are now, or None while the receiver is off.
    deliver : callable
        Takes each `Character`.
    at_end : bool
        Deliver at the end of the last stop bit (True) or in the middle of the first (False).
    """

    def __init__(self, clock, wire, setting, deliver, at_end):
        self._clock = clock
        self._wire = wire
        self._setting = setting
        self._deliver = deliver
        self._at_end = at_end
        self._alarm = clock.create_alarm(self._complete)
        self._frame = None  # (start, rate, format) of the frame under way
        self._idle_from_ns = 0

    def poke(self):
        """Look for a start bit; call it whenever the wire got a new level."""
        if self._frame is None:
            self._find_start()

    def restart(self, t_ns, wire=None):
        """Forget a frame under way and listen afresh from `t_ns`, to another wire if given."""
        self._alarm.cancel()
        self._wire = wire or self._wire
        self._frame = None
        self._idle_from_ns = t_ns
        self._find_start()

    def _find_start(self):
        setting = self._setting()
        if setting is None:
            self._idle_from_ns = int(self._clock.nanos)
            self._wire.forget_before(self._idle_from_ns)
            return
        rate, form = setting
        start_ns = self._wire.next_fall(self._idle_from_ns)
        while start_ns is not None and self._wire.level(start_ns + rate.bits_ns(1)):
            if start_ns + rate.bits_ns(1) > self._clock.nanos:
                break  # the middle of the start bit is still to come: judge it then
            start_ns = self._wire.next_fall(start_ns + 1)
        if start_ns is None:
            return
        self._frame = (start_ns, rate, form)
        self._alarm.schedule(max(0, self._done_ns(self._frame) - self._clock.nanos))

    def _done_ns(self, frame):
        start_ns, rate, form = frame
        halves = 2 * form.length if self._at_end else 2 * (form.length - form.stop) + 1
        return start_ns + rate.bits_ns(halves)

    def _complete(self):
        start_ns, rate, form = self._frame
        done_ns = self._done_ns(self._frame)
        self._frame = None
        level = self._wire.level
        if level(start_ns + rate.bits_ns(1)):
            self._idle_from_ns = start_ns + 1  # a glitch, no start bit
            self._find_start()
            return
        samples = [
            level(start_ns + rate.bits_ns(2 * index + 1))
            for index in range(1, form.length - form.stop + 1)
        ]
        self._idle_from_ns = start_ns + rate.bits_ns(2 * (form.length - form.stop) + 1)
        self._wire.forget_before(self._idle_from_ns - 1)
        self._deliver(self._judge(samples, form, done_ns))
        if self._frame is None:
            self._find_start()

    @staticmethod
    def _judge(samples, form, done_ns):
        value = sum(bit << index for index, bit in enumerate(samples[: form.bits]))
        wrong_parity = False
        if form.parity is not None:
            wrong_parity = (sum(samples[: form.bits + 1]) + form.parity) & 1 == 1
        framing = not samples[-1]
        return Character(
            value, done_ns, framing, wrong_parity, is_break=framing and not any(samples)
        )
