"""Why a billing value is what it is: its parts, where they come from, and whether they add up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from endpoint.metering import rows
from endpoint.metering.outages import PENDING
from endpoint.metering.tou import NO_RATE
from wattline.replay.report import flag_names
from wattline.replay.run import Run
from wattline.replay.schedules import LETTERS
from wattline.replay.table import ScenarioError, _nearest
from wattline.replay.times import local_text, utc_text
from wattline.replay.trace import Piece

KINDS = (
    "total",
    "rate.A",
    "rate.B",
    "rate.C",
    "rate.D",
    "estimated",
    "unplaced",
    "interval:TIME",
    "hour:TIME",
    "demand:TIME",
    "peak",
    "outages",
)
_SHOWN_PARTS = 40
_SHOWN_READS = 12


@dataclass
class Part:
    """One line of an explanation: what, and how much of the value."""

    text: str
    amount: int


@dataclass
class Why:
    """An explanation.

    Attributes
    ----------
    value : int
        In `unit`, as reported.
    parts : list of Part
    rules : list of str
        What made it so, one sentence each, beginning with the rule's identifier.
    notes : list of str
        Reads, outages and schedules that bear on it.
    """

    name: str
    value: int
    unit: str
    parts: list[Part]
    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Tell whether the parts make the value; checked, not claimed."""
        return sum(part.amount for part in self.parts) == self.value

    def to_json(self) -> dict[str, Any]:
        """Return the explanation for machines."""
        return {
            "value": self.name,
            "amount": self.value,
            "unit": self.unit,
            "parts": [{"text": part.text, "amount": part.amount} for part in self.parts],
            "parts_sum": sum(part.amount for part in self.parts),
            "adds_up": self.adds_up,
            "rules": self.rules,
            "notes": self.notes,
        }


def explain(run: Run, name: str) -> Why:
    """Explain a value of a run that was made with a trace.

    Raises
    ------
    ScenarioError
        There is no such value.
    """
    kind, _, rest = name.partition(":")
    if kind == "total":
        return _total(run)
    if kind.startswith("rate.") and kind[5:].upper() in LETTERS and len(kind) == 6:
        return _rate(run, LETTERS.index(kind[5:].upper()))
    if kind == "estimated":
        return _estimated(run)
    if kind == "unplaced":
        return _unplaced(run)
    if kind in ("interval", "hour") and rest:
        return _interval(run, rows.INTERVAL if kind == "interval" else rows.HOUR, rest)
    if kind == "demand" and rest:
        return _demand(run, _moment(run, rest))
    if kind == "peak":
        return _peak(run)
    if kind == "outages":
        return _outages(run)
    raise ScenarioError(
        f"{name} is no value that can be explained{_nearest(name, KINDS) or '; there are'} "
        f"{', '.join(KINDS)}."
    )


def _moment(run: Run, text: str) -> int:
    at_ms = run.times.parse(text)
    if at_ms is None:
        raise ScenarioError(f'{text} is not a time; write "07:00" or "2027-03-14T08:00Z".')
    return at_ms // 1000


def _local(run: Run, utc_s: int) -> str:
    return (local_text(run.runner.engine.site, utc_s) or "time unknown")[:19]


def _span(run: Run, piece: Piece) -> str:
    return f"{_local(run, piece.start_s)} to {_local(run, piece.end_s)[11:]}"


def _piece_parts(run: Run, pieces: Iterable[Piece]) -> list[Part]:
    parts = []
    for piece in pieces:
        flags = [flag for flag in flag_names(piece.flags) if flag != "DST"]
        text = f"{_span(run, piece)}, {piece.lit_s} s with power"
        if piece.rate < NO_RATE:
            text += f", rate {LETTERS[piece.rate]}"
        if flags:
            text += f" ({' '.join(flags)})"
        parts.append(Part(text, piece.value_wh))
    return _shortened(parts)


def _shortened(parts: list[Part]) -> list[Part]:
    """Keep an explanation readable: many small parts become one."""
    if len(parts) <= _SHOWN_PARTS:
        return parts
    by_size = sorted(parts, key=lambda part: -abs(part.amount))
    kept = {id(part) for part in by_size[: _SHOWN_PARTS - 1]}
    rest = [part for part in parts if id(part) not in kept]
    joined = Part(f"{len(rest)} smaller parts", sum(part.amount for part in rest))
    return [part for part in parts if id(part) in kept] + [joined]


def _total(run: Run) -> Why:
    engine = run.runner.engine
    quantity = run.report["settings"]["quantity"]
    # What the books say, so that the reads seen here are checked against them.
    credited_wh = engine.credited_wh
    if "log" in run.report:
        credited_wh = sum(read.credited_wh for read in run.runner.reads)
    by_day: dict[str, int] = {}
    for read in run.runner.reads:
        if read.credited_wh:
            day = _local(run, read.at_ms // 1000)[:10]
            by_day[day] = by_day.get(day, 0) + read.credited_wh
    parts = [
        Part(
            "where the total stood before the first of these reads, and presets",
            engine.total_wh - credited_wh,
        )
    ]
    if len(run.runner.reads) <= _SHOWN_READS:
        parts += [
            Part(
                f"read at {_local(run, read.at_ms // 1000)}: registers {read.forward_wh} and "
                f"{read.reverse_wh} Wh, {read.outcome}",
                read.credited_wh,
            )
            for read in run.runner.reads
        ]
    else:
        parts += [Part(f"steps of the reads on {day}", wh) for day, wh in by_day.items()]
    formula = {
        "delivered": "D-2: detent Yes bills forward steps only",
        "total": "D-1: detent No bills forward and reverse steps, added",
        "net": "D-3: net bills forward minus reverse steps",
    }[quantity]
    rules = [formula, "E-3: a step is the difference of two believed reads, modulo 100000 kWh"]
    counters = run.report["counters"]
    if counters["transient_forward"] or counters["transient_reverse"]:
        rules.append("X-3: a read that cannot be believed moved nothing")
    if counters["discontinuity_forward"] or counters["discontinuity_reverse"]:
        rules.append("X-4: after a jump only the steps among three agreeing reads count")
    if counters["meter_changes"]:
        rules.append("X-6: a replaced meter starts from its own first read")
    if counters["stale"]:
        rules.append("X-7: repeated answers were not used")
    why = Why("total", engine.total_wh, "Wh", _shortened(parts), rules)
    opening = engine.billed_wh - engine.forward_wh - engine.counted_reverse_wh
    if not engine.net:
        why.notes.append(
            f"opening {opening} Wh + forward {engine.forward_wh} Wh + counted reverse "
            f"{engine.counted_reverse_wh} Wh = {engine.billed_wh} Wh"
        )
    return why


def _pieces(run: Run) -> list[Piece]:
    trace = run.runner.trace
    assert trace is not None
    return trace.pieces


def _base(run: Run, reported_wh: int, pieces: list[Piece]) -> list[Part]:
    """Return what stood in a register before a log began; a scenario begins at 0."""
    if "log" not in run.report:
        return []
    before_wh = reported_wh - sum(piece.value_wh for piece in pieces)
    return [Part("before the log began", before_wh)]


def _rate(run: Run, rate: int) -> Why:
    letter = LETTERS[rate]
    value = run.report["rates"][letter]["wh"]
    engine = run.runner.engine
    pieces = [piece for piece in _pieces(run) if piece.rate == rate and piece.value_wh]
    parts = _base(run, value, pieces) + _piece_parts(run, pieces)
    homeless_wh = value - sum(part.amount for part in parts)
    rules = [
        "T-1: the rate is that of the instant, whatever ran before",
        "A-1: a step is spread evenly over its seconds with power",
    ]
    if homeless_wh and any(event["event"] == "TIMES_UNKNOWN" for event in run.report["events"]):
        parts.append(Part("used while the time was unknown for good", homeless_wh))
        rules.append("T-8: energy that can never be dated goes to the fallback rate")
    if engine.net:
        rules.append("T-11: with net on a rate counts forward minus reverse")
    notes = [f"schedule {run.report['tou']['schedule']} is in force now"]
    notes += [
        f"critical peak {_local(run, start_s)} to {_local(run, end_s)}, rate {LETTERS[r]}"
        for start_s, end_s, r in engine.tariff.events
    ]
    risk = run.report["at_risk_wh"][letter]
    notes.append(f"{risk} Wh lie so near to a switch that the clock's error might move them")
    return Why(f"rate.{letter}", value, "Wh", parts, rules, notes)


def _estimated(run: Run) -> Why:
    value = run.report["estimated_wh"]
    return Why(
        "estimated",
        value,
        "Wh",
        [Part("steps of long gaps that a switch of rates divided", value)],
        ["T-5: what a gap of more than two poll periods divides between rates is an estimate"],
        _read_notes(run, [r for r in run.runner.reads if r.credited_wh]),
    )


def _unplaced(run: Run) -> Why:
    value = run.report["unplaced_wh"]
    placed_wh = sum(piece.value_wh for piece in _pieces(run))
    credited_wh = run.runner.engine.credited_wh
    why = Why(
        "unplaced",
        value,
        "Wh",
        [Part("credited since the start", credited_wh), Part("has its time", -placed_wh)],
        ["T-8: energy waits here until the time is known"],
    )
    if "log" in run.report or not why.adds_up:
        why.parts.append(
            Part("placed before, or at the fallback rate", value - credited_wh + placed_wh)
        )
    return why


def _read_notes(run: Run, reads: list) -> list[str]:
    return [
        f"read {_local(run, read.at_ms // 1000)}: forward {read.forward_wh}, reverse "
        f"{read.reverse_wh} Wh, {read.outcome}, credited {read.credited_wh} Wh"
        for read in reads[:_SHOWN_READS]
    ] + ([f"and {len(reads) - _SHOWN_READS} more reads"] if len(reads) > _SHOWN_READS else [])


def _around(run: Run, from_s: int, to_s: int) -> list[str]:
    """Return the reads that bear on a time, and the outages in it."""
    reads = run.runner.reads
    inside = [read for read in reads if from_s <= read.at_ms // 1000 <= to_s]
    before = [read for read in reads if read.at_ms // 1000 < from_s][-1:]
    after = [read for read in reads if read.at_ms // 1000 > to_s][:1]
    if len(inside) > _SHOWN_READS:
        middle = [f"{len(inside) - 4} reads between"]
        notes = (
            _read_notes(run, before + inside[:2]) + middle + _read_notes(run, inside[-2:] + after)
        )
    else:
        notes = _read_notes(run, before) + _read_notes(run, inside) + _read_notes(run, after)
    outages = run.runner.engine.outages
    for i in range(len(outages)):
        start_s, length_s, flags = outages.entry(i)
        if start_s < to_s and (flags & PENDING or start_s + (length_s or 0) > from_s):
            length = "not known yet" if length_s is None else f"{length_s} s"
            notes.append(f"dark from {_local(run, start_s)}, {length}")
    return notes


_FLAG_RULES = {
    "PF": "L-2 PF: power was off during some of it; dark seconds get no energy (A-1)",
    "DARK": "L-2 DARK: power was off all the time, and 0 is the truth",
    "PARTIAL": "L-2 PARTIAL: recording covered less than the interval",
    "LONG": "L-2 LONG: the clock went back, the interval is longer than nominal (L-4)",
    "EST": "A-2 EST: a gap of more than two poll periods crossed its boundary",
    "TIME": "C-3 TIME: the clock stepped in it",
    "SKIPPED": "L-4 SKIPPED: the clock jumped over it; its 0 is no usage",
    "CHG": "L-2 CHG: the meter or its register changed",
    "OOR": "P-1 OOR: supply outside the limits; energy follows the registers all the same",
    "MISSING": "L-2 MISSING: no record can be made; it is not zero",
    "TEST": "M-5 TEST: the meter was in test mode",
}


def _interval(run: Run, ring: int, text: str) -> Why:
    end_s = _moment(run, text)
    name = "interval" if ring == rows.INTERVAL else "hour"
    found = [
        (sequence, rows.unpack(ring, row))
        for sequence, row in run.runner.kept.rings[ring].items()
        if rows.unpack(ring, row)["end_utc_s"] == end_s
    ]
    if not found:
        raise ScenarioError(f"No {name} ends at {text}; --json lists those that do.")
    sequence, row = found[-1]
    trace = run.runner.trace
    assert trace is not None
    flags = flag_names(row["flags"])
    rules = [_FLAG_RULES[flag] for flag in flags if flag in _FLAG_RULES]
    if row["flags"] & rows.MISSING:
        return Why(f"{name}:{utc_text(end_s)}", 0, "Wh (no data)", [], rules)
    pieces = trace.members.get((ring, sequence), [])
    parts = [
        part for part in _piece_parts(run, pieces) if part.amount or len(pieces) < _SHOWN_READS
    ]
    rules.insert(0, "A-1: a step is spread evenly over its seconds with power")
    length_s = row.get("interval_min", 60) * 60
    notes = _around(run, end_s - length_s, end_s)
    notes.append(f"the true value lies between {row['least_wh']} and {row['most_wh']} Wh (N1)")
    return Why(f"{name}:{utc_text(end_s)}", row["value_wh"], "Wh", parts, rules, notes)


def _demand(run: Run, end_s: int) -> Why:
    trace = run.runner.trace
    assert trace is not None
    kept = run.runner.kept.rings[rows.DEMAND]
    demand = run.runner.engine.demand
    named = [s for s in kept if rows.unpack(rows.DEMAND, kept[s])["end_utc_s"] == end_s]
    if not named:
        raise ScenarioError("No demand interval ends then; --json lists those that do.")
    # A clock that stepped back may have named two of them alike; the later one is meant.
    sequences = [s for s in sorted(kept) if s <= max(named)]
    row = rows.unpack(rows.DEMAND, kept[sequences[-1]])
    window = sequences[-(demand.period_min // demand.sub_min) :]
    energy_wh = row["demand_w"] * demand.period_min // 60
    pieces = [piece for s in window for piece in trace.members.get((rows.DEMAND, s), [])]
    is_total = run.report["settings"]["quantity"] == "total"
    parts = []
    for piece in pieces:
        wh = piece.value_wh if is_total else piece.forward_wh
        parts.append(Part(f"{_span(run, piece)}: {wh} Wh", wh))
    left_wh = sum(part.amount for part in parts)
    rules = [
        f"M-1: {energy_wh} Wh x 60 / {demand.period_min} min = {row['demand_w']} W",
        "M-2: detent No bills both directions" if is_total else "M-2: delivered energy only",
    ]
    if left_wh != energy_wh:
        parts.append(Part("left out: cold-load pickup, or before a reset", energy_wh - left_wh))
        rules.append("M-7, M-10: energy before a reset or right after a long outage is left out")
    if not row["may_set_peak"]:
        rules.append("M-5: it cannot set a peak: " + " ".join(flag_names(row["flags"])))
    notes = _around(run, end_s - demand.period_min * 60, end_s)
    notes.append(f"demand {row['demand_w']} W")
    return Why(f"demand:{utc_text(end_s)}", energy_wh, "Wh", _shortened(parts), rules, notes)


def _kept_demands(run: Run) -> list[bytes]:
    return list(run.runner.kept.rings[rows.DEMAND].values())


def _peak(run: Run) -> Why:
    demand = run.runner.engine.demand
    peak = run.report["demand"]["peak"]
    if not peak["w"]:
        return Why("peak", 0, "W", [], ["M-6: a peak of zero has no time"])
    kept_w = [
        row["demand_w"]
        for row in (rows.unpack(rows.DEMAND, data) for data in _kept_demands(run))
        if row["end_utc_s"] == demand.peak_s
    ]
    if peak["uptime_s"] or peak["w"] not in kept_w:
        where = f"{peak['uptime_s']} s after power-up" if peak["uptime_s"] else f"at {peak['at']}"
        return Why(
            "peak",
            peak["w"],
            "W",
            [Part(f"found {where}, while the time was unknown", peak["w"])],
            ["M-14: peaks are stored against uptime and dated back when the time comes"],
        )
    why = _demand(run, demand.peak_s)
    why.name = "peak"
    why.rules.append(
        "M-6: the largest since the last reset; an equal one later does not replace it"
    )
    barred = [rows.unpack(rows.DEMAND, row) for row in _kept_demands(run)]
    barred = [row for row in barred if row["demand_w"] > demand.peak_w and not row["may_set_peak"]]
    for row in barred[:_SHOWN_READS]:
        why.notes.append(
            f"{row['demand_w']} W at {_local(run, row['end_utc_s'])} could not set the peak: "
            + " ".join(flag_names(row["flags"]))
        )
    return why


def _outages(run: Run) -> Why:
    outages = run.runner.engine.outages
    parts = []
    logged_s = 0
    for i in range(len(outages)):
        start_s, length_s, flags = outages.entry(i)
        if flags & PENDING:
            parts.append(Part(f"{_local(run, start_s)}: length not known yet", 0))
            continue
        kind = "sustained" if length_s > 300 else "momentary"
        parts.append(Part(f"{_local(run, start_s)}: {kind}", length_s))
        logged_s += length_s
    if outages.overflow:
        parts.insert(
            0,
            Part(f"{outages.overflow} that left the log", outages.dark_seconds - logged_s),
        )
    return Why(
        "outages",
        outages.dark_seconds,
        "s dark",
        parts,
        [
            "O-1: up to 300 s momentary, longer sustained",
            "O-2: power_fail = blink + sustained: "
            f"{outages.power_fail} = {outages.blink} + {outages.sustained}; momentary events "
            f"{outages.momentary_events()}",
        ],
    )
