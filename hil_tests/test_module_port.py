"""The programming port: what a C12.18 client with an opto probe can and cannot do (R57, R117)."""

import json

import pytest
from probe import Probe
from station import meter

from endpoint import programming
from endpoint.line import command
from endpoint.optical import access, services
from wattline.image import boards

PASSWORDS = {
    "read_password": "READ-PASS",
    "write_password": "WRITE-PASS",
    "admin_password": "ADMIN-PASS",
}
READ, WRITE, ADMIN = (secret.encode() for secret in PASSWORDS.values())
PROGRAM_UART = boards.data("FASY_0624_0004").PROGRAM_UART


def texts(fields):
    """Return secrets as the module takes them."""
    return json.dumps({name: secret.encode().hex() for name, secret in fields.items()}).encode()


def probe_at(station):
    return Probe(station.module, station.module.uart[PROGRAM_UART])


@pytest.fixture(scope="module")
def keyed(station):
    """A running module that has passwords; whoever uses it leaves them and ends its session."""
    return running(station)


@pytest.fixture
def own(station):
    """Such a module for one test alone."""
    return running(station)


def running(station):
    made = station(meter(), passwords=PASSWORDS)
    made.until("read", 15)
    return made


def test_R57_a_virgin_module_is_programmed_through_its_port(label, station):
    station = station(meter(), programmed=False)
    station.run(3)
    probe = probe_at(station)
    assert probe.open() == services.OK
    settings = json.dumps({"eid": 4711, "form": "2S", "poll_s": 10}).encode()
    assert probe.ask(services.write_request(programming.SETTINGS, settings)) == services.ISC
    assert probe.ask(services.security_request(label)) == services.OK
    assert probe.ask(services.write_request(programming.SETTINGS, settings)) == services.OK
    assert probe.ask(services.write_request(programming.KEYS, texts(PASSWORDS))) == services.OK
    assert json.loads(probe.read(programming.SETTINGS))["eid"] == 4711
    assert probe.procedure(programming.RESTART) == (access.DONE, b"")
    assert probe.close() == services.OK
    station.until("read", 15)
    assert station.status()["eid"] == 4711
    assert probe.open(label) == services.ERR, "the label ends with the first programming"


def test_R7_anyone_may_read_who_the_module_is_and_nothing_else(keyed):
    probe = probe_at(keyed)
    assert probe.open() == services.OK
    assert b"FASY0624" in probe.read(1)
    assert probe.read(5).strip() == str(keyed.status()["eid"]).encode()
    assert probe.read(0)[7] == 2
    assert probe.read(3)[0] == 1
    for table in (programming.STATUS, programming.SETTINGS, programming.READINGS):
        assert probe.ask(services.read_request(table)) == services.ISC
    assert probe.ask(services.read_request(programming.KEYS)) == services.ISC
    assert probe.close() == services.OK


def test_unauthenticated_commands_change_nothing(keyed):
    probe = probe_at(keyed)
    resets = len(keyed.resets)
    assert probe.open(READ) == services.OK
    before = probe.read(programming.SETTINGS)
    assert probe.ask(services.write_request(programming.SETTINGS, b'{"detent": false}')) == (
        services.ISC
    )
    assert probe.command(command.SET_DETENT, (0,)) == (access.NO_RIGHT, None)
    assert probe.procedure(programming.RESTART) == (access.NO_RIGHT, b"")
    assert probe.read(programming.SETTINGS) == before
    assert len(keyed.resets) == resets
    assert probe.close() == services.OK


def test_R21_a_multiplier_is_refused_and_nothing_is_stored(keyed):
    probe = probe_at(keyed)
    assert probe.open(WRITE) == services.OK
    before = probe.read(programming.SETTINGS)
    for bad in (b'{"ct": 40}', b'{"detent": false, "multiplier": 2}', b"{", b"\xff\xfe"):
        assert probe.ask(services.write_request(programming.SETTINGS, bad)) == services.ONP, bad
    assert json.loads(probe.read(programming.SETTINGS)) == json.loads(before)
    assert probe.close() == services.OK


def test_R77_net_and_detent_hold_each_other(keyed):
    probe = probe_at(keyed)
    assert probe.open(WRITE) == services.OK
    assert probe.command(command.SET_NET, (1,)) == (access.DONE, command.PENDING)
    assert probe.command(command.SET_DETENT, (0,)) == (access.CONFLICT, command.NEEDS_DETENT)
    settings = json.loads(probe.read(programming.SETTINGS))
    assert (settings["detent"], settings["net"]) == (True, True)
    assert probe.close() == services.OK


def test_lock_out_survives_a_reset(own):
    probe = probe_at(own)
    assert probe.open() == services.OK
    for i in range(5):
        assert probe.ask(services.security_request(b"WRONG-%d" % i)) == services.ERR
    good = services.security_request(READ)
    assert probe.ask(good) == services.BSY
    own.module.reset()
    own.run(1)
    assert probe.open() == services.OK
    assert probe.ask(good) == services.BSY


def test_keys_need_the_admin_and_are_never_read(own):
    probe = probe_at(own)
    new = texts({"write_password": "ANOTHER-ONE"})
    assert probe.open(WRITE) == services.OK
    assert probe.ask(services.write_request(programming.KEYS, new)) == services.ISC
    probe.close()
    assert probe.open(ADMIN) == services.OK
    assert probe.ask(services.read_request(programming.KEYS)) == services.ISC
    assert probe.ask(services.write_request(programming.KEYS, texts({"x": "y"}))) == services.ONP
    assert probe.ask(services.write_request(programming.KEYS, new)) == services.OK
    status = probe.read(programming.STATUS)
    for secret in (READ, WRITE, ADMIN, b"ANOTHER-ONE"):
        assert secret not in status and secret.hex().encode() not in status
    probe.close()
    assert probe.open(WRITE) == services.ERR
    probe.close()
    assert probe.open(b"ANOTHER-ONE") == services.OK


def test_a_session_that_breaks_off_leaves_the_next_one_free(keyed):
    probe = probe_at(keyed)
    assert probe.open(WRITE) == services.OK
    probe.client.abandon()
    probe.wait_until_base()
    assert probe.open() == services.OK
    assert probe.ask(services.read_request(programming.SETTINGS)) == services.ISC
    assert probe.close() == services.OK


def test_service_window_lends_the_console_and_closes_by_itself(own):
    """R42: mpremote works on this UART while the window is open, and never without it."""
    uart = own.module.uart[PROGRAM_UART]
    probe = probe_at(own)
    uart.send(b"\x03\x03\x01")
    own.run(0.5)
    assert own.resets == [], "Ctrl-C on the port is nothing without a window"
    probe.wait_until_base()
    assert probe.open(ADMIN) == services.OK
    assert probe.procedure(programming.SERVICE_WINDOW, b"\x00\x05\x06") == (access.DONE, b"")
    assert probe.close() == services.OK
    heard = bytearray()
    uart.on_byte = lambda value, t_ns: heard.append(value)
    own.run(1)
    uart.send(b"\x03")
    own.run(1)
    uart.send(b"\x01")
    own.run(0.5)
    for _ in range(2):
        heard.clear()
        uart.send(b"print(6 * 7)\x04")
        own.run(0.5)
        assert heard.startswith(b"OK42\r\n"), heard
        uart.send(b"\x04")  # a soft reset, as mpremote begins its work
        own.run(1)
    assert b"raw REPL" in heard
    heard.clear()
    uart.send(b"for n in range(30): print('%064d' % n)\n\x04")
    own.run(2.5)
    assert heard.startswith(b"OK" + b"".join(b"%064d\r\n" % n for n in range(30))), heard
    uart.send(b"\x02import machine; machine.reset()\r")
    own.until("read", 15)
    heard.clear()
    uart.send(b"\x03\x03\x01")
    own.run(1)
    assert b"raw REPL" not in heard, "the application's start closes the window"
