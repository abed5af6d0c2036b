"""The commands of a scenario: their keys, and the engine's method that carries them out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from endpoint.metering import engine as _engine
from wattline.replay.schedules import rate_number
from wattline.replay.table import ScenarioError, Table
from wattline.replay.times import seconds

_MOST_WH = 10**12

# What the endpoint does not have and refuses by name (rule E-6).
_IN_THE_METER = ("ct", "pt", "kh", "multiplier", "ct_ratio", "pt_ratio")


class Refused(Exception):
    """The command was refused before it reached the engine; the text is the reply."""


@dataclass
class Command:
    """One command: `arguments` reads its keys, `run` calls the engine and returns its reply."""

    arguments: Callable[[Table, Any], dict[str, Any]]
    run: Callable[[Any, int, dict[str, Any]], Any]


def _instant_s(table: Table, reader: Any, key: str, default: int | None = None) -> int:
    if key not in table and default is not None:
        table.take(key)
        return default
    return reader.times.need(table, key) // 1000


def _settings(table: Table, reader: Any) -> dict[str, Any]:
    found = {"detent": table.flag("detent"), "net": table.flag("net")}
    found["in_the_meter"] = [key for key in _IN_THE_METER if table.take(key) is not None]
    if found == {"detent": None, "net": None, "in_the_meter": []}:
        raise ScenarioError(f"{table.place} sets nothing; give detent or net.")
    return found


def _set(engine: Any, mono_s: int, values: dict[str, Any]) -> Any:
    if values["in_the_meter"]:
        raise Refused(f"{values['in_the_meter'][0]} belongs in the meter, not in the module")
    detent = engine.detent if values["detent"] is None else values["detent"]
    net = engine.net if values["net"] is None else values["net"]
    return engine.configure(detent, net)


def _schedule(engine: Any, mono_s: int, values: dict[str, Any]) -> Any:
    return engine.install_schedule(values["schedule"].pack(), values["from_s"], mono_s)


def _stream(engine: Any, mono_s: int, values: dict[str, Any]) -> Any:
    modes = {
        "off": _engine.STREAM_OFF,
        "register": _engine.STREAM_REGISTER,
        "profile": _engine.STREAM_PROFILE,
    }
    extremes = {"minimum": _engine.MINIMUM, "maximum": _engine.MAXIMUM}
    return engine.activate_streaming(
        modes[values["mode"]], extremes[values["extreme"]], values["collector"], values["headend"]
    )


def _demand(table: Table, reader: Any) -> dict[str, Any]:
    return {
        "period_min": table.integer("demand_min"),
        "sub_min": table.integer("subinterval_min"),
        "clpu_min": table.integer("clpu_minutes"),
        "clpu_outage_s": seconds(table, "clpu_min_outage"),
        "lockout_s": seconds(table, "reset_lockout"),
    }


def _set_demand(engine: Any, mono_s: int, values: dict[str, Any]) -> Any:
    now = engine.demand
    period_min = _or(values["period_min"], now.period_min)
    return engine.configure_demand(
        period_min,
        _or(values["sub_min"], period_min),
        _or(values["clpu_min"], now.clpu_min),
        _or(values["clpu_outage_s"], now.clpu_outage_s),
        _or(values["lockout_s"], now.lockout_s),
    )


def _total_wh(table: Table) -> int:
    if "total_wh" not in table:
        raise ScenarioError(f"{table.place} needs total_wh: the total that shall hold from here.")
    return table.integer("total_wh", None, -_MOST_WH, _MOST_WH)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


COMMANDS = {
    "reset": Command(
        lambda table, reader: {"id": table.integer("id", 1, 0, 0xFFFFFFFE)},
        lambda engine, mono_s, values: engine.reset_demand(values["id"], mono_s),
    ),
    "freeze": Command(
        lambda table, reader: {},
        lambda engine, mono_s, values: engine.freeze(mono_s),
    ),
    "set": Command(_settings, _set),
    "demand": Command(_demand, _set_demand),
    "profile": Command(
        lambda table, reader: {"interval_min": table.integer("interval_min", 60)},
        lambda engine, mono_s, values: engine.configure_profile(values["interval_min"]),
    ),
    "preset": Command(
        lambda table, reader: {"total_wh": _total_wh(table)},
        lambda engine, mono_s, values: engine.preset(values["total_wh"]),
    ),
    "schedule": Command(
        lambda table, reader: {
            "schedule": reader.schedule(table),
            "from_s": _instant_s(table, reader, "from", 0),
        },
        _schedule,
    ),
    "cancel_schedule": Command(
        lambda table, reader: {},
        lambda engine, mono_s, values: engine.cancel_schedule(mono_s),
    ),
    "critical_peak": Command(
        lambda table, reader: {
            "from_s": _instant_s(table, reader, "from"),
            "to_s": _instant_s(table, reader, "to"),
            "rate": table.text("rate", "D"),
        },
        lambda engine, mono_s, values: engine.add_peak(
            values["from_s"], values["to_s"], rate_number(values["rate"]), mono_s
        ),
    ),
    "cancel_critical_peak": Command(
        lambda table, reader: {"from_s": _instant_s(table, reader, "from")},
        lambda engine, mono_s, values: engine.cancel_peak(values["from_s"], mono_s),
    ),
    "stream": Command(
        lambda table, reader: {
            "mode": table.choice("mode", ("off", "register", "profile"), "profile"),
            "extreme": table.choice("extreme", ("minimum", "maximum"), "minimum"),
            "collector": table.flag("collector", True),
            "headend": table.flag("headend", True),
        },
        _stream,
    ),
}
