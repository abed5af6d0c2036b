"""The programming record: a JSON file that grows by one entry per module programmed."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

from wattline.errors import WattlineError

_MAX_BYTES = 16 << 20


def load(path: Path) -> list[dict[str, Any]]:
    """Return all entries; none if there is no file yet.

    Raises
    ------
    WattlineError
        It is something else.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WattlineError(f"{path} is too long for a programming record")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise WattlineError(
            f"{path} is no programming record that can be read ({error}); name another"
        ) from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise WattlineError(f"{path} is no programming record; name another file")
    return found


def is_acknowledged(entries: list[dict[str, Any]], chip: str) -> bool:
    """Tell whether somebody has acknowledged the check list for this module."""
    return any(entry.get("chip") == chip and entry.get("acknowledged") for entry in entries)


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add one entry with the time; the file is replaced whole.

    Raises
    ------
    WattlineError
    """
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    text = json.dumps([*load(path), {"at": now, **entry}], indent=1)
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise WattlineError(f"{path} cannot be written: {error.strerror}") from None
