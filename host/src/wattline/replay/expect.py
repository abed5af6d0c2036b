"""Compares a report with what its scenario expects, value by value."""

import re
from dataclasses import dataclass
from typing import Any

from wattline.replay.table import ScenarioError, Table, _nearest
from wattline.replay.times import Times, utc_text

_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")
# What a path finds that leads to a row that is not there; `"no row"` expects just that.
NO_ROW = "no row"
_TIME_KEYS = ("end", "at", "start")


@dataclass
class Mismatch:
    """One expectation that is not met."""

    path: str
    expected: Any
    found: Any


def compare(expect: dict[str, Any], report: dict[str, Any], times: Times) -> list[Mismatch]:
    """Return the expectations that are not met.

    Parameters
    ----------
    expect : dict
        Path to value. ``total.wh``, ``rates.B.wh``, ``intervals[0].wh``, ``intervals[07:00].wh``
        (the one that ends then), ``intervals.wh`` (a list of all), ``events.count``.
    report : dict
    times : Times
        Reads the times of the paths and of expected instants.
    """
    place = Table(expect, "[expect]")
    mismatches = []
    for path, value in _flat(expect):
        found = look_up(report, path, times, place)
        wanted = _instant(value, found, times)
        if found != wanted:
            mismatches.append(Mismatch(path, wanted, found))
    return mismatches


def _flat(expect: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return paths and values; a path may also be written without quotes, as nested tables."""
    found = []
    for path, value in expect.items():
        if isinstance(value, dict):
            found += [(f"{path}.{inner}", wanted) for inner, wanted in _flat(value)]
        else:
            found.append((path, value))
    return found


def _instant(value: Any, found: Any, times: Times) -> Any:
    """Let an expected instant be written like any other time."""
    if value == "none":
        return None
    if isinstance(value, str) and isinstance(found, str) and found.endswith("Z"):
        at_ms = times.parse(value)
        return utc_text(at_ms // 1000) if at_ms else value
    if isinstance(value, list) and isinstance(found, list) and len(value) == len(found):
        return [_instant(a, b, times) for a, b in zip(value, found, strict=True)]
    return value


def look_up(report: Any, path: str, times: Times, place: Table) -> Any:
    """Return the value at a path of a report."""
    value = report
    for match in _STEP.finditer(path):
        name, index = match.groups()
        if value is None:
            return None
        if index is not None:
            value = _element(value, index, path, times)
            if value is None:
                return NO_ROW
        elif isinstance(value, dict):
            if name not in value:
                raise ScenarioError(
                    f"{path} in [expect] leads nowhere: {name} is not known"
                    f"{_nearest(name, list(value)) or '; known are ' + ', '.join(value)}."
                )
            value = value[name]
        elif isinstance(value, list):
            value = len(value) if name == "count" else [_of(item, name, path) for item in value]
        else:
            raise ScenarioError(f"{path} in [expect] goes on behind a single value.")
    return value


def _of(item: Any, name: str, path: str) -> Any:
    if not isinstance(item, dict) or name not in item:
        raise ScenarioError(f"{path} in [expect] leads nowhere: the rows have no {name}.")
    return item[name]


def _element(value: Any, index: str, path: str, times: Times) -> Any:
    if not isinstance(value, list):
        raise ScenarioError(f"{path} in [expect]: only lists have places in brackets.")
    if re.fullmatch(r"-?\d+", index):
        number = int(index)
        return value[number] if -len(value) <= number < len(value) else None
    at_ms = times.parse(index)
    if at_ms is None:
        found = [item for item in value if isinstance(item, dict) and index in item.values()]
        return found[0] if found else None
    wanted = utc_text(at_ms // 1000)
    for item in value:
        if any(item.get(key) == wanted for key in _TIME_KEYS):
            return item
    return None
