"""How probable a payload is before anything was received: what meters usually say.

Half of all probability goes to every legal payload alike; the other half to payloads of usual
types whose fields lie where those of an ordinary household do: voltage within a tenth of
nominal, power below 20 kW, no flags. An unusual payload thereby loses one bit, a usual one
gains about a dozen. All payloads together have a probability of 1, so what is accepted on it
is accepted on honest odds (docs/phy.md, "False accepts").
"""

import numpy as np

from endpoint.line import PayloadError
from endpoint.line import payload as layout

# Values of three bits that a REGISTER's selector may have: nothing is negative that is not net.
_SELECTORS = (0, 1, 2, 3, 6, 7)
# Share of payloads in which nothing is usual.
_ANY = 0.5
_TYPES = {
    layout.REGISTER: 0.20,
    layout.STREAM_PROFILE: 0.15,
    layout.STREAM_REGISTER: 0.15,
    layout.STREAM_PROFILE_DELIVERED: 0.05,
    layout.STREAM_REGISTER_DELIVERED: 0.05,
    layout.BLOCK: 0.08,
    layout.TOU: 0.10,
    layout.DEMAND: 0.06,
    layout.VOLTAGE: 0.06,
    layout.STATUS: 0.06,
    layout.EVENT: 0.02,
    layout.ACK: 0.02,
}
_POWER = (0, 2047, 0.95)
_VOLTS = (60, 140, 0.95)
# First and last usual value of a field, and how often it lies there; all else is uniform.
_USUAL = {
    "selector": (0, 0, 0.9),
    "flags": (0, 0, 0.9),
    "time_valid": (1, 1, 0.7),
    "voltage": (400, 600, 0.95),
    "request": (0, 127, 0.8),
    "demand": _POWER,
    "energy": _POWER,
    "energy_0": _POWER,
    "energy_1": _POWER,
    "energy_2": _POWER,
    "energy_3": _POWER,
    "peak": _POWER,
    "previous": _POWER,
    "minimum": _VOLTS,
    "maximum": _VOLTS,
    "average": _VOLTS,
    "extreme": _VOLTS,
    "below_range": (0, 0, 0.8),
    "above_range": (0, 0, 0.8),
}


def legal(payload: bytes) -> dict[str, int] | None:
    """Return the fields, or None if something is set that is not assigned."""
    try:
        frame_type, fields = layout.unpack(payload)
    except PayloadError:
        return None
    if frame_type == layout.JOIN:
        return None if fields["capabilities"] else fields
    return fields if fields.get("selector", 0) in _SELECTORS else None


def _values(name: str, width: int) -> int:
    """Return how many values of a field are legal."""
    if name == "selector":
        return len(_SELECTORS)
    return 1 if name == "zero" else 1 << width


def _count_legal() -> float:
    """Return how many payloads other than JOINs are legal."""
    count = 0.0
    for frame_type, fields in layout.LAYOUTS.items():
        if frame_type != layout.JOIN:
            count += float(np.prod([float(_values(*field)) for field in fields]))
    return count


_LOG_ANY = float(np.log(_ANY) - np.log(_count_legal()))


def field_probability(name: str, width: int, value: int) -> float:
    """Return how often a usual payload has this value in a field."""
    values = _values(name, width)
    first, last, share = _USUAL.get(name, (0, values - 1, 1.0))
    inside = last - first + 1
    if first <= value <= last or inside == values:
        return share / inside
    return (1 - share) / (values - inside)


def usual(fields: dict[str, int]) -> bool:
    """Return whether every field lies where it usually does."""
    return all(
        first <= fields.get(name, first) <= last for name, (first, last, _) in _USUAL.items()
    )


def log_probability(frame_type: int, fields: dict[str, int]) -> float:
    """Return the logarithm of the probability of a legal payload that is not a JOIN.

    Parameters
    ----------
    frame_type, fields
        As `endpoint.line.payload.unpack` returns them.
    """
    share = _TYPES.get(frame_type)
    if share is None:
        return _LOG_ANY
    usual = np.log((1 - _ANY) * share)
    for name, width in layout.LAYOUTS[frame_type]:
        usual += np.log(field_probability(name, width, fields.get(name, 0)))
    return float(np.logaddexp(_LOG_ANY, usual))
