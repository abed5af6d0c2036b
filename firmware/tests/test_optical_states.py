"""C12.18: the whole table of states and services, every reply code, every time-out (R8)."""

from endpoint.optical import services
from endpoint.optical.client import C1218Client
from endpoint.optical.device import C1218Device, Tables
from endpoint.optical.kernels import crc16
from endpoint.optical.packet import SILENCE

BASE, ID, SESSION = 0, 1, 2

# Request, and where it leads from Base, ID and Session; None is refused with ISSS.
STATES = (
    (bytes([services.IDENTIFY]), (ID, None, None)),
    (services.negotiate_request(64, 1), (None, ID, None)),
    (services.negotiate_request(64, 1, b"\x06"), (None, ID, None)),
    (services.wait_request(5), (None, ID, SESSION)),
    (services.logon_request(1, b"X"), (None, SESSION, None)),
    (services.security_request(b"X"), (None, None, SESSION)),
    (services.read_request(5), (None, None, SESSION)),
    (services.read_offset_request(5, 1, 2), (None, None, SESSION)),
    (services.write_request(5, bytes(20)), (None, None, SESSION)),
    (services.write_offset_request(5, 1, b"ab"), (None, None, SESSION)),
    (bytes([services.LOGOFF]), (None, None, ID)),
    (bytes([services.TERMINATE]), (BASE, BASE, BASE)),
)
DATA_SERVICES = (0x31, 0x39, 0x3E, 0x41, 0x49)  # not offered here: ISSS first, then SNS


class Answer(Tables):
    """Refuses everything with `code`, unless it is 0."""

    code = 0

    def logon(self, user_id, user):
        return self.code

    def security(self, password):
        return self.code

    def size(self, table, writing):
        return -self.code if self.code else 20

    def read(self, table, offset, count, to, to_at):
        return self.code

    def write(self, table, offset, count, source, source_at):
        return self.code


class Talk:
    """A client in bytes: one request, one reply, acknowledgements done."""

    def __init__(self):
        self.device = C1218Device(Answer())
        self.toggle = 0
        self.now_ms = 0

    def ask(self, request, acknowledge=True):
        self.toggle ^= 0x20
        body = bytes([0xEE, 0, self.toggle, 0, 0, len(request)]) + request
        crc = crc16(body, len(body))
        data = body + bytes([crc & 0xFF, crc >> 8])
        device = self.device
        device.feed(data, len(data), self.now_ms)
        reply = bytes(device.tx[: device.tx_count])
        device.sent(self.now_ms)
        assert reply[0] == 0x06 and reply[1] == 0xEE
        if acknowledge:
            device.feed(b"\x06", 1, self.now_ms)
        return reply[7]

    def bring_to(self, state):
        self.ask(STATES[-1][0])
        if state >= ID:
            assert self.ask(STATES[0][0]) == 0
        if state == SESSION:
            assert self.ask(services.logon_request(1, b"X")) == 0
        assert self.device._state == state


def test_R8_every_service_in_every_state():
    talk = Talk()
    for request, leads in STATES:
        for state in (BASE, ID, SESSION):
            talk.bring_to(state)
            code = talk.ask(request)
            if leads[state] is None:
                assert code == services.ISSS, (request, state)
                assert talk.device._state == state
            else:
                assert code == services.OK, (request, state)
                assert talk.device._state == leads[state], (request, state)


def test_services_that_are_not_offered():
    talk = Talk()
    for code in DATA_SERVICES:
        for state, reply in ((BASE, 0x0A), (ID, 0x0A), (SESSION, 0x02)):
            talk.bring_to(state)
            assert talk.ask(bytes([code]) + bytes(8)) == reply, code
    for code in range(256):
        known = (0x20, 0x21, 0x70)
        if code in known or 0x30 <= code <= 0x52 or 0x60 <= code <= 0x6B:
            continue
        for state in (BASE, ID, SESSION):
            talk.bring_to(state)
            assert talk.ask(bytes([code])) == services.SNS, code
            assert talk.device._state == state


def test_requests_of_a_wrong_length_change_nothing():
    talk = Talk()
    for request, leads in STATES:
        for state in (ID, SESSION, BASE):
            if leads[state] is None or len(request) < 2:
                continue
            for wrong in (request[:-1], request + b"\x00"):
                talk.bring_to(state)
                assert talk.ask(wrong) in (services.ERR, services.ONP), (wrong, state)
                assert talk.device._state == state
    for request in (b"\x20\x00", b"\x21\x00", b"\x52\x00"):
        talk.bring_to(BASE if request[0] < 0x50 else SESSION)
        assert talk.ask(request) == services.ERR


def test_every_reply_code_of_the_tables_reaches_the_client():
    for code in range(1, 0x1F):
        talk = Talk()
        talk.bring_to(SESSION)
        talk.device._tables.code = code
        for request in (services.read_request(5), services.write_request(5, bytes(20))):
            assert talk.ask(request) == code
        client = C1218Client()
        client.start(services.read_request(5), 0)
        client.sent(0)
        body = bytes([0xEE, 0, 0, 0, 0, 1, code])
        crc = crc16(body, len(body))
        data = b"\x06" + body + bytes([crc & 0xFF, crc >> 8])
        client.feed(data, len(data), 1)
        assert client.error == code and not client.busy


def test_the_state_changes_only_with_the_acknowledgement_of_terminate():
    talk = Talk()
    talk.bring_to(SESSION)
    assert talk.ask(bytes([services.TERMINATE]), acknowledge=False) == 0
    assert talk.device._state == SESSION
    talk.device.tick(2100)
    assert talk.device.tx_count == 9  # the same reply again
    talk.device.sent(2100)
    talk.device.feed(b"\x06", 1, 2200)
    assert talk.device._state == BASE


def test_six_seconds_of_silence_end_a_session_and_wait_makes_it_longer():
    for wait_s, ends_ms in ((None, 6000), (1, 1000), (60, 60000), (255, 255000)):
        talk = Talk()
        talk.bring_to(SESSION)
        if wait_s:
            assert talk.ask(services.wait_request(wait_s)) == 0
        assert talk.device.deadline_ms() == ends_ms
        talk.device.tick(ends_ms - 1)
        assert talk.device._state == SESSION
        talk.device.tick(ends_ms)
        assert talk.device._state == BASE
        assert talk.device.deadline_ms() is None
    talk = Talk()
    talk.bring_to(SESSION)
    talk.ask(services.wait_request(60))
    talk.now_ms = 30000
    assert talk.ask(services.read_request(5)) == 0  # the next packet ends the longer patience
    assert talk.device.deadline_ms() == 36000


def test_a_device_gives_up_an_unheard_reply_after_three_repeats():
    talk = Talk()
    talk.bring_to(SESSION)
    talk.ask(services.wait_request(60))
    talk.ask(services.read_request(5), acknowledge=False)
    repeats = 0
    while talk.device._state != BASE:
        talk.now_ms = talk.device.deadline_ms()
        talk.device.tick(talk.now_ms)
        if talk.device.tx_count:
            repeats += 1
            talk.device.sent(talk.now_ms)
    assert repeats == 2  # two of the three fit into the six seconds without any traffic
    assert talk.now_ms == 6000


def test_a_client_waits_six_seconds_for_the_reply_behind_its_acknowledgement():
    client = C1218Client()
    client.start(bytes([services.IDENTIFY]), 0)
    client.sent(0)
    client.feed(b"\x06", 1, 20)
    assert client.deadline_ms() == 6020
    client.tick(6019)
    assert client.busy
    client.tick(6020)
    assert client.error == SILENCE and not client.busy


def test_after_a_lost_link_only_identify_opens_another():
    """A late reply of the lost session must not be taken for that of a new request."""
    client = C1218Client()
    client.start(services.logon_request(1, b"X"), 0)
    client.sent(0)
    body = bytes([0xEE, 0, 0, 0, 0, 1, 0])
    crc = crc16(body, len(body))
    reply = body + bytes([crc & 0xFF, crc >> 8])
    client.feed(b"\x06" + reply, 10, 10)
    client.sent(10)
    client.tick(6010)
    client.start(services.write_request(5, bytes(20)), 7000)
    assert client.error == SILENCE and not client.busy and client.tx_count == 0
    client.start(bytes([services.IDENTIFY]), 7000)
    assert client.busy and client.tx_count == 9
