"""A simulated meter and what happens to it, from a TOML file and from options.

start_s = 86400                 # simulated seconds that lie behind the meter when it starts

[meter]                         # any parameter of FocusAL
serial = "SIM0000000000042"
form = "2S"
clock = 2026-03-01T00:00:00
patch = "right"                 # or "missing", "wrong"

[load]
profile = "solar"

[line]
turnaround_ms = 20

[[fault]]                       # of the line or of the meter; [[change]] reads the same
name = "zero"
at_s = 120                      # since the start
reads = 1
"""

import inspect
import tomllib
from dataclasses import dataclass
from datetime import date, datetime

from endpoint.meter.layout import PATCH_MARK
from wattline.meter import events
from wattline.meter.faults import LINE_FAULTS, FaultChain, line_fault
from wattline.meter.focus_al import FocusAL
from wattline.meter.forms import find_form
from wattline.meter.load import NS_PER_S, Load
from wattline.meter.port import TURNAROUND_NS

_PATCHES = {"right": PATCH_MARK, "missing": None, "wrong": b"XXXX"}
_METER = tuple(name for name in inspect.signature(FocusAL).parameters if name != "load")
_LOAD = ("profile", "scale", "seed", "start_hour")
_LINE = ("turnaround_ms", "baud")
_PARTS = ("start_s", "meter", "load", "line", "fault", "change")
_MOST_FILE_BYTES = 1 << 20
_MOST_EVENTS = 10_000
_MOST_START_S = 400 * 86_400


@dataclass
class Scenario:
    """What is to be served.

    Attributes
    ----------
    meter : FocusAL
    faults : FaultChain
        Of the line; those of the meter are planned in the meter.
    start_ns : int
        Simulated time at the start.
    turnaround_ns : int
    baud : int or None
        The rate at which the meter rests if it is not 9600; None does not check the client's.
    """

    meter: FocusAL
    faults: FaultChain
    start_ns: int
    turnaround_ns: int
    baud: int | None


def read_file(path):
    """Return the dict of a scenario file.

    Raises
    ------
    ValueError
        One sentence: the file cannot be read or is no TOML.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(
            f"Cannot read the scenario {path} ({error.strerror}): name a file that is there."
        ) from None
    if len(text) > _MOST_FILE_BYTES:
        raise ValueError(f"The scenario {path} is larger than {_MOST_FILE_BYTES} bytes.")
    try:
        return tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"The scenario {path} is no TOML file: {error}.") from None


def read_fault(text):
    """Return the dict of a fault from ``NAME@SECONDS,option=value,…``.

    Raises
    ------
    ValueError
        One sentence: the text has another form.
    """
    head, *rest = text.split(",")
    name, _, at = head.partition("@")
    found = {"name": name}
    try:
        if at:
            found["at_s"] = float(at)
        for item in rest:
            key, equals, value = item.partition("=")
            if not equals:
                raise ValueError
            found[key.strip().replace("-", "_")] = _literal(value.strip())
    except ValueError:
        raise ValueError(
            f"The fault {text!r} is not understood: write NAME@SECONDS,option=value."
        ) from None
    return found


def _literal(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def build(content):
    """Return the `Scenario` of a dict as `read_file` gives it.

    Raises
    ------
    ValueError
        One sentence: an unknown name, an impossible value, a contradiction.
    """
    _known(content, _PARTS, "a scenario")
    meter_options = _part(content, "meter", _METER)
    load_options = _part(content, "load", _LOAD)
    line = _part(content, "line", _LINE)
    try:
        form = find_form(meter_options.get("form", "2S"), meter_options.get("volts"))
        load = Load(nominal_dv=10 * form.volts, **load_options)
        meter = FocusAL(load=load, **_converted(meter_options))
        start_s = float(content.get("start_s", 0))
        turnaround_ns = round(float(line.get("turnaround_ms", TURNAROUND_NS / 1e6)) * 1e6)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"A value of the scenario has the wrong type: {error}.") from None
    if not 0 <= start_s <= _MOST_START_S:
        raise ValueError(f"A scenario starts 0 to {_MOST_START_S} s after its meter.")
    if not TURNAROUND_NS <= turnaround_ns <= NS_PER_S:
        raise ValueError("A turn-around takes 0.175 to 1000 ms.")
    faults = _plan(meter, [*_list(content, "fault"), *_list(content, "change")], start_s)
    return Scenario(meter, faults, int(start_s * NS_PER_S), turnaround_ns, line.get("baud"))


def _plan(meter, happenings, start_s):
    on_line = []
    for happening in happenings:
        options = dict(happening)
        name = options.pop("name", None)
        at_s = _number(options.pop("at_s", 0.0), "at_s")
        if name in LINE_FAULTS:
            for key in ("rate", "for_s"):
                if key in options:
                    options[key] = _number(options[key], key)
            on_line.append(line_fault(name, {**options, "at_s": start_s + at_s}))
        elif name in events.EVENTS:
            meter.fault(name, start_s + at_s, **options)
        else:
            raise ValueError(
                f"There is no fault {name!r}; there are, on the line, {', '.join(LINE_FAULTS)} "
                f"and, in the meter, {', '.join(events.EVENTS)}."
            )
    return FaultChain(on_line)


def _number(value, name):
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r} is no number: correct it.") from None
    if not 0 <= number < 1e9:
        raise ValueError(f"{name} = {value!r} is no time or share: give a number from 0 on.")
    return number


def _list(content, key):
    found = content.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"Faults and changes are lists: write [[{key}]] before each.")
    if len(found) > _MOST_EVENTS:
        raise ValueError(f"A scenario has at most {_MOST_EVENTS} entries of [[{key}]].")
    return found


def _part(content, name, known):
    part = content.get(name, {})
    if not isinstance(part, dict):
        raise ValueError(f"[{name}] of a scenario is a table: write [{name}] and lines below it.")
    _known(part, known, f"[{name}]")
    return part


def _known(part, known, where):
    for key in part:
        if key not in known:
            raise ValueError(f"There is no {key!r} in {where}; there is {', '.join(known)}.")


def _converted(options):
    """Return a meter's options as `FocusAL` takes them."""
    made = dict(options)
    for key in ("read_password", "write_password", "master_password"):
        if isinstance(made.get(key), str):
            made[key] = made[key].encode() or None
    if "patch" in made:
        if made["patch"] not in _PATCHES:
            raise ValueError(f"A patch is {', '.join(_PATCHES)}, not {made['patch']!r}.")
        made["patch"] = _PATCHES[made["patch"]]
    for key, kind in (("clock", datetime), ("purchased", date)):
        if key in made and not isinstance(made[key], kind):
            raise ValueError(f"{key} = {made[key]!r} is no date: write it without quotes.")
    if "clock" in made:
        made["clock"] = made["clock"].replace(tzinfo=None)
    return made
