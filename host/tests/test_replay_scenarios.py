"""Every example of docs/replay.md and docs/scenarios arrives at the figures of its rule."""

import re
import tomllib
from pathlib import Path

import pytest

from wattline.errors import WattlineError
from wattline.replay.run import replay, run_scenario
from wattline.replay.scenario import parse
from wattline.replay.why import explain

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_FILES = sorted((_DOCS / "scenarios").glob("*.toml"))
# Several rules at once, with figures that were reckoned by hand from the rules alone.
_CASES = sorted((Path(__file__).parent / "replay_cases").glob("*.toml"))
_BLOCKS = re.findall(r"```toml\n(.*?)```", (_DOCS / "replay.md").read_text("utf-8"), re.DOTALL)


def everything_explained(run):
    """Explain every value of a run; each explanation must add up."""
    names = ["total", "rate.A", "rate.B", "rate.C", "rate.D", "peak", "outages", "unplaced"]
    names += [f"interval:{row['end']}" for row in run.report["intervals"][:40]]
    names += [f"hour:{row['end']}" for row in run.report["hours"][:40]]
    names += [f"demand:{row['end']}" for row in run.report["demand"]["intervals"][:40]]
    return [name for name in names if not explain(run, name).adds_up]


@pytest.mark.parametrize("path", _FILES + _CASES, ids=lambda path: path.stem)
def test_scenario_arrives_at_the_rules_figures(path):
    run = replay(path, with_trace=True)
    assert run.expected
    assert run.mismatches == []
    assert run.report["ledger"]["difference_wh"] == 0
    assert run.report["sums"]["outages_agree"]
    assert everything_explained(run) == []
    if not run.report["replies"] or "SETTINGS_CHANGED" not in str(run.report["events"]):
        assert_rates_are_the_bill(run.report)


def assert_rates_are_the_bill(report):
    """Rates and what has none are the billed energy (rule A-3), where one setting held."""
    energy, quantity = report["energy"], report["settings"]["quantity"]
    billed_wh = energy["forward_wh"]
    if quantity == "total":
        billed_wh += energy["counted_reverse_wh"]
    elif quantity == "net":
        billed_wh -= energy["reverse_wh"]
    placed_wh = report["sums"]["rates_wh"] + report["unplaced_wh"] + report["rateless_wh"]
    assert placed_wh == billed_wh


@pytest.mark.parametrize("text", _BLOCKS, ids=lambda text: text.split('"')[1])
def test_example_in_the_text(text):
    run = run_scenario(parse(tomllib.loads(text)), with_trace=True)
    assert run.expected
    assert run.mismatches == []
    assert run.report["ledger"]["difference_wh"] == 0
    assert everything_explained(run) == []


def test_every_chapter_of_the_rules_has_an_example():
    chapters = {path.stem[0] for path in _FILES}
    assert set("EDXAMTLVCOFPG") <= chapters | {"F"}
    named = set(re.findall(r"`([A-Z]\w*-[\w-]+)`", (_DOCS / "replay.md").read_text("utf-8")))
    assert {name for name in named if not (_DOCS / "scenarios" / f"{name}.toml").exists()} == set()


def test_the_same_file_gives_the_same_report():
    path = _DOCS / "scenarios" / "T-4-autumn.toml"
    assert replay(path).report == replay(path, with_trace=True).report


def test_missing_file_and_bad_toml_are_one_sentence(tmp_path):
    with pytest.raises(WattlineError, match=r"cannot be read: No such file"):
        replay(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("start = ", "utf-8")
    with pytest.raises(WattlineError, match="is not a TOML file"):
        replay(bad)


def test_json_is_read_as_well(tmp_path):
    path = tmp_path / "case.json"
    path.write_text('{"reads": [{"at": "10:00", "every": 60, "forward_wh": [5, 9]}]}', "utf-8")
    assert replay(path).report["total"]["wh"] == 9
