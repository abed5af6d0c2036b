"""Commands for a module: their arguments from what people write, their results in words."""

import datetime as dt
import json
import time
import tomllib
from pathlib import Path
from typing import Any

from endpoint.line import CommandError, command
from endpoint.metering import MeteringError, tou
from endpoint.optical import access, services
from endpoint.programming import (
    BAUD_CODES,
    SCHEDULE,
    SERVICE_MAX_S,
    SERVICE_WINDOW,
    SETTINGS,
    STAGED,
)
from wattline.errors import RunError, WattlineError
from wattline.programmer.parts import site_of
from wattline.programmer.roads import PortRoad
from wattline.replay.report import refusal
from wattline.replay.schedules import Written
from wattline.replay.table import Table
from wattline.replay.times import Times

_FILE_MAX_BYTES = 65_536
_EARLIEST_S = 1_577_836_800  # 2020: a clock before that is not set
_U32 = 0xFFFFFFFF

WORDS = {
    command.DONE: "done",
    command.ALREADY_DONE: "was done already; nothing changed",
    command.PENDING: "accepted; takes effect with the next good read of the meter",
    command.NOT_SUPPORTED: "refused: this firmware version or this module cannot do that",
    command.BAD_ARGUMENT: "refused: the module takes no such value now",
    command.LOCKED_OUT: "refused: the last demand reset was too short a time ago",
    command.NEEDS_DETENT: "refused: net needs detent yes; switch net off first, or detent on",
    command.DOES_NOT_FIT: "refused: more than the line profile can send",
    command.INCOMPLETE: "refused: parts are missing",
    command.OUTCOME_UNKNOWN: "unknown: power failed meanwhile; read the settings and decide",
    command.FAILED: "failed",
}
_GOOD = (command.DONE, command.ALREADY_DONE, command.PENDING)


def is_good(result: int) -> bool:
    """Tell whether a command was accepted."""
    return result in _GOOD


def send(road: PortRoad, code: int, values: tuple[int, ...] = ()) -> int:
    """Give a command of `endpoint.line.command`; return its result.

    Raises
    ------
    WattlineError
        A value is out of its range, or the password may not do that.
    """
    try:
        packed = command.pack(code, values)
    except CommandError:
        names = ", ".join(name for name, _ in command.ARGUMENTS[code])
        raise WattlineError(
            f"a value is out of range ({names}): {', '.join(map(str, values))}"
        ) from None
    return road.run(code, packed[1:])


def set_time(road: PortRoad, unix_s: int | None) -> tuple[int, int]:
    """Set the clock, to this computer's time without one; return the result and the time set."""
    if unix_s is None:
        # The module takes the second at which the command is carried out: begin a new one.
        time.sleep(-time.time() % 1)
        unix_s = round(time.time())
    if not _EARLIEST_S <= unix_s <= _U32:
        raise WattlineError(
            "the time must lie between 2020 and 2106; is this computer's clock set?"
        )
    return send(road, command.SET_TIME, (unix_s, 0, 0)), unix_s


def instant_s(road: PortRoad, text: str) -> int:
    """Return the second that ``now``, "2027-03-14T11:50Z" or a wall time of the site names."""
    if text.lower() == "now":
        return int(time.time())
    found = Times(site_of(road.text(SETTINGS))).parse(text)
    if found is None:
        raise WattlineError(
            f'{text!r} is no time; write "2027-03-14 06:50" (wall time of the module\'s zone) or '
            '"2027-03-14T11:50Z"'
        )
    return found // 1000


def load_schedule(path: Path) -> bytes:
    """Return the bytes of a schedule that a TOML or JSON file describes.

    Raises
    ------
    WattlineError
        The file cannot be read, says something unknown, or is no valid schedule.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_MAX_BYTES + 1)
    except OSError as error:
        raise WattlineError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_MAX_BYTES:
        raise WattlineError(f"{path} is too long for a schedule")
    try:
        text = data.decode()
        found: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise WattlineError(f"{path} is not a TOML file: {error}") from None
    place = str(path)
    if isinstance(found, dict) and set(found) == {"schedule"}:
        found, place = found["schedule"], f"[schedule] of {path}"
    try:
        packed = Written(Table(found, place)).pack()
        tou.check(packed)
    except MeteringError as error:
        raise WattlineError(
            f"{path} is no schedule that a module takes: {refusal(error)}"
        ) from None
    except (ValueError, IndexError, OverflowError, TypeError) as error:
        raise WattlineError(f"{path} is no schedule: {error}") from None
    return packed


def stage_schedule(road: PortRoad, packed: bytes) -> None:
    """Put a schedule into the module without putting it in force; read it back.

    Raises
    ------
    WattlineError
        Refused; what was staged before still is.
    RunError
        It does not read back as written.
    """
    error = road.write(STAGED, packed)
    if error == services.ISC:
        raise WattlineError("this password may not load schedules; give the write password")
    if error:
        raise WattlineError("the module refuses the schedule; nothing was changed")
    if road.whole(STAGED) != packed:
        raise RunError("the schedule does not read back as written; load it again")


def schedule_identity(packed: bytes) -> int:
    """Return the identity of a packed schedule, 0 for none."""
    try:
        return tou.Schedule(packed).identity
    except MeteringError:
        return 0


def schedules(road: PortRoad) -> dict[str, int]:
    """Return the identities of the schedule in force and of the staged one, 0 for none."""
    return {
        name: schedule_identity(road.whole(table))
        for name, table in (("in_force", SCHEDULE), ("staged", STAGED))
    }


def open_window(road: PortRoad, seconds: int, baud: int) -> int:
    """Open the service window when this session ends; return a result.

    Raises
    ------
    WattlineError
        No such rate or length, or the password may not do that.
    """
    rates = {services.BAUDS[code]: code for code in BAUD_CODES}
    if baud not in rates:
        raise WattlineError(f"--baud {baud} is none of {', '.join(map(str, sorted(rates)))}")
    if not 0 < seconds <= SERVICE_MAX_S:
        raise WattlineError(f"a service window lasts 1 to {SERVICE_MAX_S} seconds")
    result, _ = road.procedure(SERVICE_WINDOW, seconds.to_bytes(2, "big") + bytes((rates[baud],)))
    if result == access.NO_RIGHT:
        raise WattlineError("only the admin password opens the service window")
    return command.DONE if result == access.DONE else command.BAD_ARGUMENT


def time_text(unix_s: int) -> str:
    """Return a second as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
