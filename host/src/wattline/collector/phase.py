"""Carrier phase and bits together: a hidden Markov model of a phase that drifts and jumps."""

import numpy as np
from numpy.typing import NDArray

_STATES = 32
_JUMP = 0.003
_ANGLES = np.exp(-2j * np.pi * np.arange(_STATES) / _STATES)


def _transitions(walk_rad: float) -> NDArray[np.float64]:
    """Return the circular random walk, with a share of jumps to anywhere."""
    step = 2 * np.pi / _STATES
    distance = (np.arange(_STATES) + _STATES // 2) % _STATES - _STATES // 2
    # Convolved with one state's width, so that a walk below a state's width still moves.
    spread = np.hypot(walk_rad, 0.35 * step)
    row = np.exp(-0.5 * (distance * step / spread) ** 2)
    row = (1 - _JUMP) * row / row.sum() + _JUMP / _STATES
    return np.array([np.roll(row, i) for i in range(_STATES)])


def bit_llrs(
    received: NDArray[np.complex128],
    known: NDArray[np.int8],
    amplitude: float,
    noise: float,
    walk_rad: float = 0.05,
    prior: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return extrinsic log-likelihood ratios of all symbols.

    Parameters
    ----------
    received
        Symbols.
    known
        +1 or -1 where the symbol is known, 0 where it is data.
    amplitude
        Carrier amplitude.
    noise
        Noise variance per complex symbol.
    walk_rad
        Phase step from symbol to symbol, rad rms.
    prior
        LLRs from elsewhere, by which the phase may be judged.

    Returns
    -------
    ndarray of float64
        Positive for +1; the prior is not included.
    """
    count = len(received)
    # Log-likelihood of +1 against the mean of both, per symbol and phase.
    x = (2 * amplitude / noise) * (received[:, None] * _ANGLES).real
    lean = np.where(known != 0, 60.0 * known, 0.0 if prior is None else prior / 2)[:, None]
    seen = np.logaddexp(x + lean, -x - lean)
    seen = np.exp(seen - seen.max(axis=1, keepdims=True))
    move = _transitions(walk_rad)
    ahead = np.empty((count, _STATES))
    behind = np.empty((count, _STATES))
    state = np.full(_STATES, 1 / _STATES)
    for i in range(count):
        ahead[i] = state
        state = move @ (state * seen[i])
        state /= state.sum()
    state = np.full(_STATES, 1 / _STATES)
    for i in range(count - 1, -1, -1):
        behind[i] = state
        state = move @ (state * seen[i])
        state /= state.sum()
    weight = np.log(ahead * behind + 1e-300)
    return np.logaddexp.reduce(weight + x, axis=1) - np.logaddexp.reduce(weight - x, axis=1)
