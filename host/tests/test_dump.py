"""`wattline dump` through the real command line, against a served meter with faults or none."""

import json

import pytest
from meter_wire import Served, wattline

SCENARIO = """
start_s = 200000
[meter]
clock = 2026-03-01T00:00:00
demand = true
tiers = 2
profile_blocks = 3
logs = true
forward_wh = 12345000
{more}
"""


def serve(tmp_path, more="", *options):
    scenario = tmp_path / "meter.toml"
    scenario.write_text(SCENARIO.format(more=more))
    return Served(tmp_path / "meter", "--scenario", scenario, "--quiet", *options)


def dump(link, *options):
    result = wattline("dump", link, "--json", *options)
    assert "Traceback" not in result.stderr
    return result, json.loads(result.stdout) if result.stdout else None


def by_name(found):
    return {table["table"]: table for table in found["tables"]}


def fields(table):
    return {field["name"]: field["value"] for field in table["fields"]}


def test_every_table_is_read_and_decoded(tmp_path):
    with serve(tmp_path) as program:
        result, found = dump(program.link)
        text = wattline("dump", program.link)
    assert result.returncode == 0
    assert found["complete"]
    tables = by_name(found)
    listed = fields(tables["ST-0"])
    assert {f"ST-{n}" for n in listed["standard tables"]} | {
        f"MT-{n}" for n in listed["manufacturer tables"]
    } == set(tables)
    assert {name for name, table in tables.items() if "refused" in table} == {"ST-7", "ST-42"}
    assert tables["ST-42"]["refused"] == (
        "insufficient security clearance: give a password with more rights"
    )
    assert all(
        table["fields"] and not table["remark"]
        for table in tables.values()
        if "refused" not in table
    )
    assert fields(tables["ST-52"])["clock"].startswith("2026-03-03 07:33")
    assert len(bytes.fromhex(tables["ST-64"]["hex"])) == tables["ST-64"]["bytes"] > 1000
    assert text.returncode == 0
    assert "ST-23 current registers, " in text.stdout
    assert "    summation 0: active energy delivered: 12" in text.stdout
    assert "ST-7 procedure initiate: not read, can only be written" in text.stdout


def test_chosen_tables_rights_and_a_log(tmp_path):
    log = tmp_path / "log"
    with serve(tmp_path, 'read_password = "FAKE-READ"') as program:
        _, closed = dump(program.link, "--tables", "ST-1,21-23,MT-3,99")
        _, opened = dump(program.link, "--tables", "23", "--password", "FAKE-READ", "--log", log)
        wrong = wattline("dump", program.link, "--password", "GUESS")
        spaces = wattline("dump", program.link, "--password-hex", b"FAKE-READ".hex())
    tables = by_name(closed)
    assert list(tables) == ["ST-1", "ST-21", "ST-22", "ST-23", "ST-99", "MT-3"]
    assert "fields" in tables["ST-1"]
    assert tables["ST-23"]["refused"].startswith("insufficient security clearance")
    assert tables["ST-99"]["refused"].startswith("inappropriate action")
    assert fields(by_name(opened)["ST-23"])["summation 0: active energy delivered"] > 12_345_000
    assert "Read ST-23" in log.read_text()
    assert "FAKE-READ" not in log.read_text()
    assert wrong.returncode == 1
    assert wrong.stderr == "wattline: The device refuses the password: error.\n"
    assert spaces.returncode == 0


@pytest.mark.parametrize("more", ["ni_format = 1\nmost_first = true", "offset_access = false"])
def test_other_meters(tmp_path, more):
    with serve(tmp_path, more + "\npacket_bytes = 64") as program:
        result, found = dump(program.link, "--tables", "0,1,23")
    assert result.returncode == 0
    assert fields(by_name(found)["ST-23"])["summation 0: active energy delivered"] > 12_345_000


@pytest.mark.parametrize("fault", ["flipped", "lost-acks", "repeated"])
def test_a_bad_line_gives_right_data_or_names_what_is_missing(tmp_path, fault):
    tables = "0,1,2,6,23"
    with serve(tmp_path) as program:
        _, expected = dump(program.link, "--tables", tables)
    rate = 0.3 if fault == "lost-acks" else 0.001
    with serve(tmp_path, "", "--fault", f"{fault},rate={rate}") as program:
        result, found = dump(program.link, "--tables", tables)
    good = by_name(expected)
    if found is None:
        assert result.returncode == 1
        return
    for name, table in by_name(found).items():
        if name != "ST-23":
            assert "refused" in table or table["hex"] == good[name]["hex"]


def test_echo(tmp_path):
    with serve(tmp_path, "", "--fault", "echo") as program:
        result, found = dump(program.link, "--echo", "--tables", "0,1,5")
    assert result.returncode == 0
    assert fields(by_name(found)["ST-1"])["model"] == "FOCUSSIM"


def test_busy_table_is_named(tmp_path):
    with serve(tmp_path, "", "--fault", "refuse,table=2,reply=locked") as program:
        result, found = dump(program.link, "--tables", "0,2")
    assert result.returncode == 0
    assert by_name(found)["ST-2"]["refused"] == "data locked"


def test_nobody_there_ends_with_one_sentence(tmp_path):
    with serve(tmp_path, "", "--fault", "deaf") as program:
        result = wattline("dump", program.link)
    assert result.returncode == 1
    assert result.stderr == (
        "wattline: Nobody takes part in a session: no acknowledgement came after four attempts.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("no-such-port",), "There is no port no-such-port"),
        (("p", "--tables", "x"), "'x' is no table"),
        (("p", "--tables", "5000"), "'5000' is no table"),
        (("p", "--password", "a", "--password-hex", "00"), "Give the password once"),
        (("p", "--password-hex", "zz"), "no hexadecimal text"),
        (("p", "--password", "x" * 21), "at most 20 bytes"),
        (("p", "--level", "-1"), "no user id"),
    ],
)
def test_bad_use_is_one_sentence(arguments, cause, capsys):
    from wattline.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main(["dump", *arguments])
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert cause in errors
    assert errors.count("\n") == 1
