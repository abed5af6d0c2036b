"""From a file to a finished run: a scenario or a module's log, whichever it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpoint.metering import MeteringError
from wattline.replay import log, scenario
from wattline.replay.asks import answer
from wattline.replay.expect import Mismatch, compare
from wattline.replay.report import build, refusal
from wattline.replay.runner import Runner
from wattline.replay.table import ScenarioError
from wattline.replay.times import Times


@dataclass
class Run:
    """What came of it.

    Attributes
    ----------
    report : dict
        Every billing value.
    mismatches : list of Mismatch
        Where the file's own expectations are not met.
    expected : int
        How many there are.
    """

    report: dict[str, Any]
    runner: Runner
    times: Times
    mismatches: list[Mismatch]
    expected: int


def replay(path: Path, with_trace: bool = False) -> Run:
    """Run a file.

    Raises
    ------
    WattlineError
        The file cannot be read or says something impossible.
    """
    if log.is_log(path):
        return _log(path, with_trace)
    return run_scenario(scenario.load(path), with_trace)


def run_scenario(found: scenario.Scenario, with_trace: bool = False) -> Run:
    """Run a scenario that has been read."""
    try:
        runner = Runner(
            found.engine, found.start_ms, found.drift_ppm, found.has_restarts, with_trace
        )
        runner.settle(found.methods)
    except MeteringError as error:
        raise ScenarioError(f"[settings] or [meter] cannot be used: {refusal(error)}") from None
    runner.ticks = found.ticks
    runner.run(found.inputs, found.end_ms)
    report = build(runner, found.title, found.rules)
    report["meter"] = {"form": found.form, "part_number": found.part_number}
    report["warnings"] = found.warnings + report["tou"]["warnings"]
    report["asks"] = answer(found.asks)
    mismatches = compare(found.expect, report, found.times)
    return Run(report, runner, found.times, mismatches, len(found.expect))


def _log(path: Path, with_trace: bool) -> Run:
    found = log.load(path)
    runner = log.live_through(found, with_trace)
    report = build(runner, path.name)
    report["log"] = {
        "entries": found.entries,
        "gaps": found.gaps,
        "keyframes": found.keyframes,
        "keyframes_equal": found.keyframes_equal,
    }
    report["warnings"] = [*found.warnings, *report["tou"]["warnings"]]
    report["asks"] = []
    return Run(report, runner, Times(runner.engine.site, runner.start_ms), [], 0)
