"""The collector's receiver: samples in, frames out, bounded memory.

It knows the rate, the profile and, if told, identities; everything else it finds: line
phase, channels, symbol alignment, frame starts, levels and noise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import BENCH, FRAME_SYMBOLS, Profile
from wattline.collector import timing
from wattline.collector.channelizer import Channelizer
from wattline.collector.decoder import (
    QUICK,
    RECALL,
    SEARCH,
    THOROUGH,
    Decoded,
    Key,
    decode,
    refit,
)
from wattline.collector.forecast import Readings
from wattline.collector.frontend import Clock, HarmonicCanceller, Limiter, LinePhase, Resampler
from wattline.collector.history import MISSING_SYMBOLS, History
from wattline.collector.neighbours import Neighbours
from wattline.collector.records import KINDS, Frame, Progress
from wattline.collector.secrets import Secrets
from wattline.collector.strong import StrongCarriers

# A start is tried on its pilots' score from here, if it also has the power: about one try per
# second on noise in `bench`.
_MIN_SCORE = 7.0
_SURE_SCORE = 14.0
# Cycles between looks at the starts; the history keeps little more than a frame.
_STEP_CYCLES = 12
# Before all parts.
_ANY_TIME = -(1 << 62)
# A known endpoint that is not heard for so many frames is searched for anew.
_MAX_MISSED = 8


@dataclass
class _Track:
    """A known endpoint and where its next frame starts."""

    eid: int
    column: int
    start: int
    missed: int = 0


class Receiver:
    """One bus.

    Parameters
    ----------
    rate_sps
        Sampling rate of both inputs.
    profile
        Waveform.
    eids
        Identities known beforehand, with or without their channels; those that join are added.
    cycle
        Line cycles of the bus counted up to the first sample, if known. Without a count it is
        found from the first frames heard, which are then received a little less well.
    clock
        "line" for carriers locked to the line, "crystal" for carriers that are not.
    secrets
        Keys of endpoints whose frames may be sealed. They open frames while the bus's cycles
        are counted from `cycle` on.
    history
        Whether frames that cannot be decoded are tried again knowing what their endpoint said
        last.

    Attributes
    ----------
    known
        Identities known, with the channel on which each was heard last (None if never).
    """

    def __init__(
        self,
        rate_sps: int,
        profile: Profile = BENCH,
        eids: Iterable[int] | Mapping[int, int | None] = (),
        cycle: int | None = None,
        clock: str = "line",
        secrets: Secrets | None = None,
        history: bool = True,
    ) -> None:
        self._profile = profile
        self._rate_sps = rate_sps
        locked = clock == "line"
        self._line = LinePhase(rate_sps, profile.bandwidth_mhz) if locked else Clock(rate_sps)
        self._resampler = Resampler(rate_sps, self._line.reference)
        self._canceller = HarmonicCanceller()
        self._limiter = Limiter()
        self._channelizer = Channelizer(profile)
        self._channels = self._channelizer.channels[: self._channelizer.count]
        self._column = {int(n): i for i, n in enumerate(self._channels)}
        self._history = History(self._channelizer)
        # Endpoints of long symbols count the bus's cycles together; of short ones each its own.
        self._common = self._channelizer.part_halves > 1
        self._neighbours = self._strong = None
        if self._common:
            self._neighbours = Neighbours(self._channelizer.channels, self._channelizer.parts)
        else:
            self._strong = StrongCarriers(self._channelizer, self._history)
        self._cleaned = 0
        self._cycle = cycle
        self._tracks: list[_Track] = []
        # No track's next frame starts before this part.
        self._due = _ANY_TIME
        self._starts = 0
        self._waiting = np.zeros((0, 64), np.float32)
        # Cycles in front of the first whole part.
        self._skip = 0
        # Half-cycle at which parts are counted from 0, and the next one to come.
        self._origin: int | None = None
        self._searched = 0
        # Part at which the bus's count is a multiple of the frame; None while unknown.
        self._bus: int | None = None
        # When parts began, for naming times: (part, s), thinned.
        self._clock: list[tuple[int, float]] = []
        self._secrets = secrets
        # Frame numbers follow from a count that was given, not from one that was found.
        self._counted = cycle is not None
        self._readings = Readings() if history else None
        self.known: dict[int, int | None] = dict.fromkeys(eids)
        if isinstance(eids, Mapping):
            self.known.update(eids)
        self._searched_columns = np.arange(len(self._channels))

    @property
    def locked(self) -> bool:
        """Whether the reference loop follows the line."""
        return self._line.reference.locked

    @property
    def frequency_hz(self) -> float:
        """Line frequency."""
        return self._line.reference.frequency_hz

    @property
    def cycle(self) -> int | None:
        """Line cycles of the bus counted up to the first sample, as far as it is known."""
        return self._cycle

    def progress(self) -> list[Progress]:
        """Return how far the frames of known endpoints are."""
        step = self._history.step
        return [
            Progress(
                eid=track.eid,
                channel=int(self._channels[track.column]),
                symbols=min(max(self._history.end - track.start, 0) // step, FRAME_SYMBOLS),
                of=FRAME_SYMBOLS,
            )
            for track in self._tracks
        ]

    def feed(self, voltage: NDArray, current: NDArray) -> list[Frame]:
        """Take samples of any count; return the frames that ended, in order of their start."""
        frames = []
        # Short pieces, so that the loop's knots are used before they are forgotten.
        for i in range(0, len(voltage), self._rate_sps):
            frames += self._feed_second(
                voltage[i : i + self._rate_sps], current[i : i + self._rate_sps]
            )
        return frames

    def finish(self) -> list[Frame]:
        """Return what can still be heard of frames that were cut off at the end."""
        if self._origin is None:
            return []
        step = self._history.step
        columns = len(self._channelizer.channels)
        self._history.feed(np.zeros((MISSING_SYMBOLS * step, columns), np.complex64))
        return self._look()

    def _feed_second(self, voltage: NDArray, current: NDArray) -> list[Frame]:
        if len(voltage) == 0:
            return []
        self._line.feed(voltage)
        if self._line.reference.starts != self._starts:
            self._starts = self._line.reference.starts
            self._restart()
        cycles = self._resampler.feed(np.asarray(current, np.float32))
        cleaned = self._limiter.feed(self._canceller.feed(cycles))
        if len(cleaned) == 0:
            return []
        end = self._resampler.cycle - HarmonicCanceller.DELAY_CYCLES
        if self._origin is None:
            self._begin(end - len(cleaned))
        skipped = min(self._skip, len(cleaned))
        self._skip -= skipped
        cleaned = cleaned[skipped:]
        self._waiting = np.concatenate([self._waiting, cleaned])
        size = self._channelizer.part_halves
        step = max(_STEP_CYCLES, size // 2)
        frames = []
        while len(self._waiting) >= step:
            first = 2 * (end - len(self._waiting))
            parts = self._channelizer.feed(
                self._waiting[:step], first - self._bus_half(), self._limiter.covariance
            )
            self._waiting = self._waiting[step:]
            self._note_time((first - self._origin) // size)
            self._history.feed(parts)
            frames += self._look()
        return frames

    def _begin(self, first_cycle: int) -> None:
        """Lay the grid of parts; the first cycle that was heard is `first_cycle`."""
        reference = self._line.reference
        size = self._channelizer.part_halves
        # The bus's count at the first sample, or what it would be if it began there.
        zero = round(reference.phase_since - reference.since_s * reference.frequency_hz)
        self._zero = zero
        self._count_0 = self._cycle or 0
        first = 2 * (first_cycle - zero + self._count_0)
        self._skip = -(-first // size) * size // 2 - first // 2 if size > 1 else 0
        self._origin = 2 * (zero - self._count_0)
        part = -(-first // size) if size > 1 else first
        self._history.restart(part)
        self._searched = self._cleaned = self._history.first
        if self._common and self._cycle is not None:
            self._learn_bus(0)

    def _bus_half(self) -> int:
        return self._origin or 0

    def _restart(self) -> None:
        """Begin anew after the line phase was lost: all alignments have changed."""
        self._resampler.restart()
        self._canceller.restart()
        self._waiting = self._waiting[:0]
        if self._origin is not None:
            # The count cannot be continued across a gap of unknown length.
            self._cycle = None
            self._counted = False
        self._origin = None
        self._bus = None
        self._searched_columns = np.arange(len(self._channels))
        self._tracks.clear()
        self._due = _ANY_TIME
        if self._strong:
            self._strong.restart()
        self._clock.clear()

    def _note_time(self, part: int) -> None:
        size = self._channelizer.part_halves
        if not self._clock or (part - self._clock[-1][0]) * size >= 120:
            half = part * size + self._bus_half()
            t_s = float(self._line.reference.times(np.array([half / 2]))[0])
            self._clock.append((part, t_s))
            oldest = part - 2 * self._history.frame
            while self._clock[1:] and self._clock[1][0] < oldest:
                self._clock.pop(0)

    def _time_s(self, part: int) -> float:
        parts, times = zip(*self._clock, strict=True)
        part_s = self._channelizer.part_halves / 2 / self.frequency_hz
        if part > parts[-1]:
            return times[-1] + (part - parts[-1]) * part_s
        if part < parts[0]:
            return times[0] - (parts[0] - part) * part_s
        return float(np.interp(part, parts, times))

    def _look(self) -> list[Frame]:
        """Return the frames that have become complete."""
        self._clean()
        if self._strong:
            self._strong.follow()
        frames = self._known_frames() + self._new_frames()
        return sorted(frames, key=lambda frame: frame.start_s)

    def _clean(self) -> None:
        """Take the spill of strong neighbours out of all symbols but the newest."""
        if self._neighbours is None or self._bus is None:
            return
        step = self._history.step
        phase = self._bus % step
        newest = (self._history.end - phase) // step * step + phase
        first = max(self._cleaned, (self._history.first - phase) // step * step + phase)
        for start in range(first, newest - step, step):
            self._history.clean(start, self._neighbours)
        self._cleaned = max(first, newest - step)

    def _known_frames(self) -> list[Frame]:
        """Decode the frames of known endpoints that are complete, whatever their pilots say."""
        frames = []
        period = self._history.frame
        # Strong neighbours are removed one symbol late.
        wait = self._history.step if self._neighbours else 0
        # Thousands of endpoints end their frames at a few dozen moments.
        if self._history.end < self._due + period + wait:
            return frames
        for track in list(self._tracks):
            while track.start + period + wait <= self._history.end:
                start = track.start
                track.start += period
                if start < self._history.first:
                    continue
                if self._strong:
                    self._strong.release(track.eid)
                decoded = self._decode(start, track.column, (track.eid,), THOROUGH)
                decoded = decoded or self._recall(start, track)
                if decoded is not None:
                    decoded, moved = self._settle(decoded, start, track.column)
                    track.start += moved
                    self._take(decoded, start + moved, track.column)
                    track.missed = 0
                    frames.append(self._frame(decoded, start + moved, track.column))
                    continue
                track.missed += 1
                if track.missed == _MAX_MISSED and not self._scheduled(track.column):
                    self._tracks.remove(track)
                    break
        self._due = min((track.start for track in self._tracks), default=self._history.end)
        return frames

    def _scheduled(self, column: int) -> bool:
        """Return whether frames of this channel start where the bus's count says."""
        if self._bus is None:
            return False
        return not (
            self._profile.join_offsets and self._profile.is_join(int(self._channels[column]))
        )

    def _new_frames(self) -> list[Frame]:
        """Try the starts that stand out, where no known endpoint is expected."""
        near = self._history.step
        first, end = self._searched, self._history.end - self._history.frame + 1 - near
        if end <= first:
            return []
        self._searched = end
        columns = self._searched_columns
        before = min(near, first - self._history.first)
        scores = self._history.scores(first - before, end + near, columns)
        frames = []
        for row, at in np.argwhere(scores[before : before + end - first] >= _MIN_SCORE):
            around = scores[max(row + before - near, 0) : row + before + near + 1, at]
            score = scores[row + before, at]
            start, column = first + int(row), int(columns[at])
            if score < around.max() or self._expected(start, column):
                continue
            here = int(self._channels[column])
            eids = [eid for eid, channel in self.known.items() if channel in (None, here)]
            start = self._history.refine(start, column)
            sizes = SEARCH if score >= _SURE_SCORE else QUICK
            decoded = self._decode(start, column, eids, sizes)
            if decoded is None:
                continue
            decoded, moved = self._settle(decoded, start, column)
            start += moved
            frames.append(self._frame(decoded, start, column))
            self._track(decoded.eid, column, start)
            if self._take(decoded, start, column):
                # What this carrier hid may be heard now.
                self._searched = self._history.first
            if self._common and self._bus is None and not self._is_join(column):
                self._find_bus(decoded, start, column)
        return frames

    def _is_join(self, column: int) -> bool:
        profile = self._profile
        return bool(profile.join_offsets) and profile.is_join(int(self._channels[column]))

    def _expected(self, start: int, column: int) -> bool:
        """Return whether a known endpoint's frame starts here."""
        period = self._history.frame
        for track in self._tracks:
            off = (start - track.start + period // 2) % period - period // 2
            if track.column == column and abs(off) <= self._history.step:
                return True
        return False

    def _track(self, eid: int, column: int, start: int) -> None:
        self.known[eid] = int(self._channels[column])
        self._tracks = [t for t in self._tracks if t.eid != eid]
        self._tracks.append(_Track(eid, column, start + self._history.frame))
        self._due = min(self._due, start)

    def _take(self, decoded: Decoded, start: int, column: int) -> bool:
        """Take a strong carrier out of the history; return whether it was."""
        if self._strong is None:
            return False
        return self._strong.take(
            decoded.eid, column, start, decoded.signs, decoded.phase_rad, decoded.amplitude
        )

    def _frame_start(self, column: int) -> int:
        """Return the part, relative to the bus's count, at which frames of a column start."""
        size = self._channelizer.part_halves
        return 2 * self._profile.frame_offset(int(self._channels[column])) // size

    def _find_bus(self, decoded: Decoded, start: int, column: int) -> None:
        """Conclude from one frame when all others start."""
        parts = self._history.parts(start, column)
        size = self._channelizer.part_halves
        late = timing.late(parts, decoded.signs, decoded.phase_rad)
        cycles = ((start - self._frame_start(column)) * size) // 2 + round(late * size / 2)
        self._cycle = (self._count_0 - cycles) % self._profile.frame_cycles
        self._learn_bus(start - self._frame_start(column))

    def _learn_bus(self, part: int) -> None:
        """Frames of scheduled channels start at `part` plus each channel's own offset."""
        self._bus = part % self._history.frame
        joins = [i for i in range(len(self._channels)) if self._is_join(i)]
        self._searched_columns = np.array(joins, np.int64)
        tracked = {track.eid for track in self._tracks}
        for eid, channel in self.known.items():
            if channel is not None and eid not in tracked and channel in self._column:
                column = self._column[channel]
                start = self._bus + self._frame_start(column)
                behind = start - self._history.first
                start -= behind // self._history.frame * self._history.frame
                self._tracks.append(_Track(eid, column, start))
                self._due = min(self._due, start)

    def _settle(self, decoded: Decoded, start: int, column: int) -> tuple[Decoded, int]:
        """Return the frame as it looks at the best of three alignments, and that one's offset."""
        if self._scheduled(column):
            return decoded, 0
        best, moved = decoded, 0
        for off in (-1, 1):
            if not self._history.first <= start + off <= self._history.end - self._history.frame:
                continue
            symbols = self._history.symbols(start + off, column)
            other = refit(decoded, symbols, int(self._channels[column]))
            if other.amplitude > best.amplitude:
                best, moved = other, off
        return best, moved

    def _decode(
        self, start: int, column: int, eids: Iterable[int], sizes: tuple[int, ...]
    ) -> Decoded | None:
        symbols = self._history.symbols(start, column)
        noise = float(self._history.noise[column])
        keys = self._keys(start, column, eids)
        return decode(symbols, noise, int(self._channels[column]), eids, sizes, keys=keys)

    def _recall(self, start: int, track: _Track) -> Decoded | None:
        """Decode a frame of an endpoint knowing what it said last."""
        if self._readings is None:
            return None
        forecasts = list(self._readings.forecasts(track.eid, self._time_s(start)))
        eids = (track.eid,)
        keys = self._keys(start, track.column, eids)
        symbols = self._history.symbols(start, track.column)
        noise = float(self._history.noise[track.column])
        channel = int(self._channels[track.column])
        for forecast in forecasts:
            told = forecast
            if track.eid in keys:
                told = forecast * keys[track.eid].stream_signs(track.eid)
            decoded = decode(
                symbols, noise, channel, eids, RECALL, told, keys, as_forecast=0.9 / len(forecasts)
            )
            if decoded is not None:
                return decoded
        return None

    def _keys(self, start: int, column: int, eids: Iterable[int]) -> dict[int, Key]:
        """Return the keys for a frame that starts at a part."""
        if self._secrets is None or not self._counted:
            return {}
        cycle = start * self._channelizer.part_halves / 2
        offset = self._profile.frame_offset(int(self._channels[column]))
        length = self._profile.frame_cycles
        cycle = round((cycle - offset) / length) * length + offset
        return self._secrets.keys(eids, cycle, self._time_s(start), length)

    def _frame(self, decoded: Decoded, start: int, column: int) -> Frame:
        start_s = self._time_s(start)
        if self._readings is not None:
            self._readings.note(decoded.eid, decoded.frame_type, decoded.fields, start_s)
        return KINDS.get(decoded.frame_type, Frame)(
            eid=decoded.eid,
            channel=int(self._channels[column]),
            start_s=start_s,
            payload=decoded.payload,
            fields=decoded.fields,
            confidence=decoded.confidence,
            ebn0_db=decoded.ebn0_db,
            corrected_bits=decoded.corrected_bits,
            sealed=decoded.sealed,
            amplitude=decoded.amplitude,
            symbols=decoded.symbols,
            phase_rad=decoded.phase_rad,
        )
