"""wattline program: write settings into a module."""

import json
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.table import Table

from wattline.board.find import find_port
from wattline.board.program import program
from wattline.board.session import BoardSession

app = cyclopts.App(name="program", help="Write settings into a module over USB.")


@app.default
def run(
    *,
    eid: Annotated[int, cyclopts.Parameter(help="Endpoint identity, 1 … 4278190079.")],
    form: Annotated[str, cyclopts.Parameter(help="Meter form, for example 2S.")],
    detent: bool = True,
    net: bool = False,
    poll_s: int = 60,
    profile: str = "bench",
    channel: int = 0,
    largest_kw: int = 0,
    port: str | None = None,
    as_json: Annotated[bool, cyclopts.Parameter(name="--json")] = False,
) -> None:
    """Check the settings, write them, read them back and restart the module.

    Parameters
    ----------
    detent
        Measure forward energy only; --no-detent adds reverse energy to the reading.
    net
        Report forward minus reverse (needs detent).
    poll_s
        Seconds between two reads of the meter, 10 … 3600.
    profile
        Line profile; the collector of this version hears bench and bench2.
    channel
        Carrier number; 0 derives it from the EID.
    largest_kw
        Largest believable power in kW, for meters with transformer ratios; 0: the form's.
    port
        Serial port of the module; without it the only module on USB is taken.
    as_json
        Print the settings as JSON instead of a table.
    """
    fields = {
        "eid": eid,
        "form": form,
        "detent": detent,
        "net": net,
        "poll_s": poll_s,
        "profile": profile,
        "channel": channel,
        "largest_kw": largest_kw,
    }
    with BoardSession(find_port(port)) as session:
        settings = program(session, fields)
    if as_json:
        print(json.dumps(settings))
        return
    table = Table("setting", "value", title="Written and verified")
    for name, value in sorted(settings.items()):
        table.add_row(name, str(value))
    Console().print(table)
