"""The simulated meter's port, its tables, its log, and `wattline meter serve` on a pty."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_wire import Rig

from endpoint.meter import errors
from endpoint.meter.focus import FocusReader
from endpoint.optical import services, tables
from endpoint.optical.client import C1218Client
from endpoint.optical.device import C1218Device
from endpoint.optical.kernels import crc16
from wattline.meter.faults import NAMES, Faults
from wattline.meter.focus_al import FocusAL
from wattline.meter.port import TURNAROUND_NS, MeterPort
from wattline.meter.serve import PtyWire, serve
from wattline.optical.listener import Listener

IDENTIFY = bytes.fromhex("ee0000000001201310")


class Direct:
    """A client on the meter without a wire: every byte arrives at once."""

    def __init__(self, meter):
        self.meter = meter
        self.client = C1218Client(256, 8, 1024)
        self.now_ns = 0

    def ask(self, request):
        client, device = self.client, self.meter.device
        client.start(request, self.now_ns // 1_000_000)
        while client.tx_count or device.tx_count:
            self.now_ns += 10_000_000
            now_ms = self.now_ns // 1_000_000
            self.meter.now_ns = self.now_ns
            for source, target in ((client, device), (device, client)):
                data = bytes(source.tx[: source.tx_count])
                source.sent(now_ms)
                target.feed(data, len(data), now_ms)
        assert not client.busy
        return client.error

    def read(self, table):
        assert self.ask(services.read_request(table)) == services.OK
        return bytes(self.client.message[3 : 3 + self.client.data_count])

    def open(self, password=None):
        self.ask(bytes([services.IDENTIFY]))
        self.ask(services.negotiate_request(256, 8))
        self.ask(services.logon_request(1, b"TEST"))
        return self.ask(services.security_request(password)) if password else services.OK


def test_answer_keeps_the_turnaround_silence():
    sent, calls = [], []
    meter = FocusAL()
    port = MeterPort(
        meter, lambda data, at_ns: sent.append((data, at_ns)), lambda *call: calls.append(call)
    )
    for i, value in enumerate(IDENTIFY):
        port.on_byte(value, 1_000_000 * i)
    ((data, at_ns),) = sent
    assert data == b"\x06" + bytes.fromhex("ee00000000050000010000c6b5")
    assert at_ns == 8_000_000 + TURNAROUND_NS
    assert len(calls) <= 2


def test_dark_meter_is_silent():
    sent = []
    meter = FocusAL()
    meter.set_lit(5, False)
    port = MeterPort(meter, lambda *call: sent.append(call), lambda *call: None)
    port.on_bytes(IDENTIFY, 10)
    assert sent == []
    meter.set_lit(20, True)
    port.on_bytes(IDENTIFY, 30)
    assert len(sent) == 1


@pytest.mark.parametrize("options", [{}, {"form": "12S", "most_first": True}, {"pulse_wh": 6}])
def test_st0_tells_the_truth_about_every_table(options):
    meter = FocusAL(**options)
    direct = Direct(meter)
    direct.open()
    config = tables.Config(direct.read(0))
    for base in (0, tables.MT):
        for number in range(80):
            error = direct.ask(services.read_request(base | number))
            if number in (7, 42) and not base:
                assert error in (services.IAR, services.ISC)
            else:
                assert (error == services.OK) == config.uses(base | number), number


def test_rights():
    meter = FocusAL(read_password=b"FAKE-READ", write_password=b"FAKE-WRITE")
    direct = Direct(meter)
    assert direct.open() == services.OK
    write = services.write_request(5, b"SIM-NEW".ljust(20))
    for table in (0, 1, 3, 5):
        assert direct.ask(services.read_request(table)) == services.OK
    assert direct.ask(services.read_request(23)) == services.ISC
    assert direct.ask(write) == services.ISC
    assert direct.ask(services.security_request(b"FAKE-READ", b" ")) == services.OK
    assert direct.ask(services.read_request(23)) == services.OK
    assert direct.ask(services.read_request(42)) == services.ISC
    assert direct.ask(write) == services.ISC
    assert direct.ask(services.security_request(b"nonsense")) == services.ERR
    assert direct.ask(services.read_request(23)) == services.OK
    assert direct.ask(services.security_request(b"FAKE-WRITE")) == services.OK
    assert direct.ask(write) == services.OK
    assert direct.read(5) == b"SIM-NEW".ljust(20)
    assert direct.ask(services.write_request(1, bytes(32))) == services.IAR
    direct.ask(bytes([services.LOGOFF]))
    direct.ask(services.logon_request(1, b"TEST"))
    assert direct.ask(services.read_request(23)) == services.ISC


@pytest.mark.parametrize("most_first", [False, True])
def test_R87_sixteen_display_places_under_a_level(most_first):
    order = "big" if most_first else "little"
    meter = FocusAL(display=[2, 2, 0], most_first=most_first)
    direct = Direct(meter)
    direct.open()
    before = direct.read(33)
    assert before[2] == 3
    grow = services.write_offset_request(33, 9, (12).to_bytes(2, order))
    assert direct.ask(grow) == services.ISC
    direct.ask(services.security_request(b"FAKE-WRITE"))
    assert direct.ask(grow) == services.OK
    assert direct.ask(services.write_offset_request(33, 2, b"\x04")) == services.OK
    assert meter.display.items == [2, 2, 0, 12]
    assert direct.read(33)[3:9] == before[3:9]
    assert direct.ask(services.write_offset_request(33, 2, b"\x11")) == services.ONP
    assert meter.display.items == [2, 2, 0, 12]
    value = (-5).to_bytes(4, order, signed=True)
    assert direct.ask(services.write_offset_request(tables.MT | 2, 8, value)) == services.OK
    assert meter.maker.guest_values()[:4] == [0, 0, -5, 0]


@pytest.mark.parametrize("most_first", [False, True])
def test_elements_by_index(most_first):
    meter = FocusAL(index_access=True, most_first=most_first, forward_wh=5, reverse_wh=77)
    direct = Direct(meter)
    direct.open()
    assert direct.read(0)[1] == 0x18
    whole = direct.read(21)

    def element(table, indexes, count):
        error = direct.ask(services.read_index_request(table, indexes, count))
        client = direct.client
        data = bytes(client.message[client.data_at : client.data_at + client.data_count])
        return data if error == services.OK else error

    assert element(21, (3,), 1) == whole[3:4]
    assert element(23, (1, 0, 1), 1) == (77).to_bytes(4, "big" if most_first else "little")
    assert element(23, (99,), 1) == services.ONP
    assert element(0x803, (0,), 1) == services.ONP
    assert FocusAL().index_access is False


def test_procedures():
    meter = FocusAL(forward_wh=5000)
    direct = Direct(meter)
    direct.open()

    def run(number, parameters=b""):
        request = number.to_bytes(2, "little") + b"\x2a" + parameters
        assert direct.ask(services.write_request(7, request)) == services.OK
        answer = direct.read(8)
        assert answer[:3] == request[:3]
        return answer[3:]

    assert run(9, b"\x01") == b"\x05"  # no right to do that
    direct.ask(services.security_request(b"FAKE-WRITE"))
    meter.outages = 4
    assert run(9, b"\x01") == b"\x00\x01"
    assert meter.outages == 0
    assert run(10, bytes(7)) == b"\x06"
    assert run(3) == b"\x00"
    assert meter.register_wh(direct.now_ns) == (0, 0)


def test_listener_puts_packets_into_words():
    heard = []
    meter = FocusAL()
    reader = FocusReader()
    rig = Rig(meter, reader)
    listener = Listener(heard.append)
    rig.port._log = listener.hear
    rig.poll()
    texts = [event["text"] for event in heard if event["kind"] == "packet"]
    assert texts[0] == "Identify"
    assert texts[1] == "ok, standard 0, version 1.0"
    assert "Negotiate 128 bytes × 8 packets, baud [9600]" in texts
    assert "Logon as 'WATTLINE', id 1" in texts
    assert "Read ST-23, 8 bytes from 0" in texts
    assert "Read MT-1, 6 bytes from 0" in texts
    assert texts[-2:] == ["Terminate", "ok"]
    assert {event["kind"] for event in heard} == {"ack", "packet"}


@settings(max_examples=100, deadline=None)
@given(data=st.lists(st.tuples(st.sampled_from("CM"), st.binary(max_size=40)), max_size=20))
def test_listener_survives_anything(data):
    listener = Listener(lambda event: json.dumps(event))
    for direction, part in data:
        listener.hear(direction, part, 0)


def packets(data):
    """Return some bytes wrapped as packets with a right CRC."""
    body = bytes([0xEE, 0, data[0] & 0xE0, data[0] & 3, 0, len(data)]) + data
    return body + crc16(body, len(body)).to_bytes(2, "little")


pieces = st.one_of(
    st.binary(max_size=30),
    st.binary(min_size=1, max_size=56).map(packets),
    st.sampled_from([0x20, 0x21, 0x30, 0x3F, 0x40, 0x4F, 0x50, 0x51, 0x52, 0x61, 0x70]).flatmap(
        lambda code: st.binary(max_size=30).map(lambda rest: packets(bytes([code]) + rest))
    ),
    st.just(b"\x06"),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(pieces, st.integers(0, 3000)), max_size=40))
def test_fuzz_the_meter(script):
    meter = FocusAL()
    device = meter.device
    now_ms = 0
    for data, pause_ms in script:
        now_ms += pause_ms
        meter.now_ns = now_ms * 1_000_000
        device.tick(now_ms)
        device.feed(data, len(data), now_ms)
        assert device.tx_count <= len(device.tx)
        device.sent(now_ms)
    device.tick(now_ms + 20_000)
    device.sent(now_ms)
    device.tick(now_ms + 300_000)
    assert device.deadline_ms() is None or device.deadline_ms() > now_ms
    reader = FocusReader()
    rig = Rig(meter, reader)
    rig.now_ns = (now_ms + 400_000) * 1_000_000
    rig.poll()
    assert reader.error == errors.OK


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(pieces, st.integers(0, 3000)), max_size=40))
def test_fuzz_the_client_and_reader(script):
    reader = FocusReader()
    now_ms = 0
    for data, pause_ms in script:
        now_ms += pause_ms
        if reader.done:
            reader.start(now_ms)
        reader.sent(now_ms)
        reader.feed(data, len(data), now_ms)
        reader.tick(now_ms)
    end_ms = now_ms + 100_000
    while not reader.done:
        reader.sent(now_ms)
        assert reader.deadline_ms() < end_ms
        now_ms = max(now_ms, reader.deadline_ms())
        reader.tick(now_ms)
    assert reader.error != errors.OK or reader.reading.serial == b""


def test_faults_are_repeatable_and_named():
    data = bytes(range(200))
    for name in NAMES:
        one, two = Faults(name, 0.2, 9), Faults(name, 0.2, 9)
        assert one.apply(data) == two.apply(data)
    assert Faults().apply(data) == [(data, 0)]
    assert b"".join(part for part, _ in Faults("late", 0.5).apply(data)) == data
    assert Faults("lost-acks", 1.0).apply(b"\x06\xee") == [(b"\xee", 0)]
    for name, rate in (("smoke", 0.1), ("lost", 2)):
        with pytest.raises(ValueError, match="fault"):
            Faults(name, rate)


def test_late_bytes_keep_their_order():
    meter = FocusAL()
    calls, heard = [], []
    port = MeterPort(
        meter,
        lambda *call: None,
        lambda *call: calls.append(call),
        faults=Faults("late", 0.5, 3),
        log=lambda direction, data, t_ns: heard.append((direction, data)),
    )
    for i, value in enumerate(IDENTIFY):
        port.on_byte(value, 1_000_000 * i)
    while calls:
        calls.sort(key=lambda call: call[0])
        at_ns, function = calls.pop(0)
        if at_ns > 20_000_000_000:
            break
        function(at_ns)
    assert b"".join(data for direction, data in heard if direction == "C") == IDENTIFY


def test_serve_answers_on_a_pty(tmp_path):
    wire = PtyWire(tmp_path / "meter")
    meter = FocusAL(forward_wh=777_000)
    thread = threading.Thread(target=serve, args=(meter, wire), kwargs={"run_s": 5}, daemon=True)
    thread.start()
    reader = FocusReader()
    port = os.open(tmp_path / "meter", os.O_RDWR | os.O_NOCTTY)
    os.set_blocking(port, False)

    def now_ms():
        return time.monotonic_ns() // 1_000_000

    end_ms = now_ms() + 4000
    reader.start(now_ms())
    while not reader.done and now_ms() < end_ms:
        if reader.tx_count:
            os.write(port, bytes(reader.tx[: reader.tx_count]))
            reader.sent(now_ms())
        try:
            data = os.read(port, 4096)
        except BlockingIOError:
            data = b""
        if data:
            reader.feed(data, len(data), now_ms())
        reader.tick(now_ms())
    os.close(port)
    assert reader.done
    assert reader.error == errors.OK
    assert reader.reading.forward_wh == 777_000


_MAIN = "from wattline.cli.app import main; main()"


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-c", _MAIN, "meter", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_serve_says_what_is_wrong_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("kept")
    for arguments, expected in (
        ((), "either --pty LINK or --port NAME"),
        (("--port", "/dev/no-such-port"), "Cannot open the serial port"),
        (("--pty", str(tmp_path / "file")), "name a path that is free"),
        (("--pty", str(tmp_path / "x"), "--form", "9S"), "not supported"),
    ):
        result = command(*arguments)
        assert result.returncode == 2, arguments
        assert expected in result.stderr
        assert result.stderr.count("\n") == 1
        assert "Traceback" not in result.stderr
    assert (tmp_path / "file").read_text() == "kept"


def test_serve_leaves_nothing_behind(tmp_path):
    link, log = tmp_path / "meter", tmp_path / "log.json"
    result = command("--pty", str(link), "--seconds", "0.2", "--json-log", str(log))
    assert result.returncode == 0
    assert "Meter SIM0000000000001, form 2S at 240 V" in result.stdout
    assert not link.is_symlink()
    assert log.read_text() == ""


def test_device_serves_nothing_twice_on_a_bad_line():
    """Writes are counted: one request, at most one execution, whatever the line does."""
    executed = 0
    for seed in range(60):
        meter = FocusAL()
        writes = []
        meter.writers[5] = lambda offset, data, w=writes: w.append(data) or services.OK
        faults = Faults(NAMES[seed % len(NAMES)], 0.02, seed)
        Rig(meter, WriteReader(), faults).poll()
        assert len(writes) <= 1
        executed += len(writes)
    assert executed > 20


class WriteReader:
    """Drives one write through a session, with the reader's interface."""

    def __init__(self):
        self._client = C1218Client()
        self._steps = [
            bytes([services.IDENTIFY]),
            services.logon_request(1, b"T"),
            services.security_request(b"FAKE-WRITE"),
            services.write_request(5, b"ONE".ljust(20)),
            bytes([services.TERMINATE]),
        ]
        self.tx = self._client.tx
        self.done = False

    def start(self, now_ms):
        self._client.start(self._steps.pop(0), now_ms)

    def _go_on(self, now_ms):
        if not self._client.busy:
            if self._client.error or not self._steps:
                self.done = True
            else:
                self.start(now_ms)

    @property
    def tx_count(self):
        return self._client.tx_count

    def deadline_ms(self):
        return self._client.deadline_ms()

    def sent(self, now_ms):
        self._client.sent(now_ms)

    def feed(self, data, count, now_ms):
        self._client.feed(data, count, now_ms)
        self._go_on(now_ms)

    def tick(self, now_ms):
        self._client.tick(now_ms)
        self._go_on(now_ms)


def test_device_grants_at_most_its_own_packet_size():
    meter = FocusAL(packet_bytes=96, packets=3)
    assert isinstance(meter.device, C1218Device)
    direct = Direct(meter)
    direct.open()
    assert (direct.client.packet_bytes, direct.client.packets) == (96, 3)
