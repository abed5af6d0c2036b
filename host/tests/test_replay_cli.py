"""wattline replay as a person meets it: tables, JSON, reasons, a picture; and logs of modules."""

import json
from pathlib import Path

import pytest

from endpoint.line import command
from endpoint.metering.engine import POWER, RECORD_BYTES, SCHEDULES_BYTES
from endpoint.store import inputlog
from wattline.cli.app import main
from wattline.replay import log
from wattline.replay.run import replay
from wattline.replay.scenario import load
from wattline.replay.why import explain

_SCENARIOS = Path(__file__).resolve().parents[2] / "docs" / "scenarios"


def run(capsys, *arguments):
    """Return the exit code and what was printed."""
    with pytest.raises(SystemExit) as end:
        main(["replay", *map(str, arguments)])
    out = capsys.readouterr()
    return end.value.code, out.out, out.err


def test_tables_say_whether_expectations_are_met(capsys):
    code, out, _ = run(capsys, _SCENARIOS / "A-1-outage.toml")
    assert code == 0
    assert "+00010" in out and "3 of 3 expected values agree" in out


def test_a_missed_expectation_is_exit_code_1(capsys, tmp_path):
    text = (_SCENARIOS / "A-1-outage.toml").read_text("utf-8").replace("= 400", "= 401")
    path = tmp_path / "wrong.toml"
    path.write_text(text, "utf-8")
    code, out, _ = run(capsys, path)
    assert code == 1
    assert "intervals[07:00].wh is 400, expected 401" in out


def test_json_has_the_documented_keys(capsys):
    code, out, _ = run(capsys, _SCENARIOS / "T-5-poll-gap.toml", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["rates"]["A"]["wh"] == 400
    documented = (_SCENARIOS.parent / "replay.md").read_text("utf-8")
    assert [key for key in report if f"`{key}" not in documented and key not in documented] == []


def test_why_says_that_the_parts_add_up(capsys):
    code, out, _ = run(capsys, _SCENARIOS / "A-1-outage.toml", "--why", "interval:07:00")
    assert code == 0
    assert "A-2 EST" in out and "the parts add up" in out
    code, out, _ = run(capsys, _SCENARIOS / "T-5-poll-gap.toml", "--why", "rate.B", "--json")
    answer = json.loads(out)
    assert answer["adds_up"] and answer["amount"] == answer["parts_sum"] == 400


def test_why_of_nothing_is_one_sentence(capsys):
    code, _, err = run(capsys, _SCENARIOS / "A-1-outage.toml", "--why", "rate.E")
    assert code == 2
    assert 'did you mean "rate.' in err and "Traceback" not in err


def test_plot_writes_a_picture(capsys, tmp_path):
    picture = tmp_path / "profile.png"
    code, _, _ = run(capsys, _SCENARIOS / "L-2-dark-hours.toml", "--plot", picture)
    assert code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


class Ring:
    """Rows of the log in memory, as the module's ring keeps them."""

    row_bytes = 128

    def __init__(self):
        self.rows = []

    def append(self, row):
        self.rows.append(bytes(row))


def exported(path, name):
    """Live through a scenario as a module would, noting each input; return its report."""
    found = load(_SCENARIOS / name)
    done = replay(_SCENARIOS / name)
    ring = Ring()
    notes = inputlog.InputLog(ring)
    from wattline.replay.runner import Runner

    runner = Runner(found.engine, found.start_ms)
    runner.settle(found.methods)
    record = bytearray(RECORD_BYTES)
    count = runner.engine.pack_into(record)
    notes.put(inputlog.KEYFRAME, 0, data=record, count=count)
    serial = None
    began_ms = found.start_ms
    for item in found.inputs:
        at_ms = item.at_ms - began_ms
        if item.kind == "lit" and item.values["keeps"] == "nothing":
            began_ms = item.at_ms
            notes.put(inputlog.RESTART, 0, POWER)
            continue
        if item.kind == "read":
            if item.values["serial"] != serial:
                serial = item.values["serial"]
                data = serial.encode()
                notes.put(inputlog.SERIAL, at_ms, data=data, count=len(data))
            values = item.values
            notes.put(
                inputlog.READ,
                at_ms,
                values["forward_wh"],
                values["reverse_wh"],
                values["stamp"],
                inputlog.NO_VOLTAGE if values["dv"] is None else values["dv"],
            )
        elif item.kind == "time":
            notes.put(inputlog.TIME, at_ms, item.values["utc_s"], item.values["bound_s"])
        elif item.kind == "command":
            text = command.pack(command.DEMAND_RESET, (item.values["arguments"]["id"],))
            notes.put(inputlog.COMMAND, at_ms, text[0], data=text[1:], count=len(text) - 1)
        elif item.kind in ("dark", "lit"):
            notes.put(inputlog.DARK if item.kind == "dark" else inputlog.LIT, at_ms)
    notes.put(inputlog.TICK, found.end_ms - began_ms)
    pending = bytearray(notes.state_bytes)
    notes.pack_into(pending, 0)
    rows = [(number, ring.row_bytes, row) for number, row in enumerate(ring.rows)]
    rows.append((len(ring.rows), pending[0], bytes(pending[1:])))
    settings = {"form": found.form, "poll_s": found.engine["poll_s"]}
    log.write(path, settings, bytes(SCHEDULES_BYTES), ring.row_bytes, rows)
    return done.report


@pytest.mark.parametrize(
    "name",
    [
        "L-2-dark-hours.toml",
        "O-3-resolved.toml",
        "X-4-confirmed-reset.toml",
        "M-7-reset-block.toml",
        "M-8-resets-have-identities.toml",
    ],
)
def test_N4_a_log_of_a_module_gives_every_value_again(tmp_path, name):
    path = tmp_path / "module.log"
    report = exported(path, name)
    run = replay(path, with_trace=True)
    assert explain(run, "total").adds_up and explain(run, "outages").adds_up
    again = run.report
    for key in ("total", "intervals", "hours", "outages", "counters", "demand", "ledger"):
        assert again[key] == report[key]
    assert again["log"]["gaps"] == 0 and again["log"]["keyframes"] == 1
    assert [e["event"] for e in again["events"]] == [e["event"] for e in report["events"]]


def test_every_cut_of_a_log_is_one_sentence(tmp_path):
    path = tmp_path / "module.log"
    exported(path, "X-4-confirmed-reset.toml")
    whole = path.read_bytes()
    for size in range(8, len(whole), 13):
        path.write_bytes(whole[:size])
        try:
            replay(path)
        except log.LogError as error:
            assert "export it again" in str(error) or "refuses" in str(error)
