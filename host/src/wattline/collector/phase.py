"""Carrier phase and bits together: a hidden Markov model of a phase that drifts and jumps.

Source: docs/phy.md, "Phase".
"""

import numpy as np
from numba import njit

STATES = 32
_REACH = 6
# Share and size (rad) of the steps of load angle. Half a turn stays out of reach: it would
# exchange the bits' signs unseen wherever the pilots happen to be weak.
_JUMP = 0.02
_JUMP_RAD = 0.4
_FLOOR = 1e-9
_COS = np.cos(2 * np.pi * np.arange(STATES) / STATES).astype(np.float32)
_SIN = np.sin(2 * np.pi * np.arange(STATES) / STATES).astype(np.float32)


@njit(cache=True, fastmath=True)
def _move(source, out, taps):
    """Let the phase walk one symbol; `out` is normalised."""
    for k in range(STATES):
        out[k] = source[k] * taps[0]
    for d in range(1, _REACH + 1):
        tap = taps[d]
        for k in range(STATES):
            out[k] += tap * (source[(k + d) & (STATES - 1)] + source[(k - d) & (STATES - 1)])
    total = np.float32(0.0)
    for k in range(STATES):
        total += out[k]
    scale = np.float32(1.0) / total
    floor = np.float32(_FLOOR)
    for k in range(STATES):
        out[k] = out[k] * scale + floor
    return total


@njit(cache=True)
def _taps(walk_rad):
    """Return the probabilities of phase steps of 0 … `_REACH` states."""
    taps = np.empty(_REACH + 1, np.float32)
    step = 2 * np.pi / STATES
    # Never below a fraction of a state's width, so that a slow walk still moves.
    spread = np.sqrt(walk_rad * walk_rad + (0.22 * step) ** 2)
    total = 0.0
    wide = 0.0
    for d in range(_REACH + 1):
        share = 1.0 if d == 0 else 2.0
        taps[d] = np.exp(-0.5 * (d * step / spread) ** 2)
        total += share * taps[d]
        wide += share * np.exp(-0.5 * (d * step / _JUMP_RAD) ** 2)
    for d in range(_REACH + 1):
        far = np.exp(-0.5 * (d * step / _JUMP_RAD) ** 2) / wide
        taps[d] = (1 - _JUMP) * taps[d] / total + _JUMP * far
    return taps


@njit(cache=True, fastmath=True)
def bit_llrs(received, known, prior, amplitude, noise, walk_rad, llrs):
    """Compute extrinsic log-likelihood ratios of all symbols; return the log evidence.

    Parameters
    ----------
    received : complex64, shape (symbols,)
        Symbols.
    known : int8, shape (symbols,)
        +1 or -1 where the symbol is known, 0 where it is data.
    prior : float32, shape (symbols,)
        LLRs from elsewhere, by which the phase may be judged; not part of the result.
    amplitude, noise : float
        Carrier amplitude; noise variance per complex symbol.
    walk_rad : float
        Phase step from symbol to symbol, rad rms.
    llrs : float32, shape (symbols,)
        Receives the result, positive for +1.
    """
    count = len(received)
    taps = _taps(walk_rad)
    up = np.empty((count, STATES), np.float32)
    down = np.empty((count, STATES), np.float32)
    seen = np.empty((count, STATES), np.float32)
    ahead = np.empty((count, STATES), np.float32)
    state = np.full(STATES, np.float32(1.0 / STATES))
    work = np.empty(STATES, np.float32)
    evidence = 0.0
    gain = 2 * amplitude / noise
    for i in range(count):
        re = np.float32(received[i].real * gain)
        im = np.float32(received[i].imag * gain)
        top = np.sqrt(re * re + im * im)
        # Opposite phases exchange the signs.
        for k in range(STATES // 2):
            x = re * _COS[k] + im * _SIN[k]
            plus = np.exp(x - top)
            minus = np.exp(-x - top)
            up[i, k] = plus
            down[i, k] = minus
            up[i, k + STATES // 2] = minus
            down[i, k + STATES // 2] = plus
        if known[i] > 0:
            share = np.float32(1.0)
        elif known[i] < 0:
            share = np.float32(0.0)
        else:
            share = np.float32(1.0 / (1.0 + np.exp(-prior[i])))
        other = np.float32(1.0) - share
        for k in range(STATES):
            seen[i, k] = share * up[i, k] + other * down[i, k] + np.float32(1e-30)
            ahead[i, k] = state[k]
            work[k] = state[k] * seen[i, k]
        total = _move(work, state, taps)
        evidence += np.log(total) + top - amplitude * amplitude / noise
    state[:] = np.float32(1.0 / STATES)
    for i in range(count - 1, -1, -1):
        plus = np.float32(1e-30)
        minus = np.float32(1e-30)
        for k in range(STATES):
            weight = ahead[i, k] * state[k]
            plus += weight * up[i, k]
            minus += weight * down[i, k]
            work[k] = state[k] * seen[i, k]
        llrs[i] = np.log(plus / minus)
        _move(work, state, taps)
    return evidence


@njit(cache=True, fastmath=True)
def gain(received, known, signs, amplitude, noise, walk_rad):
    """Return by how much `signs` explain the symbols better than unknown bits do, in nats.

    It is the logarithm of p(received | signs) / mean of p(received | bits) over all values of
    the bits that are 0 in `known`. For any symbols whatever, that ratio is 1 on average over
    the bits, so a word drawn without regard to the symbols has a gain above g with a
    probability of at most exp(-g).

    Parameters
    ----------
    received : complex64, shape (symbols,)
        Symbols.
    known, signs : int8, shape (symbols,)
        +1 or -1 where a symbol is known to all, else 0; and all signs of the word.
    amplitude, noise, walk_rad : float
        As in `bit_llrs`.
    """
    taps = _taps(walk_rad)
    free = np.full(STATES, np.float32(1.0 / STATES))
    bound = free.copy()
    free_seen = np.empty(STATES, np.float32)
    bound_seen = np.empty(STATES, np.float32)
    half = STATES // 2
    total = 0.0
    scale = 2 * amplitude / noise
    for i in range(len(received)):
        re = np.float32(received[i].real * scale)
        im = np.float32(received[i].imag * scale)
        top = np.sqrt(re * re + im * im)
        for k in range(half):
            x = re * _COS[k] + im * _SIN[k]
            plus = np.exp(x - top) + np.float32(1e-30)
            minus = np.exp(-x - top) + np.float32(1e-30)
            if signs[i] < 0:
                plus, minus = minus, plus
            bound_seen[k] = bound[k] * plus
            bound_seen[k + half] = bound[k + half] * minus
            if known[i] != 0:
                free_seen[k] = free[k] * plus
                free_seen[k + half] = free[k + half] * minus
            else:
                mean = np.float32(0.5) * (plus + minus)
                free_seen[k] = free[k] * mean
                free_seen[k + half] = free[k + half] * mean
        total += np.log(_move(bound_seen, bound, taps)) - np.log(_move(free_seen, free, taps))
    return total
