"""List decoder of the PAC (256, 80) code: successive cancellation over many paths at once.

All paths reach a node of the tree at the same time. Each node size therefore has one row of
storage per path, rewritten for all paths together, and a path that is cloned only copies the
numbers of the rows it refers to.

A bit is held as the difference of its two probabilities (+1: surely 0): the sum of two bits is
then a product, and no logarithm is needed but at the leaves.

Source: docs/phy.md, "Decoder".
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from endpoint.line.frame import CODE_BITS, INFO_BITS, ORD

MAX_LIST = 8192
_STAGES = 8
# v[0] … v[62] are frozen and so is all that depends on them: decoding starts here.
_FIRST = min(ORD)
# Info bit carried by each position; -1 where the position is frozen.
_INFO_AT = np.full(CODE_BITS, -1, np.int64)
_INFO_AT[list(ORD)] = np.arange(INFO_BITS)
# Precoder taps on v[i-1], v[i-3], v[i-4], v[i-6]; bit 0 of the state is v[i-1].
_TAPS = 0b101101
_PARITY = np.array([(s & _TAPS).bit_count() & 1 for s in range(64)], np.uint8)
# Nobody is surer of a bit than this, so that contradictions stay finite in single precision.
_SUREST = np.float32(1 - 1e-6)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
# Nodes of fewer than 2^3 elements are stored element by element, all paths side by side.
_SMALL = 3


class Workspace:
    """Storage for lists of up to `size` paths, reused from frame to frame."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.alpha = np.zeros((size, CODE_BITS), np.float32)
        self.left = np.zeros((size, CODE_BITS), np.float32)
        self.small = np.zeros((3 << _SMALL, size), np.float32)
        self.small_left = np.zeros((1 << _SMALL, size), np.float32)
        self.rows = np.zeros((4, _STAGES + 1, size), np.int32)
        self.metrics = np.zeros((3, 2 * size), np.float32)
        self.states = np.zeros((2, size), np.uint8)
        self.trace = np.zeros((INFO_BITS, size), np.int32)
        self.words = np.zeros((size, INFO_BITS // 8), np.uint8)


def decode(
    llr: NDArray[np.float32],
    size: int,
    prior: NDArray[np.float32] | None = None,
    workspace: Workspace | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the best words of a received frame.

    Parameters
    ----------
    llr
        256 log-likelihood ratios of the code bits x[0] …, positive for 0.
    size
        List size, a power of two up to `MAX_LIST`.
    prior
        80 log-likelihood ratios of the information bits, known beforehand; None for none.
    workspace
        Storage for at least `size` paths; None makes one.

    Returns
    -------
    words : (paths, 10) uint8
        80 information bits each, most significant first.
    metrics : (paths,) float32
        Minus the logarithm of their probabilities among all 2^256 vectors, ascending.
    """
    if workspace is None or workspace.size < size:
        workspace = Workspace(size)
    if prior is None:
        prior = np.zeros(INFO_BITS, np.float32)
    count = scl(
        np.ascontiguousarray(llr, np.float32),
        prior,
        size,
        workspace.alpha,
        workspace.left,
        workspace.small,
        workspace.small_left,
        workspace.rows,
        workspace.metrics,
        workspace.states,
        workspace.trace,
        workspace.words,
    )
    metrics = workspace.metrics[0, :count]
    order = np.argsort(metrics)
    return workspace.words[order], metrics[order]


@njit(cache=True, fastmath=True, inline="always")
def _both(a, b):
    """Combine what two places say of one bit."""
    out = (b + a) / (_ONE + a * b)
    return min(max(out, -_SUREST), _SUREST)


@njit(cache=True, fastmath=True)
def _descend(llr, alpha, left, small, small_left, rows, count, i):
    """Bring the LLRs of all paths down to leaf `i`."""
    turn = 7
    if i != _FIRST:
        turn = 0
        while not (i >> turn) & 1:
            turn += 1
    for k in range(turn, -1, -1):
        half = 1 << k
        right = (i >> k) & 1
        above = rows[0, k + 1]
        signs = rows[1, k]
        if k >= _SMALL:
            for p in range(count):
                source = llr if k == 7 else alpha[above[p], 2 * half : 4 * half]
                a = source[:half]
                b = source[half:]
                out = alpha[p, half : 2 * half]
                if right:
                    sign = left[signs[p], half : 2 * half]
                    for j in range(half):
                        out[j] = _both(sign[j] * a[j], b[j])
                else:
                    for j in range(half):
                        out[j] = a[j] * b[j]
        elif k == _SMALL - 1:
            for j in range(half):
                out = small[half + j]
                sign = small_left[half + j]
                if right:
                    for p in range(count):
                        row = alpha[above[p]]
                        out[p] = _both(sign[signs[p]] * row[2 * half + j], row[3 * half + j])
                else:
                    for p in range(count):
                        row = alpha[above[p]]
                        out[p] = row[2 * half + j] * row[3 * half + j]
        else:
            for j in range(half):
                out = small[half + j]
                sign = small_left[half + j]
                a = small[2 * half + j]
                b = small[3 * half + j]
                if right:
                    for p in range(count):
                        out[p] = _both(sign[signs[p]] * a[above[p]], b[above[p]])
                else:
                    for p in range(count):
                        out[p] = a[above[p]] * b[above[p]]
        here = rows[0, k]
        for p in range(count):
            here[p] = p


@njit(cache=True, fastmath=True)
def _ascend(left, small_left, work, rows, bits, count, i):
    """Combine the decisions of leaf `i` upwards until a left child is complete."""
    top = 0
    while (i >> top) & 1 and top < 7:
        top += 1
    if (i >> top) & 1:
        return
    out = small_left[1] if top == 0 else work[0]
    for p in range(count):
        out[p] = 1.0 - 2.0 * bits[p]
    for k in range(min(top, _SMALL)):
        half = 1 << k
        signs = rows[1, k]
        last = k == top - 1 and top < _SMALL
        for j in range(half):
            cur = work[j]
            sign = small_left[half + j]
            low = small_left[2 * half + j] if last else cur
            high = small_left[3 * half + j] if last else work[half + j]
            for p in range(count):
                bit = cur[p]
                high[p] = bit
                low[p] = bit * sign[signs[p]]
    if top >= _SMALL:
        for p in range(count):
            out = left[p, 1 << top : 2 << top]
            for j in range(1 << _SMALL):
                out[j] = work[j, p]
            for k in range(_SMALL, top):
                half = 1 << k
                sign = left[rows[1, k, p], half : 2 * half]
                for j in range(half):
                    out[half + j] = out[j]
                    out[j] = out[j] * sign[j]
    here = rows[1, top]
    for p in range(count):
        here[p] = p


@njit(cache=True, fastmath=True)
def _select(values, count, keep):
    """Return the `keep`-th smallest (from 0) of `values`, reordering them."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if keep <= j:
            high = j
        elif keep >= i:
            low = i
        else:
            break
    return values[keep]


@njit(cache=True, fastmath=True)
def scl(llr, prior, size, alpha, left, small, small_left, rows, metrics, states, trace, words):
    """Decode; return how many words there are."""
    bits = np.zeros(size, np.uint8)
    count = 1
    metrics[0, 0] = 0.0
    states[0, 0] = 0
    rows[:, :, 0] = 0
    # What lies before the first information position is zero.
    left[0] = 1.0
    small_left[:, 0] = 1.0
    leaves = small[1]
    work = small[1 << _SMALL :]
    step = 0
    metric, both, scratch = metrics[0], metrics[1], metrics[2]
    state, state_next = states[0], states[1]
    # Probability of the frozen leaves since the last information leaf.
    frozen = np.ones(size, np.float32)
    top = np.tanh(np.minimum(np.maximum(llr, np.float32(-14.0)), np.float32(14.0)) * _HALF)
    for i in range(_FIRST, CODE_BITS):
        _descend(top, alpha, left, small, small_left, rows, count, i)
        info = _INFO_AT[i]
        if info < 0:
            for p in range(count):
                parity = _PARITY[state[p]]
                leaf = leaves[p]
                frozen[p] *= _HALF * (_ONE - leaf if parity else _ONE + leaf)
                frozen[p] = max(frozen[p], np.float32(1e-30))
                bits[p] = parity
                state[p] = (state[p] << 1) & 63
        else:
            # Relative to knowing nothing: twice the prior's probability, half the leaf's.
            zero = np.float32(1.0 / (1.0 + np.exp(-prior[info])))
            one = np.float32(1.0 / (1.0 + np.exp(prior[info])))
            for p in range(count):
                leaf = leaves[p]
                if _PARITY[state[p]]:
                    leaf = -leaf
                both[p] = metric[p] - np.log(frozen[p] * (_ONE + leaf) * zero)
                both[count + p] = metric[p] - np.log(frozen[p] * (_ONE - leaf) * one)
            total = 2 * count
            limit = np.float32(1e30)
            if total > size:
                scratch[:total] = both[:total]
                limit = _select(scratch, total, size)
            kept = 0
            trail = trace[step]
            for p in range(total):
                if both[p] < limit:
                    trail[kept] = p
                    kept += 1
            # Equals fill the list.
            for p in range(total):
                if both[p] >= limit and kept < size:
                    trail[kept] = p
                    kept += 1
            # Clone: only the numbers of the rows move.
            for k in range(_STAGES):
                for p in range(kept):
                    source = trail[p] if trail[p] < count else trail[p] - count
                    rows[2, k, p] = rows[0, k, source]
                    rows[3, k, p] = rows[1, k, source]
            for k in range(_STAGES):
                for p in range(kept):
                    rows[0, k, p] = rows[2, k, p]
                    rows[1, k, p] = rows[3, k, p]
            for p in range(kept):
                choice = 0
                source = trail[p]
                if source >= count:
                    choice = 1
                    source -= count
                metric[p] = both[trail[p]]
                frozen[p] = 1.0
                bits[p] = _PARITY[state[source]] ^ choice
                state_next[p] = ((state[source] << 1) | choice) & 63
                trail[p] = 2 * source + choice
            state, state_next = state_next, state
            count = kept
            step += 1
        _ascend(left, small_left, work, rows, bits, count, i)
    _trace_back(trace, words, count)
    return count


@njit(cache=True)
def _trace_back(trace, words, count):
    """Put the bits of every surviving path in the order of the information word."""
    for p in range(count):
        words[p] = 0
        path = p
        step = INFO_BITS - 1
        for i in range(CODE_BITS - 1, _FIRST - 1, -1):
            info = _INFO_AT[i]
            if info >= 0:
                if trace[step, path] & 1:
                    words[p, info >> 3] |= 0x80 >> (info & 7)
                path = trace[step, path] >> 1
                step -= 1


@njit(cache=True)
def encode(word, bits):
    """Write the 256 code bits of an information word of 10 bytes."""
    bits[:] = 0
    for i in range(_FIRST, CODE_BITS):
        info = _INFO_AT[i]
        if info >= 0:
            bits[i] = (word[info >> 3] >> (7 - (info & 7))) & 1
    for i in range(CODE_BITS - 1, 5, -1):
        bits[i] ^= bits[i - 1] ^ bits[i - 3] ^ bits[i - 4] ^ bits[i - 6]
    step = 1
    while step < CODE_BITS:
        for i in range(0, CODE_BITS, 2 * step):
            for j in range(i, i + step):
                bits[j] ^= bits[j + step]
        step <<= 1


@njit(cache=True)
def soft_bits(words, metrics, llrs):
    """Write what a list of words says of the 256 code bits, as log-likelihood ratios."""
    bits = np.empty(CODE_BITS, np.uint8)
    lean = np.zeros(CODE_BITS)
    total = 0.0
    for p in range(len(words)):
        weight = np.exp(metrics[0] - metrics[p])
        total += weight
        encode(words[p], bits)
        for i in range(CODE_BITS):
            lean[i] += weight if bits[i] == 0 else -weight
    for i in range(CODE_BITS):
        share = min(max(lean[i] / total, -0.999), 0.999)
        llrs[i] = np.log((1 + share) / (1 - share))
