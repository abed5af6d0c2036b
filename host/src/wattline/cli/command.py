"""wattline command: give a module a command through its programming port."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from endpoint.line import command as codes
from endpoint.metering import gates
from endpoint.programming import SETTINGS
from wattline.cli.options import Echo, Json, Switch, examples
from wattline.errors import RunError, WattlineError
from wattline.programmer import advice, commands, passwords
from wattline.programmer.parts import firmware_of
from wattline.programmer.roads import PortRoad
from wattline.replay.schedules import rate_number

app = App(
    name="command",
    help="Give a module a command through its programming port.",
    help_epilogue=examples(
        "wattline command set-time --port /dev/ttyUSB0 --password-file keys.toml",
        "wattline command schedule load summer.toml --port /dev/ttyUSB0 \\",
        "    --password-file keys.toml",
        after="Commands need the write password; the service window needs the admin password.",
    ),
)
schedule_app = App(name="schedule", help="Load a rate schedule, put it in force, or cancel it.")
app.command(schedule_app)

_SWITCH = {"yes": 1, "no": 0, "on": 1, "off": 0}
_MODES = {
    "off": codes.STREAM_OFF,
    "register": codes.STREAM_REGISTER,
    "profile": codes.STREAM_PROFILE,
}
_EXTREMES = {"min": codes.EXTREME_MINIMUM, "max": codes.EXTREME_MAXIMUM}
_RATES = 4


@Parameter(name="*")
@dataclass
class At:
    """Where the module is and who speaks.

    Parameters
    ----------
    port
        Serial device of the probe at the programming port.
    password_file
        File with the write password, or a keys file, or "prompt"; WATTLINE_PASSWORD else.
    echo
        The probe echoes what is sent.
    as_json
        Print JSON.
    """

    port: str
    password_file: str | None = None
    echo: Echo = False
    as_json: Json = False


def _road(at: At, level: str = "write") -> PortRoad:
    password = passwords.password(at.password_file, level)
    if password is None:
        raise WattlineError(
            f"a command needs the {level} password; give --password-file FILE or prompt, or set "
            f"{passwords.VARIABLE}"
        )
    return PortRoad(at.port, password, at.echo)


def _tell(at: At, what: str, result: int, note: str = "") -> int:
    """Print a result in words; return the exit code."""
    words = commands.WORDS.get(result, f"unknown result {result}")
    is_good = commands.is_good(result)
    if at.as_json:
        print(json.dumps({"command": what, "result": result, "done": is_good, "words": words}))
    else:
        print(f"{what}: {words}" + (f"; {note}" if note and is_good else ""))
    return 0 if is_good else RunError.exit_code


@app.command(name="set-time")
def set_time(time_text: str = "now", /, *, at: At) -> int:
    """Set the module's clock.

    Parameters
    ----------
    time_text
        "now" takes this computer's clock; else "2027-03-14 06:50" or "2027-03-14T11:50Z".
    """
    with _road(at) as road:
        unix_s = None if time_text == "now" else commands.instant_s(road, time_text)
        result, set_s = commands.set_time(road, unix_s)
    return _tell(at, f"set-time {commands.time_text(set_s)}", result)


@app.command(name="set-zone")
def set_zone(offset_min: int, /, *, at: At, daylight: Switch = False) -> int:
    """Set the module's time zone.

    Parameters
    ----------
    offset_min
        Local standard time minus UTC in minutes, a multiple of 15: -300 for US Eastern.
    daylight
        Observe US daylight time.
    """
    if offset_min % 15:
        raise WattlineError("a zone is a multiple of 15 minutes from UTC, such as -300")
    with _road(at) as road:
        result = commands.send(road, codes.SET_ZONE, (offset_min // 15 + 64, int(daylight)))
    return _tell(at, f"set-zone {offset_min}", result)


@app.command(name="reset-demand")
def reset_demand(*, at: At, reset_id: Annotated[int, Parameter(name="--id")]) -> int:
    """Close the demand period: the peak is put away and begins anew.

    Parameters
    ----------
    reset_id
        Number of this reset, 0 to 65535: the same number again resets nothing.
    """
    with _road(at) as road:
        result = commands.send(road, codes.DEMAND_RESET, (reset_id,))
    return _tell(at, f"reset-demand {reset_id}", result)


@app.command
def freeze(*, at: At, freeze_id: Annotated[int, Parameter(name="--id")] = 0) -> int:
    """Copy energies and peak into the frozen set."""
    with _road(at) as road:
        result = commands.send(road, codes.FREEZE, (freeze_id,))
    return _tell(at, "freeze", result)


@app.command
def detent(value: Literal["yes", "no"], /, *, at: At) -> int:
    """Switch detent: yes measures forward energy only, no adds reverse energy."""
    with _road(at) as road:
        result = commands.send(road, codes.SET_DETENT, (_SWITCH[value],))
    return _tell(at, f"detent {value}", result)


@app.command
def net(value: Literal["on", "off"], /, *, at: At) -> int:
    """Switch net metering, forward minus reverse; needs detent yes and firmware 17."""
    with _road(at) as road:
        result = commands.send(road, codes.SET_NET, (_SWITCH[value],))
    note = "net values are never streamed, the delivered energy is" if value == "on" else ""
    return _tell(at, f"net {value}", result, note)


@app.command
def stream(
    mode: Literal["off", "profile", "register"],
    /,
    *,
    at: At,
    extreme: Literal["min", "max"] = "min",
) -> int:
    """Stream hourly energy and one voltage extreme; needs firmware 12.

    Parameters
    ----------
    mode
        The energy of each hour (profile), the register at its end (register), or nothing.
    extreme
        Which voltage of each hour goes with it.
    """
    with _road(at) as road:
        firmware = firmware_of(road)
        if not gates.can_stream(firmware):
            raise WattlineError(
                f"firmware {firmware} cannot stream; {gates.STREAM_FIRMWARE} or later can"
            )
        result = commands.send(road, codes.SET_STREAM, (_MODES[mode], _EXTREMES[extreme]))
    note = "" if mode == "off" else "collector and head-end have to be able to take it"
    return _tell(at, f"stream {mode}", result, note)


@schedule_app.command(name="load")
def schedule_load(file: Path, /, *, at: At, activate: Switch = False) -> int:
    """Put a schedule into the module; nothing is in force until it is activated.

        id = 7
        weekday = "00:00 A, 07:00 B, 21:00 A"
        saturday = "00:00 A"

    Parameters
    ----------
    file
        TOML or JSON file; docs/replay.md has the keys.
    activate
        Put it in force at once.
    """
    packed = commands.load_schedule(file)
    identity = commands.schedule_identity(packed)
    with _road(at) as road:
        commands.stage_schedule(road, packed)
        if not activate:
            return _tell(at, f"schedule {identity} loaded", codes.DONE, "activate it next")
        result = commands.send(road, codes.SCHEDULE_ACTIVATE, (identity & 0xFF, 0))
    return _tell(at, f"schedule {identity} activated", result)


@schedule_app.command(name="activate")
def schedule_activate(*, at: At, when: Annotated[str, Parameter(name="--at")] = "now") -> int:
    """Put the loaded schedule in force.

    Parameters
    ----------
    when
        Begin at this time: "2027-06-01 00:00" in the module's zone, or UTC with a Z. Without
        it at once.
    """
    with _road(at) as road:
        at_s = 0 if when == "now" else commands.instant_s(road, when)
        identity = commands.schedules(road)["staged"]
        if not identity:
            raise WattlineError("no schedule is loaded; run wattline command schedule load first")
        result = commands.send(road, codes.SCHEDULE_ACTIVATE, (identity & 0xFF, at_s))
    start = f" from {commands.time_text(at_s)}" if at_s else ""
    return _tell(at, f"schedule {identity}{start}", result)


@schedule_app.command(name="cancel")
def schedule_cancel(*, at: At) -> int:
    """Cancel the schedule that is planned; the one in force goes on."""
    with _road(at) as road:
        result = commands.send(road, codes.SCHEDULE_CANCEL, (0,))
    return _tell(at, "schedule cancel", result)


@schedule_app.command(name="show")
def schedule_show(*, at: At) -> None:
    """Print the numbers of the schedule in force and of the loaded one."""
    with _road(at, "read") as road:
        found = commands.schedules(road)
    if at.as_json:
        print(json.dumps(found))
        return
    print(f"in force: {found['in_force'] or 'none'}; loaded: {found['staged'] or 'none'}")


@app.command(name="critical-peak")
def critical_peak(start: str, /, *, at: At, minutes: int, rate: str = "D", event: int = 0) -> int:
    """Charge a rate for a while, whatever the schedule says.

    Parameters
    ----------
    start
        "2027-07-01 15:00" in the module's zone, "2027-07-01T19:00Z", or "now".
    minutes
        How long, 1 to 1440.
    rate
        A to D.
    event
        Number of this event, 0 to 255.
    """
    number = rate_number(rate)
    if number >= _RATES:
        raise WattlineError(f"{rate!r} is no rate: choose A, B, C or D")
    with _road(at) as road:
        start_s = commands.instant_s(road, start)
        result = commands.send(road, codes.CRITICAL_PEAK, (event, start_s, minutes, number))
    return _tell(at, f"critical-peak from {commands.time_text(start_s)}", result)


@app.command
def display(items: str, /, *, at: At) -> int:
    """Say which items the module adds to its meter's display; needs firmware 18.

    Parameters
    ----------
    items
        Numbers of entries in the meter's ST-32 with commas, the most important first, or "none".
        Items that are there already are never removed; the meter has 16 places.
    """
    wanted = advice.display_items(items)
    with _road(at) as road:
        firmware = firmware_of(road)
        settings = road.text(SETTINGS)
        advice.check_display({**settings, "display": wanted}, firmware)
        if wanted:
            result = road.run(codes.DISPLAY_ITEMS, bytes(wanted))
        else:
            # A command of the line has at least one item: none at all is a setting.
            error = road.write(SETTINGS, b'{"display":[]}')
            result = codes.BAD_ARGUMENT if error else codes.DONE
    return _tell(at, f"display {items}", result, "the meter shows them after its next read")


@app.command
def identify(*, at: At) -> int:
    """Let the module show which one it is."""
    with _road(at) as road:
        result = commands.send(road, codes.IDENTIFY)
    return _tell(at, "identify", result)


@app.command(name="service-window")
def service_window(seconds: int, /, *, at: At, baud: int = 115200) -> int:
    """Lend the programming port to the MicroPython console for a while.

    Parameters
    ----------
    seconds
        How long, 1 to 1800; it begins when this session has ended.
    baud
        Rate of the console: 9600, 19200, 38400, 57600 or 115200.
    """
    with _road(at, "admin") as road:
        result = commands.open_window(road, seconds, baud)
    ends = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
    return _tell(at, f"service-window at {baud} baud until about {ends}", result)
