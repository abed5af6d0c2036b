"""Every billing value of a run as one dictionary with stable keys; docs/replay.md names them."""

from typing import Any

from endpoint.metering import MeteringError, events, rows
from endpoint.metering.engine import LOGGING, NOT_LOGGING, STREAM_OFF, STREAM_REGISTER
from endpoint.metering.outages import CRASH, PENDING, PROGRAMMING, REFLASH, SHARED, WATCHDOG
from endpoint.metering.quantity import dial
from endpoint.metering.tou import NO_RATE
from endpoint.metering.voltage import DAY_ROW, NO_DATA
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
_DAY_FIELDS = (
    "end_s",
    "minimum_dv",
    "maximum_dv",
    "minimum_s",
    "maximum_s",
    "average_dv",
    "outside_a_min",
    "outside_b_min",
    "excursions",
    "samples",
)


def flag_names(flags: int) -> list[str]:
    """Return the names of the flags that are set."""
    return [name for name, bit in FLAGS if flags & bit]


def dials(wh: int) -> dict[str, Any]:
    """Return energy with its five-dial image and sign."""
    return {"wh": wh, "dial": f"{dial(wh):05d}", "sign": "-" if wh < 0 else "+"}


def build(runner: Runner, title: str = "", rules: list[str] | None = None) -> dict[str, Any]:
    """Return everything that the engine can say at the end of a run."""
    engine = runner.engine
    mono_s = runner.mono_ms(runner.now_ms) // 1000
    total = engine.net_wh if engine.net else engine.billed_wh
    quantity = "net" if engine.net else "delivered" if engine.detent else "total"
    report: dict[str, Any] = {
        "format": FORMAT,
        "title": title,
        "rules": rules or [],
        "state": {LOGGING: "LOGGING", NOT_LOGGING: "NOT_LOGGING"}.get(engine.state, "NOT_STARTED"),
        "settings": {"detent": engine.detent, "net": engine.net, "quantity": quantity},
        "total": dials(total),
        "energy": {
            "billed_wh": engine.billed_wh,
            "net_wh": engine.net_wh,
            "forward_wh": engine.forward_wh,
            "reverse_wh": engine.reverse_wh,
            "counted_reverse_wh": engine.counted_reverse_wh,
            "forward_register_wh": engine.forward.baseline_wh,
            "reverse_register_wh": engine.reverse.baseline_wh,
            "meter": engine.serial.decode(errors="replace"),
        },
        "rates": _rates(engine),
        "unplaced_wh": engine.unplaced_wh,
        "estimated_wh": engine.estimated_wh,
        "rateless_wh": engine.rateless_wh,
        "shadow": dict(zip(LETTERS, engine.shadow_wh, strict=True)),
        "intervals": [_interval(runner, row) for row in _rows(runner, rows.INTERVAL)],
        "hours": [_hour(runner, row) for row in _rows(runner, rows.HOUR)],
        "demand": _demand(runner),
        "voltage": _voltage(runner),
        "outages": _outages(engine),
        "restarts": _restarts(engine),
        "counters": {
            "transient_forward": engine.forward.transients,
            "transient_reverse": engine.reverse.transients,
            "discontinuity_forward": engine.forward.jumps,
            "discontinuity_reverse": engine.reverse.jumps,
            "stale": engine.stale_reads,
            "meter_changes": engine.meter_changes,
            "ambiguous": engine.ambiguous_steps,
        },
        "events": _events(runner),
        "replies": [
            {
                "at": utc_text(reply.at_ms // 1000),
                "do": reply.do,
                "done": reply.done,
                "reply": reply.reply,
                "reason": reply.reason,
            }
            for reply in runner.replies
        ],
        "reads": _reads(runner),
        "streaming": _streaming(runner),
        "clock": {
            "utc": utc_text(engine.utc_s(mono_s)),
            "known": bool(engine.utc_s(mono_s)),
            "error_bound_s": engine.clock_bound_s(mono_s),
            "meter_clock_difference_s": engine.meter_clock_s,
        },
        "at_risk_wh": dict(zip(LETTERS, engine.at_risk_wh, strict=True)),
        "tou": _tou(engine, mono_s),
    }
    report["ledger"] = _ledger(engine)
    report["sums"] = sums(report)
    return report


def _rows(runner: Runner, ring: int) -> list[bytes]:
    kept = runner.kept.rings[ring]
    return [kept[sequence] for sequence in sorted(kept)]


def _rates(engine: Any) -> dict[str, Any]:
    return {letter: dials(wh) for letter, wh in zip(LETTERS, engine.rates_wh, strict=True)}


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


def _running_peak(engine: Any) -> dict[str, Any]:
    """Return the last demand and the peak, which may still wait for its date (rule M-14)."""
    demand, undated = engine.demand, engine.undated
    if undated.is_on and undated.peak_w > demand.peak_w:
        peak = {"w": undated.peak_w, "at": None, "uptime_s": undated.peak_up_s}
        coincident_w, coincident_dv = undated.peak_other_w, 0
    else:
        peak = {**_peak(demand.peak_w, demand.peak_s), "uptime_s": None}
        coincident_w, coincident_dv = demand.coincident_w, demand.coincident_dv
    return {
        "last_w": undated.last_w if undated.is_on else demand.last_w,
        "peak": peak,
        "coincident": {"reverse_w": coincident_w, "voltage_dv": coincident_dv or None},
    }


def _demand(runner: Runner) -> dict[str, Any]:
    engine = runner.engine
    demand = engine.demand
    frozen = demand.frozen
    return {
        "period_min": demand.period_min,
        "subinterval_min": demand.sub_min,
        "intervals": [
            _demand_row(rows.unpack(rows.DEMAND, row)) for row in _rows(runner, rows.DEMAND)
        ],
        **_running_peak(engine),
        "previous": _peak(demand.previous_w, demand.previous_s),
        "cumulative_w": demand.cumulative_w,
        "continuous_cumulative_w": demand.continuous_cumulative_w(),
        "resets": demand.resets,
        "reset_at": utc_text(demand.reset_s),
        "rate_peaks": {
            letter: _peak(demand.rate_w[i], demand.rate_s[i]) for i, letter in enumerate(LETTERS)
        },
        "frozen": {
            "count": frozen[9],
            "at": utc_text(frozen[8]),
            "total": dials(frozen[0]),
            "rates": {letter: dials(frozen[1 + i]) for i, letter in enumerate(LETTERS)},
            "peak": _peak(frozen[6], frozen[7]),
        }
        if frozen[9]
        else None,
        "periods": [_period(rows.unpack(rows.PERIOD, row)) for row in _rows(runner, rows.PERIOD)],
    }


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


def _voltage(runner: Runner) -> dict[str, Any]:
    import struct

    voltage = runner.engine.voltage
    days = []
    for data in _rows(runner, rows.VOLTAGE_DAY):
        day = dict(zip(_DAY_FIELDS, struct.unpack_from(DAY_ROW, data), strict=True))
        for key in ("minimum_dv", "maximum_dv", "average_dv"):
            day[key] = _volts(day[key])
        end_s = day.pop("end_s")
        day["minimum_at"] = utc_text(day.pop("minimum_s"))
        day["maximum_at"] = utc_text(day.pop("maximum_s"))
        days.append({"end": utc_text(end_s), **day})
    today = voltage.day
    return {
        "days": days,
        "today": {
            "minimum_dv": _volts(today.minimum_dv),
            "minimum_at": utc_text(today.minimum_s),
            "maximum_dv": _volts(today.maximum_dv),
            "maximum_at": utc_text(today.maximum_s),
            "average_dv": _volts(today.average_dv()),
            "outside_a_min": voltage.outside_a_ms // 60_000,
            "outside_b_min": voltage.outside_b_ms // 60_000,
            "samples": today.count,
        },
        "worst": [
            {"start": utc_text(start_s), "seconds": length_s, "worst_dv": dv}
            for start_s, length_s, dv in (
                voltage.excursions.entry(i) for i in range(len(voltage.excursions))
            )
        ],
    }


def _outages(engine: Any) -> dict[str, Any]:
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
    return {
        "power_fail": outages.power_fail,
        "blink": outages.blink,
        "sustained": outages.sustained,
        "momentary_event": outages.momentary_events(),
        "dark_seconds": outages.dark_seconds,
        "pending": outages.pending,
        "overflow": outages.overflow,
        "log": log,
    }


def _restarts(engine: Any) -> dict[str, int]:
    restarts = engine.outages.restarts
    return {
        "watchdog": restarts[WATCHDOG],
        "reflash": restarts[REFLASH],
        "crash": restarts[CRASH],
        "programmed": restarts[PROGRAMMING],
    }


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


def _streaming(runner: Runner) -> dict[str, Any]:
    """Return what would be streamed: never net, and one extreme of the voltage (L-6, D-7)."""
    engine = runner.engine
    mode = engine.streaming
    if mode == STREAM_OFF:
        return {"mode": "off", "quantity": None, "extreme": None, "hours": []}
    extreme = "maximum" if engine.extreme else "minimum"
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
    return {
        "mode": "register" if mode == STREAM_REGISTER else "profile",
        "quantity": "delivered" if engine.detent else "total",
        "extreme": extreme,
        "hours": values,
    }


def _tou(engine: Any, mono_s: int) -> dict[str, Any]:
    utc_s = engine.utc_s(mono_s)
    tariff = engine.tariff
    schedule = tariff.schedule_at(utc_s) if utc_s else tariff.active
    pending = tariff.pending if tariff.pending is not schedule else None
    rate = tariff.rate_at(utc_s) if utc_s else NO_RATE
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
    return {
        "schedule": schedule.identity if schedule else None,
        "pending": pending.identity if pending else None,
        "pending_from": utc_text(tariff.pending_s) if pending else None,
        "rate_now": LETTERS[rate] if rate < NO_RATE else None,
        "expired": bool(engine.is_expired),
        "warnings": warnings,
    }


def _ledger(engine: Any) -> dict[str, Any]:
    debit_wh, credit_wh, fault_wh = engine.ledger()
    return {"debit_wh": debit_wh, "credit_wh": credit_wh, "difference_wh": fault_wh}


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
