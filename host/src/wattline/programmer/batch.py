"""A batch of modules: a table of settings, one line to a module, from a spreadsheet (R59)."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from endpoint.settings import NAMES
from wattline.errors import WattlineError
from wattline.optical.session import Refused
from wattline.programmer import advice, passwords, record
from wattline.programmer.advice import Advice
from wattline.programmer.job import Done, Job
from wattline.programmer.roads import PortRoad
from wattline.programmer.targets import PortTarget

MODULES_MAX = 10_000
_BYTES_MAX = 4 << 20
_OTHER = ("label", "port")
_YES, _NO = ("yes", "true"), ("no", "false")
_TEXTS = ("form", "profile")

PROGRAMMED, SKIPPED, FAILED = "programmed", "skipped", "failed"


@dataclass
class Item:
    """One line: the settings, the label of a new module, the port if the line has its own."""

    line: int
    given: dict[str, Any]
    label: str | None
    port: str | None

    @property
    def eid(self) -> int:
        """Identity that the module is to have."""
        return self.given["eid"]


@dataclass
class Result:
    """How it ended, with the reason of a failure."""

    eid: int
    line: int
    state: str
    reason: str = ""
    warnings: list[Advice] = field(default_factory=list)


def read(path: Path) -> list[Item]:
    """Return the modules of a comma-separated file whose first line names the columns.

    Columns are the settings of `wattline program` (``eid`` is needed), ``label`` and ``port``;
    an empty cell is not set.

    Raises
    ------
    WattlineError
        The file, a column or a cell is wrong, or an identity stands there twice.
    """
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise WattlineError(f"{path} is too long for a batch; split it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _check_columns(path, rows.fieldnames)
            items = [_item(path, rows.line_num, row) for row in rows if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WattlineError(f"{path} cannot be read as comma-separated values ({error})") from None
    if not items:
        raise WattlineError(f"{path} names no module; write one line for each under the columns")
    if len(items) > MODULES_MAX:
        raise WattlineError(f"{path} names more than {MODULES_MAX} modules; split it")
    lines: dict[int, int] = {}
    for item in items:
        if item.eid in lines:
            raise WattlineError(
                f"{path}, lines {lines[item.eid]} and {item.line}: both have eid {item.eid}; "
                "every module needs one of its own"
            )
        lines[item.eid] = item.line
    return items


def run(
    items: list[Item],
    common: Job,
    keys_folder: Path,
    port: str | None,
    echo: bool,
    ready: Callable[[Item], bool],
    tell: Callable[[Result], None],
) -> list[Result]:
    """Program one module after the other; a failure ends its own module's turn, not the batch.

    Parameters
    ----------
    items : list of Item
        As read.
    common : Job
        Record, acknowledgement and role for all of them.
    keys_folder : Path
        Holds a keys file per module, named after its identity; new ones are written there.
    port : str or None
        Probe for the lines without one of their own.
    echo : bool
        The probe echoes what is sent.
    ready : callable
        Waits until the module is under the probe; False skips it.
    tell : callable
        Told each result as it comes.

    Raises
    ------
    WattlineError
        The record cannot be read, or a line has no port; nothing was written.
    """
    assert common.record_file is not None
    for item in items:
        if item.port is None and port is None:
            raise WattlineError(f"line {item.line} names no port; give --port or a port column")
    done = [
        entry["settings"]
        for entry in record.load(common.record_file)
        if entry.get("verified") and isinstance(entry.get("settings"), dict)
    ]
    results = []
    for item in items:
        if any(item.given.items() <= settings.items() for settings in done):
            result = Result(item.eid, item.line, SKIPPED, "the record has it already")
        elif not ready(item):
            result = Result(item.eid, item.line, SKIPPED, "left out by hand")
        else:
            result = _program(item, common, keys_folder, item.port or port or "", echo)
        results.append(result)
        tell(result)
    return results


def _program(item: Item, common: Job, keys_folder: Path, port: str, echo: bool) -> Result:
    try:
        done = _turn(item, common, keys_folder / f"{item.eid}.toml", port, echo)
    except WattlineError as error:
        assert common.record_file is not None
        failure = {"eid": item.eid, "road": "port", "verified": False, "reason": str(error)}
        record.append(common.record_file, failure)
        return Result(item.eid, item.line, FAILED, str(error))
    return Result(item.eid, item.line, PROGRAMMED, warnings=done.warnings)


def _turn(item: Item, common: Job, keys: Path, port: str, echo: bool) -> Done:
    """Program one module with the keys it has, or with its label if those are not in it yet."""
    job = replace(common, given=item.given)
    if keys.exists():
        known = passwords.password(str(keys), "admin")
        try:
            with PortRoad(port, known, echo) as road:
                return job.carry_out(PortTarget(road))
        except Refused:
            if item.label is None:
                raise
        job = replace(job, keys=keys)
    elif item.label is None:
        raise WattlineError(f"there is no label in its line and no {keys}: one opens the module")
    else:
        job = replace(job, new_keys=keys)
    with PortRoad(port, item.label.encode(), echo) as road:
        return job.carry_out(PortTarget(road))


def _check_columns(path: Path, names: Sequence[str] | None) -> None:
    known = (*NAMES, *_OTHER)
    for name in names or ():
        if name not in known:
            raise WattlineError(f"{path} has a column {name!r}; columns are {', '.join(known)}")
    if "eid" not in (names or ()):
        raise WattlineError(f"{path} has no column eid; its first line has to name the columns")
    if len(set(names or ())) < len(names or ()):
        raise WattlineError(f"{path} has a column twice; name each once")


def _item(path: Path, line: int, row: dict[str, Any]) -> Item:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise WattlineError(f"{where}: it has not as many cells as there are columns")
    cells = {name: text.strip() for name, text in row.items() if text.strip()}
    label, port = cells.pop("label", None), cells.pop("port", None)
    try:
        given = {name: _value(name, text) for name, text in cells.items()}
    except WattlineError as error:
        raise WattlineError(f"{where}: {error}") from None
    if "eid" not in given:
        raise WattlineError(f"{where}: there is no eid")
    return Item(line, given, label, port)


def _value(name: str, text: str) -> Any:
    """Return a cell as the setting is kept; its limits are checked with the board's forms."""
    if name == "bought":
        return advice.bought(text)
    if name == "display":
        return advice.display_items(text)
    if name in _TEXTS:
        return text
    if text.lower() in _YES + _NO:
        return text.lower() in _YES
    try:
        return int(text)
    except ValueError:
        raise WattlineError(f"{name} is a number, yes or no, not {text!r}") from None
