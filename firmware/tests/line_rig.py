"""The chip around `endpoint.line`: stamps from a line phase, a ring played by a gate.

The rig calls like the task on the module does: every 66 ms it hands over the new stamps and
lets the carrier fill the ring to 200 ms ahead.
"""

from array import array

from endpoint.line.uplink import Uplink

RING_WORDS = 512
TASK_US = 66000
LEAD_US = 200000
TIMER_MASK = 0xFFFFFFFF


def steady(frequency_hz):
    """Return crossing(k), the time in us at which half-cycle k begins, for a steady line."""
    half_us = 500000.0 / frequency_hz
    return lambda k: k * half_us


class Rig:
    """One endpoint on one line.

    Parameters
    ----------
    crossing : callable
        ``crossing(k)`` is the time (us, float) of zero crossing k; even ones rise. None
        leaves the edge out.
    profile, channel, eid, source
        As for `Uplink`.
    timer_us : int
        What the 32-bit timer shows at time 0.
    """

    def __init__(self, crossing, profile, channel, source, eid=0x1234ABCD, timer_us=0):
        self.crossing = crossing
        self.ring = bytearray(4 * RING_WORDS)
        self.uplink = Uplink(eid, profile, channel, source, self.ring)
        self.uplink.carrier.start(timer_us & TIMER_MASK)
        self.timer_us = timer_us
        self.now_us = 0
        self.played_us = 0
        self._written = array("I")
        self.locked_us = None
        self._forgotten_us = 0
        self._ends = []
        self._at = 0
        self._k = 0
        self._early = []

    def run(self, duration_us):
        """Advance the rig's clock."""
        end = self.now_us + duration_us
        while self.now_us < end:
            self.now_us += TASK_US
            stamps = self._stamps()
            loop = self.uplink.loop
            loop.feed(stamps, len(stamps))
            if self.locked_us is None and loop.locked:
                self.locked_us = self.now_us
            self._fill()

    def _stamps(self):
        stamps = array("I")
        while True:
            at = self.crossing(self._k)
            if at is not None and at > self.now_us:
                return stamps
            if at is not None:
                stamps.append((int(at) + self.timer_us) & TIMER_MASK)
            self._k += 1

    def _fill(self):
        while self._ends and self._ends[0] <= self.now_us:
            self._ends.pop(0)
        until = (self.now_us + LEAD_US + self.timer_us) & TIMER_MASK
        written = self.uplink.carrier.fill(RING_WORDS - len(self._ends), until)
        for _ in range(written):
            word = int.from_bytes(self.ring[4 * self._at : 4 * self._at + 4], "little")
            self._at = (self._at + 1) % RING_WORDS
            self._written.append(word)
            self.played_us += (word & 0xFFFF) + (word >> 16) + 4
            self._ends.append(self.played_us)

    def words(self):
        """Yield the words that were written as (low_us, high_us)."""
        for word in self._written:
            yield (word & 0xFFFF) + 3, (word >> 16) + 1

    def edges(self, first_us=0, end_us=1 << 60):
        """Return the pin's edges in a span of time as (us, level), silence's marks left out."""
        edges = []
        at = 0
        for low, high in self.words():
            at += low
            if high > 1 and first_us <= at < end_us:
                edges.append((at, 1))
                edges.append((at + high, 0))
            at += high
        return edges

    def new_edges(self):
        """Return the edges of the words written since the last call, and forget the words."""
        edges = []
        at = self._forgotten_us
        for low, high in self.words():
            at += low
            if high > 1:
                edges.append((at, 1))
                edges.append((at + high, 0))
            at += high
        self._forgotten_us = at
        self._written = array("I")
        return edges


_SINE = array("h")


def cosine_q14(phase):
    """Return cosine in 2^-14 of a phase in 1/4096 of a turn, in integers in both worlds."""
    if not _SINE:
        # Rotation by 1/4096 turn, in 2^-30; good to 1e-4 over a turn.
        x, y = 1 << 44, 0
        for _ in range(4096):
            _SINE.append((x + (1 << 29)) >> 30)
            x, y = (
                (x * 1073740561 - y * 1647098) >> 30,
                (x * 1647098 + y * 1073740561) >> 30,
            )
    return _SINE[phase & 4095]
