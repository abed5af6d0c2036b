"""Endpoints without a chip: the proposal's carrier, straight from loop output and encoder."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from endpoint.line.frame import encode_into
from endpoint.line.profile import BENCH, FRAME_SYMBOLS, Profile

# Slow phase of the channel between endpoint and collector.
_WALK_RAD = 0.05
_WALK_S = 300.0


@dataclass
class ModelledEndpoint:
    """One endpoint that sends all the time.

    Parameters
    ----------
    eid
        Identity.
    channel
        Channel number.
    amplitude_a
        Amplitude of its carrier at the collector.
    payload
        ``payload(k, start_s)`` returns the 8 bytes of its k-th frame from 0.
    profile
        Waveform and timing.
    half_cycles
        By how many half line cycles its cycle count differs from the line's own.
    seed
        Seed of its phase.
    silent_s
        Frames that would start earlier than this are not sent.
    seal
        ``seal(payload, cycle)`` returns the 16 bits that take the place of the check, and may
        encrypt the payload, as `endpoint.line.seal.Seal` does.
    """

    eid: int
    channel: int
    amplitude_a: float
    payload: Callable[[int, float], bytes]
    profile: Profile = BENCH
    half_cycles: int = 0
    seed: int = 0
    silent_s: float = 3.0
    seal: Callable[[bytearray, int], int | None] | None = None
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    _frame: int | None = None
    _symbols: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))

    def __post_init__(self) -> None:
        self.profile.check(self.channel)
        self._offset = self.profile.frame_offset(self.channel)
        self._rng = np.random.default_rng([self.seed, self.eid, 3])
        self._offset_rad = self._rng.uniform(-np.pi, np.pi)
        self._walk_rad = self._rng.normal(0.0, _WALK_RAD)

    def current(self, phi: NDArray[np.float64], t_s: NDArray[np.float64]) -> NDArray:
        """Return the current in A at times whose line phase (cycles, ascending) is `phi`."""
        own = phi - self.half_cycles / 2
        cycle = np.floor(own).astype(np.int64) - self._offset
        frame, within = np.divmod(cycle, self.profile.frame_cycles)
        sign = np.zeros(len(phi))
        for k in np.unique(frame):
            here = frame == k
            if k != self._frame:
                start_s = float(t_s[here][0])
                if within[here][0] or start_s < self.silent_s:
                    continue
                payload = self.payload(len(self.sent), start_s)
                self.sent.append((start_s, payload))
                symbols = bytearray(FRAME_SYMBOLS)
                word, check = bytearray(payload), None
                if self.seal:
                    length = self.profile.frame_cycles
                    check = self.seal(word, int(k) * length + self._offset)
                encode_into(symbols, word, self.eid, self.channel, check)
                self._symbols = 1 - 2 * np.frombuffer(symbols, np.int8)
                self._frame = int(k)
            sign[here] = self._symbols[within[here] // self.profile.cycles_per_symbol]
        keep = np.exp(-(t_s[-1] - t_s[0]) / _WALK_S)
        self._walk_rad *= keep
        self._walk_rad += _WALK_RAD * np.sqrt(1 - keep * keep) * self._rng.normal()
        turn = np.mod(own * (self.channel / self.profile.cycles_per_symbol), 1.0)
        return (
            self.amplitude_a * sign * np.cos(2 * np.pi * turn + self._offset_rad + self._walk_rad)
        )
