"""Readings and records of a module as tables for people."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_LEFT = ("what", "ends", "flags", "at", "event", "start", "time", "reset", "day", "lowest at")
# Times that a narrow terminal must not break.
_WHOLE = ("ends", "at", "start", "reset", "day")
_LETTERS = "ABCD"


def _table(title: str, *columns: str) -> Table:
    table = Table(
        box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=title, title_justify="left"
    )
    for column in columns:
        left = column in _LEFT
        table.add_column(column, justify="left" if left else "right", no_wrap=column in _WHOLE)
    return table


def number(value: int | None) -> str:
    """Return a number; one that is not there is "no data", never 0."""
    return "no data" if value is None else str(value)


def volts(dv: int | None) -> str:
    """Return tenths of a volt as volts."""
    return "no data" if dv is None else f"{dv // 10}.{dv % 10}"


def kilowatts(w: int) -> str:
    """Return watts as kW."""
    return f"{w / 1000:.3f}"


def _dials(value: dict[str, Any]) -> str:
    return value["sign"] + value["dial"]


def show_readings(found: dict[str, Any], console: Console) -> None:
    """Print every billing value."""
    energy, clock, tou = found["energy"], found["clock"], found["tou"]
    settings = found["settings"]
    console.print(
        f"{found['state']}, meter {energy['meter'] or 'not read yet'}, "
        f"{clock['utc'] or 'time unknown'} ± {clock['error_bound_s']} s"
        if clock["known"]
        else f"{found['state']}, meter {energy['meter'] or 'not read yet'}, time unknown",
        highlight=False,
    )
    if settings["waiting"]:
        console.print("[yellow]A change of detent or net waits for the next good read.[/]")
    table = _table("Energy", "what", "dials", "Wh", "at risk Wh", "shadow Wh")
    total = found["total"]
    table.add_row(f"total ({settings['quantity']})", _dials(total), str(total["wh"]), "", "")
    if tou["schedule"] is not None or any(rate["wh"] for rate in found["rates"].values()):
        for letter, rate in found["rates"].items():
            table.add_row(
                f"rate {letter}" + (", now" if letter == tou["rate_now"] else ""),
                _dials(rate),
                str(rate["wh"]),
                str(found["at_risk_wh"][letter]),
                str(found["shadow"][letter]),
            )
    for what, wh in (
        ("before any schedule", found["rateless_wh"]),
        ("unplaced", found["unplaced_wh"]),
        ("estimated", found["estimated_wh"]),
        ("forward, this meter's register", energy["forward_register_wh"]),
        ("reverse, this meter's register", energy["reverse_register_wh"]),
    ):
        table.add_row(what, "", str(wh), "", "")
    ledger = found["ledger"]
    table.add_row(
        "ledger (N2), 0 or a fault",
        "",
        f"{ledger['debit_wh']} - {ledger['credit_wh']} = {ledger['difference_wh']}",
        "",
        "",
    )
    console.print(table)
    _show_demand(found["demand"], console)
    _show_service(found, console)


def _show_demand(demand: dict[str, Any], console: Console) -> None:
    table = _table(
        f"Demand, {demand['period_min']} min in steps of {demand['subinterval_min']}",
        "what",
        "kW",
        "time",
    )
    for what in ("peak", "previous"):
        up_s = demand[what].get("uptime_s")
        when = demand[what]["at"] or ("none" if up_s is None else f"{up_s} s after power-up")
        table.add_row(what, kilowatts(demand[what]["w"]), when)
    table.add_row("last", kilowatts(demand["last_w"]), "")
    table.add_row("cumulative", kilowatts(demand["cumulative_w"]), "")
    table.add_row("continuous cumulative", kilowatts(demand["continuous_cumulative_w"]), "")
    for letter, peak in demand["rate_peaks"].items():
        if peak["w"]:
            table.add_row(f"rate {letter}", kilowatts(peak["w"]), peak["at"] or "none")
    frozen = demand["frozen"]
    if frozen:
        table.add_row(
            f"frozen ({frozen['count']})", kilowatts(frozen["peak"]["w"]), frozen["at"] or ""
        )
        table.add_row("frozen total", _dials(frozen["total"]), f"{frozen['total']['wh']} Wh")
    table.add_row(f"resets: {demand['resets']}", "", demand["reset_at"] or "never")
    console.print(table)


def _show_service(found: dict[str, Any], console: Console) -> None:
    voltage, outages, streaming = found["voltage"], found["outages"], found["streaming"]
    table = _table("Voltage", "what", "now", "least", "most", "average")
    hour, today = voltage["hour"], voltage["today"]
    table.add_row("this hour", volts(voltage["now_dv"]), *_extremes(hour))
    table.add_row("today", "", *_extremes(today))
    console.print(table)
    lines = [
        f"Outages: {outages['power_fail']} = blinks {outages['blink']} + sustained "
        f"{outages['sustained']}; momentary events {outages['momentary_event']}; dark "
        f"{outages['dark_seconds']} s; pending {outages['pending']}",
        "Restarts: " + ", ".join(f"{k} {v}" for k, v in found["restarts"].items()),
        "Counters: " + ", ".join(f"{k} {v}" for k, v in found["counters"].items() if v)
        if any(found["counters"].values())
        else "Counters: all 0",
        "Streaming: "
        + (
            "off"
            if streaming["mode"] == "off"
            else f"{streaming['mode']}, {streaming['quantity']}, {streaming['extreme']} voltage"
        ),
        _schedule(found["tou"]),
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)


def _extremes(found: dict[str, Any]) -> tuple[str, str, str]:
    return volts(found["minimum_dv"]), volts(found["maximum_dv"]), volts(found["average_dv"])


def _schedule(tou: dict[str, Any]) -> str:
    if tou["schedule"] is None and tou["pending"] is None:
        return "Schedule: none"
    text = f"Schedule: {tou['schedule'] if tou['schedule'] is not None else 'none'} in force"
    if tou["expired"]:
        text += ", expired: all energy goes to the fallback rate"
    if tou["pending"] is not None:
        text += f", {tou['pending']} from {tou['pending_from']}"
    return text


# Columns of each kind: title and how a record fills it.
_COLUMNS: dict[str, tuple[tuple[str, Any], ...]] = {
    "intervals": (
        ("ends", lambda r: r["local"]),
        ("Wh", lambda r: number(r["wh"])),
        ("least", lambda r: number(r["least_wh"])),
        ("most", lambda r: number(r["most_wh"])),
        ("min", lambda r: str(r["minutes"])),
        ("flags", lambda r: " ".join(r["flags"])),
    ),
    "hours": (
        ("ends", lambda r: r["local"]),
        ("Wh", lambda r: number(r["wh"])),
        ("least", lambda r: number(r["least_wh"])),
        ("most", lambda r: number(r["most_wh"])),
        ("register", lambda r: number(r["register_wh"])),
        ("min V", lambda r: volts(r["minimum_dv"])),
        ("max V", lambda r: volts(r["maximum_dv"])),
        ("flags", lambda r: " ".join(r["flags"])),
    ),
    "events": (
        ("at", lambda r: r["local"] or "time unknown"),
        ("event", lambda r: r["event"]),
        ("a", lambda r: str(r["a"])),
        ("b", lambda r: str(r["b"])),
    ),
    "outages": (
        ("start", lambda r: r["local"] or "time unknown"),
        ("seconds", lambda r: str(r["seconds"])),
        ("± s", lambda r: str(r["clock_bound_s"])),
        ("shared", lambda r: "yes" if r["shared"] else ""),
    ),
    "periods": (
        ("reset", lambda r: r["local"] or "time unknown"),
        ("id", lambda r: str(r["id"])),
        ("kW", lambda r: kilowatts(r["peak"]["w"])),
        ("time", lambda r: r["peak"]["at"] or "none"),
        ("total", lambda r: _dials(r["total"])),
        *((letter, lambda r, x=letter: _dials(r["rates"][x])) for letter in _LETTERS),
    ),
    "voltage": (
        ("day", lambda r: r["local"]),
        ("min V", lambda r: volts(r["minimum_dv"])),
        ("max V", lambda r: volts(r["maximum_dv"])),
        ("average V", lambda r: volts(r["average_dv"])),
        ("outside A min", lambda r: str(r["outside_a_min"])),
        ("outside B min", lambda r: str(r["outside_b_min"])),
        ("lowest at", lambda r: r["minimum_at"] or ""),
    ),
    "demand": (
        ("ends", lambda r: r["local"]),
        ("kW", lambda r: kilowatts(r["w"])),
        ("rate", lambda r: r["rate"] or ""),
        ("peak", lambda r: "may set" if r["may_set_peak"] else "barred"),
        ("flags", lambda r: " ".join(r["flags"])),
    ),
}


def show_records(name: str, records: list[dict[str, Any]], console: Console) -> None:
    """Print records of one kind."""
    if not records:
        console.print(f"The module has no {name} yet.")
        return
    columns = _COLUMNS[name]
    table = _table(name.capitalize(), *(title for title, _ in columns))
    for record in records:
        if record.get("lost"):
            table.add_row(f"record {record['number']} lost", *[""] * (len(columns) - 1))
        else:
            table.add_row(*(fill(record) for _, fill in columns))
    console.print(table)


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as one level of names for CSV: ``peak.w``; flags joined by spaces."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": v for inner, v in flat(value).items()}
        else:
            found[key] = " ".join(value) if isinstance(value, list) else value
    return found
