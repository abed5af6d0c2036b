"""The collector's receiver: samples in, frames out, bounded memory.

It knows the rate, the profile and, if told, identities; everything else it finds: line
phase, channels, symbol alignment, frame starts, levels and noise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import BENCH, FRAME_SYMBOLS, Profile
from wattline.collector.decoder import FIT_EXPECTED, FIT_UNEXPECTED, Decoded, decode, measure
from wattline.collector.frontend import HalfCycles, HarmonicCanceller, LinePhase, Resampler
from wattline.collector.records import KINDS, Frame, Progress
from wattline.collector.search import Search

# A start is tried on its pilots' score alone from here: about one try per second on noise.
_MIN_SCORE = 7.0
# Starts this close, in half-cycles, are one and the same frame.
_NEIGHBOURS = 8
_UNKNOWN_SIZES = (32,)
_KNOWN_SIZES = (32, 128)
# Cycles between looks at the starts; the search keeps little more than a frame.
_STEP_CYCLES = 12
# A known endpoint that is not heard for so many frames is searched for anew.
_MAX_MISSED = 8
# Lower quartile of the channels' mean power, over its mean, for 280 symbols of noise.
_QUARTILE = 0.96


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
        Waveform; symbols of up to 8 line cycles.
    eids
        Identities known beforehand; those that join are added.

    Attributes
    ----------
    known
        Identities known, with the channel on which each was heard last (None if never).
    """

    def __init__(self, rate_sps: int, profile: Profile = BENCH, eids: Iterable[int] = ()) -> None:
        if profile.cycles_per_symbol > 8:
            raise ValueError("This receiver is for symbols of up to 8 line cycles.")
        self._profile = profile
        self._channels = np.array(profile.channels())
        self._rate_sps = rate_sps
        self._line = LinePhase(rate_sps, profile.bandwidth_mhz)
        self._resampler = Resampler(rate_sps, self._line.reference)
        self._canceller = HarmonicCanceller()
        self._transform = HalfCycles(profile, self._channels)
        self._search = Search(profile, self._channels)
        self._tracks: list[_Track] = []
        self._starts = 0
        self._searching = False
        self._searched = 0
        # When half-cycles began, for naming times: (half, s), thinned.
        self._clock: list[tuple[int, float]] = []
        self.known: dict[int, int | None] = dict.fromkeys(eids)

    @property
    def locked(self) -> bool:
        """Whether the reference loop follows the line."""
        return self._line.reference.locked

    @property
    def frequency_hz(self) -> float:
        """Line frequency."""
        return self._line.reference.frequency_hz

    def progress(self) -> list[Progress]:
        """Return how far the frames of the known endpoints are."""
        step = 2 * self._profile.cycles_per_symbol
        shown = []
        for track in self._tracks:
            symbols = (self._search.end - track.start) // step
            shown.append(
                Progress(
                    track.eid,
                    int(self._channels[track.column]),
                    min(max(symbols, 0), FRAME_SYMBOLS),
                    FRAME_SYMBOLS,
                )
            )
        return shown

    def feed(self, voltage: NDArray[np.floating], current: NDArray[np.floating]) -> list[Frame]:
        """Take samples of both inputs, equally many; return the frames that are complete."""
        if len(voltage) != len(current):
            raise ValueError("Give equally many samples of voltage and current.")
        frames = []
        for i in range(0, len(voltage), self._rate_sps):
            frames += self._second(
                voltage[i : i + self._rate_sps],
                np.asarray(current[i : i + self._rate_sps], np.float32),
            )
        return frames

    def _second(self, voltage: NDArray, current: NDArray[np.float32]) -> list[Frame]:
        """Take at most a second: the loop's output is not kept for long."""
        self._line.feed(voltage)
        reference = self._line.reference
        if reference.starts != self._starts:
            self._starts = reference.starts
            self._restart()
        cycles = self._resampler.feed(current)
        cleaned = self._canceller.feed(cycles)
        if not len(cleaned):
            return []
        end = self._resampler.cycle - HarmonicCanceller.DELAY_CYCLES
        frames = []
        for i in range(0, len(cleaned), _STEP_CYCLES):
            frames += self._advance(cleaned[i : i + _STEP_CYCLES], 2 * (end - len(cleaned) + i))
        return frames

    def _advance(self, cycles: NDArray[np.float32], first: int) -> list[Frame]:
        """Take a few cycles that begin at half `first`; return the frames that end in them."""
        if not self._searching:
            self._search.restart(first)
            self._searched = first
            self._searching = True
        self._note_time(first)
        self._search.feed(self._transform.transform(cycles, first))
        return sorted(self._known_frames() + self._new_frames(), key=lambda frame: frame.start_s)

    def _restart(self) -> None:
        """Begin anew after the line phase was lost: all alignments have changed."""
        self._resampler.restart()
        self._canceller.restart()
        self._searching = False
        self._tracks.clear()
        self._clock.clear()

    def _note_time(self, half: int) -> None:
        if not self._clock or half - self._clock[-1][0] >= 120:
            t_s = float(self._line.reference.times(np.array([half / 2]))[0])
            self._clock.append((half, t_s))
            oldest = half - 2 * self._search.frame_halves
            while self._clock[1:] and self._clock[1][0] < oldest:
                self._clock.pop(0)

    def _time_s(self, half: int) -> float:
        halves, times = zip(*self._clock, strict=True)
        if half > halves[-1]:
            return times[-1] + (half - halves[-1]) / 2 / self.frequency_hz
        return float(np.interp(half, halves, times))

    def _known_frames(self) -> list[Frame]:
        """Decode the frames of known endpoints that are complete, whatever their pilots say."""
        frames = []
        for track in list(self._tracks):
            while track.start + 1 < self._search.scored:
                start = track.start
                decoded = self._decode(
                    start, track.column, (track.eid,), _KNOWN_SIZES, FIT_EXPECTED
                )
                track.start += self._search.frame_halves
                if decoded is not None:
                    decoded, moved = self._settle(decoded, start, track.column)
                    track.start += moved
                    track.missed = 0
                    frames.append(self._frame(decoded, start + moved, track.column))
                    continue
                track.missed += 1
                if track.missed == _MAX_MISSED:
                    self._tracks.remove(track)
                    break
        return frames

    def _new_frames(self) -> list[Frame]:
        """Try the starts that stand out, where no known endpoint is expected."""
        first, end = self._searched, self._search.scored - _NEIGHBOURS
        if end <= first:
            return []
        self._searched = end
        before = min(_NEIGHBOURS, first - self._search.first_start)
        scores = self._search.scores(first - before, end + _NEIGHBOURS)
        frames = []
        for row, column in np.argwhere(scores[before : before + end - first] >= _MIN_SCORE):
            near = scores[max(row + before - _NEIGHBOURS, 0) : row + before + _NEIGHBOURS + 1]
            start = first + int(row)
            if scores[row + before, column] < near[:, column].max():
                continue
            if self._expected(start, int(column)):
                continue
            here = int(self._channels[column])
            eids = [eid for eid, channel in self.known.items() if channel in (None, here)]
            start = self._search.refine(start, int(column))
            decoded = self._decode(start, int(column), eids, _UNKNOWN_SIZES, FIT_UNEXPECTED)
            if decoded is not None:
                decoded, moved = self._settle(decoded, start, int(column))
                start += moved
                self._track(decoded.eid, int(column), start)
                frames.append(self._frame(decoded, start, int(column)))
        return frames

    def _expected(self, start: int, column: int) -> bool:
        """Return whether a known endpoint's frame starts here."""
        period = self._search.frame_halves
        for track in self._tracks:
            off = (start - track.start + period // 2) % period - period // 2
            if track.column == column and abs(off) <= _NEIGHBOURS:
                return True
        return False

    def _track(self, eid: int, column: int, start: int) -> None:
        self.known[eid] = int(self._channels[column])
        self._tracks = [t for t in self._tracks if t.eid != eid]
        self._tracks.append(_Track(eid, column, start + self._search.frame_halves))

    def _settle(self, decoded: Decoded, start: int, column: int) -> tuple[Decoded, int]:
        """Return the frame as it looks at the best of three alignments, and that one's offset."""
        best, moved = decoded, 0
        for off in (-1, 1):
            other = measure(
                self._search.symbols(start + off)[:, column],
                int(self._channels[column]),
                decoded.eid,
                decoded.payload,
            )
            if other.amplitude > best.amplitude:
                best, moved = other, off
        return best, moved

    def _decode(
        self,
        start: int,
        column: int,
        eids: Iterable[int],
        sizes: Iterable[int],
        min_fit: float,
    ) -> Decoded | None:
        symbols = self._search.symbols(start)
        power = np.mean(symbols.real**2 + symbols.imag**2, axis=0)
        noise = float(np.quantile(power, 0.25)) / _QUARTILE
        channel = int(self._channels[column])
        return decode(symbols[:, column], noise, channel, eids, sizes, min_fit)

    def _frame(self, decoded: Decoded, start: int, column: int) -> Frame:
        return KINDS[decoded.frame_type](
            eid=decoded.eid,
            channel=int(self._channels[column]),
            start_s=self._time_s(start),
            payload=decoded.payload,
            fields=decoded.fields,
            ebn0_db=decoded.ebn0_db,
            corrected_bits=decoded.corrected_bits,
            amplitude=decoded.amplitude,
            symbols=decoded.symbols,
            phase_rad=decoded.phase_rad,
        )
