"""How few frames the best possible code would lose, and what others' modes need.

Sources: normal approximation after Polyanskiy, Poor and Verdu, "Channel coding rate in the
finite blocklength regime", IEEE Trans. Inf. Theory 56(5), 2010, eq. 296 with the ½ log2 n term.
The modes' thresholds are those of the WSJT-X user guide (50 % of frames), as energy per user bit.
"""

import numpy as np
from scipy.stats import norm

# Mode, dB of Eb/N0 at which half of all frames are lost.
MODES = (
    ("FST4-60", 4.2),
    ("FST4W-120", 4.6),
    ("Q65-60A", 4.6),
    ("FT8", 5.1),
    ("JT9A", 6.3),
    ("WSPR-2", 6.4),
    ("JT65A", 7.1),
)


def frame_error_bound(ebn0_db: float, uses: int = 280, bits: int = 64) -> float:
    """Return the normal approximation of the frame error rate on the binary-input AWGN channel.

    Parameters
    ----------
    ebn0_db
        Energy of all `uses` per bit over noise density, dB.
    uses
        Channel uses.
    bits
        Information bits.
    """
    snr = 2 * 10 ** (ebn0_db / 10) * bits / uses
    # Information density of one use: 1 - log2(1 + exp(-2 snr - 2 sqrt(snr) z)).
    z, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / weight.sum()
    density = 1 - np.logaddexp(0.0, -2 * snr - 2 * np.sqrt(snr) * z) / np.log(2)
    capacity = float(np.sum(weight * density))
    dispersion = float(np.sum(weight * (density - capacity) ** 2))
    margin = uses * capacity - bits + 0.5 * np.log2(uses)
    return float(norm.sf(margin / np.sqrt(uses * dispersion)))


def wilson(lost: int, frames: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a rate."""
    z = 1.96
    rate = lost / frames
    middle = (rate + z * z / (2 * frames)) / (1 + z * z / frames)
    half = z * np.sqrt(rate * (1 - rate) / frames + (z / (2 * frames)) ** 2) / (1 + z * z / frames)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
