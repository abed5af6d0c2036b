"""`wattline command` at the programming port of a module without chip."""

import json
import re

import pytest
from meter_wire import wattline
from module_on_desk import PASSWORDS, SETTINGS, Desk

from endpoint.line import command
from wattline.cli.app import main
from wattline.programmer import commands, passwords

SCHEDULE = """
id = 7
rates = 2
weekday = "00:00 A, 07:00 B, 21:00 A"
saturday = "00:00 A"
"""


@pytest.fixture
def desk():
    with Desk() as made:
        made.know_time()
        made.live(3)
        yield made


@pytest.fixture
def give(capsys, desk, tmp_path):
    """Return a function that gives a command with a level's password: (code, output, errors)."""

    def run(*arguments, level="write", to=desk):
        secret = tmp_path / level
        secret.write_text(PASSWORDS[f"{level}_password"])
        place = ("--port", to.port, "--password-file", secret)
        try:
            main([str(argument) for argument in ("command", *arguments, *place)])
            code = 0
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return code, out.out.strip(), out.err

    return run


def test_the_clock_is_set_to_a_time_and_to_this_computer_s(desk, give):
    code, out, _ = give("set-time", "2027-03-14 20:00")
    assert (code, out) == (0, "set-time 2027-03-15T00:00:00Z: done"), "wall time, daylight"
    assert abs(desk.engine.utc_s(desk.clock.s()) - 1_805_068_800) <= 1
    code, out, _ = give("set-time")
    (text,) = re.findall(r"set-time (\S+): done", out)
    assert code == 0 and text[:2] == "20"
    assert give("set-time", "1999-01-01T00:00Z")[0] == 2
    assert give("set-time", "half past")[0] == 2


def test_M8_a_reset_is_done_once_and_another_is_locked_out(desk, give):
    assert give("reset-demand", "--id", 4)[:2] == (0, "reset-demand 4: done")
    code, out, _ = give("reset-demand", "--id", 4)
    assert code == 0 and "was done already" in out
    code, out, _ = give("reset-demand", "--id", 5)
    assert code == 1 and "too short a time ago" in out
    assert desk.engine.demand.resets == 1
    assert give("reset-demand", "--id", 70_000)[0] == 2
    assert give("freeze")[:2] == (0, "freeze: done")
    assert desk.engine.demand.frozen[9] == 1


def test_R77_net_and_detent_hold_each_other(desk, give):
    code, out, _ = give("net", "on")
    assert code == 0 and "next good read" in out
    code, out, _ = give("detent", "no")
    assert code == 1 and "net needs detent yes" in out
    desk.live(1)
    assert (desk.engine.detent, desk.engine.net) == (True, True)
    assert json.loads(desk.files["/settings.json"])["net"] is True


def test_G1_what_the_firmware_cannot_is_refused_before_anything_is_sent(give):
    with Desk(version=11) as old:
        old.know_time()
        code, _, err = give("stream", "profile", to=old)
        assert code == 2 and "firmware 11 cannot stream; 12 or later" in err
        code, _, err = give("display", "40", to=old)
        assert code == 2 and "18 or later" in err
        assert give("net", "on", to=old)[0] == 1


def test_D7_streaming_is_switched_with_its_extreme(desk, give):
    code, out, _ = give("stream", "register", "--extreme", "max")
    assert code == 0 and out.startswith("stream register: done; collector and head-end")
    assert (desk.engine.streaming, desk.engine.extreme) == (1, 1)
    code, out, _ = give("stream", "off", "--json")
    assert json.loads(out) == {
        "command": "stream off",
        "result": 0,
        "done": True,
        "words": "done",
    }
    assert desk.engine.streaming == 0


def test_T10_a_schedule_is_loaded_activated_and_cancelled(desk, give, tmp_path):
    path = tmp_path / "summer.toml"
    path.write_text(SCHEDULE)
    code, _, err = give("schedule", "activate")
    assert code == 2 and "no schedule is loaded" in err
    assert give("schedule", "load", path)[:2] == (0, "schedule 7 loaded: done; activate it next")
    assert desk.engine.tariff.pending is None
    code, out, _ = give("schedule", "activate", "--at", "2027-06-01 00:00")
    assert (code, out) == (0, "schedule 7 from 2027-06-01T04:00:00Z: done")
    assert give("schedule", "cancel")[:2] == (0, "schedule cancel: done")
    assert give("schedule", "cancel")[1].endswith("nothing changed")
    assert give("schedule", "activate")[:2] == (0, "schedule 7: done")
    assert give("schedule", "show", level="read")[1] == "in force: 7; loaded: 7"
    code, out, _ = give("schedule", "activate", "--at", "2020-06-01 00:00")
    assert code == 1 and "refused" in out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('id = 7\nweekday = "01:00 A"', "NoMidnight"),
        ('id = 7\nrates = 2\nweekday = "00:00 A, 07:00 C"', "UnknownRate"),
        ('id = 7\nweekday = "00:00 A, 07:00 E"', "UnknownRate"),
        ('id = 7\nweekdays = "00:00 A"', "weekday"),
        ("id = [", "not a TOML file"),
        ('id = -1\nweekday = "00:00 A"', "no schedule"),
        ('weekday = "00:00 A"\nbytes = "zz"', "no schedule"),
        ('weekday = "00:00 A"\nbytes = "0102"', "UnknownSchedule"),
    ],
)
def test_R81_a_bad_schedule_is_refused_before_anything_is_sent(desk, give, tmp_path, text, told):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    code, _, err = give("schedule", "load", path)
    assert code == 2 and told in err and err.count("\n") == 1, err
    assert "/schedule.new" not in desk.files and not desk.heard


def test_T7_a_critical_peak_is_planned(desk, give):
    code, out, _ = give("critical-peak", "2027-07-01 15:00", "--minutes", 60, "--rate", "b")
    assert (code, out) == (0, "critical-peak from 2027-07-01T19:00:00Z: done")
    assert give("critical-peak", "2027-07-02 15:00", "--minutes", 0)[0] == 2
    assert give("critical-peak", "2027-07-02 15:00", "--minutes", 60, "--rate", "E")[0] == 2
    code, out, _ = give("critical-peak", "2027-07-01 15:30", "--minutes", 60)
    assert code == 1 and "refused" in out, "two at once"


def test_G4_display_items_need_a_meter_that_takes_them(desk, give):
    assert give("display", "40,41")[0] == 0
    assert json.loads(desk.files["/settings.json"])["display"] == [40, 41]
    assert give("display", "none")[0] == 0
    assert json.loads(desk.files["/settings.json"])["display"] == []
    for items in ("x", "40,999", "40;41", ",".join("1" * 17)):
        assert give("display", items)[0] == 2, items
    with Desk({**SETTINGS, "bought": 0}) as unknown:
        code, _, err = give("display", "40", to=unknown)
        assert code == 2 and "--bought" in err
    with Desk({**SETTINGS, "bought": 200708}) as early:
        code, _, err = give("display", "40", to=early)
        assert code == 2 and "before September 2007" in err


def test_only_who_may_changes_anything(desk, give, capsys):
    code, _, err = give("freeze", level="read")
    assert code == 2 and "write password" in err
    code, _, err = give("service-window", 60)
    assert code == 2 and "admin password" in err
    code = give("service-window", 60, "--baud", 9600, level="admin")[0]
    assert code == 0 and desk.module.window == (60, 9600)
    assert give("service-window", 0, level="admin")[0] == 2
    assert give("service-window", 60, "--baud", 1234, level="admin")[0] == 2
    with pytest.raises(SystemExit) as end:
        main(["command", "freeze", "--port", desk.port])
    assert end.value.code == 2 and passwords.VARIABLE in capsys.readouterr().err
    assert desk.engine.demand.frozen[9] == 0


def test_a_command_from_a_real_process_is_told_in_words(desk, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORDS["write_password"])
    done = wattline("command", "freeze", "--port", desk.port, "--password-file", secret)
    assert (done.returncode, done.stdout, done.stderr) == (0, "freeze: done\n", "")
    gone = wattline("command", "freeze", "--port", tmp_path / "none", "--password-file", secret)
    assert gone.returncode == 2 and "There is no port" in gone.stderr


def test_every_result_of_a_command_has_words():
    results = [command.DONE, command.ALREADY_DONE, command.PENDING, command.NOT_SUPPORTED]
    results += [command.BAD_ARGUMENT, command.LOCKED_OUT, command.NEEDS_DETENT]
    results += [command.DOES_NOT_FIT, command.INCOMPLETE, command.OUTCOME_UNKNOWN, command.FAILED]
    assert sorted(results) == sorted(commands.WORDS)
