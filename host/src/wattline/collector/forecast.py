"""What the next payload of an endpoint probably says, given its last one.

A forecast is 64 log-likelihood ratios, one per payload bit, positive for 0. It leads the decoder
and counts as what it is, prior probability, when a frame is accepted.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from endpoint.line import payload as layout

# Nothing is taken for more certain than this.
_MOST = 9.0
# Probability that a field that seldom changes did.
_CHANGED = 0.01
# Frame types that are forecast, and readings older than this are not used, s.
TYPES = (layout.REGISTER, *layout.STREAMS)
_OLD_S = 26 * 3600
# How far a field moves from one frame to the next, in its codes.
_MOVES = {
    "voltage": 8.0,
    "demand": 60.0,
    "request": 20.0,
    "minimum": 3.0,
    "maximum": 3.0,
    "extreme": 3.0,
    "energy": 40.0,
}
_STEADY = ("selector", "time_valid", "flags", "extreme_is_maximum")
# Advance of a register whose power is not known, 0.1 kWh per hour.
_USUAL_DKWH_PER_H = 12.0


def _bits(values: NDArray[np.int64], weights: NDArray[np.float64], width: int) -> NDArray:
    """Return the log-likelihood ratios of the bits of a value with these probabilities."""
    weights = weights / weights.sum()
    shifts = np.arange(width - 1, -1, -1)
    ones = ((values[:, None] >> shifts) & 1).T @ weights
    floor = np.exp(-_MOST)
    return np.log((1 - ones + floor) / (ones + floor))


def _near(last: int, width: int, spread: float) -> NDArray:
    """Forecast a value that moves by about `spread` up or down."""
    size = 1 << width
    values = np.arange(size)
    weights = np.exp(-np.abs(values - last) / spread) + 1e-4 / size
    return _bits(values, weights, width)


def _same(last: int, width: int) -> NDArray:
    bits = (last >> np.arange(width - 1, -1, -1)) & 1
    return np.log((1 - _CHANGED / 2) / (_CHANGED / 2)) * (1 - 2 * bits)


def _advanced(last: int, mean: float) -> NDArray:
    """Forecast a register that has advanced by about `mean`."""
    if last == layout.REGISTER_MISSING:
        return np.zeros(20)
    ahead = np.arange(min(int(12 * mean) + 2, layout.REGISTER_MODULUS))
    values = (last + ahead) % layout.REGISTER_MODULUS
    return _bits(values, np.exp(-ahead / mean), 20)


def forecast(frame_type: int, last: dict[str, int], seconds: float) -> NDArray[np.float32]:
    """Forecast a frame of the same type.

    Parameters
    ----------
    frame_type
        One of `TYPES`.
    last
        Fields of the last one heard.
    seconds
        From that one's start to this one's.
    """
    hours = seconds / 3600
    rate = _USUAL_DKWH_PER_H
    if last.get("demand", layout.DEMAND_MISSING) != layout.DEMAND_MISSING:
        rate = last["demand"] * layout.DEMAND_STEP_W / 100
    elif last.get("energy", layout.ENERGY_MISSING) != layout.ENERGY_MISSING:
        rate = last["energy"] / 10
    mean = max(rate * hours, 0.5)
    parts = [_same(frame_type, 4)]
    for name, width in layout.LAYOUTS[frame_type]:
        value = last[name]
        if name in _STEADY:
            parts.append(_same(value, width))
        elif name == "register":
            parts.append(_advanced(value, mean))
        elif name == "hour_slot":
            slots = (value + round(hours) + np.arange(-1, 2)) % 8
            parts.append(_bits(slots, np.array([0.07, 0.86, 0.07]), width))
        elif name in _MOVES:
            parts.append(_near(value, width, _MOVES[name]))
        else:
            parts.append(np.zeros(width))
    return np.concatenate(parts).astype(np.float32)


class Readings:
    """What every endpoint said last, per frame type."""

    def __init__(self) -> None:
        self._last: dict[int, dict[int, tuple[float, dict[str, int]]]] = {}

    def note(self, eid: int, frame_type: int, fields: dict[str, int], start_s: float) -> None:
        """Remember a frame that was accepted."""
        if frame_type in TYPES:
            self._last.setdefault(eid, {})[frame_type] = start_s, fields

    def forecasts(self, eid: int, start_s: float) -> Iterator[NDArray[np.float32]]:
        """Yield forecasts of the frame that starts at `start_s`, the latest type first."""
        heard = self._last.get(eid, {}).items()
        for frame_type, (then_s, fields) in sorted(heard, key=lambda item: -item[1][0]):
            if 0 < start_s - then_s < _OLD_S:
                yield forecast(frame_type, fields, start_s - then_s)
