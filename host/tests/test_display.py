"""`wattline display`: what it foretells is what is on the meter afterwards (R87 to R98)."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from meter_wire import NS_PER_S, Rig
from module_on_desk import SETTINGS, Desk

from endpoint.meter.focus import FocusReader
from wattline.cli.app import main
from wattline.errors import RunError, WattlineError
from wattline.meter.focus_al import FocusAL
from wattline.programmer.display import FREE, METER, MODULE, Display, of_status, sentences

OWN = (7, 7, 7, 0)
SECRET = b"METER-WRITE"


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return code, out.out, out.err

    return run


class Assembly:
    """A module on the desk and its meter; polls move what the module wants to the display."""

    def __init__(self, desk, own):
        self.desk = desk
        self.meter = FocusAL(display=own, write_password=SECRET)
        self.reader = FocusReader(password=SECRET)
        self.rig = Rig(self.meter, self.reader)

    def poll(self):
        self.rig.poll(self.rig.now_ns + 60 * NS_PER_S)
        assert self.reader.error == 0
        self.desk.module.meet(self.reader)

    def wish(self, items):
        self.desk.module.change({"display": items})


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=16),
    st.lists(st.integers(0, 20), max_size=16),
    st.lists(st.integers(0, 20), max_size=16),
)
@hypothesis_settings(max_examples=25, deadline=None)
def test_R98_the_preview_is_what_the_meter_then_shows(own, first, second):
    """R87, R89, R97 with it: never a seventeenth, the meter's own untouched, order kept."""
    with Desk() as desk:
        made = Assembly(desk, own)
        made.poll()
        for wanted in (first, second):
            before = of_status(desk.report())
            foretold, dropped = before.with_items(wanted)
            made.wish(wanted)
            made.poll()
            made.poll()
            shown = made.meter.display.items
            assert tuple(shown) == foretold.records
            assert shown[: len(own)] == own and len(shown) <= 16
            assert of_status(desk.report()) == foretold
            assert foretold.records[len(own) :] + tuple(dropped) == tuple(wanted)


def test_R98_the_command_shows_places_and_preview(run):
    with Desk() as desk:
        made = Assembly(desk, OWN)
        code, _, err = run("display", "--usb", desk.usb)
        assert code == 2 and "has not been read yet" in err
        made.poll()
        made.wish([10, 11])
        made.poll()
        made.poll()
        code, out, _ = run("display", "--usb", desk.usb, "--json")
        assert code == 0
        places = json.loads(out)["places"]
        assert [place["item"] for place in places] == [*OWN, 10, 11, *[None] * 10]
        assert [place["of"] for place in places] == [METER] * 4 + [MODULE] * 2 + [FREE] * 10
        code, out, _ = run("display", ",".join(map(str, range(10, 21))), "--usb", desk.usb)
        assert code == 0 and "as it would be" in out and "20" in out
        assert made.meter.display.items == [*OWN, 10, 11], "a preview changes nothing"
        code, out, _ = run("display", "none", "--usb", desk.usb, "--json")
        assert json.loads(out)["places"][4] == {"item": None, "of": FREE}
        for bad in ("x", "300", ",".join("1" * 17)):
            assert run("display", bad, "--usb", desk.usb)[0] == 2, bad


def test_R99_a_preview_for_a_meter_that_takes_none_says_so(run):
    with Desk({**SETTINGS, "bought": 200708}) as desk:
        made = Assembly(desk, OWN)
        made.poll()
        code, _, err = run("display", "10", "--usb", desk.usb)
        assert code == 2 and "before September 2007" in err


@pytest.mark.parametrize(("meters", "is_advised"), [(5, False), (6, True), (8, True)])
def test_R90_R91_more_than_five_records_are_advised_against(meters, is_advised):
    said = sentences(Display((7,) * meters, meters), [])
    assert bool(said) == is_advised
    if said:
        assert f"shows {meters} records" in said[0] and "no more than 5" in said[0]


def test_R96_no_place_is_said_in_plain_words():
    shown, dropped = Display((7,) * 8, 8).with_items(list(range(10, 21)))
    assert "Maximum number of display records reached: no place for 18, 19, 20." in sentences(
        shown, dropped
    )


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ({}, WattlineError, "not programmed"),
        (
            {"display_records": [], "display_meters": 0, "meter_state": "NO_ANSWER"},
            WattlineError,
            "NO_ANSWER",
        ),
        ({"display_records": [1], "display_meters": 2}, RunError, "makes no sense"),
        ({"display_records": [1] * 17, "display_meters": 2}, RunError, "makes no sense"),
    ],
)
def test_a_status_without_a_display_is_named(status, error, words):
    with pytest.raises(error, match=words):
        of_status(status)
