"""wattline read: what a module has measured, and what it remembers."""

import csv
import json
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from endpoint.programming import READINGS, SETTINGS, STATUS
from wattline.board.find import find_port
from wattline.cli.options import Echo, Json, examples
from wattline.errors import RunError, WattlineError
from wattline.programmer import passwords
from wattline.programmer.parts import site_of
from wattline.programmer.roads import PortRoad, UsbRoad

app = App(
    name="read",
    help="Read a module's values and records; changes nothing.",
    help_epilogue=examples(
        "wattline read                                   the only module on USB",
        "wattline read --port /dev/ttyUSB0 --password-file keys.toml",
        "wattline read hours --last 168 --plot week.png",
        "wattline read log -o module.log && wattline replay module.log",
    ),
)
_PROGRESS_S = 0.5
_DRAWN = ("hours", "intervals")


@Parameter(name="*")
@dataclass
class Where:
    """Where the module is.

    Parameters
    ----------
    usb
        Serial port of the module on USB; without it and --port the only module is taken.
    port
        Read through the programming port with the probe on this serial device instead.
    password_file
        File with the read password, or a keys file, or "prompt"; WATTLINE_PASSWORD else.
    echo
        The probe echoes what is sent.
    """

    usb: str | None = None
    port: str | None = None
    password_file: str | None = None
    echo: Echo = False


def road(where: Where | None) -> AbstractContextManager[PortRoad | UsbRoad]:
    """Return the road that the user chose."""
    where = where or Where()
    if where.usb is not None and where.port is not None:
        raise WattlineError("give either --usb or --port, not both")
    if where.port is None:
        return UsbRoad(find_port(where.usb))
    password = passwords.password(where.password_file, "read")
    return PortRoad(where.port, password, where.echo)


@app.default
def readings(*, where: Where | None = None, as_json: Json = False) -> None:
    """Print every billing value: energy, rates, demand, voltage, outages, clock, ledger."""
    with road(where) as opened:
        found = opened.text(READINGS)
    if as_json:
        print(json.dumps(found))
        return
    if not found:
        raise WattlineError("the module is not programmed; it measures nothing yet")
    from wattline.programmer.show import show_readings

    try:
        show_readings(found, Console())
    except (KeyError, TypeError, AttributeError):
        raise RunError(
            "the module names its values otherwise than this program; use the program of its "
            "version, or --json"
        ) from None


@app.command
def status(*, where: Where | None = None, as_json: Json = False) -> None:
    """Print version, board and the state of meter, line and memory."""
    _print_text(where, STATUS, as_json, "Status")


@app.command
def settings(*, where: Where | None = None, as_json: Json = False) -> None:
    """Print what the module was programmed with; keys and passwords are never shown."""
    _print_text(where, SETTINGS, as_json, "Settings")


def _print_text(where: Where | None, number: int, as_json: bool, title: str) -> None:
    with road(where) as opened:
        found = opened.text(number)
    if as_json:
        print(json.dumps(found))
        return
    table = Table("", "value", title=title)
    for name, value in sorted(found.items()):
        table.add_row(name, str(value))
    Console().print(table)


def _records(
    name: str,
    where: Where | None,
    last: int,
    as_json: bool,
    csv_file: Path | None,
    plot: Path | None = None,
) -> None:
    from wattline.programmer import history
    from wattline.programmer.show import show_records

    if last < 0:
        raise WattlineError("--last is a number of records, 0 for all")
    with road(where) as opened:
        zone = opened.text(SETTINGS)
        records = history.read(opened, name, site_of(zone), last or None, Progress())
    if csv_file is not None:
        _write_csv(csv_file, records)
    if plot is not None:
        from wattline.programmer.picture import plot as draw

        draw(records, f"Endpoint {zone.get('eid', '')}, {name}", plot)
    if as_json:
        print(json.dumps(records))
    elif csv_file is None and plot is None:
        show_records(name, records, Console())


def _write_csv(path: Path, records: list[dict[str, Any]]) -> None:
    from wattline.programmer.show import flat

    rows = [flat(record) for record in records]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise WattlineError(f"{path} cannot be written: {error.strerror}") from None


class Progress:
    """Says on the error channel how far it is, not too often."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        """Say it if it is time to."""
        now_s = time.monotonic()
        if now_s - self._last_s >= _PROGRESS_S:
            self._last_s = now_s
            print(f"{done} of {count} records", file=sys.stderr, flush=True)


_Last = Annotated[int, Parameter(help="So many of the newest records; 0: all.")]
_Csv = Annotated[Path | None, Parameter(name="--csv", help="Write them to this file.")]
_Plot = Annotated[Path | None, Parameter(help="Draw them into this PNG, SVG or PDF file.")]


@app.command
def hours(
    *,
    where: Where | None = None,
    last: _Last = 48,
    as_json: Json = False,
    csv_file: _Csv = None,
    plot: _Plot = None,
) -> None:
    """Print the hourly records: energy with its bounds, register, voltage, flags."""
    _records("hours", where, last, as_json, csv_file, plot)


@app.command
def intervals(
    *,
    where: Where | None = None,
    last: _Last = 96,
    as_json: Json = False,
    csv_file: _Csv = None,
    plot: _Plot = None,
) -> None:
    """Print the load profile: energy of each interval with its bounds and flags."""
    _records("intervals", where, last, as_json, csv_file, plot)


@app.command
def events(
    *,
    where: Where | None = None,
    last: _Last = 48,
    as_json: Json = False,
    csv_file: _Csv = None,
) -> None:
    """Print what happened: restarts, outages, meter changes, commands."""
    _records("events", where, last, as_json, csv_file)


@app.command
def outages(
    *,
    where: Where | None = None,
    last: _Last = 48,
    as_json: Json = False,
    csv_file: _Csv = None,
) -> None:
    """Print the outages whose length is known."""
    _records("outages", where, last, as_json, csv_file)


@app.command
def periods(
    *,
    where: Where | None = None,
    last: _Last = 0,
    as_json: Json = False,
    csv_file: _Csv = None,
) -> None:
    """Print what each demand reset put away: peaks, total, rates."""
    _records("periods", where, last, as_json, csv_file)


@app.command
def voltage(
    *,
    where: Where | None = None,
    last: _Last = 31,
    as_json: Json = False,
    csv_file: _Csv = None,
) -> None:
    """Print the voltage of each day: extremes, average, minutes outside the ranges."""
    _records("voltage", where, last, as_json, csv_file)


@app.command
def demand(
    *,
    where: Where | None = None,
    last: _Last = 96,
    as_json: Json = False,
    csv_file: _Csv = None,
) -> None:
    """Print every demand interval and whether it may set a peak."""
    _records("demand", where, last, as_json, csv_file)


@app.command
def log(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="New file for the log.")],
    where: Where | None = None,
    as_json: Json = False,
) -> None:
    """Export what the module was told, for `wattline replay FILE`.

    Over the programming port a full log (116 KB) takes some minutes.
    """
    from wattline.programmer.export import export

    with road(where) as opened:
        found = export(opened, output, Progress())
    if as_json:
        print(json.dumps(found))
        return
    gaps = f", {found['gaps']} gaps" if found["gaps"] else ""
    print(f"{found['file']}: {found['rows']} rows, {found['entries']} entries{gaps}")
    print(f"Try: wattline replay {found['file']}")
