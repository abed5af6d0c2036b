"""One endpoint's uplink: what to send, encoded when its frame may start.

Context: task only. Allocates: per frame, what `source` and the payload need.
Source: docs/phy.md.
"""

from endpoint.line.carrier import Carrier
from endpoint.line.frame import encode_into
from endpoint.line.loop import Loop
from endpoint.line.payload import PAYLOAD_BYTES
from endpoint.line.profile import FRAME_SYMBOLS


class Uplink:
    """Reference loop, carrier and encoder of one endpoint.

    Parameters
    ----------
    eid : int
        Endpoint identity, 32 bits.
    profile : Profile
        Waveform and timing.
    channel : int
        Channel number.
    source : callable
        ``source(payload, start_us)`` is called up to the ring's lead time before a frame
        starts at `start_us` (low 30 bits of the us timer); it writes the 8 payload bytes and
        returns True, or returns False to stay silent for this frame.
    ring : bytearray or memoryview
        The gate's ring, see `Carrier`.

    Attributes
    ----------
    frames : int
        Frames begun.
    """

    def __init__(self, eid, profile, channel, source, ring):
        self.loop = Loop(profile.bandwidth_mhz)
        self.carrier = Carrier(self.loop, profile, channel, self._next_frame, ring)
        self.frames = 0
        self._eid = eid
        self._source = source
        self._payload = bytearray(PAYLOAD_BYTES)
        self._symbols = bytearray(FRAME_SYMBOLS)

    def _next_frame(self, start_us):
        if not self._source(self._payload, start_us):
            return None
        encode_into(self._symbols, self._payload, self._eid, self.carrier.channel)
        self.frames += 1
        return self._symbols
