"""Manufacturer tables of the two makers whose layout is known here: simulator and module."""

import json
import struct
from dataclasses import dataclass, field

from endpoint import programming
from endpoint.metering import rows
from wattline.meter import own_tables

_MODULE = b"WLIN"
_MOST_RINGS = 16


@dataclass(frozen=True)
class Maker:
    """How one maker's own tables are read.

    Attributes
    ----------
    layouts : dict of int to Record
    texts : dict of int to callable
        Tables that are no records: ``texts[n](data)`` returns name, value, unit, offset and
        bytes of each field; nothing if the data is not what it should be.
    units, scales : dict of str
        Unit, and number of decimals of an integer, by field name.
    wholes : dict of str to callable
        Fields with parts that are shown as one, and what shows them.
    """

    layouts: dict = field(default_factory=dict)
    texts: dict = field(default_factory=dict)
    units: dict = field(default_factory=dict)
    scales: dict = field(default_factory=dict)
    wholes: dict = field(default_factory=dict)


def maker(data):
    """Return who made a device by its ST-1, or None.

    Parameters
    ----------
    data : dict of int to bytes
        Tables that were seen.
    """
    return _MAKERS.get(data.get(1, b"")[:4])


def _day(value):
    return f"{value['YEAR']:04d}-{value['MONTH']:02d}-{value['DAY']:02d}"


def _registers(value):
    return ("separate", "net")[value] if value < 2 else value


def _json(data):
    """Return the fields of a JSON text, nested names with a dot between them."""
    try:
        text = json.loads(bytes(data))
    except ValueError:
        return []
    return list(_flat("", text, len(data))) if isinstance(text, dict) else []


def _flat(prefix, value, size):
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, part, size)
    else:
        yield prefix, value, "", 0, size


def _schedule(data):
    text = bytes(data)
    return [("schedule", text.hex(" ") if text.strip() else "none", "", 0, len(text))]


def _ring(data):
    """Return head and rows of a ring; a row that the flash has lost has no value."""
    if len(data) < programming.RING_HEAD_BYTES:
        return []
    first, following, row_bytes, ring = struct.unpack_from(programming.RING_HEAD, data)
    found = [
        ("first row", first, "", 0, 4),
        ("next row", following, "", 4, 4),
        ("row", row_bytes, "bytes", 8, 2),
        ("ring", ring, "", 10, 2),
    ]
    at = programming.RING_HEAD_BYTES
    if not row_bytes:
        return found
    for number in range(first, following):
        row = bytes(data[at : at + row_bytes])
        if len(row) < row_bytes:
            break
        found.append((f"row {number}", _row(ring, row), "", at, row_bytes))
        at += row_bytes
    return found


def _row(ring, row):
    if row == b"\xff" * len(row):
        return None
    known = ring < rows.RINGS and rows.FIELDS[ring]
    if not known or struct.calcsize(rows.LAYOUTS[ring]) > len(row):
        return row.hex(" ")
    values = rows.unpack(ring, row)
    values.pop("spare", None)
    return values


_MAKERS = {
    own_tables.MAKER: Maker(
        layouts=own_tables.LAYOUTS,
        units=own_tables.UNITS,
        scales=own_tables.DECIMALS,
        wholes={"PURCHASED": _day, "REGISTERS": _registers},
    ),
    _MODULE: Maker(
        texts={
            programming.STATUS: _json,
            programming.SETTINGS: _json,
            programming.READINGS: _json,
            programming.SCHEDULE: _schedule,
            programming.STAGED: _schedule,
            **{programming.RINGS + i: _ring for i in range(_MOST_RINGS)},
        }
    ),
}
