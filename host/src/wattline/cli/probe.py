"""`wattline probe`: what is wrong with an optical link."""

import json
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from wattline.cli.options import Json, examples
from wattline.optical.probe import FAILED, OK, UNKNOWN, WARNING, Probe

app = App(
    name="probe",
    help="Find out what is wrong with an optical link.",
    help_epilogue=examples(
        "wattline probe /dev/ttyUSB0", "wattline probe /tmp/meter --sessions 100"
    ),
)

_STYLES = {OK: "green", WARNING: "yellow", FAILED: "red", UNKNOWN: "dim"}


@app.default
def probe_command(
    port: Annotated[str, Parameter(help="Serial device or pseudo terminal.")],
    *,
    sessions: Annotated[int, Parameter(help="Sessions to count errors over, 1 to 1000.")] = 5,
    as_json: Json = False,
) -> int:
    """Check port, power, light, echo, rate, parity, timing and errors of an optical link.

        wattline probe /dev/ttyUSB0
        wattline probe /tmp/meter --sessions 20 --json

    Ends with 0 if the link is usable, with 1 if not. Nothing is written into the device.
    """
    console = Console(highlight=False)

    def tell(finding):
        if as_json:
            return
        line = Text(f"{finding.check:15}")
        line.append(f"{finding.state:8}", style=_STYLES[finding.state])
        line.append(f" {finding.text}")
        console.print(line, soft_wrap=True)
        if finding.cure:
            console.print(Text(f"{'':24} do: {finding.cure}"), soft_wrap=True)

    probe = Probe(port, sessions, tell)
    usable = probe.run()
    if as_json:
        print(json.dumps(probe.as_dict()))
    else:
        console.print("The link is usable." if usable else "The link is not usable.")
    return 0 if usable else 1
