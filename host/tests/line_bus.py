"""Chips on a modelled line: the device's own carrier, through circuit and noise, as samples."""

import itertools
import sys
from pathlib import Path

import numpy as np

from endpoint.line.frame import encode_into
from endpoint.line.payload import pack_join, pack_register
from endpoint.line.profile import BENCH
from wattline.line.mains import Mains
from wattline.line.scene import Gate, Scene

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))
from line_rig import Rig


class Chip:
    """One endpoint's real carrier code on comparator edges of the modelled mains."""

    def __init__(self, mains, channel, eid, seed, jitter_s=5e-6, first_half=0):
        self.channel = channel
        self.eid = eid
        self.sent = []
        self._crossings = mains.crossings(seed, jitter_s=jitter_s, threshold_s=40e-6)
        for _ in range(1 + first_half):  # the rig's even crossings rise
            next(self._crossings)
        self._times = []
        self._rig = Rig(self._crossing, BENCH, channel, self._payload, eid)

    def _crossing(self, k):
        while len(self._times) <= k:
            self._times.append(next(self._crossings)[0] / 1000)
        return self._times[k]

    def _payload(self, payload, start_us):
        if not self.sent:
            pack_join(payload, 18, self.eid)
        else:
            pack_register(payload, 100 * 7919 * len(self.sent), 985, 1230, 7)
        self.sent.append((start_us / 1e6, bytes(payload)))
        return True

    def edges(self, duration_us):
        """Advance; return the new edges as (t_ns, level)."""
        self._rig.run(duration_us)
        return [(t_us * 1000, level) for t_us, level in self._rig.new_edges()]

    def complete(self, end_s):
        """Return the payloads of the frames that a collector must have heard by `end_s`."""
        return complete(self.sent, end_s)


def complete(sent, end_s):
    """Return the payloads of those frames, given as (start_s, payload), that end in time."""
    # A frame, the harmonic canceller's delay and the receiver's step.
    return [payload for start_s, payload in sent if start_s + 18.7 + 1.0 < end_s]


def by_endpoint(frames):
    """Return the payloads in order of time, by identity."""
    frames = sorted(frames, key=lambda f: (f.eid, f.start_s))
    return {
        eid: [f.payload for f in group]
        for eid, group in itertools.groupby(frames, key=lambda f: f.eid)
    }


def run_bus(chips, scene, receiver, duration_s):
    """Return the frames that the receiver hears."""
    frames = []
    for s in range(duration_s):
        for gate, chip in enumerate(chips):
            for t_ns, level in chip.edges(1_000_000):
                scene.edge(t_ns, level, gate)
        voltage, current = scene.block((s + 1) * 1_000_000_000)
        frames += receiver.feed(voltage, current)
    return frames


def make_chips(channels, seed, ebn0_db, **options):
    """Return chips on these channels and the scene that carries them."""
    mains = Mains(seed)
    chips = [
        Chip(mains, channel, 0x0A000000 + 97 * channel, seed + 10 * i, **options)
        for i, channel in enumerate(channels)
    ]
    gates = [Gate(channel) for channel in channels]
    return chips, Scene(mains, gates, ebn0_db=ebn0_db, seed=seed)


def symbols_of(payload, eid, channel, ebn0_db, rng, walk_rad=0.0):
    """Return 280 noisy symbols of one frame and the noise variance."""
    bits = bytearray(280)
    encode_into(bits, payload, eid, channel)
    noise = 280 / 64 / 10 ** (ebn0_db / 10)
    phase = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 1, 280)) * walk_rad
    clean = (1 - 2 * np.frombuffer(bits, np.int8)) * np.exp(1j * phase)
    both = rng.normal(0, np.sqrt(noise / 2), (2, 280))
    return (clean + both[0] + 1j * both[1]).astype(np.complex64), noise
