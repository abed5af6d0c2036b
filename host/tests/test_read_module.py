"""`wattline read` through the programming port and the console of a module without chip."""

import csv
import json
import os
import struct
import tty

import pytest
from meter_wire import wattline
from module_on_desk import PASSWORDS, Desk
from rich.console import Console

from endpoint.metering import rows
from endpoint.metering.calendar import Site
from endpoint.programming import RING_HEAD, RINGS
from endpoint.store.layout import INPUT
from wattline.cli.app import main
from wattline.errors import RunError, WattlineError
from wattline.programmer import history
from wattline.programmer.roads import UsbRoad
from wattline.programmer.show import show_records


@pytest.fixture(scope="module")
def desk():
    """A module that has measured three and a half hours, an outage among them."""
    with Desk() as made:
        made.know_time()
        made.live(130)
        made.books.dark(made.clock.ms())
        made.clock.now_ms += 4_000_000
        made.books.lit(made.clock.ms())
        made.live(40, dv=2310)
        yield made


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORDS["read_password"] + "\n")
    return path


def run(capsys, *arguments):
    """Run the command line in this process; return (code, output, errors)."""
    try:
        main([str(argument) for argument in arguments])
        code = 0
    except SystemExit as end:
        code = end.code
    out = capsys.readouterr()
    assert "Traceback" not in out.err
    return code, out.out, out.err


def asked(capsys, desk, *arguments):
    code, out, err = run(capsys, "read", *arguments, "--usb", desk.usb, "--json")
    assert code == 0, err
    return json.loads(out)


def test_both_roads_read_the_same(capsys, desk, secret):
    usb = asked(capsys, desk)
    process = wattline("read", "--port", desk.port, "--password-file", secret, "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == usb
    assert usb["ledger"]["difference_wh"] == 0
    assert usb["total"]["wh"] == desk.engine.total_wh
    assert usb["outages"]["sustained"] == 1


def test_tables_are_for_people(capsys, desk):
    code, out, _ = run(capsys, "read", "--usb", desk.usb)
    assert code == 0
    assert "+05008" in out and "ledger (N2)" in out and "231.0" in out
    code, out, _ = run(capsys, "read", "hours", "--usb", desk.usb)
    assert code == 0 and "2027-03-13 23:00:00-0500" in out


def test_L2_hours_have_flags_by_name_and_nothing_missing_is_0(capsys, desk):
    hours = asked(capsys, desk, "hours", "--last", 0)
    assert len(hours) >= 3
    kept = {hour["number"]: hour for hour in hours}
    ring = desk.module.rings[rows.HOUR]
    assert list(kept) == list(range(ring.first, ring.next))
    row = bytearray(ring.row_bytes)
    for number, hour in kept.items():
        assert ring.read(number, row)
        fields = rows.unpack(rows.HOUR, row)
        is_missing = bool(fields["flags"] & rows.MISSING)
        assert is_missing == ("MISSING" in hour["flags"])
        assert hour["wh"] == (None if is_missing else fields["value_wh"])
    assert any("PF" in hour["flags"] for hour in hours)


def test_a_missing_interval_is_no_data_everywhere(capsys):
    row = bytearray(40)
    fields = (1_804_993_200, rows.MISSING, 0, 0, 0, 0, 0, 0, 0, 0xFFFF, 0xFFFF, 0xFFFF, 0, 0)
    struct.pack_into(rows.HOUR_LAYOUT, row, 0, *fields)
    found = history.decode(rows.HOUR, bytes(row), Site(0, False))
    absent = [name for name, value in found.items() if value is None]
    assert absent == [
        "wh",
        "least_wh",
        "most_wh",
        "forward_wh",
        "reverse_wh",
        "register_wh",
        "minimum_dv",
        "maximum_dv",
        "average_dv",
    ]
    lost = {"number": 2, "lost": True}
    show_records("hours", [{"number": 1, **found}, lost], Console(width=200))
    out = capsys.readouterr().out
    assert "no data" in out and "record 2 lost" in out


def test_O3_events_and_outages_are_told_by_name(capsys, desk):
    names = [event["event"] for event in asked(capsys, desk, "events")]
    assert {"CLOCK_SET", "STARTED", "POWER_FAILED", "POWER_RETURNED"} <= set(names)
    (outage,) = asked(capsys, desk, "outages")
    assert outage["seconds"] == 4000 and outage["start"] is not None


def test_csv_and_picture_are_written(capsys, desk, tmp_path):
    table, picture = tmp_path / "hours.csv", tmp_path / "hours.png"
    code, _, err = run(
        capsys, "read", "hours", "--usb", desk.usb, "--csv", table, "--plot", picture
    )
    assert code == 0, err
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["wh"] for row in found] == [
        str(hour["wh"]) for hour in asked(capsys, desk, "hours")
    ]
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_log_is_exported_and_lived_through_again(capsys, desk, tmp_path):
    path = tmp_path / "module.log"
    found = asked(capsys, desk, "log", "-o", path)
    assert found["gaps"] == 0 and found["settings"]["voltage"] == 240
    code, out, _ = run(capsys, "replay", path, "--json")
    assert code == 0
    replayed = {hour["end"]: hour["wh"] for hour in json.loads(out)["hours"]}
    hours = {hour["end"]: hour["wh"] for hour in asked(capsys, desk, "hours")}
    assert len(replayed) >= 2
    assert all(hours[end] == wh for end, wh in replayed.items())
    # Up to now: the log's last row is not full yet.
    now = asked(capsys, desk)
    for name in ("total", "energy", "rates", "unplaced_wh", "ledger"):
        assert json.loads(out)[name] == now[name], name
    code, _, err = run(capsys, "read", "log", "-o", path, "--usb", desk.usb)
    assert code == 2 and "is there already" in err


def test_settings_and_status_are_read_and_secrets_are_not(capsys, desk):
    assert asked(capsys, desk, "settings")["eid"] == 4711
    status = asked(capsys, desk, "status")
    assert status["board"] == "FASY_0624_0004"
    text = json.dumps(status) + json.dumps(asked(capsys, desk, "settings"))
    for secret in PASSWORDS.values():
        assert secret not in text and secret.encode().hex() not in text


def test_R7_without_a_password_the_port_says_what_is_needed(capsys, desk, tmp_path, monkeypatch):
    code, _, err = run(capsys, "read", "--port", desk.port)
    assert code == 2 and "--password-file" in err and err.count("\n") == 1
    wrong = tmp_path / "wrong"
    wrong.write_text("GUESS-GUESS")
    code, _, err = run(capsys, "read", "--port", desk.port, "--password-file", wrong)
    assert code == 1 and "refuses the password" in err and "GUESS" not in err
    monkeypatch.setenv("WATTLINE_PASSWORD", PASSWORDS["read_password"])
    code, _, err = run(capsys, "read", "settings", "--port", desk.port)
    assert code == 0, err


@pytest.mark.parametrize("text", ['{"state": "LOGGING"}', "[1]", "[]", '"x"', "7", "{"])
def test_values_of_another_version_are_one_sentence(capsys, desk, monkeypatch, text):
    monkeypatch.setattr(desk.module, "text", lambda table: text.encode())
    for what in ((), ("status",), ("hours",), ("log", "-o", "never-written")):
        code, _, err = run(capsys, "read", *what, "--usb", desk.usb)
        assert code in (0, 1, 2) and err.count("\n") == (code > 0), (what, err)


def test_a_port_that_is_locked_says_so(capsys, desk, secret, monkeypatch):
    monkeypatch.setattr("wattline.optical.session._BUSY_S", 0)
    desk.guard.restore_lock(5, 60_000, desk.guard.now_ms)
    code, _, err = run(capsys, "read", "--port", desk.port, "--password-file", secret)
    assert code == 1 and "locked" in err and err.count("\n") == 1
    desk.guard.restore_lock(0, 0, desk.guard.now_ms)


def test_what_cannot_be_read_is_one_sentence(capsys, desk, tmp_path):
    for arguments in (
        ("--usb", tmp_path / "none"),
        ("--usb", desk.usb, "--port", desk.port),
        ("hours", "--usb", desk.usb, "--last", -1),
        ("log", "--usb", desk.usb, "-o", tmp_path / "no" / "file"),
        ("hours", "--usb", desk.usb, "--csv", tmp_path / "no" / "file"),
        ("--port", desk.port, "--password-file", tmp_path / "none"),
    ):
        code, _, err = run(capsys, "read", *arguments)
        assert code == 2, arguments
        assert err.startswith("wattline: ") and err.count("\n") == 1


def test_a_module_without_settings_has_no_records(capsys):
    with Desk(None, keyed=False) as virgin:
        code, _, err = run(capsys, "read", "--usb", virgin.usb)
        assert code == 2 and "not programmed" in err
        code, _, err = run(capsys, "read", "hours", "--usb", virgin.usb)
        assert code == 2 and "is it programmed" in err
        assert asked(capsys, virgin, "settings") == {}


class MovingRoad:
    """A road to a ring whose oldest rows make room between any two questions."""

    part_bytes = 64

    def __init__(self, step, row_bytes=8, count=60):
        self.first, self.next, self._step = 100, 100 + count, step
        self._row_bytes = row_bytes
        self.asked = 0

    def read(self, table, offset, count):
        self.asked += 1
        if self.asked % self._step == 0:
            self.first += 3
            self.next += 3
        data = struct.pack(RING_HEAD, self.first, self.next, self._row_bytes, table - RINGS)
        data += b"".join(
            n.to_bytes(2, "little") * (self._row_bytes // 2) for n in range(self.first, self.next)
        )
        return data[offset : offset + count]


@pytest.mark.parametrize("step", range(5, 15))
def test_rows_keep_their_numbers_while_the_ring_moves(step):
    found = list(history.raw_rows(MovingRoad(step), INPUT))
    for number, row in found:
        assert row == number.to_bytes(2, "little") * 4
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 159


def test_a_ring_that_never_stands_still_is_given_up():
    with pytest.raises(RunError, match="faster"):
        list(history.raw_rows(MovingRoad(2, count=500), INPUT))


def test_the_newest_rows_can_be_asked_for_alone():
    found = list(history.raw_rows(MovingRoad(10**9), INPUT, last=5))
    assert [number for number, _ in found] == [155, 156, 157, 158, 159]


def test_a_port_that_is_no_module_is_named(capsys):
    master, slave = os.openpty()
    tty.setraw(slave)
    os.write(master, b'{"what": 1}\r\n' * 50)
    road = UsbRoad(os.ttyname(slave))
    os.write(master, b'{"what": 1}\r\n{nonsense\r\n')
    with road, pytest.raises(WattlineError, match="not like a module"):
        road.whole(2048)
    os.close(master)
    os.close(slave)
