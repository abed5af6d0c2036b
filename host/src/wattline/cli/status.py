"""wattline status: ask a module how it is."""

import json

from cyclopts import App
from rich.console import Console
from rich.table import Table

from wattline.board.console import read_status
from wattline.board.find import find_port
from wattline.cli.options import Json, examples

app = App(
    name="status",
    help="Ask a module over USB how it is; changes nothing, works in safe mode too.",
    help_epilogue=examples(
        "wattline status",
        "wattline status --usb /dev/ttyACM1 --json",
    ),
)


@app.default
def run(
    *,
    usb: str | None = None,
    as_json: Json = False,
) -> None:
    """Print version, board, readings and the state of meter, line and applications.

    Parameters
    ----------
    usb
        Serial port of the module on USB; without it the only module is taken.
    """
    status = read_status(find_port(usb))
    if as_json:
        print(json.dumps(status))
        return
    table = Table("", "value", title=f"Module on {usb or 'USB'}")
    for name, value in sorted(status.items()):
        table.add_row(name, str(value))
    Console().print(table)
