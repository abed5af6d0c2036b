"""`wattline probe` through the real command line: one cause and one cure for each fault."""

import json

import pytest
from meter_wire import Served, wattline


def probe(tmp_path, *options, scenario="", sessions=3):
    file = tmp_path / "meter.toml"
    file.write_text(scenario)
    with Served(tmp_path / "meter", "--scenario", file, "--quiet", *options) as program:
        result = wattline("probe", program.link, "--sessions", sessions, "--json")
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found["usable"] == (result.returncode == 0)
    for finding in found["findings"]:
        assert bool(finding["cure"]) == (finding["state"] in ("warning", "failed")), finding
    return found, {finding["check"]: finding for finding in found["findings"]}


def bad(checks):
    return [name for name, finding in checks.items() if finding["state"] == "failed"]


def test_a_good_link(tmp_path):
    found, checks = probe(tmp_path)
    assert found["usable"]
    assert bad(checks) == []
    assert found["statistics"]["good_sessions"] == 3
    assert found["statistics"]["damaged"] == found["statistics"]["repeated"] == 0
    assert found["statistics"]["ack_ms"]["least"] >= 0
    assert found["device"]["serial number"] == "SIM0000000000001"
    assert "SIML" in checks["identification"]["text"]
    assert checks["probe power"]["state"] == "unknown"


def test_echo_is_taken_out(tmp_path):
    found, checks = probe(tmp_path, "--fault", "echo")
    assert found["usable"] and found["echo"]
    assert "echoes" in checks["echo"]["text"]
    assert found["statistics"]["repeated"] == 0


def test_noise_while_nobody_talks(tmp_path):
    _, checks = probe(tmp_path, "--fault", "noise,seed=3")
    assert checks["idle line"]["state"] == "warning"


def test_seven_bits_and_parity(tmp_path):
    found, checks = probe(tmp_path, "--fault", "seven-bits")
    assert not found["usable"]
    assert bad(checks) == ["parity"]


def test_another_rate(tmp_path):
    found, checks = probe(tmp_path, scenario="[line]\nbaud = 2400\n")
    assert not found["usable"]
    assert bad(checks) == ["baud"]
    assert "2400" in checks["baud"]["text"]


def test_damaged_bytes_are_counted(tmp_path):
    found, checks = probe(tmp_path, "--fault", "flipped,rate=0.004,seed=2")
    assert found["statistics"]["damaged"] + found["statistics"]["naks"] > 0
    assert checks["crc"]["state"] == "warning"
    assert "windows" in checks["crc"]["cure"]


def test_nothing_there(tmp_path):
    found, checks = probe(tmp_path, "--fault", "deaf")
    assert not found["usable"]
    assert bad(checks) == ["answer"]


def test_a_head_that_only_hears_itself(tmp_path):
    found, checks = probe(tmp_path, "--fault", "dark", "--fault", "echo")
    assert not found["usable"]
    assert "hears itself" in checks["answer"]["text"]


def test_slow_acknowledgement(tmp_path):
    found, checks = probe(tmp_path, scenario="[line]\nturnaround_ms = 700\n", sessions=1)
    assert found["usable"]
    assert checks["ack time"]["state"] == "warning"
    assert found["statistics"]["ack_ms"]["median"] > 600


def test_a_port_that_is_none():
    result = wattline("probe", "no-such-port")
    assert result.returncode == 1
    assert "plug the optical head in" in result.stdout
    assert "not usable" in result.stdout


@pytest.mark.parametrize("count", ["0", "1001"])
def test_bad_use_is_one_sentence(count):
    result = wattline("probe", "p", "--sessions", count)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
