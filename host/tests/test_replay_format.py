"""Scenario files: forgiving in how things are written, strict about what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint.metering.calendar import Site
from wattline.replay.run import run_scenario
from wattline.replay.scenario import parse
from wattline.replay.service import Service
from wattline.replay.table import ScenarioError
from wattline.replay.times import Times, utc_text

READS = [{"at": "10:00", "every": 60, "forward_wh": [0, 60]}]


def refused(**data):
    with pytest.raises(ScenarioError) as error:
        run_scenario(parse({"reads": READS, **data}))
    return str(error.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"raeds": []}, ["raeds", "the file", '"reads"']),
        ({"meter": {"fowrard_wh": 1}}, ["fowrard_wh", "[meter]", '"forward_wh"']),
        ({"reads": [{"at": "10:00", "forward": 1}]}, ["forward", "[[reads]] number 1"]),
        ({"settings": {"detent": 2}}, ["detent", "[settings]", "true or false"]),
        ({"settings": {"interval_min": 7}}, ["interval_min in [settings]", "5, 15, 30, 60"]),
        ({"settings": {"net": True, "detent": False}}, ["NetNeedsDetent"]),
        ({"meter": {"form": "9S"}}, ["9S", "[meter]"]),
        ({"meter": {"form": "3S", "voltage": 208}}, ["208"]),
        ({"site": {"zone": "Mars"}}, ["zone", "[site]", "Eastern"]),
        ({"start": "noon"}, ["start", "06:50"]),
        ({"dark": [{"from": "10:00"}]}, ["[[dark]] number 1", "needs to"]),
        ({"dark": [{"from": "11:00", "to": "10:00"}]}, ["ends before it begins"]),
        ({"dark": [{"from": "11:00", "for_s": 4, "keeps": "al"}]}, ["keeps", '"all"']),
        ({"commands": [{"at": "10:00", "do": "rest"}]}, ["do", '"reset"']),
        ({"commands": [{"at": "10:00"}]}, ["needs do", "freeze"]),
        ({"commands": [{"at": "10:00", "do": "schedule", "schedule": "x"}]}, ["[schedules.NAME]"]),
        ({"schedule": {"fallback": "A"}}, ["[schedule]", "needs weekday"]),
        ({"schedule": {"weekday": "A at 7"}}, ["weekday", "00:00 A, 07:00 B"]),
        ({"schedule": {"weekday": "00:00 A", "holidays": ["x"]}}, ["holidays", "2027-12-25"]),
        ({"reads": [{"at": "10:00", "forward_wh": 1.5}]}, ["whole Wh"]),
        ({"start": "11:00"}, ["[[reads]] number 1", "before start"]),
        ({"expect": {"totals.wh": 1}}, ["totals", '"total"']),
        ({"expect": {"intervals.x": 1, "total.wh.x": 2}}, ["goes on behind a single value"]),
        ({"ask": [{"tols": "3"}]}, ["asks nothing"]),
        ({"voltage": [{"at": "10:00", "v": "high"}]}, ["v in [[voltage]] number 1", "number"]),
    ],
)
def test_errors_name_the_key_the_place_and_the_cure(data, words):
    message = refused(**data)
    for word in words:
        assert word in message


TIMES = Times(Site(-300, True), 1811822400000)  # 2027-06-01 00:00 Eastern


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("06:50", "2027-06-01T10:50:00Z"),
        ("24:00", "2027-06-02T04:00:00Z"),
        ("+1d 00:10", "2027-06-02T04:10:00Z"),
        ("-1d 23:00", "2027-06-01T03:00:00Z"),
        ("2027-03-14 01:59:59", "2027-03-14T06:59:59Z"),
        ("2027-03-14 03:00", "2027-03-14T07:00:00Z"),
        ("2027-11-07 01:30", "2027-11-07T05:30:00Z"),
        ("2027-11-07T06:30Z", "2027-11-07T06:30:00Z"),
        ("2027-03-14T02:00-05:00", "2027-03-14T07:00:00Z"),
        ("+90s", "2027-06-01T04:01:30Z"),
        ("+1h 30min", "2027-06-01T05:30:00Z"),
        (4000, "2027-06-01T05:06:40Z"),
        ("25", None),
        ("2027-02-30 10:00", None),
    ],
)
def test_times_as_people_write_them(text, utc):
    found = TIMES.parse(text)
    assert (None if found is None else utc_text(found // 1000)) == utc


def test_fractions_of_a_second_are_kept():
    assert TIMES.parse("10:29:59.6") % 1000 == 600


@given(
    loads=st.lists(
        st.tuples(
            st.integers(0, 50), st.integers(0, 50), st.integers(0, 9000), st.integers(0, 99)
        ),
        max_size=4,
    ),
    darks=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=4),
    at=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_the_modelled_meter_counts_every_lit_second(loads, darks, at):
    """Against a walk over every second; the unit of time is a second here."""
    loads = [(min(a, b) * 1000, max(a, b) * 1000, f, r) for a, b, f, r in loads]
    darks = [(start * 1000, (start + length) * 1000) for start, length in darks]
    service = Service(loads, darks)
    service.set(7, 9)
    service.go_on(0)
    for second in sorted(at):
        walked = [0, 0]
        for s in range(second):
            if not any(start <= s * 1000 < end for start, end in darks):
                walked[0] += sum(f for a, b, f, _ in loads if a <= s * 1000 < b)
                walked[1] += sum(r for a, b, _, r in loads if a <= s * 1000 < b)
        assert service.go_on(second * 1000) == (7 + walked[0] // 3600, 9 + walked[1] // 3600)
