"""The record's verdict, its JSON, its table and its page."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from wattline.bench.options import Options
from wattline.bench.record import Poll, Record, Truth, Verdict
from wattline.bench.report import write_report
from wattline.bench.view import View, frames_table

RATE_SPS = 4800


def _verdict(reading_dkwh=123463, agrees=True, t_start_s=60.0):
    symbols = np.ones(280, np.complex64)
    return Verdict(
        "REGISTER",
        t_start_s,
        42.2,
        0x2265B1F6,
        65,
        reading_dkwh,
        (123463,),
        agrees,
        7.6,
        12,
        symbols,
    )


@pytest.fixture
def record():
    """A short run without a fault."""
    made = Record({**Options.checked().to_json(), "cycles_per_symbol": 4}, rate_sps=RATE_SPS)
    made.truths = [Truth(t, 12_346_300 + t, 3600.0, 240.0) for t in range(60)]
    made.polls = [Poll(42.2, 12_346_342, 0, 12_346_342, 2400, 267, 1)]
    made.verdicts = [_verdict()]
    made.current = np.random.default_rng(1).normal(size=2 * RATE_SPS).astype(np.float32)
    made.simulated_s = 60.0
    return made


def test_passes_when_everything_agrees(record):
    assert record.passed


def test_one_disagreement_fails_the_run(record):
    record.verdicts.append(_verdict(123464, agrees=False))
    assert not record.passed
    assert len(record.disagreements) == 1


def test_one_problem_fails_the_run(record):
    record.problems.append("a watt-hour is missing")
    assert not record.passed


def test_json_says_everything_but_the_arrays(record):
    data = json.loads(json.dumps(record.to_json()))
    assert data["passed"] is True
    assert data["polls"][0]["total_wh"] == 12_346_342
    assert data["frames"][0]["reading_dkwh"] == 123463
    assert "symbols" not in data["frames"][0]
    assert data["options"]["ebn0_db"] == 8.0


def test_report_is_self_contained_and_repeatable(record, tmp_path):
    first = write_report(record, tmp_path / "a" / "report.html").read_text()
    second = write_report(record, tmp_path / "report.html").read_text()
    assert first == second
    assert first.count("<svg") == 4
    for outside in ("<script", "<link", "src=", "@import", "url(http"):
        assert outside not in first
    assert "All 1 frames agree with the meter." in first


def test_report_names_what_is_wrong(record, tmp_path):
    record.verdicts.append(_verdict(123464, agrees=False))
    record.problems.append("at 10 s <something> happened")
    page = write_report(record, tmp_path / "report.html").read_text()
    assert "1 of 2 frames disagree with the meter" in page
    assert "&lt;something&gt;" in page
    assert "<td class=bad>NO</td>" in page


def test_report_of_a_run_that_was_stopped_at_once(tmp_path):
    empty = Record({**Options.checked().to_json(), "cycles_per_symbol": 4}, interrupted=True)
    assert "<svg" in write_report(empty, tmp_path / "report.html").read_text()


def test_table_fits_eighty_columns_and_shows_both_values_of_a_disagreement(record):
    record.verdicts.append(_verdict(123464, agrees=False))
    text = io.StringIO()
    Console(file=text, width=80).print(frames_table(record))
    assert "2265b1f6" in text.getvalue()
    assert "12346.4" in text.getvalue() and "12346.3" in text.getvalue()
    assert "DISAGREES" in text.getvalue()
    assert "…" not in text.getvalue()


def test_without_a_terminal_there_is_one_line_per_event(record):
    text = io.StringIO()
    with View(record, 60.0, Console(file=text, width=80)) as view:
        view.poll(record.polls[0])
        view.frame(record.verdicts[0])
        view.update((140, 280), "locked")
    assert len(text.getvalue().splitlines()) == 2


def test_on_a_terminal_there_is_a_panel(record):
    text = io.StringIO()
    with View(record, 60.0, Console(file=text, width=80, force_terminal=True)) as view:
        view.update((140, 280), "locked, 60.000 Hz")
    assert "symbol 140 of 280" in text.getvalue()
    assert "12346.359 kWh" in text.getvalue()
