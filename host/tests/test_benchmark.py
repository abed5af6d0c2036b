"""The benchmark: one short run of everything, and what is made of it."""

import json
from io import StringIO

import pytest
from rich.console import Console

from wattline.bench.benchmark import Row, run_benchmark
from wattline.bench.options import Options
from wattline.cli.app import main
from wattline.cli.benchmark import rows_table
from wattline.image.build import build_image
from wattline.image.progress import Stages

_BOARD = "FASY_0624_0004"
_MINUTES = 1


@pytest.fixture(scope="module")
def result():
    options = Options.checked(board=_BOARD, poll_s=20)
    image = build_image(_BOARD, quiet=True)
    with Stages(quiet=True) as stages:
        return run_benchmark(options, image, _MINUTES, stages, stock_budget_s=4.0)


def _row(result, quantity):
    return next(row for row in result.rows if row.quantity == quantity)


def test_every_aim_has_a_verdict_and_nothing_else_has(result):
    assert all((row.met is None) == (row.aim == "") for row in result.rows)
    quantities = [row.quantity for row in result.rows]
    assert len(set(quantities)) == len(quantities)
    for name in ("idle, ratio", "one poll, chip cycles", "share of the chip", "heap in use"):
        assert _row(result, name).met is not None
    assert _row(result, "idle, ratio").met


def test_chip_counts_are_of_this_world(result):
    chip = result.values["chip"]
    road = result.values["road"]
    assert 0 < chip["quiet_cycles_per_s"] < 125_000_000
    assert 0 < chip["cycles_per_poll"] < road["boot_cycles"]
    assert all(s["session_ms"] > s["wire_ms"] > 100 for s in road["sessions"])
    assert road["frames_decoded"] == road["frames_due"] > 0


def test_heap_is_asked_for_at_every_minute(result):
    heap = result.values["road"]["heap"]
    assert [sample["minute"] for sample in heap] == list(range(1, _MINUTES + 1))
    assert all(sample["heap_used"] > 0 and sample["heap_free"] > 0 for sample in heap)


def test_stock_without_the_time_says_cannot_and_how_far_it_came(result):
    assert not result.values["stock_read"]["done"]
    row = _row(result, "meter read, plain rp2040py")
    assert row.measured == "cannot"
    assert "0 bytes" in row.how


def test_json_holds_rows_and_values(result):
    read = json.loads(json.dumps(result.to_json()))
    assert set(read) == {"identity", "rows", "values"}
    assert all(set(row) == {"quantity", "measured", "aim", "how", "met"} for row in read["rows"])
    assert set(read["values"]) == {"idle", "stock_read", "chip", "engine", "sizes_bytes", "road"}


def test_table_shows_every_row_and_marks_a_missed_aim(result):
    result.rows.append(Row("planted", "7", "< 5", "a test", False))
    try:
        console = Console(width=200, record=True, file=StringIO())
        console.print(rows_table(result))
    finally:
        result.rows.pop()
    text = console.export_text()
    assert "7 MISSED" in text
    assert all(row.quantity in text for row in result.rows)


@pytest.mark.parametrize(
    "arguments",
    [("--minutes", "1"), ("--minutes", "100000"), ("--board", "NONE")],
)
def test_bad_use_is_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("wattline: ") and error.count("\n") == 1
