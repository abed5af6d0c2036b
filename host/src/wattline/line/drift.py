"""How the phase and level of endpoints move: local line angle, channel phase, level steps.

Source: docs/phy.md, "Line model".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Motion:
    """What one kind of place does to a carrier; angles of the line count carrier ratio times.

    Parameters
    ----------
    step_deg, step_s
        Telegraph of the local line angle: height, mean dwell.
    wander_deg, wander_s
        Ornstein-Uhlenbeck part of the local line angle: rms, correlation time.
    channel_rad, channel_s
        Ornstein-Uhlenbeck phase of the channel.
    level_db, level_s
        Telegraph of the level: height, mean dwell.
    """

    step_deg: float = 0.0
    step_s: float = 480.0
    wander_deg: float = 0.0
    wander_s: float = 60.0
    channel_rad: float = 0.0
    channel_s: float = 300.0
    level_db: float = 0.0
    level_s: float = 900.0


MOTIONS = {
    "static": Motion(),
    "typical": Motion(1.2, 480.0, 0.3, 60.0, 0.05, 300.0, 1.5, 900.0),
    "heavy": Motion(3.0, 480.0, 0.8, 60.0, 0.05, 300.0, 1.5, 900.0),
}


class Drift:
    """The motion of many carriers, in steps of equal duration.

    Parameters
    ----------
    motion
        What kind of place.
    ratios
        Carrier over line frequency, per endpoint.
    step_s
        Duration of a step.
    rng
        Source of everything random.
    """

    def __init__(
        self, motion: Motion, ratios: NDArray[np.float64], step_s: float, rng: np.random.Generator
    ) -> None:
        count = len(ratios)
        self._motion = motion
        self._radians = np.deg2rad(1.0) * ratios
        self._rng = rng
        self._offset = rng.uniform(-np.pi, np.pi, count)
        self._high = rng.random(count) < 0.5
        self._loud = rng.random(count) < 0.5
        self._wander = motion.wander_deg * rng.normal(size=count)
        self._channel = motion.channel_rad * rng.normal(size=count)
        self._keep_wander = np.exp(-step_s / motion.wander_s)
        self._keep_channel = np.exp(-step_s / motion.channel_s)
        self._flip_step = step_s / motion.step_s if motion.step_deg else 0.0
        self._flip_level = step_s / motion.level_s if motion.level_db else 0.0

    def step(self) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Return the carriers' factors at the beginning and the end of the next step."""
        count = len(self._offset)
        self._high ^= self._rng.random(count) < self._flip_step
        self._loud ^= self._rng.random(count) < self._flip_level
        begin = self._factors()
        motion = self._motion
        for name, keep, rms in (
            ("_wander", self._keep_wander, motion.wander_deg),
            ("_channel", self._keep_channel, motion.channel_rad),
        ):
            if rms:
                kick = rms * np.sqrt(1 - keep * keep) * self._rng.normal(size=count)
                setattr(self, name, keep * getattr(self, name) + kick)
        return begin, self._factors()

    def _factors(self) -> NDArray[np.complex128]:
        motion = self._motion
        angle = self._radians * (motion.step_deg * (self._high - 0.5) + self._wander)
        # Mean power stays one, whatever the steps.
        ratio = 10 ** (motion.level_db / 10)
        loud = 2 * ratio / (1 + ratio)
        level = np.sqrt(np.where(self._loud, loud, 2 - loud))
        return level * np.exp(1j * (self._offset + angle + self._channel))
