"""A whole `field` bus for soak tests: modelled endpoints, and whatever is mixed in."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import FIELD
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame
from wattline.line.scenario import build

# Current in A to add to the block that begins at a sample: (first sample, samples) -> current.
Mix = Callable[[int, int], NDArray[np.float32]]


class FieldBus:
    """Modelled endpoints on one bus and the collector that knows them.

    Parameters
    ----------
    count
        Modelled endpoints.
    spread_db
        Standard deviation of their levels.
    ebn0_db
        Of an endpoint at the middle.
    also
        Identities and channels of senders that are mixed in; their channels stay free.
    seed, cycle
        Of everything; line cycles counted before the first sample.

    Attributes
    ----------
    scene
        Its `mains` is what a module that is mixed in has to follow.
    """

    def __init__(
        self,
        count: int = 6500,
        spread_db: float = 8.0,
        ebn0_db: float = 12.0,
        also: Mapping[int, int] | None = None,
        seed: int = 1,
        cycle: int = 0,
    ) -> None:
        also = dict(also or {})
        taken = set(also.values())
        free = [n for n in FIELD.channels() if not FIELD.is_guard(n) and not FIELD.is_join(n)]
        made = build(
            {
                "profile": "field",
                "seed": seed,
                "cycle": cycle,
                "ebn0_db": ebn0_db,
                "endpoints": [
                    {
                        "count": count,
                        "spread_db": spread_db,
                        "channels": [n for n in free if n not in taken],
                    }
                ],
            }
        )
        self.scene, self.endpoints = made.scene, made.endpoints
        known = {m.eid: m.channel for m in made.endpoints} | also
        self.receiver = Receiver(4800, FIELD, known, cycle=cycle)
        self._second = 0

    def hear(self, seconds: int, mix: Mix | None = None) -> list[Frame]:
        """Let time go on; return the frames that ended."""
        frames: list[Frame] = []
        for _ in range(seconds):
            self._second += 1
            voltage, current = self.scene.block(self._second * 1_000_000_000)
            if mix is not None and len(current):
                current = current + mix((self._second - 1) * 4800, len(current))
            frames += self.receiver.feed(voltage, current)
        return frames
