"""Keeps the line fed: zero crossings into the loop, carrier words into the gate's ring."""

import asyncio

from micropython import const

from endpoint.hal.clock import TIME_MASK, timer_us
from endpoint.hal.gate import RING_WORDS
from endpoint.line.payload import NAMES
from endpoint.line.uplink import Uplink

# The ring is filled this far ahead: a pause of the other tasks may take what is left of it at
# the end of a step, about 200 ms (a flash erase takes 50 ms, in the worst case 400), and it is
# short against the loop's own memory.
_LEAD_US = const(400000)
_STEP_MS = const(132)
# Generated time that may still be out of the ring's reach: the end of its word, and the four
# words of a line cycle each that the state machine's FIFO holds.
_PENDING_US = const(100000)
# Without an edge for so long there is no line, whatever the loop last said of it.
_EDGE_US = const(1800000)
# From deciding on a start to starting: time to fill the ring for the first time.
_START_US = const(30000)
_STAMP_BYTES = const(256)


class Transmit:
    """The uplink task. Context: task only.

    Parameters
    ----------
    eid : int
    profile : Profile
    channel : int
        0 for the endpoint's own first channel.
    crossings : ZeroCrossings
    gate : CarrierGate
    clock : Monotonic
    contents : Contents
        What the frames say.
    say : callable
        Told of every frame.
    seal : callable or None
        As for `Uplink`.

    Attributes
    ----------
    uplink : Uplink
    restarts : int
        Times the carrier began anew because the ring was not filled in time.
    """

    def __init__(self, eid, profile, channel, crossings, gate, clock, contents, say, seal=None):
        self._crossings = crossings
        self._gate = gate
        self._clock = clock
        self._contents = contents
        self._say = say
        self._stamps = bytearray(_STAMP_BYTES)
        self._is_sealed = seal is not None
        self.uplink = Uplink(
            eid, profile, channel or profile.first_channel(eid), self._payload, gate.ring, seal
        )
        self.restarts = 0

    async def run(self, beat):
        """Feed the line for ever."""
        self._crossings.start()
        self._begin()
        while True:
            beat()
            self._step()
            await asyncio.sleep_ms(_STEP_MS)

    def stop(self):
        """Silence the pin and release the hardware."""
        self._gate.stop()
        self._crossings.stop()

    def report(self):
        """Return the part of the status that is about the line."""
        carrier = self.uplink.carrier
        return {
            "line_locked": self._has_line(),
            "line_mhz": self.uplink.loop.frequency_mhz,
            "channel": carrier.channel,
            "sending": carrier.sending,
            "symbol": carrier.symbol,
            "frames": self.uplink.frames,
            "carrier_restarts": self.restarts,
            "line_synchronised": self.uplink.synchronised,
            "line_refused": self._contents.refused,
            "line_sealed": self._is_sealed and self.uplink.synchronised,
        }

    def _has_line(self):
        # Without edges the loop has no time, so it cannot notice by itself that the line is gone.
        loop = self.uplink.loop
        return loop.locked and (timer_us() - loop.now_us) & TIME_MASK < _EDGE_US

    def _begin(self):
        gate, carrier = self._gate, self.uplink.carrier
        gate.prepare()
        at_us = (timer_us() + _START_US) & TIME_MASK
        carrier.start(at_us)
        carrier.fill(RING_WORDS - 1, at_us + _LEAD_US)
        gate.start(at_us)

    def _step(self):
        uplink, crossings = self.uplink, self._crossings
        carrier = uplink.carrier
        uplink.loop.feed(self._stamps, crossings.take(self._stamps, crossings.pending()))
        now_us = timer_us()
        left_us = (carrier.filled_us - now_us) & TIME_MASK
        if left_us > TIME_MASK >> 1 or left_us < _PENDING_US:
            # The ring has run into its silence: its time is no longer known, so begin anew.
            self.restarts += 1
            self._gate.stop()
            self._begin()
        else:
            carrier.fill(self._gate.space(carrier.index), now_us + _LEAD_US)

    def _payload(self, payload, start_us):
        """Write the next frame's payload; called when a frame may start at `start_us`."""
        ahead_ms = ((start_us - timer_us()) & TIME_MASK) // 1000
        frame_type = self._contents.write(payload, self._clock.ms() + ahead_ms)
        self._say("frame", kind=NAMES[frame_type].upper())
        return True
