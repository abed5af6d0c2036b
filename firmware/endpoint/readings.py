"""Every billing value of the engine by its name, as texts and tables show them.

Names and values are those of `wattline replay --json` wherever both know one, so that a module
and a replay of its log can be laid side by side. A value that is not there is None and never 0.

Context: task only. Allocates: dictionaries and texts, 7.6 KB in a 64-bit VM, until the
caller lets go.
"""

from endpoint.metering.calendar import DAY_S, date
from endpoint.metering.engine import LOGGING, MAXIMUM, NOT_LOGGING, STREAM_OFF, STREAM_REGISTER
from endpoint.metering.outages import CRASH, PROGRAMMING, REFLASH, WATCHDOG
from endpoint.metering.quantity import dial
from endpoint.metering.tou import NO_RATE
from endpoint.metering.voltage import NO_DATA

RATE_NAMES = "ABCD"

_STATES = {LOGGING: "LOGGING", NOT_LOGGING: "NOT_LOGGING"}


def readings(engine, mono_s):
    """Return what the engine knows, by name; Wh, W, 0.1 V, times as ISO 8601 in UTC.

    Parameters
    ----------
    engine : Engine
    mono_s : int
        Now.

    Returns
    -------
    dict
        Dictionaries, lists, texts, integers, booleans and None only.
    """
    debit_wh, credit_wh, difference_wh = engine.ledger()
    return {
        "state": _STATES.get(engine.state, "NOT_STARTED"),
        "settings": _settings(engine),
        "total": dials(engine.total_wh),
        "energy": {
            "billed_wh": engine.billed_wh,
            "net_wh": engine.net_wh,
            "forward_wh": engine.forward_wh,
            "reverse_wh": engine.reverse_wh,
            "counted_reverse_wh": engine.counted_reverse_wh,
            "forward_register_wh": engine.forward.baseline_wh,
            "reverse_register_wh": engine.reverse.baseline_wh,
            "meter": "".join([chr(c) if 32 <= c < 127 else "?" for c in engine.serial]),
        },
        "rates": _by_rate([dials(wh) for wh in engine.rates_wh]),
        "unplaced_wh": engine.unplaced_wh,
        "estimated_wh": engine.estimated_wh,
        "rateless_wh": engine.rateless_wh,
        "shadow": _by_rate(engine.shadow_wh),
        "at_risk_wh": _by_rate(engine.at_risk_wh),
        "demand": _demand(engine),
        "voltage": _voltage(engine.voltage),
        "outages": _outages(engine.outages),
        "restarts": {
            "watchdog": engine.outages.restarts[WATCHDOG],
            "reflash": engine.outages.restarts[REFLASH],
            "crash": engine.outages.restarts[CRASH],
            "programmed": engine.outages.restarts[PROGRAMMING],
        },
        "counters": {
            "transient_forward": engine.forward.transients,
            "transient_reverse": engine.reverse.transients,
            "discontinuity_forward": engine.forward.jumps,
            "discontinuity_reverse": engine.reverse.jumps,
            "stale": engine.stale_reads,
            "meter_changes": engine.meter_changes,
            "ambiguous": engine.ambiguous_steps,
        },
        "streaming": _streaming(engine),
        "clock": {
            "utc": utc_text(engine.utc_s(mono_s)),
            "known": engine.utc_s(mono_s) != 0,
            "error_bound_s": engine.clock_bound_s(mono_s),
            "meter_clock_difference_s": engine.meter_clock_s,
        },
        "tou": _tou(engine, mono_s),
        "ledger": {
            "debit_wh": debit_wh,
            "credit_wh": credit_wh,
            "difference_wh": difference_wh,
        },
    }


def dials(wh):
    """Return energy with its five-dial image and sign (E-2, D-5)."""
    return {"wh": wh, "dial": "%05d" % dial(wh), "sign": "-" if wh < 0 else "+"}


def utc_text(utc_s):
    """Return an instant as ISO 8601 in UTC, None for 0."""
    if not utc_s:
        return None
    second = utc_s % DAY_S
    year, month, day = date(utc_s // DAY_S)
    clock = (second // 3600, second // 60 % 60, second % 60)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % ((year, month, day) + clock)


def _by_rate(values):
    return dict(zip(RATE_NAMES, values))


def _settings(engine):
    quantity = "net" if engine.net else "delivered" if engine.detent else "total"
    settings = {"detent": engine.detent, "net": engine.net, "quantity": quantity}
    # A change waits for a good read (D-6).
    settings["waiting"] = engine.pending is not None
    return settings


def _peak(w, at_s):
    return {"w": w, "at": utc_text(at_s) if w else None}


def _demand(engine):
    demand, undated = engine.demand, engine.undated
    last_w, up_s = demand.last_w, None
    peak = _peak(demand.peak_w, demand.peak_s)
    other_w, other_dv = demand.coincident_w, demand.coincident_dv
    if undated.is_on:  # the time is not known: a peak has an uptime instead of a date (M-14)
        last_w = undated.last_w
        if undated.peak_w > demand.peak_w:
            peak, up_s = {"w": undated.peak_w, "at": None}, undated.peak_up_s
            other_w, other_dv = undated.peak_other_w, 0
    peak["uptime_s"] = up_s
    return {
        "period_min": demand.period_min,
        "subinterval_min": demand.sub_min,
        "last_w": last_w,
        "peak": peak,
        "coincident": {"reverse_w": other_w, "voltage_dv": other_dv or None},
        "previous": _peak(demand.previous_w, demand.previous_s),
        "cumulative_w": demand.cumulative_w,
        "continuous_cumulative_w": demand.continuous_cumulative_w(),
        "resets": demand.resets,
        "reset_at": utc_text(demand.reset_s),
        "rate_peaks": _by_rate(
            [_peak(demand.rate_w[i], demand.rate_s[i]) for i in range(len(RATE_NAMES))]
        ),
        "frozen": _frozen(demand.frozen),
    }


def _frozen(frozen):
    total_wh, a_wh, b_wh, c_wh, d_wh, _, peak_w, peak_s, at_s, count = frozen
    if not count:
        return None
    return {
        "count": count,
        "at": utc_text(at_s),
        "total": dials(total_wh),
        "rates": _by_rate([dials(wh) for wh in (a_wh, b_wh, c_wh, d_wh)]),
        "peak": _peak(peak_w, peak_s),
    }


def _volts(dv):
    return None if dv == NO_DATA else dv


def _voltage(voltage):
    hour, today = voltage.hours.running, voltage.day
    return {
        "now_dv": _volts(voltage.now_dv()),
        "hour": {
            "minimum_dv": _volts(hour.minimum_dv),
            "maximum_dv": _volts(hour.maximum_dv),
            "average_dv": _volts(hour.average_dv()),
        },
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
    }


def _outages(outages):
    return {
        "power_fail": outages.power_fail,
        "blink": outages.blink,
        "sustained": outages.sustained,
        "momentary_event": outages.momentary_events(),
        "dark_seconds": outages.dark_seconds,
        "pending": outages.pending,
        "overflow": outages.overflow,
    }


def _streaming(engine):
    mode = engine.streaming
    if mode == STREAM_OFF:
        return {"mode": "off", "quantity": None, "extreme": None}
    return {
        "mode": "register" if mode == STREAM_REGISTER else "profile",
        "quantity": "delivered" if engine.detent else "total",
        "extreme": "maximum" if engine.extreme == MAXIMUM else "minimum",
    }


def _tou(engine, mono_s):
    tariff = engine.tariff
    utc_s = engine.utc_s(mono_s)
    schedule = tariff.schedule_at(utc_s) if utc_s else tariff.active
    pending = tariff.pending if tariff.pending is not schedule else None
    rate = tariff.rate_at(utc_s) if utc_s else NO_RATE
    return {
        "schedule": schedule.identity if schedule else None,
        "pending": pending.identity if pending else None,
        "pending_from": utc_text(tariff.pending_s) if pending else None,
        "rate_now": RATE_NAMES[rate] if rate < NO_RATE else None,
        "expired": bool(engine.is_expired),
    }
