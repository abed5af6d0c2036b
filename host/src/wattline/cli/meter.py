"""`wattline meter`: a simulated FOCUS AL for anything that speaks C12.18."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wattline.cli.options import Json
from wattline.errors import WattlineError
from wattline.meter import scenario
from wattline.meter.events import EVENTS
from wattline.meter.faults import LINE_FAULTS
from wattline.meter.load import PROFILES
from wattline.meter.serve import PtyWire, SerialWire, serve
from wattline.optical.decode import Decoder
from wattline.optical.listener import Listener

app = App(name="meter", help="Serve a simulated FOCUS AL meter.")

_STYLES = {"ack": "dim", "nak": "yellow", "packet": "", "damaged": "red", "noise": "yellow"}
_FORWARD_WH = 12_345_000


@app.command(name="serve")
def serve_command(
    *,
    pty: Annotated[
        Path | None, Parameter(help="Make a pseudo terminal and link it to this path.")
    ] = None,
    port: Annotated[
        str | None, Parameter(help="Serve on this serial port, for example /dev/ttyUSB0.")
    ] = None,
    scenario_file: Annotated[
        Path | None, Parameter(name="--scenario", help="TOML file; options below go before it.")
    ] = None,
    serial: Annotated[str | None, Parameter(help="Serial number, 1 to 16 characters.")] = None,
    form: Annotated[
        str | None, Parameter(help="Meter form of the data sheet, for example 2S.")
    ] = None,
    volts: Annotated[
        int | None, Parameter(help="Voltage, where the form exists at 120 and 240 V.")
    ] = None,
    profile: Annotated[str | None, Parameter(help=f"Load profile: {', '.join(PROFILES)}.")] = None,
    scale: Annotated[float | None, Parameter(help="Factor on all power.")] = None,
    seed: Annotated[int | None, Parameter(help="Chooses the load's details.")] = None,
    forward_wh: Annotated[
        int | None, Parameter(help="Forward register at the start, in Wh.")
    ] = None,
    reverse_wh: Annotated[
        int | None, Parameter(help="Reverse register at the start, in Wh.")
    ] = None,
    password: Annotated[
        str | None, Parameter(help="Read password; without one, reading is free.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        Parameter(
            help="NAME@SECONDS,option=value: a fault or change; may be repeated. "
            "See `wattline meter faults`.",
            negative=(),
        ),
    ] = None,
    log: Annotated[
        Path | None, Parameter(help="Write every packet and every table's fields to this file.")
    ] = None,
    json_log: Annotated[
        Path | None, Parameter(help="Write one JSON object per packet to this file.")
    ] = None,
    quiet: Annotated[bool, Parameter(negative=(), help="Do not print the packets.")] = False,
    seconds: Annotated[float | None, Parameter(help="End after this time.")] = None,
) -> None:
    """Answer C12.18 in real time and print every packet in words; Ctrl-C ends it.

    ```
    wattline meter serve --pty /tmp/meter --fault zero@60,reads=1 --fault lost,rate=0.01
    wattline meter serve --pty /tmp/meter --scenario village.toml --log link.txt
    wattline dump /tmp/meter
    ```
    """
    if (pty is None) == (port is None):
        raise WattlineError("Say where to serve: either --pty LINK or --port NAME.")
    try:
        content = scenario.read_file(scenario_file) if scenario_file else {}
        if not scenario_file:
            content["meter"] = {"forward_wh": _FORWARD_WH}
        _override(
            content,
            "meter",
            serial=serial,
            form=form,
            volts=volts,
            forward_wh=forward_wh,
            reverse_wh=reverse_wh,
            read_password=password,
        )
        _override(content, "load", profile=profile, scale=scale, seed=seed)
        faults = [scenario.read_fault(text) for text in fault or []]
        if faults:
            content["fault"] = [*content.get("fault", []), *faults]
        made = scenario.build(content)
    except ValueError as error:
        raise WattlineError(str(error)) from error
    meter = made.meter
    files = [_open_log(path) for path in (log, json_log)]
    console = Console(highlight=False)
    wire = PtyWire(pty, made.baud) if pty is not None else SerialWire(port, made.baud)
    try:
        console.print(
            f"Meter {meter.serial}, form {meter.form.name} at {meter.form.volts} V, "
            f"on {wire.name}. Ctrl-C ends it.",
            soft_wrap=True,
        )
        writer = _Log(None if quiet else console, *files, _decoder(meter))
        serve(meter, wire, made.faults, writer.hear, seconds, made.start_ns, made.turnaround_ns)
    except KeyboardInterrupt:
        console.print("Ended.")
    finally:
        wire.close()
        for file in files:
            if file is not None:
                file.close()


@app.command(name="faults")
def faults_command(*, as_json: Json = False) -> None:
    """List what can happen to the line and to the meter, with its options.

    wattline meter faults
    """
    rows = [
        {"name": name, "on": "line", "options": ["rate", "seed", "for_s"], "text": text}
        for name, text in LINE_FAULTS.items()
    ]
    rows += [
        {"name": name, "on": "meter", "options": [*event.options, "for_s"], "text": event.text}
        for name, event in EVENTS.items()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("name", "on", "options", "what happens")
    for row in rows:
        table.add_row(row["name"], row["on"], ", ".join(row["options"]), row["text"])
    Console().print(table)


def _override(content, part, **options):
    given = {key: value for key, value in options.items() if value is not None}
    if given:
        content[part] = {**content.get(part, {}), **given}


def _decoder(meter):
    """Return a decoder that knows the meter's own layout."""
    decoder = Decoder()
    for table, build in meter.contents.items():
        decoder.learn(table, build())
    return decoder


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

    def __init__(self, console, text_file, json_file, decoder):
        self._console = console
        self._text = text_file
        self._json = json_file
        self.hear = Listener(self._report, decoder).hear

    def _report(self, event):
        arrow = "→ meter" if event["direction"] == "C" else "← meter"
        line = f"{event['t_ns'] / 1e9:10.3f} s  {arrow}  {event['text']}"
        if self._json is not None:
            self._json.write(json.dumps(event) + "\n")
            self._json.flush()
        if self._text is not None:
            fields = [f"{'':24}{field}" for field in event["fields"]]
            self._text.write("\n".join([line, *fields]) + "\n")
            self._text.flush()
        if self._console is not None:
            self._console.print(Text(line, style=_STYLES[event["kind"]]), soft_wrap=True)
