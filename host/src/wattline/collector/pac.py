"""List decoder of the PAC (256, 80) code: successive cancellation over L paths at once.

The array axis is the path, so a list of 32 costs little more than one of 8.

Source: docs/phy.md, "Coding chain".
"""

import numpy as np
from numpy.typing import NDArray

from endpoint.line.frame import CODE_BITS, INFO_BITS, ORD

_STAGES = 8
# v[0] … v[62] are frozen and so is all that depends on them: decoding starts here.
_FIRST = min(ORD)
_IS_INFO = np.zeros(CODE_BITS, bool)
_IS_INFO[list(ORD)] = True
# Info bit carried by each position, for putting the decisions in order.
_RANK = np.argsort(np.argsort(list(ORD)))
# Precoder taps on v[i-1], v[i-3], v[i-4], v[i-6]; bit 0 of the state is v[i-1].
_TAPS = 0b101101
_PARITY = np.array([(s & _TAPS).bit_count() & 1 for s in range(64)], np.uint8)
_NODES = [slice((1 << k) - 1, (2 << k) - 1) for k in range(_STAGES)]


def decode(llr: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the best words of a received frame.

    Parameters
    ----------
    llr
        256 log-likelihood ratios of the code bits x[0] …, positive for 0.
    size
        List size, a power of two.

    Returns
    -------
    words : (paths, 10) uint8
        80 information bits each, most significant first.
    metrics : (paths,) float32
        Their path metrics, ascending; smaller is likelier.
    """
    top = np.asarray(llr, np.float32).reshape(1, CODE_BITS)
    # Per path: LLRs and left partial sums of the node of size 2^k on the way to the leaf.
    alpha = np.zeros((1, CODE_BITS - 1), np.float32)
    left = np.zeros((1, CODE_BITS - 1), np.uint8)
    metric = np.zeros(1, np.float32)
    state = np.zeros(1, np.int64)
    parents: list[NDArray] = []
    choices: list[NDArray] = []
    for i in range(_FIRST, CODE_BITS):
        _descend(top, alpha, left, i)
        leaf = alpha[:, 0]
        parity = _PARITY[state]
        cost = np.abs(leaf)
        against = (leaf < 0) != (parity == 1)
        if _IS_INFO[i]:
            # Choice 0 sends u = parity, choice 1 its opposite.
            both = np.concatenate([metric + cost * against, metric + cost * ~against])
            keep = np.arange(len(both))
            if len(both) > size:
                keep = np.argpartition(both, size)[:size]
            parent = keep % len(metric)
            choice = (keep >= len(metric)).astype(np.uint8)
            metric = both[keep]
            alpha = alpha[parent]
            left = left[parent]
            bit = parity[parent] ^ choice
            state = (state[parent] << 1 | choice) & 63
            parents.append(parent)
            choices.append(choice)
        else:
            metric = metric + cost * against
            bit = parity
            state = state << 1 & 63
        _ascend(left, bit, i)
    order = np.argsort(metric)
    return _words(parents, choices, order), metric[order]


def _descend(top: NDArray, alpha: NDArray, left: NDArray, i: int) -> None:
    """Bring the LLRs down to leaf `i`, in place."""
    if i == _FIRST:
        steps = [(k, i >> k & 1) for k in range(_STAGES - 1, -1, -1)]
    else:
        turn = (i & -i).bit_length() - 1
        steps = [(turn, 1), *((k, 0) for k in range(turn - 1, -1, -1))]
    for k, right in steps:
        above = top if k == _STAGES - 1 else alpha[:, _NODES[k + 1]]
        half = 1 << k
        a, b = above[:, :half], above[:, half:]
        if right:
            alpha[:, _NODES[k]] = b + np.where(left[:, _NODES[k]], -a, a)
        else:
            alpha[:, _NODES[k]] = np.copysign(np.minimum(np.abs(a), np.abs(b)), a * b)


def _ascend(left: NDArray, bit: NDArray, i: int) -> None:
    """Combine the decision of leaf `i` upwards until a left child is complete, in place."""
    sums = bit[:, None]
    k = 0
    while i >> k & 1 and k < _STAGES - 1:
        sums = np.concatenate([left[:, _NODES[k]] ^ sums, sums], axis=1)
        k += 1
    if not i >> k & 1:
        left[:, _NODES[k]] = sums


def _words(parents: list[NDArray], choices: list[NDArray], order: NDArray) -> NDArray[np.uint8]:
    """Trace the surviving paths back and put their bits in the order of the information word."""
    bits = np.empty((len(order), INFO_BITS), np.uint8)
    path = order
    for j in range(INFO_BITS - 1, -1, -1):
        bits[:, j] = choices[j][path]
        path = parents[j][path]
    return np.packbits(bits[:, _RANK], axis=1)
