"""`wattline meter serve` as a program, spoken to by a client that knows only the standard."""

import json
import os
import select
import time
from pathlib import Path

import pytest
from meter_wire import Served, wattline

ACK = b"\x06"
WAIT_S = 5


def crc(data):
    """CRC-16/X-25, bit by bit: written for this test."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
    return (register ^ 0xFFFF).to_bytes(2, "little")


class PlainClient:
    """C12.18 as short as it gets: no repetitions, no tolerance, no library."""

    def __init__(self, place, toggle=0, identity=0, bytewise=False):
        """`place` is a path, or a descriptor that is closed in the end."""
        is_open = isinstance(place, int)
        self._file = place if is_open else os.open(place, os.O_RDWR | os.O_NOCTTY)
        self._toggle = toggle
        self._identity = identity
        self._bytewise = bytewise

    def close(self):
        os.close(self._file)

    def get(self, count):
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self._file], [], [], WAIT_S)
            assert ready, f"nothing came after {data.hex()}"
            data += os.read(self._file, count - len(data))
        return data

    def put(self, data):
        for part in [data[i : i + 1] for i in range(len(data))] if self._bytewise else [data]:
            os.write(self._file, part)

    def _packet(self, data, control, sequence):
        head = bytes([0xEE, self._identity, control | self._toggle, sequence])
        packet = head + len(data).to_bytes(2, "big") + data
        self._toggle ^= 0x20
        return packet + crc(packet)

    def ask(self, message, room=56):
        """Send one request, in parts if it is long, and return the whole reply."""
        parts = [message[at : at + room] for at in range(0, len(message), room)]
        for i, part in enumerate(parts):
            control = 0 if len(parts) == 1 else 0x80 | (0 if i else 0x40)
            self.put(self._packet(part, control, len(parts) - 1 - i))
            assert self.get(1) == ACK
        reply = b""
        while True:
            head = self.get(6)
            assert head[0] == 0xEE and head[1] == self._identity
            body = self.get(int.from_bytes(head[4:6], "big"))
            assert self.get(2) == crc(head + body)
            self.put(ACK)
            reply += body
            if head[3] == 0:
                return reply

    def start(self, user=b"ANYBODY", user_id=7, negotiate=b""):
        assert self.ask(b"\x20")[:1] == b"\x00"
        if negotiate:
            assert self.ask(negotiate)[:1] == b"\x00"
        assert self.ask(b"\x50" + user_id.to_bytes(2, "big") + user.ljust(10)) == b"\x00"

    def read(self, table):
        reply = self.ask(b"\x30" + table.to_bytes(2, "big"))
        assert reply[0] == 0, reply.hex()
        assert sum(reply[3:]) % 256 == 0
        assert int.from_bytes(reply[1:3], "big") == len(reply) - 4
        return reply[3:-1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    scenario = folder / "meter.toml"
    scenario.write_text(
        """
        start_s = 90000
        [meter]
        serial = "SIM0000000000077"
        clock = 2026-03-01T00:00:00
        demand = true
        tiers = 2
        profile_blocks = 8
        logs = true
        master_password = "FAKE-MASTER"
        """
    )
    link, log, text = folder / "meter", folder / "log.json", folder / "log.txt"
    logs = "--json-log", log, "--log", text
    with Served(link, "--scenario", scenario, "--quiet", *logs) as program:
        program.log, program.text = log, text
        yield program


@pytest.mark.parametrize("toggle", [0, 0x20])
@pytest.mark.parametrize("identity", [0, 0x42])
def test_any_toggle_and_any_identity(served, toggle, identity):
    client = PlainClient(served.link, toggle, identity)
    client.start()
    assert client.read(1)[-16:] == b"SIM0000000000077"
    assert client.ask(b"\x52") == b"\x00"
    assert client.ask(b"\x21") == b"\x00"
    client.close()


@pytest.mark.parametrize("negotiate", ["600040ff", "61004001" + "06", "62200040" + "0b06"])
def test_any_negotiation_reads_what_fits(served, negotiate):
    client = PlainClient(served.link)
    client.start(negotiate=bytes.fromhex(negotiate))
    assert len(client.read(5)) == 20
    whole = client.ask(b"\x30\x00\x06")
    if negotiate.startswith("6100"):
        assert whole == b"\x04"  # one packet of 64 bytes: operation not possible
    else:
        assert len(whole) == 234
    data = b""
    while len(data) < 230:
        count = min(52, 230 - len(data))
        request = b"\x3f\x00\x06" + len(data).to_bytes(3, "big") + count.to_bytes(2, "big")
        data += client.ask(request)[3:-1]
    assert data[:19] == b"SIMULATED UTILITY  "
    assert client.ask(b"\x21") == b"\x00"
    client.close()


def test_terminate_without_logoff_then_reopen_many_times(served):
    for i in range(5):
        client = PlainClient(served.link, toggle=0x20 * (i & 1))
        client.put(b"\x55\x55\xff")
        client.start(user_id=i)
        assert len(client.read(0)) > 36
        assert client.ask(b"\x21") == b"\x00"
        client.close()


def test_single_bytes_in_both_states_and_errors_of_the_sequence(served):
    client = PlainClient(served.link, bytewise=True)
    assert client.ask(b"\x30\x00\x00") == b"\x0a"
    assert client.ask(b"\x20") == bytes.fromhex("0000010000")
    assert client.ask(b"\x20") == b"\x0a"
    assert client.ask(b"\x50\x00\x00" + b" " * 10) == b"\x00"
    assert client.ask(b"\x7f") == b"\x02"
    assert client.ask(b"\x30\x00\x04") == b"\x05"
    assert client.ask(b"\x70\x3c") == b"\x00"
    assert client.ask(b"\x51" + b"\x01" * 20) == b"\x01"
    assert (
        client.ask(b"\x40\x00\x05\x00\x14" + b"A" * 20 + bytes([256 - 65 * 20 % 256])) == b"\x03"
    )
    assert client.ask(b"\x21") == b"\x00"
    client.close()


def test_write_in_parts_procedures_and_passwords(served):
    client = PlainClient(served.link)
    client.start(negotiate=bytes.fromhex("610040ff06"))
    assert client.ask(b"\x51" + b"FAKE-MASTER".ljust(20)) == b"\x00"
    text = b"MY UTILITY".ljust(230)
    write = b"\x40\x00\x06" + len(text).to_bytes(2, "big") + text + bytes([-sum(text) % 256])
    assert client.ask(write) == b"\x00"
    assert client.read(6) == text
    for procedure, result in ((b"\x09\x00\x2a\x03", b"\x00\x03"), (b"\x63\x00\x2b", b"\x06")):
        request = b"\x40\x00\x07" + len(procedure).to_bytes(2, "big") + procedure
        assert client.ask(request + bytes([-sum(procedure) % 256])) == b"\x00"
        assert client.read(8) == procedure[:3] + result
    assert client.ask(b"\x30\x00\x2a") == b"\x03"  # passwords are never shown
    client.ask(b"\x21")
    client.close()


def test_a_client_that_dies_in_mid_packet_leaves_the_port_usable(served):
    dying = PlainClient(served.link)
    dying.put(bytes.fromhex("ee0000000001"))
    dying.close()
    client = PlainClient(served.link)
    assert client.get(1) == b"\x15"  # the packet ended half a second after its last byte
    client.start()
    assert client.read(5)
    client.ask(b"\x21")
    client.close()


def test_a_client_that_reads_nothing_does_not_stop_the_meter(served):
    deaf = PlainClient(served.link)
    for _ in range(3000):
        os.write(deaf._file, b"\x15\x06")
    deaf.close()
    client = PlainClient(served.link)
    client.start()
    assert client.read(5)
    client.ask(b"\x21")
    client.close()


def test_the_logs_name_packets_and_fields_and_no_password(served):
    client = PlainClient(served.link)
    client.start(negotiate=bytes.fromhex("6101001006"))
    assert client.ask(b"\x51" + b"FAKE-MASTER".ljust(20)) == b"\x00"
    client.read(23)
    assert client.ask(b"\x3f\x00\x34\x00\x00\x00\x00\x06")[0] == 0
    client.ask(b"\x21")
    client.close()
    _wait_for(served.text, "Terminate")
    text = served.text.read_text()
    assert "Read ST-23" in text
    assert "summation 0: active energy delivered: " in text
    assert "clock: 2026-03-02 01:0" in text
    assert "Security (password not shown)" in text
    raw = served.log.read_text()
    for line in raw.splitlines():
        assert set(json.loads(line)) == {"t_ns", "direction", "kind", "text", "hex", "fields"}
    assert b"FAKE-MASTER".hex() not in raw


def test_a_serial_port_is_served_too():
    master, slave = os.openpty()
    try:
        with Served(Path(os.ttyname(slave)), "--quiet", where="--port"):
            client = PlainClient(os.dup(master))
            client.start()
            assert client.read(1)[-16:] == b"SIM0000000000001"
            assert client.ask(b"\x21") == b"\x00"
            client.close()
    finally:
        os.close(master)
        os.close(slave)


def _wait_for(path, word):
    """Wait until the last line but a few of a growing file holds a word."""
    end_s = time.monotonic() + WAIT_S
    while word not in path.read_text()[-400:]:
        assert time.monotonic() < end_s
        select.select([], [], [], 0.01)


def test_scenario_faults_and_options_on_the_command_line(tmp_path):
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        """
        [meter]
        serial = "SIM0000000000088"
        forward_wh = 1000
        [[fault]]
        name = "zero"
        reads = 1
        [[change]]
        name = "multiplier"
        to = 3
        """
    )
    options = ("--serial", "SIM1", "--fault", "refuse,table=5,reply=locked")
    with Served(tmp_path / "m", "--scenario", scenario, *options) as program:
        client = PlainClient(program.link)
        client.start()
        assert client.read(1)[-16:].strip() == b"SIM1"
        assert client.read(23) == bytes(12)
        assert client.read(23)[:2] == (1000).to_bytes(2, "little")
        assert client.read(0x801)[4] == 3
        assert client.ask(b"\x30\x00\x05") == b"\x08"
        client.ask(b"\x21")
        client.close()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[meter]\nhue = 3", "no 'hue' in [meter]"),
        ("[meter]\nserial = 3", "wrong type"),
        ("[meter]\nform = '9S'", "not supported"),
        ("[meter]\npatch = 'maybe'", "right, missing, wrong"),
        ("[meter]\nclock = 'noon'", "no date"),
        ("[load]\nprofile = 'moon'", "no load profile"),
        ("meter = 3", "write [meter]"),
        ("fault = 3", "[[fault]]"),
        ("[[fault]]\nname = 'smoke'", "no fault 'smoke'"),
        ("[[fault]]\nname = 'zero'\nat_s = 'soon'", "no number"),
        ("start_s = -1", "starts 0 to"),
        ("[line]\nturnaround_ms = 5000", "0.175 to 1000"),
        ("= nonsense", "no TOML"),
    ],
)
def test_a_wrong_scenario_is_one_sentence(tmp_path, text, cause, capsys):
    from wattline.cli.app import main

    scenario = tmp_path / "s.toml"
    scenario.write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(["meter", "serve", "--pty", str(tmp_path / "m"), "--scenario", str(scenario)])
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert cause in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("fault", ["lost,rate", "zero@soon", "refuse,table=x"])
def test_a_wrong_fault_is_one_sentence(tmp_path, fault, capsys):
    from wattline.cli.app import main

    with pytest.raises(SystemExit):
        main(["meter", "serve", "--pty", str(tmp_path / "m"), "--fault", fault])
    assert capsys.readouterr().err.count("\n") == 1


def test_faults_are_listed():
    result = wattline("meter", "faults", "--json")
    names = {row["name"] for row in json.loads(result.stdout)}
    assert {"lost", "repeated", "frozen", "zero", "brown-out", "swap"} <= names
