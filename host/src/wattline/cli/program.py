"""wattline program: write settings and keys into a module."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from wattline.board.console import read_status
from wattline.board.find import find_port
from wattline.board.program import label as read_label
from wattline.board.session import BoardSession
from wattline.cli.options import Echo, Json, Switch, examples
from wattline.errors import WattlineError
from wattline.programmer import advice, passwords
from wattline.programmer.job import Job
from wattline.programmer.roads import PortRoad
from wattline.programmer.targets import PortTarget, UsbTarget

app = App(
    name="program",
    help="Write settings and keys into a module, over USB or through its programming port.",
    help_epilogue=examples(
        "wattline program --label                        first password, over USB",
        "wattline program --port /dev/ttyUSB0 --password-file label.txt \\",
        "    --eid 305419896 --form 2S --bought 2009-05 --new-keys keys.toml \\",
        "    --record work.json --acknowledge",
        "wattline program --poll-s 30                    over USB, one setting",
        "wattline program --seal --encrypt --keys line.toml",
        "    with line_key and anchor in line.toml: frames nobody else can send or read",
    ),
)


@app.default
def run(
    *,
    eid: int | None = None,
    form: str | None = None,
    detent: bool | None = None,
    net: bool | None = None,
    poll_s: int | None = None,
    profile: str | None = None,
    channel: int | None = None,
    largest_kw: int | None = None,
    offset_min: int | None = None,
    daylight: bool | None = None,
    interval_min: int | None = None,
    demand_min: int | None = None,
    sub_min: int | None = None,
    clpu_min: int | None = None,
    clpu_outage_s: int | None = None,
    lockout_s: int | None = None,
    net_register: bool | None = None,
    seal: bool | None = None,
    encrypt: bool | None = None,
    bought: str | None = None,
    display: str | None = None,
    keys: Path | None = None,
    new_keys: Path | None = None,
    usb: str | None = None,
    port: str | None = None,
    password_file: str | None = None,
    echo: Echo = False,
    record_file: Annotated[Path | None, Parameter(name="--record")] = None,
    acknowledge: Switch = False,
    role: str | None = None,
    role_version: str | None = None,
    label: Switch = False,
    as_json: Json = False,
) -> None:
    """Check everything, write it, read it back, restart the module.

    What is not given stays as it is; a module that is programmed for the first time takes the
    defaults, and needs --eid, --form, --record and --acknowledge.

    Parameters
    ----------
    eid
        Endpoint identity, 1 … 4278190079.
    form
        Meter form, for example 2S.
    detent
        Measure forward energy only; --no-detent adds reverse energy to the reading.
    net
        Report forward minus reverse (needs detent).
    poll_s
        Seconds between two reads of the meter, 10 … 3600.
    profile
        Waveform on the line: bench (a frame in 19 s), bench2, express, field2, or field (a frame
        in an hour, which just fits one hour's record; what more is asked for is refused, and
        `wattline status` says so in line_refused).
    channel
        Carrier number within the profile; 0 derives it from the EID.
    largest_kw
        Largest believable power in kW, for meters with transformer ratios; 0: the form's.
    offset_min
        Local standard time minus UTC in minutes.
    daylight
        Observe US daylight time.
    interval_min
        Length of the load profile's intervals: 5, 15, 30 or 60.
    demand_min
        Length of a demand interval: 5, 15, 30 or 60.
    sub_min
        Subinterval of rolling demand; 0: block demand.
    clpu_min
        Minutes left out of demand after a long outage; 0: none.
    clpu_outage_s
        Shortest outage that counts as long.
    lockout_s
        Shortest time between two demand resets; 0: none.
    net_register
        The meter has one register that runs both ways.
    seal
        Frames on the line carry 16 bits of a MAC in place of their CRC, so that nobody else can
        have sent them; it costs no bits. Needs a line_key in the keys, of which the collector
        needs the working key, and takes effect with the first time beacon: until then, and
        in JOIN frames, the CRC goes on. `wattline status` says line_sealed when it is so.
    encrypt
        What sealed frames say is readable with the same key only; needs --seal.
    bought
        When the meter was bought, such as 2008-03, or "unknown".
    display
        Items the module adds to the meter's display, such as 40,41, or "none".
    keys
        TOML or JSON file with the module's passwords and keys, hexadecimal.
    new_keys
        Make random ones and write them into this new file, readable for its owner only.
    usb
        Serial port of the module on USB; without it and --port the only module is taken.
    port
        Program through the programming port with the probe on this serial device.
    password_file
        File with the password of the port, or the module's present keys file, or "prompt";
        WATTLINE_PASSWORD else. A new module has one password: its label, see --label.
    echo
        The probe echoes what is sent.
    record_file
        Programming record, a JSON file that grows by one entry.
    acknowledge
        The check list for a retrofit has been read and is fulfilled.
    role
        Programming system that you speak for, mas or eas; noted in the record.
    role_version
        Its version.
    label
        Print the first password of the module on USB, and nothing else.
    as_json
        Print JSON instead of a table.
    """
    if usb is not None and port is not None:
        raise WattlineError("give either --usb or --port, not both")
    if label:
        _show_label(usb, port, as_json)
        return
    given = {
        name: value
        for name, value in {
            "eid": eid,
            "form": form,
            "detent": detent,
            "net": net,
            "poll_s": poll_s,
            "profile": profile,
            "channel": channel,
            "largest_kw": largest_kw,
            "offset_min": offset_min,
            "daylight": daylight,
            "interval_min": interval_min,
            "demand_min": demand_min,
            "sub_min": sub_min,
            "clpu_min": clpu_min,
            "clpu_outage_s": clpu_outage_s,
            "lockout_s": lockout_s,
            "net_register": net_register,
            "seal": seal,
            "encrypt": encrypt,
            "bought": None if bought is None else advice.bought(bought),
            "display": None if display is None else advice.display_items(display),
        }.items()
        if value is not None
    }
    job = Job(given, keys, new_keys, record_file, acknowledge, role, role_version)
    job.check()
    with ExitStack() as stack:
        done = job.carry_out(_open(stack, usb, port, password_file, echo))
    for warning in done.warnings:
        print(f"Warning: {warning.text}.", file=sys.stderr)
    _show(done.settings, done.keys, as_json)


def _show_label(usb: str | None, port: str | None, as_json: bool) -> None:
    if port is not None:
        raise WattlineError("the label is read over USB only; leave --port out")
    with BoardSession(find_port(usb), say=_say) as session:
        text = read_label(session)
    print(json.dumps({"label": text}) if as_json else text)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _open(
    stack: ExitStack, usb: str | None, port: str | None, password_file: str | None, echo: bool
) -> PortTarget | UsbTarget:
    if port is None:
        name = find_port(usb)
        try:
            status = read_status(name)
        except WattlineError:
            status = {}  # at the MicroPython prompt, or its application does not run
        return UsbTarget(stack.enter_context(BoardSession(name, say=_say)), status)
    password = passwords.password(password_file, "admin")
    if password is None:
        raise WattlineError(
            "programming needs a password; give --password-file FILE or prompt, or set "
            f"{passwords.VARIABLE} (a new module has the digits of its label)"
        )
    return PortTarget(stack.enter_context(PortRoad(port, password, echo)))


def _show(settings: dict[str, Any], keys: list[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(settings))
        return
    table = Table("setting", "value", title="Written and verified")
    for name, value in sorted(settings.items()):
        table.add_row(name, str(value))
    for name in keys:
        table.add_row(name, "written, never shown")
    Console().print(table)
