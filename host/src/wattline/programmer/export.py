"""The module's input log as a file that `wattline replay` lives through again."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from endpoint.books import OPEN_ROW_HEAD
from endpoint.metering import MeteringError
from endpoint.programming import OPEN_ROW, SETTINGS, STATUS
from endpoint.store.layout import INPUT
from wattline.errors import RunError, WattlineError
from wattline.programmer.history import head, is_lost, raw_rows
from wattline.programmer.parts import firmware_of, volts_of
from wattline.programmer.roads import NotShown, Road
from wattline.replay import log

OPEN_ROW_HEAD_BYTES = struct.calcsize(OPEN_ROW_HEAD)


def export(
    road: Road, path: Path, progress: Callable[[int, int], None] = lambda done, count: None
) -> dict[str, Any]:
    """Write the log with the settings that a replay needs; return what the file holds.

    Raises
    ------
    WattlineError
        The file is there already or cannot be written, or the module keeps no log.
    """
    if path.exists():
        raise WattlineError(f"{path} is there already; name a new file")
    settings = _settings(road)
    row_bytes = head(road, INPUT).row_bytes
    read = [
        (number, row_bytes, row)
        for number, row in raw_rows(road, INPUT, progress=progress)
        if not is_lost(row)  # the decoder sees the gap in the numbers
    ]
    read += _newest(road, read[-1][0] if read else -1, row_bytes)
    if not read:
        raise WattlineError("the module's log is empty; wait until it has read its meter")
    try:
        # The log itself carries the schedules, behind each state that a replay can begin with.
        log.write(path, settings, b"", row_bytes, read)
    except OSError as error:
        raise WattlineError(f"{path} cannot be written: {error.strerror}") from None
    found = log.load(path)
    return {
        "file": str(path),
        "rows": len(read),
        "bytes": path.stat().st_size,
        "entries": found.entries,
        "gaps": found.gaps,
        "settings": found.settings,
    }


def _newest(road: Road, last: int, row_bytes: int) -> list[tuple[int, int, bytes]]:
    """Return what the log got since it was read, and its unfinished row at the end."""
    try:
        data = road.whole(OPEN_ROW)
    except NotShown:
        return []  # a version that kept it to itself
    if len(data) < OPEN_ROW_HEAD_BYTES:
        return []
    number, count = struct.unpack_from(OPEN_ROW_HEAD, data)
    row = data[OPEN_ROW_HEAD_BYTES:]
    if len(row) != count or count > row_bytes:
        raise RunError("the module's log is not laid out as this program knows it")
    found = []
    if number > last + 1 >= 0:
        since = head(road, INPUT).next - last - 1
        found = [
            (at, row_bytes, full)
            for at, full in raw_rows(road, INPUT, last=since)
            if at < number and not is_lost(full)
        ]
    return [*found, (number, count, row.ljust(row_bytes, b"\xff"))]


def _settings(road: Road) -> dict[str, Any]:
    settings = road.text(SETTINGS)
    if not settings:
        raise WattlineError("the module is not programmed; it has no log")
    try:
        return _replayed(road, settings, road.text(STATUS))
    except (KeyError, TypeError, MeteringError, IndexError):
        raise RunError(
            "the module's settings are not those that this program knows; use the program of the "
            "same version"
        ) from None


def _replayed(road: Road, settings: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    made = {
        "form": settings["form"],
        "voltage": volts_of(str(status["board"])),
        "detent": settings["detent"],
        "net": settings["net"],
        "net_register_only": settings["net_register"],
        "poll_s": settings["poll_s"],
        "firmware": firmware_of(road),
    }
    if settings["largest_kw"]:
        made["cap_w"] = settings["largest_kw"] * 1000
    return made
