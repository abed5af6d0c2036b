"""A report as tables for people."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

from wattline.replay.run import Run
from wattline.replay.why import Why

_SHOWN_ROWS = 48


def show(run: Run, console: Console) -> None:
    """Print a run."""
    report = run.report
    if report["title"]:
        console.print(f"[bold]{report['title']}[/]")
    for part in (_totals(report), _intervals(report), _demand(report), _service(report)):
        console.print(part)
    console.print(_events(report))
    for warning in report["warnings"]:
        console.print(f"[yellow]Note: {warning}.[/]")
    for answer in report["asks"]:
        asked = " ".join(f"{key} {value}" for key, value in answer["asked"].items())
        rest = ", ".join(f"{k} {v}" for k, v in answer.items() if k != "asked")
        console.print(f"{asked}: {rest}")
    for mismatch in run.mismatches:
        console.print(
            f"[red]{mismatch.path} is {mismatch.found!r}, expected {mismatch.expected!r}[/]",
            highlight=False,
        )
    if run.expected:
        met = run.expected - len(run.mismatches)
        console.print(f"{met} of {run.expected} expected values agree.")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=title, title_justify="left"
    )
    for column in columns:
        left = column in ("what", "ends", "flags", "at", "event", "reply", "start", "time")
        table.add_column(column, justify="left" if left else "right")
    return table


def _totals(report: dict[str, Any]) -> Table:
    table = _table("Energy", "what", "dials", "Wh", "at risk Wh", "shadow Wh")
    total = report["total"]
    quantity = report["settings"]["quantity"]
    table.add_row(f"total ({quantity})", total["sign"] + total["dial"], str(total["wh"]), "", "")
    if report["tou"]["schedule"] is not None or any(r["wh"] for r in report["rates"].values()):
        for letter, rate in report["rates"].items():
            table.add_row(
                f"rate {letter}",
                rate["sign"] + rate["dial"],
                str(rate["wh"]),
                str(report["at_risk_wh"][letter]),
                str(report["shadow"][letter]),
            )
    table.add_row("before any schedule", "", str(report["rateless_wh"]), "", "")
    table.add_row("unplaced", "", str(report["unplaced_wh"]), "", "")
    table.add_row("estimated", "", str(report["estimated_wh"]), "", "")
    ledger = report["ledger"]
    table.add_row(
        "ledger (N2)",
        "",
        f"{ledger['debit_wh']} - {ledger['credit_wh']}",
        f"{ledger['difference_wh']}",
        "",
    )
    return table


def _intervals(report: dict[str, Any]) -> Group:
    table = _table("Load profile", "ends", "Wh", "least", "most", "flags")
    shown = report["intervals"][-_SHOWN_ROWS:]
    for row in shown:
        table.add_row(
            row["local"],
            *(_number(row[key]) for key in ("wh", "least_wh", "most_wh")),
            " ".join(row["flags"]),
        )
    hours = _table("Hours", "ends", "Wh", "register", "min V", "max V", "flags")
    for row in report["hours"][-_SHOWN_ROWS:]:
        hours.add_row(
            row["local"],
            _number(row["wh"]),
            _number(row["register_wh"]),
            _volts(row["minimum_dv"]),
            _volts(row["maximum_dv"]),
            " ".join(row["flags"]),
        )
    hidden = len(report["intervals"]) - len(shown)
    if hidden > 0:
        table.caption = f"{hidden} earlier ones are in --json"
    return Group(table, hours)


def _number(value: int | None) -> str:
    return "no data" if value is None else str(value)


def _volts(dv: int | None) -> str:
    return "no data" if dv is None else f"{dv // 10}.{dv % 10}"


def _demand(report: dict[str, Any]) -> Table:
    demand = report["demand"]
    table = _table(
        f"Demand, {demand['period_min']} min in steps of {demand['subinterval_min']}",
        "what",
        "kW",
        "time",
    )
    peak = demand["peak"]
    at = f"{peak['uptime_s']} s after power-up" if peak["uptime_s"] else peak["at"] or "none"
    table.add_row("peak", _kw(peak["w"]), at)
    table.add_row("previous", _kw(demand["previous"]["w"]), demand["previous"]["at"] or "none")
    table.add_row("cumulative", _kw(demand["cumulative_w"]), "")
    for letter, peak in demand["rate_peaks"].items():
        if peak["w"]:
            table.add_row(f"rate {letter}", _kw(peak["w"]), peak["at"] or "none")
    if demand["frozen"]:
        frozen = demand["frozen"]
        table.add_row(f"frozen ({frozen['count']})", _kw(frozen["peak"]["w"]), frozen["at"] or "")
    table.add_row(f"resets: {demand['resets']}", "", demand["reset_at"] or "never")
    return table


def _kw(w: int) -> str:
    return f"{w / 1000:.3f}"


def _service(report: dict[str, Any]) -> Group:
    outages = report["outages"]
    table = _table("Outages", "start", "seconds")
    counters = (
        f"power_fail {outages['power_fail']} = blink {outages['blink']} + sustained "
        f"{outages['sustained']}; momentary events {outages['momentary_event']}; dark "
        f"{outages['dark_seconds']} s; pending {outages['pending']}; "
        f"overflow {outages['overflow']}"
    )
    for entry in outages["log"]:
        seconds = "pending" if entry["pending"] else str(entry["seconds"])
        table.add_row(entry["start"] or "time unknown", seconds)
    return Group(table, counters)


def _events(report: dict[str, Any]) -> Group:
    table = _table("Events", "at", "event", "a", "b")
    for event in report["events"][-_SHOWN_ROWS:]:
        table.add_row(
            event["at"] or "time unknown", event["event"], str(event["a"]), str(event["b"])
        )
    replies = _table("Replies to commands", "at", "what", "reply")
    for reply in report["replies"]:
        replies.add_row(reply["at"], reply["do"], f"{reply['reply']} {reply['reason']}".strip())
    return Group(table, replies) if report["replies"] else Group(table)


def show_why(why: Why, console: Console) -> None:
    """Print an explanation; its last line says whether the parts add up."""
    table = _table(f"Why is {why.name} {why.value} {why.unit}?", "what", why.unit)
    for part in why.parts:
        table.add_row(part.text, str(part.amount))
    table.add_section()
    found = sum(part.amount for part in why.parts)
    table.add_row("sum of the parts", str(found))
    console.print(table)
    for rule in why.rules:
        console.print(f"  {rule}", highlight=False)
    for note in why.notes:
        console.print(f"  [dim]{note}[/]", highlight=False)
    if why.adds_up:
        console.print("[green]Checked: the parts add up to the value.[/]")
    else:
        console.print(f"[red]The parts make {found}, not {why.value}: a fault.[/]")
