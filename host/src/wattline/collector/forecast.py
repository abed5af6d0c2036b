"""What the next payload of an endpoint probably says, given its last one.

A forecast is 64 log-likelihood ratios, one per payload bit, positive for 0. It is never used to
accept a frame: the decoder's confidence counts it as what it is, prior probability.
"""

import numpy as np
from numpy.typing import NDArray

from endpoint.line import payload as layout

# Nothing is taken for more certain than this.
_MOST = 9.0
# Probability that a field that seldom changes did.
_CHANGED = 0.01


def _bits(values: NDArray[np.int64], weights: NDArray[np.float64], width: int) -> NDArray:
    """Return the log-likelihood ratios of the bits of a value with these probabilities."""
    weights = weights / weights.sum()
    shifts = np.arange(width - 1, -1, -1)
    ones = ((values[:, None] >> shifts) & 1).T @ weights
    floor = np.exp(-_MOST)
    return np.log((1 - ones + floor) / (ones + floor))


def _near(last: int, width: int, below: float, above: float) -> NDArray:
    """Forecast a value that moves by about `below` down and `above` up."""
    size = 1 << width
    values = np.arange(size)
    step = values - last
    spread = np.where(step < 0, max(below, 1e-3), max(above, 1e-3))
    weights = np.exp(-np.abs(step) / spread) + 1e-4 / size
    return _bits(values, weights, width)


def _same(last: int, width: int) -> NDArray:
    bits = (last >> np.arange(width - 1, -1, -1)) & 1
    return np.log((1 - _CHANGED / 2) / (_CHANGED / 2)) * (1 - 2 * bits)


def register_forecast(
    last: dict[str, int], frames: int = 1, steps_per_frame: float = 12.0
) -> NDArray[np.float32]:
    """Forecast a REGISTER from the last one.

    Parameters
    ----------
    last
        Fields of the last REGISTER heard.
    frames
        Frames since then.
    steps_per_frame
        Mean advance of the register in 0.1 kWh per frame.
    """
    mean = steps_per_frame * frames
    ahead = np.arange(min(int(12 * mean) + 2, layout.REGISTER_MODULUS))
    values = (last["register"] + ahead) % layout.REGISTER_MODULUS
    weights = np.exp(-ahead / mean)
    parts = [
        _same(layout.REGISTER, 4),
        _same(last["selector"], 3),
        _same(last["time_valid"], 1),
        _same(last["flags"], 3),
        _bits(values, weights, 20),
        _near(last["voltage"], 10, 8.0, 8.0),
        _near(last["demand"], 13, 60.0, 60.0),
        _near(last["request"], 10, 20.0, 20.0),
    ]
    return np.concatenate(parts).astype(np.float32)
