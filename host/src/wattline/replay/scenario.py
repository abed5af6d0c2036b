"""A scenario file becomes settings and a list of inputs; docs/replay.md is its description."""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endpoint.metering import MeteringError, gates
from endpoint.metering.calendar import Site
from endpoint.metering.forms import form
from wattline.errors import WattlineError
from wattline.replay.commands import COMMANDS
from wattline.replay.inputs import (
    BACK,
    CLOCK,
    COMMAND,
    GONE,
    READ,
    VOLTAGE,
    WORLD,
    Input,
)
from wattline.replay.schedules import Written
from wattline.replay.service import Service, Spans
from wattline.replay.table import ScenarioError, Table
from wattline.replay.times import Times, period_s, seconds

_MAX_BYTES = 4_000_000
_MAX_INPUTS = 5_000_000
_MOST_V = 6000
_SERIAL_CHARACTERS = 20
_DEFAULT_START = "2027-06-01 00:00"
_ZONES = {
    "UTC": 0,
    "Eastern": -300,
    "Central": -360,
    "Mountain": -420,
    "Pacific": -480,
    "Alaska": -540,
    "Hawaii": -600,
}
_CAUSES = ("power", "watchdog", "reflash", "crash", "programmed")
_PERIODS_MIN = (5, 15, 30, 60)
_QUANTITIES = ("total", "delivered", "net")
_KEEPS = ("all", "clock", "nothing")


@dataclass
class Scenario:
    """Everything a run needs.

    Attributes
    ----------
    inputs : list of Input
        In order.
    engine : dict
        Arguments of the engine's constructor.
    methods : list of (str, tuple)
        Settings that the engine takes by a method.
    """

    title: str
    rules: list[str]
    site: Site
    offset_min: int
    daylight: bool
    times: Times
    start_ms: int
    end_ms: int
    engine: dict[str, Any]
    methods: list[tuple[str, tuple]]
    form: str
    part_number: str
    drift_ppm: int
    inputs: list[Input]
    asks: list[Table]
    warnings: list[str]
    expect: dict[str, Any]
    has_restarts: bool
    ticks: bool
    settings: dict[str, Any] = field(default_factory=dict)


def load(path: Path) -> Scenario:
    """Read a scenario from a TOML or JSON file.

    Raises
    ------
    ScenarioError
        The sentence names the key, its place, and what it must be.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WattlineError(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) > _MAX_BYTES:
        raise ScenarioError(f"{path} has {len(raw)} bytes; a scenario has at most {_MAX_BYTES}.")
    try:
        text = raw.decode()
        data = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ScenarioError(f"{path} is not a TOML file: {error}.") from None
    return parse(data)


def parse(data: dict[str, Any]) -> Scenario:
    """Turn the contents of a scenario file into a `Scenario`."""
    return _Reader(Table(data, "the file")).scenario()


def _serial(table: Table, default: str | None = None) -> str:
    serial = table.text("serial", default)
    if serial is not None and not 0 < len(serial) <= _SERIAL_CHARACTERS:
        raise table.error("serial", f"a text of 1 to {_SERIAL_CHARACTERS} characters")
    return serial


class _Reader:
    """Reads one file, table by table."""

    def __init__(self, top: Table):
        self.top = top
        self.inputs: list[Input] = []
        self.warnings: list[str] = []
        self.darks: list[tuple[int, int]] = []  # meter and module have no power
        self.aways: list[tuple[int, int]] = []  # the module does not run
        self.missed: list[tuple[int, int]] = []
        self.bare: list[tuple[int, int]] = []  # no data table in the meter
        self.levels: list[tuple[int, int, int]] = []
        self.poll_s = 60
        self.has_restarts = False

    def scenario(self) -> Scenario:
        top = self.top
        title = top.text("title", "")
        rules = top.take("rules", [])
        self._site(top.sub("site"))
        self.times.start_ms = self.times.parse(_DEFAULT_START)
        start = top.take("start", _DEFAULT_START)
        start_ms = self.times.read(start, top, "start")
        self.times.start_ms = self.start_ms = start_ms
        engine, methods, settings = self._settings(top.sub("settings"))
        self._meter(top.sub("meter"), engine, methods)
        clock_drift = self._clock(top.sub("clock"))
        self._schedules()
        self._world()
        self._commands(top.many("commands", "command"))
        end = top.take("end")
        end_ms = None if end is None else self.times.read(end, top, "end")
        if end_ms is not None and end_ms < start_ms:
            raise top.error("end", "a time after start")
        self._energy(end_ms)
        asks = top.many("asks", "ask")
        expect = top.take("expect", {})
        ticks = top.flag("ticks", True)
        top.done()
        self.inputs.sort()
        last_ms = max([item.at_ms for item in self.inputs], default=start_ms)
        if self.inputs and self.inputs[0].at_ms < start_ms:
            early = self.inputs[0]
            raise ScenarioError(
                f"{early.values.get('place', early.kind)} lies before start; start earlier."
            )
        return Scenario(
            title,
            rules,
            self.site,
            self.offset_min,
            self.daylight,
            self.times,
            start_ms,
            max(last_ms, end_ms or 0) if end_ms is None else end_ms,
            engine,
            methods,
            self.form.name,
            self.form.part_number,
            clock_drift,
            [item for item in self.inputs if end_ms is None or item.at_ms <= end_ms],
            asks,
            self.warnings,
            expect,
            self.has_restarts,
            ticks,
            settings,
        )

    def _put(self, at_ms: int, order: int, kind: str, **values: Any) -> None:
        if len(self.inputs) >= _MAX_INPUTS:
            raise ScenarioError(f"The scenario has more than {_MAX_INPUTS} inputs; shorten it.")
        self.inputs.append(Input(at_ms, order, len(self.inputs), kind, values))

    def _site(self, table: Table) -> None:
        zone = table.take("zone", "Eastern")
        name = str(zone).rsplit("/", 1)[-1]
        if isinstance(zone, int) and not isinstance(zone, bool):
            self.offset_min = zone
        elif name.capitalize() in _ZONES or name in _ZONES:
            self.offset_min = _ZONES.get(name, _ZONES.get(name.capitalize(), 0))
        else:
            sign, digits = str(zone)[:1], str(zone)[1:].replace(":", "")
            if sign not in "+-" or not digits.isdigit() or len(digits) != 4:
                raise table.error(
                    "zone", f'one of {", ".join(_ZONES)}, minutes, or text such as "-05:00"'
                )
            minutes = int(digits[:2]) * 60 + int(digits[2:])
            self.offset_min = -minutes if sign == "-" else minutes
        self.daylight = table.flag("dst", name not in ("UTC", "Hawaii"))
        table.done()
        try:
            self.site = Site(self.offset_min, self.daylight)
        except MeteringError as error:
            raise ScenarioError(f"zone in [site]: {error.__doc__}") from None
        self.times = Times(self.site)

    def _settings(self, table: Table) -> tuple[dict[str, Any], list, dict[str, Any]]:
        self.poll_s = table.integer("poll_s", 60, 1)
        engine = {
            "detent": table.flag("detent", True),
            "net": table.flag("net", False),
            "firmware_version": table.integer("firmware", 18, 0),
            "poll_s": self.poll_s,
        }
        interval_min = table.among("interval_min", _PERIODS_MIN, 60)
        period_min = table.among("demand_min", _PERIODS_MIN, 15)
        sub_min = table.integer("subinterval_min", period_min, 1)
        if period_min % sub_min:
            raise table.error("subinterval_min", f"a part of demand_min, {period_min}")
        clpu_min = table.integer("clpu_minutes", 0, 0, 255)
        clpu_outage_s = seconds(table, "clpu_min_outage", 300)
        lockout_s = seconds(table, "reset_lockout", 86_400)
        step_s = seconds(table, "time_flag_threshold", 15)
        drift_ppm = table.integer("drift_ppm", 30, 0, 10_000)
        self.display = self._displayed(table)
        table.done()
        methods = [
            ("configure_site", (self.offset_min, self.daylight)),
            ("configure_profile", (interval_min,)),
            ("configure_demand", (period_min, sub_min, clpu_min, clpu_outage_s, lockout_s)),
            ("configure_clock", (step_s, drift_ppm)),
        ]
        self._compare_display(engine)
        return engine, methods, {"demand_min": period_min, "interval_min": interval_min}

    def _displayed(self, table: Table) -> list[str]:
        shown = table.take("display", [])
        shown = [shown] if isinstance(shown, str) else shown
        if not isinstance(shown, list) or set(map(str, shown)) - set(_QUANTITIES):
            raise table.error("display", f"one or a list of {', '.join(_QUANTITIES)}")
        return shown

    def _compare_display(self, engine: dict[str, Any]) -> None:
        """Warn when the meter's display shows another quantity than is billed (rule D-8)."""
        billed = "net" if engine["net"] else "delivered" if engine["detent"] else "total"
        for item in self.display:
            if item != billed:
                self.warnings.append(f"the display shows {item}, but {billed} energy is billed")

    def _meter(self, table: Table, engine: dict[str, Any], methods: list) -> None:
        name = table.text("form", "2S")
        voltage = table.integer("voltage", None)
        multiplier = table.integer("multiplier", 1, 1, 0xFFFF)
        try:
            self.form = form(name, voltage)
        except MeteringError as error:
            at = "" if voltage is None else f" at {voltage} V"
            raise ScenarioError(f"form {name}{at} in [meter]: {error.__doc__}") from None
        voltage = self.form.voltage_v
        largest_kw = table.number("largest_kw")
        if largest_kw is not None and largest_kw < 0.001:
            raise table.error("largest_kw", "a power in kW above 0")
        engine["cap_w"] = self.form.cap_w() if largest_kw is None else round(largest_kw * 1000)
        methods.append(("configure_cap", (multiplier,)))
        engine["net_register_only"] = table.flag("net_register_only", False)
        engine["nominal_dv"] = voltage * 10
        self.serial = _serial(table, "10000001")
        self.forward_wh = table.integer("forward_wh", 0, 0)
        self.reverse_wh = table.integer("reverse_wh", 0, 0)
        self.has_clock = table.flag("clock", True)
        self.clock_offset_s = table.integer("clock_offset_s", 0)
        table.done()

    def _clock(self, table: Table) -> int:
        known = table.flag("known", True)
        error_s = table.integer("error_s", 0)
        bound_s = table.integer("bound_s", 1, 0)
        drift_ppm = table.integer("drift_ppm", 0, -100_000, 100_000)
        table.done()
        if known:
            self._put(
                self.start_ms,
                CLOCK,
                "time",
                utc_s=self.start_ms // 1000 + error_s,
                bound_s=bound_s,
            )
        return drift_ppm

    def _schedules(self) -> None:
        top = self.top
        self.named: dict[str, Written] = {}
        if "schedule" in top:
            self._put(
                self.start_ms,
                COMMAND,
                "command",
                place="[schedule]",
                do="schedule",
                arguments={"schedule": Written(top.sub("schedule")), "from_s": 0},
            )
        else:
            top.take("schedule")
        named = top.sub("schedules")
        for name in named.keys():
            self.named[name] = Written(named.sub(name))
        named.done()
        for table in top.many("critical_peaks", "critical_peak"):
            start_ms, end_ms = self._span(table)
            rate = table.text("rate", "D")
            table.done()
            self._put(
                self.start_ms,
                COMMAND,
                "command",
                place=table.place,
                do="critical_peak",
                arguments={"from_s": start_ms // 1000, "to_s": end_ms // 1000, "rate": rate},
            )

    def _span(self, table: Table) -> tuple[int, int]:
        from_ms = self.times.get(table, "from", self.start_ms)
        for_s = seconds(table, "for_s")
        if for_s is not None:
            return from_ms, from_ms + for_s * 1000
        to_ms = self.times.need(table, "to")
        if to_ms < from_ms:
            raise ScenarioError(
                f'{table.place} ends before it begins; write "+1d 00:10" for the next day.'
            )
        return from_ms, to_ms

    def _world(self) -> None:
        """Read everything that happens to the module except reads and commands."""
        top = self.top
        for table in top.many("dark", "darks"):
            self._dark(table)
        for table in top.many("restarts", "restart"):
            self._restart(table)
        for table in top.many("syncs", "sync"):
            self._sync(table)
        for table in top.many("missed"):
            self.missed.append(self._span(table))
            table.done()
        for table in top.many("no_table"):
            self.bare.append(self._span(table))
            table.done()
        for table in top.many("test_mode"):
            for at_ms, active in zip(self._span(table), (True, False), strict=True):
                self._put(at_ms, WORLD, "test_mode", active=active)
            table.done()
        for table in top.many("supply"):
            self._supply(table)
        for table in top.many("meter_events", "meter_event"):
            self._meter_event(table)
        for table in top.many("voltages", "voltage"):
            self._voltage(table)

    def _dark(self, table: Table) -> None:
        from_ms, to_ms = self._span(table)
        keeps = table.choice("keeps", _KEEPS, "all")
        commit = table.flag("committed", True)
        table.done()
        for other_from_ms, other_to_ms in self.darks:
            if from_ms < other_to_ms and other_from_ms < to_ms:
                raise ScenarioError(
                    f"{table.place} overlaps another [[dark]]; write one, or end one first."
                )
        self.darks.append((from_ms, to_ms))
        if keeps != "all":
            self.has_restarts = True
            self.aways.append((from_ms, to_ms))
        self._put(from_ms, GONE, "dark", committed=commit, place=table.place)
        self._put(to_ms, BACK, "lit", keeps=keeps)

    def _restart(self, table: Table) -> None:
        at_ms = self.times.need(table, "at")
        back_ms = self.times.get(table, "back", at_ms)
        if back_ms < at_ms:
            raise table.error("back", "a time that is not before at")
        cause = table.choice("cause", _CAUSES, "watchdog")
        keeps_clock = table.flag("clock", True)
        lost = table.integer("lost_commits", 0, 0)
        table.done()
        self.has_restarts = True
        self.aways.append((at_ms, back_ms))
        self._put(at_ms, GONE, "stop", place=table.place)
        self._put(
            back_ms,
            BACK if back_ms > at_ms else GONE,
            "restart",
            cause=cause,
            keeps_clock=keeps_clock,
            lost=lost,
        )

    def _sync(self, table: Table) -> None:
        at_ms = self.times.need(table, "at")
        says_ms = self.times.get(table, "says", at_ms)
        delay_s = seconds(table, "delay_s", 0)
        error_s = seconds(table, "error_s", 0)
        bound_s = table.integer("bound_s", 1, 0)
        table.done()
        utc_s = says_ms // 1000 + delay_s + error_s
        if not 0 < utc_s <= 0xFFFFFFFF:
            raise table.error("error_s", "such that the time stays between 1970 and 2106")
        self._put(
            at_ms,
            CLOCK,
            "time",
            utc_s=utc_s,
            bound_s=bound_s,
            place=table.place,
        )

    def _supply(self, table: Table) -> None:
        span = self._span(table)
        hz = table.number("hz", 60.0)
        temperature_c = table.number("temperature_c", 25)
        v = table.number("v")
        if not {"hz", "temperature_c", "v"} & set(table.keys()):
            raise ScenarioError(f"{table.place} says nothing; give hz, temperature_c or v.")
        table.done()
        is_fit = gates.frequency_is_fit(round(hz * 100)) and gates.operates_at(temperature_c)
        if v is not None:
            is_fit = is_fit and gates.supply_is_fit(round(v * 10), self.form.voltage_v)
        self._put(span[0], WORLD, "supply", is_fit=is_fit)
        self._put(span[1], WORLD, "supply", is_fit=True)

    def _meter_event(self, table: Table) -> None:
        at_ms = self.times.need(table, "at")
        values = {
            "serial": _serial(table),
            "forward_wh": table.integer("forward_wh", None, 0),
            "reverse_wh": table.integer("reverse_wh", None, 0),
            "clock_offset_s": table.integer("clock_offset_s", None),
        }
        multiplier = table.integer("multiplier", None, 1, 0xFFFF)
        table.done()
        if multiplier is None and set(values.values()) == {None}:
            raise ScenarioError(
                f"{table.place} changes nothing; give serial, forward_wh, reverse_wh, "
                "clock_offset_s or multiplier."
            )
        if multiplier is not None:
            self._put(at_ms, WORLD, "multiplier", multiplier=multiplier)
        self._put(at_ms, WORLD, "meter_event", place=table.place, **values)

    def _voltage(self, table: Table) -> None:
        if "at" not in table:
            from_ms, to_ms = self._span(table)
            dv = self._dv(table)
            every_s = period_s(table, "every")
            table.done()
            if every_s is None:
                self.levels.append((from_ms, to_ms, dv))
            else:
                for at_ms in range(from_ms, to_ms, every_s * 1000):
                    self._put(at_ms, VOLTAGE, "voltage", dv=dv)
            return
        at_ms = self.times.need(table, "at")
        dv = self._dv(table)
        table.done()
        self._put(at_ms, VOLTAGE, "voltage", dv=dv, place=table.place)

    def _dv(self, table: Table) -> int:
        v = table.number("v")
        if v is None or not 0 <= v <= _MOST_V:
            raise table.error("v", f"a voltage in V, at most {_MOST_V}")
        return round(v * 10)

    def _commands(self, tables: list[Table]) -> None:
        for table in tables:
            at_ms = self.times.need(table, "at")
            do = table.choice("do", tuple(COMMANDS))
            if do is None:
                raise ScenarioError(f"{table.place} needs do: one of {', '.join(COMMANDS)}.")
            arguments = COMMANDS[do].arguments(table, self)
            table.done()
            self._put(at_ms, COMMAND, "command", place=table.place, do=do, arguments=arguments)

    def schedule(self, table: Table) -> Written:
        """Return the schedule that a command names or contains."""
        value = table.take("schedule")
        if isinstance(value, dict):
            return Written(Table(value, f"schedule of {table.place}"))
        if value in self.named:
            return self.named[value]
        names = ", ".join(self.named) or "none yet"
        raise table.error("schedule", f"the name of a table [schedules.NAME] ({names})")

    def _energy(self, end_ms: int | None) -> None:
        """Make the reads: listed ones, polls between them, and polls of a modelled meter."""
        top = self.top
        loads = []
        for table in top.many("loads", "load"):
            from_ms, to_ms = self._span(table)
            forward_w = table.integer("forward_w", 0, 0)
            reverse_w = table.integer("reverse_w", 0, 0)
            per_s = table.number("wh_per_s")
            if per_s is not None:
                forward_w = round(per_s * 3600)
                if per_s < 0 or abs(forward_w - per_s * 3600) > 1e-6:
                    raise table.error("wh_per_s", "a number that makes whole watts")
            if not {"forward_w", "reverse_w", "wh_per_s"} & set(table.keys()):
                raise ScenarioError(
                    f"{table.place} has no power; give forward_w, reverse_w or wh_per_s."
                )
            table.done()
            loads.append((from_ms, to_ms, forward_w, reverse_w))
        self.service = Service(loads, self.darks)
        self.away = Spans(self.aways)
        self.unanswered = Spans(self.missed)
        self.without_table = Spans(self.bare)
        self._read_tables(top.many("reads", "read"))
        polls = top.many("polls", "poll")
        for table in polls:
            from_ms = self.times.get(table, "from", self.start_ms)
            to_ms = self.times.get(table, "to", end_ms or self._last_ms(loads))
            every_s = period_s(table, "every", self.poll_s)
            table.done()
            self._polls(from_ms, to_ms, every_s)
        if loads and not polls and not any(item.kind == "read" for item in self.inputs):
            last_ms = end_ms or self._last_ms(loads)
            self._polls(self.start_ms, last_ms - 1, self.poll_s)
            self._polls(last_ms, last_ms, self.poll_s)
        self._answer()

    def _last_ms(self, loads: list) -> int:
        return max([load[1] for load in loads] + [item.at_ms for item in self.inputs])

    def _polls(self, from_ms: int, to_ms: int, every_s: int) -> None:
        for at_ms in range(from_ms, to_ms + 1, every_s * 1000):
            if not self._is_away(at_ms) and not self.unanswered.holds(at_ms):
                self._put(at_ms, READ, "read", forward_wh=None, reverse_wh=None)

    def _is_away(self, at_ms: int) -> bool:
        return self.service.is_dark(at_ms) or self.away.holds_inside(at_ms)

    def _read_tables(self, tables: list[Table]) -> None:
        self._before: tuple[int, int, int] | None = None
        for table in tables:
            at_ms = self.times.need(table, "at")
            every_s = period_s(table, "every", self.poll_s)
            forward = table.take("forward_wh")
            reverse = table.take("reverse_wh")
            count = max(len(v) if isinstance(v, list) else 1 for v in (forward, reverse))
            if not isinstance(forward, list):
                forward = [forward] * count
            if not isinstance(reverse, list):
                reverse = [reverse] * count
            if len(forward) != len(reverse):
                raise ScenarioError(
                    f"forward_wh and reverse_wh in {table.place} need equally many values."
                )
            clock = table.take("meter_clock")
            stamp = table.integer("stamp", None, 0)
            values = {
                "serial": _serial(table),
                "frozen": table.flag("frozen", False),
                "glitch": table.flag("glitch", False),
                "place": table.place,
            }
            if clock is not None:
                values["meter_clock_s"] = self.times.read(clock, table, "meter_clock") // 1000
            if stamp is not None:
                values["stamp"] = stamp
            dv = self._dv(table) if "v" in table else table.take("v")
            polled_s = period_s(table, "polled_every")
            table.done()
            if values["frozen"] and (forward[0], reverse[0], stamp, dv, clock) != (None,) * 5:
                raise ScenarioError(
                    f"{table.place} repeats the answer before it; frozen goes with at alone."
                )
            for i in range(count):
                for key, value in (("forward_wh", forward[i]), ("reverse_wh", reverse[i])):
                    is_whole = isinstance(value, int) and not isinstance(value, bool)
                    if value is not None and (not is_whole or value < 0):
                        raise table.error(key, "whole Wh from 0")
                self._listed(at_ms + i * every_s * 1000, forward[i], reverse[i], polled_s, values)
                if dv is not None:
                    self._put(at_ms + i * every_s * 1000, VOLTAGE, "voltage", dv=dv)

    def _listed(self, at_ms: int, forward_wh, reverse_wh, polled_s, values) -> None:
        before = self._before
        if polled_s is not None and before is not None:
            lit_ms = self.service.lit_ms(before[0], at_ms)
            ends = (
                before[1] if forward_wh is None else forward_wh,
                before[2] if reverse_wh is None else reverse_wh,
            )
            for poll_ms in range(before[0] + polled_s * 1000, at_ms, polled_s * 1000):
                if self._is_away(poll_ms) or self.unanswered.holds(poll_ms):
                    continue
                share_ms = self.service.lit_ms(before[0], poll_ms)
                steps = [
                    start + (end - start) * share_ms // max(lit_ms, 1)
                    for start, end in zip(before[1:], ends, strict=True)
                ]
                self._put(poll_ms, READ, "read", forward_wh=steps[0], reverse_wh=steps[1])
        self._put(at_ms, READ, "read", forward_wh=forward_wh, reverse_wh=reverse_wh, **values)
        self._before = (
            at_ms,
            forward_wh if forward_wh is not None else before[1] if before else self.forward_wh,
            reverse_wh if reverse_wh is not None else before[2] if before else self.reverse_wh,
        )

    def _answer(self) -> None:
        """Give every read the answer that the meter has at that moment."""
        self.inputs.sort()
        self.service.set(self.forward_wh, self.reverse_wh)
        serial, offset_s = self.serial, self.clock_offset_s
        last: dict[str, Any] = {}
        for item in self.inputs:
            values = item.values
            if item.kind == "meter_event":
                self.service.go_on(item.at_ms)
                self.service.set(values["forward_wh"], values["reverse_wh"])
                serial = values["serial"] or serial
                if values["clock_offset_s"] is not None:
                    offset_s = values["clock_offset_s"]
            if item.kind != "read":
                continue
            now = self.service.go_on(item.at_ms)
            if self.without_table.holds(item.at_ms):
                item.kind = "no_table"
                item.values = {}
                continue
            serial = values.get("serial") or serial
            frozen = values.pop("frozen", False)
            if frozen and last:
                item.values = {**last, "place": values.get("place")}
                continue
            if not values.pop("glitch", False):
                self.service.set(values["forward_wh"], values["reverse_wh"])
            for key, value in zip(("forward_wh", "reverse_wh"), now, strict=True):
                if values[key] is None:
                    values[key] = value
            values["serial"] = serial
            clock_s = values.pop("meter_clock_s", None)
            if clock_s is None and self.has_clock and "stamp" not in values:
                clock_s = item.at_ms // 1000 + offset_s
            values.setdefault("stamp", clock_s or 0)
            values["meter_clock_s"] = clock_s
            values["dv"] = next(
                (dv for start, end, dv in self.levels if start <= item.at_ms < end), None
            )
            last = values
        self.inputs = [item for item in self.inputs if item.kind != "meter_event"]
