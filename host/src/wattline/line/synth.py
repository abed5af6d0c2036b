"""A bus of modelled endpoints, for trying the receiver without any module."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from endpoint.line.payload import PAYLOAD_BYTES, pack_join, pack_register
from endpoint.line.profile import BENCH
from wattline.line.mains import Mains
from wattline.line.modelled import ModelledEndpoint
from wattline.line.scene import Scene

_AMPLITUDE_A = 0.015
_FIRST_EID = 0x20000000
_FIRMWARE = 18
# As on the module: every sixteenth frame says who is speaking.
_JOIN_EVERY = 16


class Meter:
    """A register that runs at constant power; every so-manieth frame is a JOIN."""

    def __init__(self, eid: int, rng: np.random.Generator, join_every: int = _JOIN_EVERY) -> None:
        self._eid = eid
        self._join_every = join_every
        self._start_wh = int(rng.integers(0, 100_000_000))
        self._power_w = int(rng.integers(100, 5000))
        self._permille = int(rng.integers(970, 1030))
        self._age_s = int(rng.integers(0, 60))

    def payload(self, k: int, start_s: float) -> bytes:
        """Return the payload of frame `k`."""
        payload = bytearray(PAYLOAD_BYTES)
        if self._join_every and k % self._join_every == 0:
            pack_join(payload, _FIRMWARE, self._eid)
        else:
            wh = self._start_wh + int(self._power_w * max(start_s - self._age_s, 0) / 3600)
            pack_register(payload, wh, self._permille, self._power_w, self._age_s)
        return bytes(payload)


def make_bus(
    endpoints: int, ebn0_db: float | None, seed: int, spread_db: float = 0.0
) -> tuple[Scene, list[ModelledEndpoint]]:
    """Return a scene with modelled `bench` endpoints on channels of their own.

    Parameters
    ----------
    endpoints
        How many, 0 to 33.
    ebn0_db
        Eb/N0 of an endpoint at the middle of the spread; None for no noise.
    seed
        Seed of everything.
    spread_db
        Levels lie evenly within plus or minus half of this.
    """
    rng = np.random.default_rng([seed, 6])
    channels = rng.permutation(BENCH.channels())[:endpoints]
    modelled = []
    for i, channel in enumerate(channels):
        eid = _FIRST_EID + 1000 * seed + i
        level_db = 0.0 if i == 0 else rng.uniform(-spread_db / 2, spread_db / 2)
        modelled.append(
            ModelledEndpoint(
                eid=eid,
                channel=int(channel),
                amplitude_a=_AMPLITUDE_A * 10 ** (level_db / 20),
                payload=Meter(eid, rng).payload,
                half_cycles=int(rng.integers(0, 8)),
                seed=seed,
            )
        )
    scene = Scene(Mains(seed), modelled=modelled, ebn0_db=ebn0_db, seed=seed)
    return scene, modelled


def record(
    scene: Scene, duration_s: int, advance: Callable[[], None] = lambda: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return voltage and current of the next `duration_s` seconds from the scene's start."""
    parts = []
    for s in range(duration_s):
        parts.append(scene.block((s + 1) * 1_000_000_000))
        advance()
    voltage, current = zip(*parts, strict=True)
    return np.concatenate(voltage), np.concatenate(current)
