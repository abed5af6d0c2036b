"""What a bad optical link does to bytes, by name and at a rate."""

import random

_ACK = 0x06
_LATE_NS = (5_000_000, 900_000_000)  # both below and above the inter-character time-out

NAMES = ("lost", "doubled", "flipped", "late", "lost-acks")


class Faults:
    """A wire with faults; without a name it is a perfect one.

    Parameters
    ----------
    name : str or None
        One of `NAMES`.
    rate : float
        Share of bytes (of acknowledgements for ``lost-acks``) that are hit, 0 to 1.
    seed : int
        Equal seeds hit equal bytes.

    Raises
    ------
    ValueError
        One sentence: unknown name or impossible rate.
    """

    def __init__(self, name=None, rate=0.01, seed=1):
        if name is not None and name not in NAMES:
            raise ValueError(f"There is no fault {name!r}; choose {', '.join(NAMES)}.")
        if not 0 <= rate <= 1:
            raise ValueError("A fault rate is a share from 0 to 1.")
        self._name = name
        self._rate = rate
        self._source = random.Random(seed)

    def apply(self, data):
        """Return what the wire makes of `data`: a list of (bytes, delay in ns)."""
        if self._name is None:
            return [(data, 0)]
        if self._name == "lost-acks":
            if data[0] == _ACK and self._hit():
                data = data[1:]
            return [(data, 0)] if data else []
        parts = []
        for value in data:
            piece = bytes([value])
            delay_ns = 0
            if self._hit():
                if self._name == "lost":
                    continue
                if self._name == "doubled":
                    piece += piece
                elif self._name == "flipped":
                    piece = bytes([value ^ 1 << self._source.randrange(8)])
                else:
                    delay_ns = self._source.randint(*_LATE_NS)
            if parts and parts[-1][1] == delay_ns:
                parts[-1] = (parts[-1][0] + piece, delay_ns)
            else:
                parts.append((piece, delay_ns))
        return parts

    def _hit(self):
        return self._source.random() < self._rate
