"""One endpoint's uplink: what to send, encoded when its frame may start.

Context: task only. Allocates: per frame, what `source` and the payload need.
Source: docs/phy.md.
"""

from micropython import const

from endpoint.line.carrier import Carrier
from endpoint.line.frame import encode_into
from endpoint.line.loop import CYCLES_FOLD, Loop
from endpoint.line.payload import PAYLOAD_BYTES
from endpoint.line.profile import FRAME_SYMBOLS

# Frames that may be sent, of 1000 (R105): no setting can raise it.
DUTY_MOST_PERMILLE = const(1000)


class Uplink:
    """Reference loop, carrier and encoder of one endpoint.

    Parameters
    ----------
    eid : int
        Endpoint identity, 32 bits.
    profile : Profile
        Waveform and timing.
    channel : int
        Channel number. While the bus's cycle count is unknown, an endpoint of a profile with
        join channels sends on its own one of those instead.
    source : callable
        ``source(payload, start_us)`` is called up to the ring's lead time before a frame
        starts at `start_us` (low 30 bits of the us timer); it writes the 8 payload bytes and
        returns True, or returns False to stay silent for this frame.
    ring : bytearray or memoryview
        The gate's ring, see `Carrier`.
    seal : callable or None
        ``seal(payload, cycle)`` may change the payload and returns 16 bits to send in place of
        the CRC, or None; `cycle` is the bus's count at the frame's start. See `Seal`.
    duty_permille : int
        Frames to send, of 1000; more than `DUTY_MOST_PERMILLE` counts as that.

    Attributes
    ----------
    frames : int
        Frames begun.
    channel : int
        The channel assigned; `carrier.channel` is the one in use.
    """

    def __init__(
        self, eid, profile, channel, source, ring, seal=None, duty_permille=DUTY_MOST_PERMILLE
    ):
        profile.check(channel)
        self.loop = Loop(profile.bandwidth_mhz)
        self.channel = channel
        self.frames = 0
        self._profile = profile
        self._join = profile.first_channel(eid) if profile.join_offsets else channel
        self._epoch = 0
        self._eid = eid
        self._source = source
        self._seal = seal
        self._duty = min(max(duty_permille, 0), DUTY_MOST_PERMILLE)
        self._earned = 0
        self._payload = bytearray(PAYLOAD_BYTES)
        self._symbols = bytearray(FRAME_SYMBOLS)
        self.carrier = Carrier(self.loop, profile, self._wanted(), self._next_frame, ring)

    @property
    def synchronised(self):
        """Whether cycles are counted as the bus counts them; ends when the line is lost."""
        return self._epoch != 0 and self._epoch == self.loop.epoch

    def synchronise(self, ours, theirs):
        """Take over the bus's cycle count.

        Parameters
        ----------
        ours : int
            A cycle by the loop's count.
        theirs : int
            The same cycle by the bus's count, modulo `CYCLES_FOLD`.

        Returns
        -------
        int
            By how many cycles we were wrong. A frame that was out of place by that ends.
        """
        by = (theirs - ours) % CYCLES_FOLD
        if by:
            self.loop.shift(by)
            self.carrier.shift(by)
        self._epoch = self.loop.epoch
        self._retune()
        return by if by <= CYCLES_FOLD // 2 else by - CYCLES_FOLD

    def tune(self, channel):
        """Assign a channel to all frames that start from now on; raise ChannelError."""
        self._profile.check(channel)
        self.channel = channel
        if not self._profile.join_offsets:
            self._join = channel
        self._retune()

    def _retune(self):
        """Take the wanted channel at once if nothing is on the line.

        Else the old channel's next place for a frame, up to a frame away, would have to come
        first: in `field` an hour.
        """
        if not self.carrier.sending:
            self.carrier.tune(self._wanted())

    def _wanted(self):
        if self.synchronised or self._profile.is_join(self.channel):
            return self.channel
        return self._join

    def _next_frame(self, start_us):
        carrier = self.carrier
        wanted = self._wanted()
        if wanted != carrier.channel:
            carrier.tune(wanted)
            return None
        self._earned += self._duty
        if self._earned < DUTY_MOST_PERMILLE:
            return None
        self._earned -= DUTY_MOST_PERMILLE
        if not self._source(self._payload, start_us):
            return None
        check = None
        if self._seal and self.synchronised:
            check = self._seal(self._payload, carrier.cycle)
        encode_into(self._symbols, self._payload, self._eid, carrier.channel, check)
        self.frames += 1
        return self._symbols
