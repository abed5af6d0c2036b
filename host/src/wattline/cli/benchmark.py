"""wattline benchmark: what emulator and firmware cost."""

import json
import sys
from pathlib import Path

import cyclopts
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from wattline.bench.benchmark import STOCK_BUDGET_S, Result, checked_minutes, run_benchmark
from wattline.bench.options import Options
from wattline.cli.options import Json
from wattline.image.build import build_image
from wattline.image.progress import Stages

app = cyclopts.App(
    name="benchmark",
    help="Measure the emulator and the firmware in one run and print each number beside its aim.",
)


@app.default
def run(
    *,
    board: str = "FASY_0624_0004",
    micropython: Path | None = None,
    minutes: int = 30,
    as_json: Json = False,
) -> int:
    """Exit code 0 even when an aim is missed; the row says so.

    Parameters
    ----------
    board
        Board whose image is measured.
    micropython
        MicroPython checkout to build from instead of the pinned sources.
    minutes
        Simulated minutes of the long run, 2 to 1440. The heap at its end is compared with that
        after five (after one, if there are no more than five).
    as_json
        Print everything as JSON on standard output instead of the table.
    """
    checked_minutes(minutes)
    options = Options.checked(board=board)
    image = build_image(board, micropython=micropython)
    with Stages() as stages:
        result = run_benchmark(options, image, minutes, stages, STOCK_BUDGET_S)
    if as_json:
        json.dump(result.to_json(), sys.stdout, indent=1)
        print()
    else:
        Console().print(rows_table(result))
    return 0


def rows_table(result: Result) -> Table:
    """Return the rows as a table; a missed aim is marked."""
    identity = result.identity
    title = f"{identity['board']} {identity['git']}, MicroPython {identity['micropython']}"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=title)
    table.add_column("quantity")
    table.add_column("measured", justify="right")
    table.add_column("aim", justify="right", no_wrap=True)
    table.add_column("how")
    for row in result.rows:
        measured = row.measured
        if row.met is False:
            measured = f"[bold red]{measured} MISSED[/]"
        elif row.met:
            measured = f"[green]{measured}[/]"
        table.add_row(row.quantity, measured, row.aim, row.how)
    return table
