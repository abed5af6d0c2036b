"""What a bad optical link does to bytes, by name and at a rate."""

import random

_ACK = 0x06
_STP = 0xEE
_LATE_NS = (5_000_000, 900_000_000)  # both below and above the inter-character time-out
_NS_PER_S = 1_000_000_000

# name -> what is hit
LINE_FAULTS = {
    "lost": "bytes are missing",
    "doubled": "bytes come twice",
    "flipped": "one bit of a byte is wrong",
    "late": "bytes come 5 to 900 ms later",
    "lost-acks": "acknowledgements are missing",
    "repeated": "whole packets of the meter come twice",
    "echo": "what the client sends comes back to it",
    "seven-bits": "bytes carry seven bits and even parity",
    "deaf": "nothing gets through",
    "noise": "bytes come while nobody talks",
}
# Those at a rate, for which any client must end with the right data or a named error.
NAMES = ("lost", "doubled", "flipped", "late", "lost-acks", "repeated")
_OPTIONS = ("rate", "seed", "at_s", "for_s")


class Faults:
    """A wire with a fault; without a name it is a perfect one.

    Parameters
    ----------
    name : str or None
        One of `LINE_FAULTS`.
    rate : float
        Share of bytes (of acknowledgements for ``lost-acks``, of packets for ``repeated``) that
        are hit, 0 to 1; without meaning for the others.
    seed : int
        Equal seeds hit equal bytes.
    at_s, for_s : float
        The fault's time; `for_s` None is for ever.

    Raises
    ------
    ValueError
        One sentence: unknown name or impossible rate.
    """

    def __init__(self, name=None, rate=0.01, seed=1, at_s=0.0, for_s=None):
        if name is not None and name not in LINE_FAULTS:
            raise ValueError(f"There is no line fault {name!r}; choose {', '.join(LINE_FAULTS)}.")
        if not 0 <= rate <= 1:
            raise ValueError("A fault rate is a share from 0 to 1.")
        self.name = name
        self._rate = rate
        self._source = random.Random(seed)
        self._from_ns = at_s * _NS_PER_S
        self._until_ns = None if for_s is None else (at_s + for_s) * _NS_PER_S

    def is_on(self, t_ns):
        """Return whether the fault acts at `t_ns`."""
        return t_ns >= self._from_ns and (self._until_ns is None or t_ns < self._until_ns)

    def echoes(self, t_ns):
        """Return whether the client hears itself."""
        return self.name == "echo" and self.is_on(t_ns)

    def is_noisy(self):
        """Return whether there may ever be noise."""
        return self.name == "noise"

    def noise(self, t_ns):
        """Return what comes out of nothing at this moment, usually nothing."""
        if self.name != "noise" or not self.is_on(t_ns):
            return b""
        return bytes([self._source.randrange(256)])

    def apply(self, data, t_ns=0, direction="M"):
        """Return what the wire makes of `data`: a list of (bytes, delay in ns).

        Parameters
        ----------
        data : bytes
        t_ns : int
        direction : str
            ``C`` from the client, ``M`` from the meter.
        """
        if self.name in (None, "echo", "noise") or not data or not self.is_on(t_ns):
            return [(data, 0)]
        if self.name == "deaf":
            return []
        if self.name == "seven-bits":
            return [(bytes(_with_parity(value) for value in data), 0)]
        if self.name == "lost-acks":
            if data[0] == _ACK and self._hit():
                data = data[1:]
            return [(data, 0)] if data else []
        if self.name == "repeated":
            at = data.find(_STP)
            if direction == "M" and at >= 0 and len(data) - at > 8 and self._hit():
                data += data[at:]
            return [(data, 0)]
        return self._each(data)

    def _each(self, data):
        parts = []
        for value in data:
            piece = bytes([value])
            delay_ns = 0
            if self._hit():
                if self.name == "lost":
                    continue
                if self.name == "doubled":
                    piece += piece
                elif self.name == "flipped":
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


class FaultChain:
    """Several faults on one wire, one after the other.

    Parameters
    ----------
    faults : list of Faults
    """

    def __init__(self, faults):
        self._faults = list(faults)

    def echoes(self, t_ns):
        """Return whether the client hears itself."""
        return any(fault.echoes(t_ns) for fault in self._faults)

    def noise(self, t_ns):
        """Return what comes out of nothing at this moment."""
        return b"".join(fault.noise(t_ns) for fault in self._faults)

    def is_noisy(self):
        """Return whether there may ever be noise."""
        return any(fault.is_noisy() for fault in self._faults)

    def apply(self, data, t_ns=0, direction="M"):
        """Return what the wire makes of `data`; see `Faults.apply`."""
        parts = [(data, 0)]
        for fault in self._faults:
            parts = [
                (piece, delay_ns + more_ns)
                for part, delay_ns in parts
                for piece, more_ns in fault.apply(part, t_ns, direction)
            ]
        return parts


def line_fault(name, options):
    """Return the `Faults` of a name and a dict of options.

    Raises
    ------
    ValueError
        One sentence: an option that line faults do not have, or as `Faults`.
    """
    for key in options:
        if key not in _OPTIONS:
            raise ValueError(f"A line fault has no {key!r}; it has {', '.join(_OPTIONS)}.")
    return Faults(name, **options)


def _with_parity(value):
    value &= 0x7F
    return value | (value.bit_count() & 1) << 7
