"""Random histories, written as scenarios: nothing is lost, and every explanation adds up."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from wattline.replay.run import run_scenario
from wattline.replay.scenario import parse
from wattline.replay.why import explain

_MINUTES = 600  # of one history
# Shrinking a history of ten hours takes minutes, and its seed says as much.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@st.composite
def histories(draw):
    """A working day of loads, darkness, restarts, syncs and commands, in any order."""
    minute = st.integers(1, _MINUTES - 1)
    data = {
        "start": "2027-03-13 20:00",  # over midnight and a DST change
        "end": f"+{_MINUTES + 2}min",
        "settings": {
            "detent": True,
            "net": draw(st.booleans()),
            "interval_min": draw(st.sampled_from([5, 15, 30, 60])),
            "subinterval_min": draw(st.sampled_from([5, 15])),
            "clpu_minutes": draw(st.sampled_from([0, 20])),
            "reset_lockout": 0,
        },
        "clock": {"known": draw(st.booleans())},
        "meter": {"forward_wh": draw(st.sampled_from([0, 99_990_000])), "reverse_wh": 500},
        "schedule": {"weekday": "00:00 A, 02:15 B, 05:00 C", "sunday": "00:00 D, 01:30 B"},
        "load": [],
        "dark": [],
        "restarts": [],
        "sync": [],
        "missed": [],
        "commands": [],
        "polls": [{"every": draw(st.sampled_from([60, 60, 47, 300]))}],
    }
    for _ in range(draw(st.integers(1, 4))):
        load = {"from": f"+{draw(minute)}min", "for_s": 60 * draw(st.integers(1, 300))}
        load["forward_w"] = draw(st.integers(0, 20_000))
        load["reverse_w"] = draw(st.sampled_from([0, 0, 7_000]))
        data["load"].append(load)
    marks = sorted(draw(st.sets(minute, max_size=6)))
    for i, at in enumerate(marks):
        room_s = 60 * ((marks[i + 1] if i + 1 < len(marks) else _MINUTES) - at)
        length_s = draw(st.integers(1, max(room_s - 1, 1)))
        if draw(st.booleans()):
            keeps = draw(st.sampled_from(["all", "clock", "nothing"]))
            data["dark"].append({"from": f"+{at}min", "for_s": length_s, "keeps": keeps})
        else:
            data["restarts"].append(
                {
                    "at": f"+{at}min",
                    "back": f"+{60 * at + length_s}s",
                    "clock": draw(st.booleans()),
                    "lost_commits": draw(st.integers(0, 2)),
                }
            )
    for _ in range(draw(st.integers(0, 3))):
        error_s = draw(st.sampled_from([0, 0, 5, -14, 40, -2_000, 5_000]))
        data["sync"].append({"at": f"+{draw(minute)}min", "error_s": error_s})
    for _ in range(draw(st.integers(0, 2))):
        data["missed"].append(
            {"from": f"+{draw(minute)}min", "for_s": draw(st.integers(60, 9000))}
        )
    for i in range(draw(st.integers(0, 2))):
        do = draw(st.sampled_from(["reset", "freeze"]))
        data["commands"].append({"at": f"+{draw(minute)}min", "do": do})
        if do == "reset":
            data["commands"][-1]["id"] = i
    return data


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(histories())
def test_A3_N2_N5_random_histories(data):
    run = run_scenario(parse(data), with_trace=True)
    report = run.report
    placed_wh = report["sums"]["rates_wh"] + report["rateless_wh"] + report["unplaced_wh"]
    assert placed_wh == run.runner.engine.credited_wh
    assert report["ledger"]["difference_wh"] == 0
    assert report["sums"]["outages_agree"]
    credited_wh = sum(read.credited_wh for read in run.runner.reads)
    assert credited_wh == run.runner.engine.credited_wh
    names = ["total", "peak", "outages", "unplaced", *(f"rate.{letter}" for letter in "ABCD")]
    assert [name for name in names if not explain(run, name).adds_up] == []
    for row in report["demand"]["intervals"][::7]:
        assert explain(run, f"demand:{row['end']}").adds_up
    for row in report["intervals"]:
        assert row["wh"] is None or row["least_wh"] <= row["wh"] <= row["most_wh"]


def test_a_planted_watt_hour_is_caught():
    """A single Wh doubled behind the engine's back changes the ledger and the explanation."""
    data = {
        "schedule": {"weekday": "00:00 A"},
        "load": [{"from": "10:00", "to": "12:00", "forward_w": 1_200}],
        "polls": [{"from": "10:00", "to": "12:00"}],
    }
    run = run_scenario(parse(data), with_trace=True)
    assert explain(run, "rate.A").adds_up
    run.report["rates"]["A"]["wh"] += 1
    assert not explain(run, "rate.A").adds_up
    run.runner.engine.placement.rates_wh[0] += 1
    assert run.runner.engine.ledger()[2] != 0
