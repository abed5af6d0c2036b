"""When symbols really begin, from a frame whose bits are known."""

import numpy as np
from numpy.typing import NDArray


def late(
    parts: NDArray[np.complex64], signs: NDArray[np.int8], phase_rad: NDArray[np.float32]
) -> float:
    """Return by how many parts the symbols begin later than assumed (-1 … 1).

    Parameters
    ----------
    parts
        Shape (280, parts per symbol).
    signs
        The 280 signs sent.
    phase_rad
        The 280 phases.

    Notes
    -----
    Where the sign changes, the part beside the boundary holds both signs in proportion: the
    first part if the boundary lies late, the last one if it lies early.
    """
    turned = (parts * (signs * np.exp(-1j * phase_rad))[:, None]).real
    changes = signs[1:] != signs[:-1]
    whole = np.mean(turned[:, 1:-1])
    if not changes.any() or whole <= 0:
        return 0.0
    first = (1 - np.mean(turned[1:, 0][changes]) / whole) / 2
    last = (1 - np.mean(turned[:-1, -1][changes]) / whole) / 2
    return float(np.clip(first - last, -1.0, 1.0))
