"""What happens to the simulated meter at a time: faults and changes, each by its name.

Tests call `FocusAL.fault`, a scenario has ``[[fault]]`` entries, the command line has
``--fault NAME@SECONDS,option=value``; all three come here.
"""

import inspect
from dataclasses import dataclass

from endpoint.meter.layout import PATCH_MARK
from endpoint.optical import services
from wattline.meter.load import NS_PER_S, Load

_REPLIES = {
    "error": services.ERR,
    "no-right": services.ISC,
    "not-possible": services.ONP,
    "not-there": services.IAR,
    "busy": services.BSY,
    "not-ready": services.DNR,
    "locked": services.DLK,
    "renegotiate": services.RNO,
}
_KINDS = {int: "whole number", float: "number", str: "text"}
_WRONG_PATCH = b"XXXX"


@dataclass(frozen=True)
class Event:
    """One kind of happening.

    Attributes
    ----------
    run : callable(meter, t_ns, **options)
        Makes it happen; returns a function that ends it, or None if it does not end.
    text : str
    options : dict of str to object
        Names and defaults; None stands for an integer that may be left out.
    """

    run: object
    text: str
    options: dict


EVENTS = {}


def _event(name, text):
    def register(function):
        parameters = list(inspect.signature(function).parameters.values())[2:]
        options = {parameter.name: parameter.default for parameter in parameters}
        EVENTS[name] = Event(function, text, options)
        return function

    return register


@_event("frozen", "registers, voltages and clock are shown as they were at the start")
def _freeze(meter, t_ns):
    meter.effects.freeze(t_ns)
    return meter.effects.thaw


@_event("zero", "the registers read zero")
def _zero(meter, _t_ns, reads=None):
    meter.effects.fill("zero", reads)
    return meter.effects.clear_fill


@_event("ones", "the registers read all ones")
def _ones(meter, _t_ns, reads=None):
    meter.effects.fill("ones", reads)
    return meter.effects.clear_fill


@_event("bad-bcd", "the registers read with digits above nine; needs BCD registers")
def _bad_bcd(meter, _t_ns, reads=None):
    meter.effects.fill("bad-bcd", reads)
    return meter.effects.clear_fill


@_event("wrong-identity", "another serial number is shown; the registers go on")
def _wrong_identity(meter, _t_ns, serial="SIM9999999999999"):
    def end():
        meter.effects.serial = None

    meter.effects.serial = serial
    return end


@_event("swap", "another meter is in the socket")
def _swap(meter, t_ns, serial="SIM0000000000002", forward_wh=3000, reverse_wh=0):
    meter.serial = serial
    meter.general.set_device_id(serial)
    meter.preset(t_ns, forward_wh, reverse_wh)
    meter.accounts.clear()
    meter.outages = 0
    meter.device.close()


@_event("reset", "the registers are set to zero")
def _reset(meter, t_ns):
    meter.preset(t_ns, 0, 0)


@_event("preset", "the registers are set to given values")
def _preset(meter, t_ns, forward_wh=None, reverse_wh=None):
    now = meter.raw_wh(t_ns)
    forward_wh = now[0] if forward_wh is None else forward_wh
    reverse_wh = now[1] if reverse_wh is None else reverse_wh
    meter.preset(t_ns, forward_wh, reverse_wh)


@_event("clock-jump", "the clock jumps; needs a clock")
def _clock_jump(meter, _t_ns, by_s=3600.0):
    if meter.clock is None:
        raise ValueError("A clock jump needs a meter with a clock: say when it starts.")
    meter.note(3)
    meter.clock.jump(by_s)
    meter.note(4)


@_event("brown-out", "the power drops after some bytes of the next packet, and comes back")
def _brown_out(meter, _t_ns, after_bytes=4, dark_s=2.0):
    meter.effects.break_off = (after_bytes, int(dark_s * NS_PER_S))


@_event("dark", "the service is off")
def _dark(meter, t_ns):
    meter.set_lit(t_ns, False)

    def end():
        meter.set_lit(meter.now_ns, True)

    return end


@_event("patch-missing", "the patch table is gone")
def _patch_missing(meter, _t_ns):
    before = meter.maker.patch
    meter.set_patch(None)
    return lambda: meter.set_patch(before)


@_event("patch-wrong", "the patch table carries another mark")
def _patch_wrong(meter, _t_ns):
    before = meter.maker.patch
    meter.set_patch(_WRONG_PATCH)
    return lambda: meter.set_patch(before)


@_event("patch", "the right patch is installed")
def _patch(meter, _t_ns):
    meter.set_patch(PATCH_MARK)


@_event("refuse", f"a table is refused with one of {', '.join(_REPLIES)}")
def _refuse(meter, _t_ns, table=23, reply="busy"):
    if reply not in _REPLIES:
        raise ValueError(f"There is no reply {reply!r}; choose {', '.join(_REPLIES)}.")
    meter.refuse[table] = _REPLIES[reply]
    return lambda: meter.refuse.pop(table, None)


@_event("trouble", "the meter reports a trouble of its own: flag, digit and event")
def _trouble(meter, _t_ns, what="measurement"):
    meter.note(meter.diagnostics.find(what))


@_event("load", "the premises use another load profile")
def _load(meter, t_ns, profile="house", scale=1.0, seed=1):
    nominal_dv = 10 * meter.form.volts
    meter.load.switch(t_ns, Load(profile, scale, seed, nominal_dv=nominal_dv))


@_event("multiplier", "the display multiplier is reprogrammed")
def _multiplier(meter, _t_ns, to=1):
    if not 1 <= to <= 240:
        raise ValueError("The display multiplier of a FOCUS AL is 1 to 240.")
    meter.display_multiplier = to


@_event("display", "the maker's configuration tool rewrites the display list")
def _display(meter, _t_ns, items=(0,)):
    meter.display.set_items(list(items))


def plan(meter, name, at_s, options):
    """Have an event happen; `for_s` in the options ends it, where it can end.

    Raises
    ------
    ValueError
        One sentence: unknown name or option.
    """
    if name not in EVENTS:
        raise ValueError(f"There is no fault {name!r}; choose {', '.join(EVENTS)}.")
    event = EVENTS[name]
    options = dict(options)
    for_s = _value(name, "for_s", 0.0, options.pop("for_s")) if "for_s" in options else None
    for key in options:
        if key not in event.options:
            known = ", ".join((*event.options, "for_s"))
            raise ValueError(f"The fault {name} has no {key!r}; it has {known}.")
        options[key] = _value(name, key, event.options[key], options[key])

    def start(t_ns):
        end = event.run(meter, t_ns, **options)
        if end and for_s is not None:
            meter.plan(t_ns + int(for_s * NS_PER_S), lambda _t_ns: end())

    _check(meter, name, options)
    at_ns = int(at_s * NS_PER_S)
    if at_ns <= meter.now_ns:
        start(meter.now_ns)
    else:
        meter.plan(at_ns, start)


def _value(name, key, default, given):
    """Return an option's value as the default's type; lists are written 1/2/3."""
    if isinstance(default, tuple):
        if isinstance(given, str):
            given = given.split("/")
        return [_value(name, key, 0, item) for item in given]
    kind = int if default is None else type(default)
    try:
        return kind(given)
    except (TypeError, ValueError):
        raise ValueError(
            f"{key}={given} of the fault {name} is no {_KINDS[kind]}: correct it."
        ) from None


def _check(meter, name, options):
    """Refuse now what could only fail later."""
    if name == "clock-jump" and meter.clock is None:
        raise ValueError("A clock jump needs a meter with a clock: say when it starts.")
    if name == "refuse" and options.get("reply", "busy") not in _REPLIES:
        raise ValueError(f"There is no reply {options['reply']!r}; choose {', '.join(_REPLIES)}.")
