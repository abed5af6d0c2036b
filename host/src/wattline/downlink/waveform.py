"""What the collector injects: tones over line phase, and samples for a converter's input."""

from collections.abc import Callable

import numpy as np

from endpoint.line.detector import TONES_OF, Tones
from endpoint.line.framing import tones_of
from wattline.errors import WattlineError


def tones_for(profile: str) -> Tones:
    """Return the downlink that goes with an uplink profile."""
    try:
        return TONES_OF[profile]
    except KeyError:
        raise WattlineError(
            f"profile {profile} has no downlink: take one of {', '.join(sorted(TONES_OF))}"
        ) from None


class DownlinkSignal:
    """Frames placed on a line's cycles; a function of line phase.

    Parameters
    ----------
    tones : Tones
    amplitude : float
        Of the tone, in the unit of the caller's choice.
    """

    def __init__(self, tones: Tones, amplitude: float):
        self.tones = tones
        self.amplitude = amplitude
        self._frames: list[tuple[int, np.ndarray]] = []

    def send(self, frame: bytes, at_cycle: int) -> int:
        """Place a frame at the first symbol boundary at or after a cycle; return that cycle."""
        m = self.tones.cycles_per_symbol
        start = -(-at_cycle // m) * m
        if self._frames and start < self.free_from:
            raise WattlineError("the line is still busy with the frame before: send it later")
        ratios = np.array(self.tones.tones, float)[np.frombuffer(tones_of(frame), np.uint8)]
        self._frames.append((start, ratios / m))
        return start

    @property
    def free_from(self) -> int:
        """The first cycle at which nothing is placed yet."""
        if not self._frames:
            return 0
        return self._frames[-1][0] + self.tones.frame_cycles

    def at(self, cycles: np.ndarray) -> np.ndarray:
        """Return the injected signal at line phases given in cycles (any shape)."""
        cycles = np.asarray(cycles, float)
        out = np.zeros(cycles.shape)
        m = self.tones.cycles_per_symbol
        for start, ratios in self._frames:
            inside = (cycles >= start) & (cycles < start + self.tones.frame_cycles)
            since = cycles[inside] - start
            ratio = ratios[(since // m).astype(int)]
            out[inside] = self.amplitude * np.cos(2 * np.pi * ratio * since)
        return out


def converter_codes(
    line: np.ndarray, full_scale: float = 1.0, bits: int = 12, noise: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return converter codes of a voltage between plus and minus `full_scale`."""
    half = 1 << (bits - 1)
    codes = np.rint(np.asarray(line) / full_scale * half + half + noise)
    return np.clip(codes, 0, (1 << bits) - 1).astype(np.uint16)


def converter_source(
    phase_cycles: Callable[[float], float],
    signal: DownlinkSignal,
    mains: float = 0.6,
    harmonics: tuple[tuple[int, float], ...] = ((3, 0.03), (5, 0.03)),
    noise: Callable[[], float] | None = None,
) -> Callable[[int], int]:
    """Return a function of time (ns) for an emulated converter's input.

    Parameters
    ----------
    phase_cycles : callable
        Line phase in cycles at a time in ns.
    signal : DownlinkSignal
        Amplitude as a part of full scale.
    mains : float
        Fundamental, as a part of full scale; `harmonics` are parts of that.
    noise : callable, optional
        Returns the converter's noise in codes.
    """
    parts = ((1, 1.0), *harmonics)

    def code(t_ns: int) -> int:
        cycles = phase_cycles(t_ns)
        volts = sum(mains * part * np.sin(2 * np.pi * k * cycles) for k, part in parts)
        volts += float(signal.at(np.array([cycles]))[0])
        return int(converter_codes(np.array([volts]), noise=noise() if noise else 0.0)[0])

    return code
