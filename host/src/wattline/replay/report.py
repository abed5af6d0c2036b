"""Every billing value of a run as one dictionary with stable keys; docs/replay.md names them."""

from typing import Any

from endpoint.metering import MeteringError, events, rows
from endpoint.metering.engine import MAXIMUM, STREAM_OFF, STREAM_REGISTER
from endpoint.metering.outages import PENDING, SHARED
from endpoint.metering.tou import NO_RATE
from endpoint.metering.voltage import NO_DATA
from endpoint.readings import dials, readings
from wattline.replay.runner import Runner
from wattline.replay.schedules import LETTERS
from wattline.replay.times import local_text, utc_text

FORMAT = 1

FLAGS = (
    ("PF", rows.PF),
    ("DARK", rows.DARK),
    ("PARTIAL", rows.PARTIAL),
    ("LONG", rows.LONG),
    ("EST", rows.EST),
    ("TIME", rows.TIME),
    ("SKIPPED", rows.SKIPPED),
    ("CHG", rows.CHG),
    ("OOR", rows.OOR),
    ("DST", rows.DST),
    ("MISSING", rows.MISSING),
    ("TEST", rows.TEST),
)
EVENT_NAMES = {
    value: name
    for name, value in vars(events).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, int)
}


def flag_names(flags: int) -> list[str]:
    """Return the names of the flags that are set."""
    return [name for name, bit in FLAGS if flags & bit]


def build(runner: Runner, title: str = "", rules: list[str] | None = None) -> dict[str, Any]:
    """Return everything that the engine can say at the end of a run."""
    engine = runner.engine
    mono_s = runner.mono_ms(runner.now_ms) // 1000
    report: dict[str, Any] = {
        "format": FORMAT,
        "title": title,
        "rules": rules or [],
        **readings(engine, mono_s),
    }
    report["intervals"] = [_interval(runner, row) for row in _rows(runner, rows.INTERVAL)]
    report["hours"] = [_hour(runner, row) for row in _rows(runner, rows.HOUR)]
    report["demand"]["intervals"] = [
        _demand_row(rows.unpack(rows.DEMAND, row)) for row in _rows(runner, rows.DEMAND)
    ]
    report["demand"]["periods"] = [
        _period(rows.unpack(rows.PERIOD, row)) for row in _rows(runner, rows.PERIOD)
    ]
    report["voltage"]["days"] = [_day(row) for row in _rows(runner, rows.VOLTAGE_DAY)]
    report["voltage"]["worst"] = _worst(engine)
    report["outages"]["log"] = _outages(engine)
    report["events"] = _events(runner)
    report["replies"] = [
        {
            "at": utc_text(reply.at_ms // 1000),
            "do": reply.do,
            "done": reply.done,
            "reply": reply.reply,
            "reason": reply.reason,
        }
        for reply in runner.replies
    ]
    report["reads"] = _reads(runner)
    report["streaming"]["hours"] = _streamed(runner)
    report["tou"]["warnings"] = _warnings(engine, mono_s)
    report["sums"] = sums(report)
    return report


def _rows(runner: Runner, ring: int) -> list[bytes]:
    kept = runner.kept.rings[ring]
    return [kept[sequence] for sequence in sorted(kept)]


def _energy_row(runner: Runner, row: dict[str, Any]) -> dict[str, Any]:
    missing = bool(row["flags"] & rows.MISSING)
    end_s = row["end_utc_s"]
    return {
        "end": utc_text(end_s),
        "local": local_text(runner.engine.site, end_s),
        "wh": None if missing else row["value_wh"],
        "least_wh": None if missing else row["least_wh"],
        "most_wh": None if missing else row["most_wh"],
        "forward_wh": None if missing else row["forward_wh"],
        "reverse_wh": None if missing else row["reverse_wh"],
        "flags": flag_names(row["flags"]),
        "covered_s": row["covered_s"],
        "clock_bound_s": row["clock_bound_s"],
    }


def _interval(runner: Runner, data: bytes) -> dict[str, Any]:
    row = rows.unpack(rows.INTERVAL, data)
    return {**_energy_row(runner, row), "minutes": row["interval_min"]}


def _hour(runner: Runner, data: bytes) -> dict[str, Any]:
    row = rows.unpack(rows.HOUR, data)
    missing = bool(row["flags"] & rows.MISSING)
    return {
        **_energy_row(runner, row),
        "register_wh": None if missing else row["register_wh"],
        "minimum_dv": _volts(row["minimum_dv"]),
        "maximum_dv": _volts(row["maximum_dv"]),
        "average_dv": _volts(row["average_dv"]),
    }


def _volts(dv: int) -> int | None:
    return None if dv == NO_DATA else dv


def _peak(w: int, at_s: int) -> dict[str, Any]:
    return {"w": w, "at": utc_text(at_s) if w else None}


def _demand_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "end": utc_text(row["end_utc_s"]),
        "w": row["demand_w"],
        "flags": flag_names(row["flags"]),
        "rate": LETTERS[row["rate"]] if row["rate"] < NO_RATE else None,
        "may_set_peak": bool(row["may_set_peak"]),
    }


def _period(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "reset_at": utc_text(row["reset_utc_s"]),
        "id": row["identity"],
        "resets": row["resets"],
        "peak": _peak(row["peak_w"], row["peak_s"]),
        "cumulative_w": row["cumulative_w"],
        "rate_peaks": {
            letter: _peak(
                row[f"rate_{letter.lower()}_peak_w"], row[f"rate_{letter.lower()}_peak_s"]
            )
            for letter in LETTERS
        },
        "total": dials(row["total_wh"]),
        "rates": {letter: dials(row[f"rate_{letter.lower()}_wh"]) for letter in LETTERS},
        "unplaced_wh": row["unplaced_wh"],
    }


def voltage_day(day: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of a day's voltage says, without its end."""
    return {
        "minimum_dv": _volts(day["minimum_dv"]),
        "minimum_at": utc_text(day["minimum_utc_s"]),
        "maximum_dv": _volts(day["maximum_dv"]),
        "maximum_at": utc_text(day["maximum_utc_s"]),
        "average_dv": _volts(day["average_dv"]),
        "outside_a_min": day["outside_a_min"],
        "outside_b_min": day["outside_b_min"],
        "excursions": day["excursions"],
        "samples": day["samples"],
    }


def _day(data: bytes) -> dict[str, Any]:
    row = rows.unpack(rows.VOLTAGE_DAY, data)
    return {"end": utc_text(row["end_utc_s"]), **voltage_day(row)}


def _worst(engine: Any) -> list[dict[str, Any]]:
    excursions = engine.voltage.excursions
    entries = (excursions.entry(i) for i in range(len(excursions)))
    return [
        {"start": utc_text(start_s), "seconds": length_s, "worst_dv": dv}
        for start_s, length_s, dv in entries
    ]


def _outages(engine: Any) -> list[dict[str, Any]]:
    outages = engine.outages
    log = []
    for i in range(len(outages)):
        start_s, length_s, flags = outages.entry(i)
        log.append(
            {
                "start": utc_text(start_s),
                "seconds": length_s,
                "pending": bool(flags & PENDING),
                "shared": bool(flags & SHARED),
            }
        )
    return log


def _event(data: bytes) -> dict[str, Any]:
    row = rows.unpack(rows.EVENT, data)
    return {
        "at": utc_text(row["utc_s"]),
        "event": EVENT_NAMES.get(row["code"], str(row["code"])),
        "a": row["a"],
        "b": row["b"],
        "life_s": row["life_s"],
    }


def _events(runner: Runner) -> list[dict[str, Any]]:
    """Return all events; a change of the meter with both identities (rule X-1)."""
    changes = []
    serial = None
    for read in runner.reads:
        if read.outcome in ("refused", "lost", "stale"):
            continue
        if serial is not None and read.serial != serial:
            changes.append({"old_serial": serial, "new_serial": read.serial})
        serial = read.serial
    found = [_event(row) for row in _rows(runner, rows.EVENT)]
    changed = [event for event in found if event["event"] == "METER_CHANGED"]
    for event, change in zip(reversed(changed), reversed(changes), strict=False):
        event.update(change)
    return found


def _reads(runner: Runner) -> dict[str, Any]:
    outcomes = {"good": 0, "suspect": 0, "stale": 0, "refused": 0, "lost": 0}
    for read in runner.reads:
        outcomes[read.outcome] += 1
    return {"count": len(runner.reads), **outcomes}


def _streamed(runner: Runner) -> list[dict[str, Any]]:
    """Return what would be streamed: never net, and one extreme of the voltage (L-6, D-7)."""
    engine = runner.engine
    mode = engine.streaming
    if mode == STREAM_OFF:
        return []
    extreme = "maximum" if engine.extreme == MAXIMUM else "minimum"
    values = []
    for data in _rows(runner, rows.HOUR):
        row = rows.unpack(rows.HOUR, data)
        missing = bool(row["flags"] & rows.MISSING)
        delivered_wh = row["forward_wh"] if engine.net or engine.detent else row["value_wh"]
        wh = row["register_wh"] if mode == STREAM_REGISTER else delivered_wh
        values.append(
            {
                "end": utc_text(row["end_utc_s"]),
                "wh": None if missing else wh,
                "dv": _volts(row[extreme + "_dv"]),
            }
        )
    return values


def _warnings(engine: Any, mono_s: int) -> list[str]:
    utc_s = engine.utc_s(mono_s)
    tariff = engine.tariff
    schedule = tariff.schedule_at(utc_s) if utc_s else tariff.active
    unaligned_min = schedule.unaligned_min(engine.demand.period_min) if schedule else -1
    warnings = []
    if unaligned_min >= 0:
        warnings.append(
            f"the switch at {unaligned_min // 60:02d}:{unaligned_min % 60:02d} lies inside a "
            "demand interval, which counts for the rate at its start"
        )
    if schedule and utc_s:
        left = schedule.last_day - engine.site.day(utc_s)
        if left < 90:
            warnings.append(
                f"the schedule is valid for {left} more days"
                if left >= 0
                else "the schedule has expired; all energy goes to the fallback rate"
            )
    return warnings


def sums(report: dict[str, Any]) -> dict[str, Any]:
    """Return both sides of what has to be equal (rule A-3), recomputed from the report itself."""
    outages = report["outages"]
    hours = [row for row in report["hours"] if row["wh"] is not None]
    intervals = [row for row in report["intervals"] if row["wh"] is not None]
    return {
        "rates_wh": sum(rate["wh"] for rate in report["rates"].values()),
        "closed_intervals_wh": sum(row["wh"] for row in intervals),
        "closed_hours_wh": sum(row["wh"] for row in hours),
        "ledger_is_zero": report["ledger"]["difference_wh"] == 0,
        "outages_agree": outages["power_fail"] == outages["blink"] + outages["sustained"],
    }


def refusal(error: MeteringError) -> str:
    """Return the reason in one line."""
    return f"{type(error).__name__}: {(error.__doc__ or '').strip().splitlines()[0]}"
