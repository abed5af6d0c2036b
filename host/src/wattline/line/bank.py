"""Thousands of endpoints at once: carriers of long symbols, made at equal line phase.

A carrier locked to the line is an exact line of a transform over whole line cycles. The sum of
any number of endpoints over a piece of a symbol therefore costs two inverse transforms,
whatever their number, and is then taken to the sampling instants by interpolation. Phase and
level of every endpoint change linearly inside a piece.

Source: docs/phy.md, "Line model".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from endpoint.line.frame import frame_crc
from endpoint.line.profile import FRAME_SYMBOLS, Profile
from wattline.collector.frontend import interpolator
from wattline.collector.symbols import scrambler, signs_of
from wattline.line.drift import Drift, Motion

_SAMPLES = 64
_PIECES = 8
_BEFORE = 32


@dataclass
class Member:
    """One endpoint of a bank.

    Parameters
    ----------
    eid, channel
        Identity and channel number.
    amplitude_a
        Amplitude of its carrier at the collector.
    payload
        ``payload(k, start_s)`` returns the 8 bytes of its k-th frame from 0.
    """

    eid: int
    channel: int
    amplitude_a: float
    payload: Callable[[int, float], bytes]
    sent: list[tuple[float, bytes]] = field(default_factory=list)


@njit(cache=True, fastmath=True)
def _interpolate(samples, first, positions, taps, out):
    """Take samples of a uniform grid at any positions, in grid steps."""
    fractions, length = taps.shape
    for i in range(len(positions)):
        at = positions[i] - first
        whole = int(np.floor(at))
        tap = taps[int((at - whole) * fractions)]
        start = whole - (length // 2 - 1)
        total = np.float32(0.0)
        for k in range(length):
            total += samples[start + k] * tap[k]
        out[i] = total


class Bank:
    """Endpoints that count the bus's line cycles together.

    Parameters
    ----------
    members
        Endpoints; several may share a channel.
    profile
        Waveform, with symbols of 32 cycles or more.
    motion
        How phases and levels move.
    cycle
        Line cycles of the bus counted up to time 0.
    seed
        Seed of motion and phases.
    line_hz
        Line frequency, for naming the time of frames before they begin.
    """

    def __init__(
        self,
        members: Sequence[Member],
        profile: Profile,
        motion: Motion,
        cycle: int = 0,
        seed: int = 0,
        line_hz: float = 60.0,
    ) -> None:
        for member in members:
            profile.check(member.channel)
        self.members = list(members)
        self._length = profile.cycles_per_symbol
        self._piece = self._length // _PIECES
        self._channels = np.array([m.channel for m in members], np.int64)
        self._amplitudes = np.array([m.amplitude_a for m in members])
        rng = np.random.default_rng([seed, 7])
        ratios = self._channels / self._length
        self._drift = Drift(motion, ratios, self._piece / line_hz, rng)
        self._cycle = cycle
        self._line_hz = line_hz
        offsets = np.array([profile.frame_offset(int(n)) for n in self._channels], np.int64)
        self._offsets = offsets // self._length
        self._signs = np.zeros((len(members), FRAME_SYMBOLS), np.int8)
        self._taps = interpolator()
        self._samples = np.zeros(0, np.float32)
        # First sample held, and the next piece, both counted from the bus's cycle 0.
        self._first = 0
        self._next: int | None = None

    def current(self, phi: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the current in A at ascending line phases (cycles from time 0)."""
        positions = (phi + self._cycle) * _SAMPLES
        if self._next is None:
            self._next = int(positions[0] / _SAMPLES) // self._piece
            self._first = self._next * self._piece * _SAMPLES - _BEFORE
            self._samples = np.zeros(_BEFORE, np.float32)
        ready = [self._samples]
        end = self._next * self._piece * _SAMPLES
        while end < positions[-1] + _BEFORE:
            ready.append(self._make())
            end += self._piece * _SAMPLES
        self._samples = np.concatenate(ready)
        out = np.empty(len(phi), np.float32)
        _interpolate(self._samples, self._first, positions, self._taps, out)
        done = int(positions[-1]) - self._first - _BEFORE
        if done > 0:
            self._samples = self._samples[done:]
            self._first += done
        return out

    def _make(self) -> NDArray[np.float32]:
        """Return the samples of the next piece."""
        symbol, piece = divmod(self._next, _PIECES)
        self._next += 1
        slot = (symbol - self._offsets) % FRAME_SYMBOLS
        if piece == 0:
            self._load(np.flatnonzero(slot == 0), symbol)
        begin, end = self._drift.step()
        scale = self._amplitudes * self._signs[np.arange(len(slot)), slot]
        size = self._length * _SAMPLES
        window = slice(piece * self._piece * _SAMPLES, (piece + 1) * self._piece * _SAMPLES)
        parts = []
        for value in (begin, end - begin):
            lines = np.zeros(size // 2 + 1, np.complex64)
            np.add.at(lines, self._channels, (scale * value * (size / 2)).astype(np.complex64))
            parts.append(scipy.fft.irfft(lines, size)[window])
        count = self._piece * _SAMPLES
        ramp = np.arange(count, dtype=np.float32) / count
        return parts[0] + ramp * parts[1]

    def _load(self, starting: NDArray[np.int64], symbol: int) -> None:
        """Encode the frames that start at this symbol."""
        start_s = (symbol * self._length - self._cycle) / self._line_hz
        for i in starting:
            member = self.members[i]
            payload = member.payload(len(member.sent), start_s)
            member.sent.append((start_s, payload))
            word = payload + frame_crc(member.eid, payload).to_bytes(2, "big")
            signs = signs_of(np.frombuffer(word, np.uint8))
            self._signs[i] = signs * scrambler(member.channel)
