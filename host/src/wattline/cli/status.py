"""wattline status: ask a module how it is."""

import json

import cyclopts
from rich.console import Console
from rich.table import Table

from wattline.board.console import read_status
from wattline.board.find import find_port
from wattline.cli.options import Json, examples

app = cyclopts.App(
    name="status",
    help="Ask a module over USB how it is; changes nothing.",
    help_epilogue=examples("wattline status", "wattline status --port /dev/ttyACM1 --json"),
)


@app.default
def run(
    *,
    port: str | None = None,
    as_json: Json = False,
) -> None:
    """Print version, board, readings and the state of meter and line.

    Parameters
    ----------
    port
        Serial port of the module; without it the only module on USB is taken.
    as_json
        Print JSON instead of a table.
    """
    status = read_status(find_port(port))
    if as_json:
        print(json.dumps(status))
        return
    table = Table("", "value", title=f"Module on {port or 'USB'}")
    for name, value in sorted(status.items()):
        table.add_row(name, str(value))
    Console().print(table)
