"""`wattline meter`: a simulated FOCUS AL for anything that speaks C12.18."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from wattline.errors import WattlineError
from wattline.meter.describe import Listener
from wattline.meter.faults import NAMES, Faults
from wattline.meter.focus_al import FocusAL
from wattline.meter.forms import find_form
from wattline.meter.load import PROFILES, Load
from wattline.meter.serve import PtyWire, SerialWire, serve

app = App(name="meter", help="Serve a simulated FOCUS AL meter.")

_STYLES = {"ack": "dim", "nak": "yellow", "packet": "", "damaged": "red", "noise": "yellow"}


@app.command(name="serve")
def serve_command(
    *,
    pty: Annotated[
        Path | None, Parameter(help="Make a pseudo terminal and link it to this path.")
    ] = None,
    port: Annotated[
        str | None, Parameter(help="Serve on this serial port, for example /dev/ttyUSB0.")
    ] = None,
    serial: Annotated[str, Parameter(help="Serial number, 1 to 16 characters.")] = (
        "SIM0000000000001"
    ),
    form: Annotated[str, Parameter(help="Meter form of the data sheet, for example 2S.")] = "2S",
    volts: Annotated[
        int | None, Parameter(help="Voltage, where the form exists at 120 and 240 V.")
    ] = None,
    profile: Annotated[str, Parameter(help=f"Load profile: {', '.join(PROFILES)}.")] = "house",
    scale: Annotated[float, Parameter(help="Factor on all power.")] = 1.0,
    seed: Annotated[int, Parameter(help="Chooses the load's details and the faults.")] = 1,
    forward_wh: Annotated[int, Parameter(help="Forward register at the start, in Wh.")] = (
        12_345_000
    ),
    reverse_wh: Annotated[int, Parameter(help="Reverse register at the start, in Wh.")] = 0,
    password: Annotated[
        str | None, Parameter(help="Read password; without one, reading is free.")
    ] = None,
    fault: Annotated[
        str | None, Parameter(help=f"What the optics do to bytes: {', '.join(NAMES)}.")
    ] = None,
    fault_rate: Annotated[float, Parameter(help="Share of bytes that the fault hits.")] = 0.01,
    json_log: Annotated[
        Path | None, Parameter(help="Write one JSON object per packet to this file.")
    ] = None,
    quiet: Annotated[bool, Parameter(negative=(), help="Do not print the packets.")] = False,
    seconds: Annotated[float | None, Parameter(help="End after this time.")] = None,
) -> None:
    """Answer C12.18 in real time and print every packet in words; Ctrl-C ends it."""
    if (pty is None) == (port is None):
        raise WattlineError("Say where to serve: either --pty LINK or --port NAME.")
    try:
        found = find_form(form, volts)
        load = Load(profile, scale, seed, nominal_dv=10 * found.volts)
        meter = FocusAL(
            serial=serial,
            form=form,
            volts=volts,
            load=load,
            forward_wh=forward_wh,
            reverse_wh=reverse_wh,
            read_password=password.encode() if password is not None else None,
        )
        faults = Faults(fault, fault_rate, seed)
    except ValueError as error:
        raise WattlineError(str(error)) from error
    log_file = _open_log(json_log)
    console = Console(highlight=False)
    wire = PtyWire(pty) if pty is not None else SerialWire(port)
    try:
        console.print(
            f"Meter {serial}, form {found.name} at {found.volts} V, load {profile} × {scale:g}, "
            f"on {wire.name}. Ctrl-C ends it."
        )
        log = _Log(None if quiet else console, log_file)
        serve(meter, wire, faults, log.hear, seconds)
    except KeyboardInterrupt:
        console.print("Ended.")
    finally:
        wire.close()
        if log_file is not None:
            log_file.close()


def _open_log(path):
    if path is None:
        return None
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise WattlineError(
            f"Cannot write the log {path} ({error.strerror}): name a path that can be written."
        ) from error


class _Log:
    """Prints and stores what passes on the link."""

    def __init__(self, console, file):
        self._console = console
        self._file = file
        self.hear = Listener(self._report).hear

    def _report(self, event):
        if self._file is not None:
            self._file.write(json.dumps(event) + "\n")
            self._file.flush()
        if self._console is not None:
            arrow = "→ meter" if event["direction"] == "C" else "← meter"
            line = f"{event['t_ns'] / 1e9:10.3f} s  {arrow}  {event['text']}"
            self._console.print(Text(line, style=_STYLES[event["kind"]]), soft_wrap=True)
