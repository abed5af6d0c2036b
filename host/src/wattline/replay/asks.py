"""Questions of a scenario that need no engine: dials, forms, limits, gates and display slots."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from endpoint.metering import MeteringError, gates
from endpoint.metering.forms import form, turn_gap_s
from endpoint.metering.quantity import dial
from endpoint.metering.register import is_plausible
from endpoint.metering.voltage import (
    ABOVE_B,
    B_HIGH,
    B_LOW,
    BELOW_B,
    RANGE_A,
    Extremes,
    classify,
)
from wattline.replay.table import ScenarioError, Table

_RANGES = {
    BELOW_B: "below B",
    B_LOW: "B low",
    RANGE_A: "A",
    B_HIGH: "B high",
    ABOVE_B: "above B",
}


def _dial(table: Table) -> dict[str, Any]:
    wh = table.integer("dial_of_wh")
    return {"dial": f"{dial(wh):05d}", "sign": "-" if wh < 0 else "+"}


def _form(table: Table) -> dict[str, Any]:
    name = table.text("form")
    voltage = table.integer("voltage")
    multiplier = table.integer("multiplier", 1, 1)
    try:
        found = form(name, voltage)
    except MeteringError as error:
        return {"supported": False, "reason": type(error).__name__}
    cap_w = found.cap_w(multiplier)
    return {
        "supported": True,
        "part_number": found.part_number,
        "class_a": found.class_a,
        "cap_w": cap_w,
        "turn_gap_h": turn_gap_s(cap_w) // 3600,
        "ratios_belong_in_the_meter": found.transformer_rated,
    }


def _plausible(table: Table) -> dict[str, Any]:
    return {
        "plausible": is_plausible(
            table.integer("step_wh"), table.integer("gap_s", 60), table.integer("cap_w", 72_000)
        )
    }


def _gates(table: Table) -> dict[str, Any]:
    version = table.integer("firmware")
    return {
        "streaming": gates.can_stream(version),
        "net": gates.can_net(version),
        "display_items": gates.can_add_items(version),
    }


def _tool(table: Table) -> dict[str, Any]:
    try:
        return {"may_reflash": gates.may_reflash(table.text("tool"))}
    except MeteringError as error:
        return {"may_reflash": False, "reason": type(error).__name__}


def _systems(table: Table) -> dict[str, Any]:
    return {
        "sent": gates.may_activate_streaming(table.flag("collector"), table.flag("headend", False))
    }


def _slots(table: Table) -> dict[str, Any]:
    added, dropped, reached = gates.display_plan(
        table.integer("used", 0, 0), table.integer("wanted", 1, 1)
    )
    return {"added": added, "dropped": dropped, "maximum_reached": reached}


def _bought(table: Table) -> dict[str, Any]:
    text = str(table.take("bought"))
    if text == "unknown":
        return {"display_items": "ask"}
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        raise table.error("bought", 'a date such as "2007-09-01", or "unknown"') from None
    return {
        "display_items": "allowed"
        if gates.takes_items((found.year, found.month, found.day))
        else "refused"
    }


def _supply(table: Table) -> dict[str, Any]:
    dv = round(table.number("supply_v") * 10)
    module_v = table.integer("module_v", 240)
    return {
        "within": gates.supply_is_fit(dv, module_v),
        "programming_only": gates.is_programming_supply(dv, module_v),
    }


def _hz(table: Table) -> dict[str, Any]:
    return {"within": gates.frequency_is_fit(round(table.number("hz") * 100))}


def _temperature(table: Table) -> dict[str, Any]:
    value = table.number("temperature_c")
    return {"operates": gates.operates_at(value), "stores": gates.stores_at(value)}


def _range(table: Table) -> dict[str, Any]:
    dv = round(table.number("service_v") * 10)
    return {"range": _RANGES[classify(dv, table.integer("nominal_v", 120))]}


def _average(table: Table) -> dict[str, Any]:
    extremes = Extremes()
    volts = table.take("average_of_v", [])
    if not isinstance(volts, list) or not all(isinstance(v, int | float) for v in volts):
        raise table.error("average_of_v", "a list of voltages in V")
    for v in volts:
        extremes.add(round(v * 10), 0)
    return {
        "average_dv": extremes.average_dv(),
        "minimum_dv": extremes.minimum_dv,
        "maximum_dv": extremes.maximum_dv,
    }


def _demand(table: Table) -> dict[str, Any]:
    return {"w": table.integer("demand_of_wh") * 60 // table.integer("minutes", 15, 1)}


ASKS: dict[str, Callable[[Table], dict[str, Any]]] = {
    "dial_of_wh": _dial,
    "form": _form,
    "step_wh": _plausible,
    "firmware": _gates,
    "tool": _tool,
    "collector": _systems,
    "used": _slots,
    "bought": _bought,
    "supply_v": _supply,
    "hz": _hz,
    "temperature_c": _temperature,
    "service_v": _range,
    "average_of_v": _average,
    "demand_of_wh": _demand,
}


def answer(tables: list[Table]) -> list[dict[str, Any]]:
    """Return the answers, each with its question."""
    answers = []
    for table in tables:
        kinds = [key for key in ASKS if key in table]
        if not kinds:
            raise ScenarioError(f"{table.place} asks nothing; give one of {', '.join(ASKS)}.")
        found = ASKS[kinds[0]](table)
        table.done()
        answers.append({"asked": {key: table.take(key) for key in table.keys()}, **found})
    return answers
