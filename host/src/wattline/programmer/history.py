"""The records that a module keeps, by name: rings read as tables, rows decoded."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from endpoint.metering import rows
from endpoint.metering.calendar import Site
from endpoint.metering.tou import NO_RATE
from endpoint.metering.voltage import NO_DATA
from endpoint.programming import RING_HEAD, RING_HEAD_BYTES, RINGS
from endpoint.readings import dials
from wattline.errors import RunError
from wattline.programmer.roads import Road
from wattline.replay.report import EVENT_NAMES, flag_names, voltage_day
from wattline.replay.schedules import LETTERS
from wattline.replay.times import local_text, utc_text

NAMES = {
    "intervals": rows.INTERVAL,
    "hours": rows.HOUR,
    "events": rows.EVENT,
    "outages": rows.OUTAGE,
    "periods": rows.PERIOD,
    "voltage": rows.VOLTAGE_DAY,
    "demand": rows.DEMAND,
}
_MOST_MOVES = 100  # a ring moves on once in some minutes
_SHARED = 1


@dataclass
class Head:
    """Where a ring stands."""

    first: int
    next: int
    row_bytes: int
    ring: int


def head(road: Road, ring: int) -> Head:
    """Return where a ring stands now."""
    data = road.read(RINGS + ring, 0, RING_HEAD_BYTES)
    found = Head(*struct.unpack(RING_HEAD, data)) if len(data) == RING_HEAD_BYTES else None
    if found is None or found.ring != ring or not 0 < found.row_bytes <= 255:
        raise RunError("the module's records are not laid out as this program knows them")
    return found


def raw_rows(
    road: Road,
    ring: int,
    last: int | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a ring as (number, bytes), the oldest first.

    The module goes on writing meanwhile: when the oldest rows make room the places of all
    others move, so each part counts only if the ring stood still while it was read.

    Parameters
    ----------
    last : int or None
        Only so many of the newest.
    """
    now = head(road, ring)
    end = now.next
    at = now.first if last is None else max(now.first, end - last)
    start, moves = at, 0
    while at < end:
        count = max(1, min(road.part_bytes // now.row_bytes, end - at))
        offset = RING_HEAD_BYTES + (at - now.first) * now.row_bytes
        data = road.read(RINGS + ring, offset, count * now.row_bytes)
        after = head(road, ring)
        if after.first != now.first:
            now, moves = after, moves + 1
            at = max(at, now.first)
            if moves > _MOST_MOVES:
                raise RunError("the module writes faster than it can be read; ask for fewer rows")
            continue
        whole = len(data) // now.row_bytes
        if not whole:
            raise RunError("the module's records end too soon; read them again")
        for i in range(whole):
            yield at + i, data[i * now.row_bytes : (i + 1) * now.row_bytes]
        at += whole
        progress(at - start, end - start)


def is_lost(row: bytes) -> bool:
    """Tell whether the flash did not give this row back."""
    return row.count(0xFF) == len(row)


def read(
    road: Road,
    name: str,
    site: Site,
    last: int | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> list[dict[str, Any]]:
    """Return the records of one kind as dictionaries, the oldest first.

    A record that the module has lost is ``{"number": n, "lost": True}``; a value that is not
    there is None and never 0.

    Parameters
    ----------
    name : str
        Key of `NAMES`.
    site : Site
        For local times.
    """
    ring = NAMES[name]
    return [
        {"number": number, "lost": True}
        if is_lost(row)
        else {"number": number, **decode(ring, row, site)}
        for number, row in raw_rows(road, ring, last, progress)
    ]


def decode(ring: int, row: bytes, site: Site) -> dict[str, Any]:
    """Return one row as a dictionary, with the names of `wattline replay --json`."""
    if ring == rows.VOLTAGE_DAY:
        return _day(row, site)
    fields = rows.unpack(ring, row)
    if ring in (rows.INTERVAL, rows.HOUR):
        return _energy(ring, fields, site)
    return {
        rows.EVENT: _event,
        rows.OUTAGE: _outage,
        rows.PERIOD: _period,
        rows.DEMAND: _demand,
    }[ring](fields, site)


def _energy(ring: int, row: dict[str, Any], site: Site) -> dict[str, Any]:
    is_missing = bool(row["flags"] & rows.MISSING)

    def wh(name: str) -> int | None:
        return None if is_missing else row[name]

    found = {
        "end": utc_text(row["end_utc_s"]),
        "local": local_text(site, row["end_utc_s"]),
        "wh": wh("value_wh"),
        "least_wh": wh("least_wh"),
        "most_wh": wh("most_wh"),
        "forward_wh": wh("forward_wh"),
        "reverse_wh": wh("reverse_wh"),
    }
    if ring == rows.HOUR:
        found["register_wh"] = wh("register_wh")
        for name in ("minimum_dv", "maximum_dv", "average_dv"):
            found[name] = _volts(row[name])
        found["minutes"] = 60
    else:
        found["minutes"] = row["interval_min"]
    found["flags"] = flag_names(row["flags"])
    found["covered_s"] = row["covered_s"]
    found["clock_bound_s"] = row["clock_bound_s"]
    return found


def _volts(dv: int) -> int | None:
    return None if dv == NO_DATA else dv


def _event(row: dict[str, Any], site: Site) -> dict[str, Any]:
    return {
        "at": utc_text(row["utc_s"]),
        "local": local_text(site, row["utc_s"]),
        "event": EVENT_NAMES.get(row["code"], str(row["code"])),
        "a": row["a"],
        "b": row["b"],
        "life_s": row["life_s"],
        "clock_bound_s": row["clock_bound_s"],
    }


def _outage(row: dict[str, Any], site: Site) -> dict[str, Any]:
    return {
        "start": utc_text(row["start_utc_s"]),
        "local": local_text(site, row["start_utc_s"]),
        "seconds": row["duration_s"],
        "end": utc_text(row["end_utc_s"]),
        "shared": bool(row["flags"] & _SHARED),
        "clock_bound_s": row["clock_bound_s"],
    }


def _peak(w: int, at_s: int) -> dict[str, Any]:
    return {"w": w, "at": utc_text(at_s) if w else None}


def _period(row: dict[str, Any], site: Site) -> dict[str, Any]:
    return {
        "reset_at": utc_text(row["reset_utc_s"]),
        "local": local_text(site, row["reset_utc_s"]),
        "id": row["identity"],
        "resets": row["resets"],
        "peak": _peak(row["peak_w"], row["peak_s"]),
        "coincident": {
            "reverse_w": row["coincident_w"],
            "voltage_dv": row["coincident_dv"] or None,
        },
        "cumulative_w": row["cumulative_w"],
        "rate_peaks": {
            letter: _peak(
                row[f"rate_{letter.lower()}_peak_w"], row[f"rate_{letter.lower()}_peak_s"]
            )
            for letter in LETTERS
        },
        "total": dials(row["total_wh"]),
        "rates": {letter: dials(row[f"rate_{letter.lower()}_wh"]) for letter in LETTERS},
        "unplaced_wh": row["unplaced_wh"],
    }


def _demand(row: dict[str, Any], site: Site) -> dict[str, Any]:
    return {
        "end": utc_text(row["end_utc_s"]),
        "local": local_text(site, row["end_utc_s"]),
        "w": row["demand_w"],
        "rate": LETTERS[row["rate"]] if row["rate"] < NO_RATE else None,
        "may_set_peak": bool(row["may_set_peak"]),
        "flags": flag_names(row["flags"]),
    }


def _day(row: bytes, site: Site) -> dict[str, Any]:
    day = rows.unpack(rows.VOLTAGE_DAY, row)
    return {
        "end": utc_text(day["end_utc_s"]),
        "local": local_text(site, day["end_utc_s"]),
        **voltage_day(day),
    }
