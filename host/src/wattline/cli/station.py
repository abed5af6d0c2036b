"""`wattline station`: program a batch of modules, one after the other."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from wattline.cli.options import Echo, Json, Switch, examples
from wattline.errors import WattlineError
from wattline.programmer import batch
from wattline.programmer.batch import Item, Result
from wattline.programmer.job import Job

app = App(
    name="station",
    help="Program a batch of modules through their programming ports, one after the other.",
    help_epilogue=examples(
        "wattline station village.csv --port /dev/ttyUSB0 --keys-folder keys \\",
        "    --record work.json --acknowledge",
        after="The first line of village.csv names the columns, such as label,eid,form,bought; "
        "docs/programming.md has one to copy.",
    ),
)


@app.default
def run(
    file: Path,
    *,
    keys_folder: Path,
    record_file: Annotated[Path, Parameter(name="--record")],
    port: str | None = None,
    acknowledge: Switch = False,
    no_wait: Switch = False,
    echo: Echo = False,
    role: str | None = None,
    role_version: str | None = None,
    as_json: Json = False,
) -> int:
    """Exit code 0: every module is programmed or was before; 1: the table says which is not.

    A failure ends that module's turn only. Given again, the same batch goes on where it stopped:
    what the record has is not done twice.

    Parameters
    ----------
    file
        Comma-separated values, one line to a module: eid, label, form, bought, any other setting
        of `wattline program`, and port where a line has a probe of its own.
    keys_folder
        Each module gets new random keys, in a file EID.toml here, readable for its owner only.
    record_file
        Programming record, a JSON file that grows by one entry per module.
    port
        Serial device of the probe for all lines without one of their own; you are asked to put
        the next module under it.
    acknowledge
        The check list for a retrofit has been read and is fulfilled for all of them.
    no_wait
        Do not ask: every module is under its probe already.
    role
        Programming system that you speak for, mas or eas; noted in the record.
    role_version
        Its version.
    """
    items = batch.read(file)
    common = Job(
        {}, record_file=record_file, acknowledge=acknowledge, role=role, role_version=role_version
    )
    common.check_role()
    try:
        keys_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WattlineError(f"{keys_folder} cannot be made: {error.strerror}") from None

    def ready(item: Item) -> bool:
        return no_wait or item.port is not None or _ask(item)

    console = Console(stderr=True)

    def tell(result: Result) -> None:
        console.print(f"EID {result.eid}: {result.state}", result.reason, markup=False)
        for warning in result.warnings:
            console.print(f"  Warning: {warning.text}.", markup=False)

    results = batch.run(items, common, keys_folder, port, echo, ready, tell)
    _show(results, as_json)
    return 1 if any(result.state == batch.FAILED for result in results) else 0


def _ask(item: Item) -> bool:
    name = f"the module whose label ends in {item.label[-4:]}" if item.label else "the module"
    print(f"Put {name} for EID {item.eid} under the probe.", file=sys.stderr)
    try:
        print("Enter programs it, s leaves it out: ", end="", file=sys.stderr, flush=True)
        return input().strip().lower() != "s"
    except EOFError:
        raise WattlineError(
            "nobody answers; give --no-wait when every module is under its probe already"
        ) from None


def _show(results: list[Result], as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "line": result.line,
                        "eid": result.eid,
                        "state": result.state,
                        "reason": result.reason,
                        "warnings": {warning.name: warning.text for warning in result.warnings},
                    }
                    for result in results
                ],
                indent=1,
            )
        )
        return
    table = Table("line", "EID", "result", "reason", title="Batch")
    for result in results:
        table.add_row(str(result.line), str(result.eid), result.state, result.reason)
    Console().print(table)
