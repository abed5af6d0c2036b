"""C12.18: other rates, heads that echo, waking: what the client does about the line (R8, R11)."""

import micropython
from optical_wire import Wire

from endpoint.optical import services
from endpoint.optical.client import (
    BAD_REPLY,
    ECHO_DETECT,
    ECHO_DROP,
    ECHO_NONE,
    OWN_ECHO,
    C1218Client,
)
from endpoint.optical.device import C1218Device, Tables
from endpoint.optical.kernels import crc16
from endpoint.optical.packet import SILENCE

IDENTIFY = bytes([services.IDENTIFY])
LOGON = services.logon_request(1, b"X")
TERMINATE = bytes([services.TERMINATE])


class Twenty(Tables):
    """Table 5 has 20 bytes, all of them harmful to a careless receiver."""

    def size(self, table, writing):
        return 20

    def read(self, table, offset, count, to, to_at):
        for i in range(count):
            to[to_at + i] = (0x06, 0x15, 0xEE, 0x55)[offset + i & 3]
        return services.OK


class Heard:
    """A wire that carries nothing when the ends disagree about the rate, and may echo."""

    def __init__(self, client, device, echo=None):
        self.client = client
        self.device = device
        self.echo = echo
        self.now_ms = 0
        self.rates = []

    def ask(self, request):
        client, device = self.client, self.device
        client.start(request, self.now_ms)
        while client.busy:
            if not self._carry(client, device, self.echo) and not self._carry(device, client):
                due = client.deadline_ms()
                other = device.deadline_ms()
                self.now_ms = due if other is None else min(due, other)
                client.tick(self.now_ms)
                device.tick(self.now_ms)
        while self._carry(client, device, self.echo) or self._carry(device, client):
            pass
        return client.error

    def _carry(self, source, target, echo=None):
        count = source.tx_count
        if not count:
            return False
        data = bytes(source.tx[:count])
        rate = source.baud_bps
        self.rates.append(rate)
        source.sent(self.now_ms)
        self.now_ms += count
        if echo is not None:
            heard = echo(data)
            if heard:
                source.feed(heard, len(heard), self.now_ms)
        if target.baud_bps == rate:
            target.feed(data, len(data), self.now_ms)
        return True


def test_every_rate_of_the_list_is_negotiated_and_left_again():
    for code in range(1, len(services.BAUDS)):
        rate = services.BAUDS[code]
        wire = Heard(C1218Client(), C1218Device(Twenty(), baud_codes=bytes([code])))
        assert wire.ask(IDENTIFY) == services.OK
        assert wire.ask(services.negotiate_request(64, 1, bytes([code]))) == services.OK
        assert set(wire.rates) == {9600}  # also the acknowledgement of the reply
        assert wire.client.baud_bps == wire.device.baud_bps == rate
        wire.rates = []
        assert wire.ask(LOGON) == services.OK
        assert wire.ask(services.read_request(5)) == services.OK
        assert wire.ask(TERMINATE) == services.OK
        assert set(wire.rates) == {rate}
        assert wire.client.baud_bps == wire.device.baud_bps == 9600
        assert wire.ask(IDENTIFY) == services.OK


def test_the_fastest_rate_that_both_know_is_taken():
    offer = services.baud_codes((9600, 300, 57600, 19200, 1))
    assert offer == b"\x0a\x08\x06\x01"
    assert services.baud_codes(services.BAUDS) == bytes([14, 13, 12, 10, 11, 9, 8, 7, 6, 5, 4])
    for codes, rate in ((b"\x06\x08\x0c", 19200), (b"\x0a", 57600), (b"\x01\x06", 9600)):
        for order in (offer, bytes(reversed(offer))):
            wire = Heard(C1218Client(), C1218Device(Twenty(), baud_codes=codes))
            wire.ask(IDENTIFY)
            assert wire.ask(services.negotiate_request(64, 1, order)) == services.OK
            assert wire.client.baud_bps == wire.device.baud_bps == rate


def test_no_common_rate_is_refused_and_the_session_goes_on():
    wire = Heard(C1218Client(), C1218Device(Twenty()))
    wire.ask(IDENTIFY)
    assert wire.ask(services.negotiate_request(64, 1, b"\x08\x0c")) == services.BSY
    assert wire.ask(LOGON) == services.OK
    assert wire.client.baud_bps == 9600


def test_a_request_right_after_negotiate_waits_for_the_old_rate_s_acknowledgement():
    client = C1218Client()
    device = C1218Device(Twenty(), baud_codes=b"\x08")
    wire = Heard(client, device)
    wire.ask(IDENTIFY)
    client.start(services.negotiate_request(64, 1, b"\x08"), 0)
    data = bytes(client.tx[: client.tx_count])
    client.sent(0)
    device.feed(data, len(data), 1)
    reply = bytes(device.tx[: device.tx_count])
    device.sent(1)
    client.feed(reply, len(reply), 2)
    assert not client.busy
    client.start(LOGON, 2)
    assert client.tx_count == 1 and client.baud_bps == 9600
    client.sent(2)
    assert client.tx_count > 20 and client.baud_bps == 19200
    assert client.busy


def test_a_failed_change_of_rate_ends_at_9600_again():
    wire = Heard(C1218Client(), C1218Device(Twenty(), baud_codes=b"\x08"))
    wire.ask(IDENTIFY)
    lost = []
    carry = wire._carry

    def lossy(source, target, echo=None):
        if source is wire.client and source.tx_count == 1 and not lost:
            lost.append(1)  # the acknowledgement that would switch the device
            source.sent(wire.now_ms)
            return True
        return carry(source, target, echo)

    wire._carry = lossy
    assert wire.ask(services.negotiate_request(64, 1, b"\x08")) == services.OK
    assert wire.ask(LOGON) == SILENCE
    assert wire.client.baud_bps == 9600
    wire.now_ms += 7000
    wire.device.tick(wire.now_ms)
    wire.device.tick(wire.now_ms)
    assert wire.device.baud_bps == 9600
    assert wire.ask(IDENTIFY) == services.OK


def test_a_device_without_power_is_back_at_9600():
    wire = Heard(C1218Client(), C1218Device(Twenty(), baud_codes=b"\x08"))
    wire.ask(IDENTIFY)
    wire.ask(services.negotiate_request(64, 1, b"\x08"))
    device = wire.device
    wire.client.start(LOGON, wire.now_ms)
    count = wire.client.tx_count
    device.feed(wire.client.tx, count, wire.now_ms)
    assert device.tx_count and device.baud_bps == 19200
    device.close()
    assert device.tx_count == 0 and device.baud_bps == 9600
    assert device.deadline_ms() is None


def reply_to(client, request, reply):
    client.start(request, 0)
    client.sent(0)
    body = bytes([0xEE, 0, 0, 0, 0, len(reply)]) + reply
    crc = crc16(body, len(body))
    data = b"\x06" + body + bytes([crc & 0xFF, crc >> 8])
    client.feed(data, len(data), 1)
    client.sent(1)
    return client.error


def test_rates_in_the_reply_that_were_not_offered():
    for reply_code, error, rate in (
        (b"\x08", 0, 19200),
        (b"\x06", 0, 9600),  # it could serve none of them
        (b"\x00", 0, 9600),  # externally defined
        (b"", 0, 9600),
        (b"\x0c", BAD_REPLY, 9600),
        (b"\xff", BAD_REPLY, 9600),
    ):
        client = C1218Client()
        request = services.negotiate_request(64, 4, b"\x08")
        assert reply_to(client, request, b"\x00\x00\x40\x04" + reply_code) == error
        assert client.baud_bps == rate
    client = C1218Client()
    request = services.negotiate_request(64, 4)
    assert reply_to(client, request, b"\x00\x00\x40\x04\x0c") == 0
    assert client.baud_bps == 9600


def test_a_plain_reply_with_data_is_another_service_s():
    for request in (LOGON, services.security_request(b"x"), services.wait_request(9), TERMINATE):
        assert reply_to(C1218Client(), request, b"\x00\x00\x01\x00\x00") == BAD_REPLY


def all_services(wire):
    return [
        wire.ask(request)
        for request in (
            IDENTIFY,
            services.negotiate_request(64, 4),
            LOGON,
            services.read_request(5),
            services.read_offset_request(5, 3, 11),
            services.read_request(5),
            TERMINATE,
        )
    ]


def test_an_echo_is_named_if_nothing_is_done_about_it():
    wire = Heard(C1218Client(), C1218Device(Twenty()), echo=lambda data: data)
    assert wire.ask(IDENTIFY) == OWN_ECHO


def test_a_known_echo_is_dropped():
    client = C1218Client(packets=4, echo=ECHO_DROP)
    wire = Heard(client, C1218Device(Twenty()), echo=lambda data: data)
    assert all_services(wire) == [0] * 7


def test_an_echo_is_detected_and_dropped_from_then_on():
    client = C1218Client(packets=4, echo=ECHO_DETECT)
    wire = Heard(client, C1218Device(Twenty()), echo=lambda data: data)
    assert all_services(wire) == [0] * 7
    assert client.echo == ECHO_DROP


def test_an_echo_behind_noise_is_detected():
    client = C1218Client(packets=4, echo=ECHO_DETECT)
    wire = Heard(client, C1218Device(Twenty()), echo=lambda data: b"\x00\xff" + data)
    assert wire.ask(IDENTIFY) == 0
    assert client.echo == ECHO_DROP


def test_without_an_echo_detection_changes_nothing():
    client = C1218Client(packets=4, echo=ECHO_DETECT)
    wire = Heard(client, C1218Device(Twenty()))
    assert all_services(wire) == [0] * 7
    assert client.echo == ECHO_DETECT
    # A reply that overtook its acknowledgement begins like an echo and is none.
    client.start(IDENTIFY, wire.now_ms)
    client.sent(wire.now_ms)
    body = bytes([0xEE, 0, client._packet[2], 0, 0, 5]) + b"\x00\x00\x01\x00\x00"
    crc = crc16(body, len(body))
    data = body + bytes([crc & 0xFF, crc >> 8])
    for at in range(len(data)):
        client.feed(data[at : at + 1], 1, wire.now_ms)
    assert client.error == 0 and not client.busy
    assert client.data_count == 4


def test_a_damaged_echo_does_not_end_the_session():
    state = [0]

    def lossy(data):
        state[0] += 1
        at = state[0] * 7 % len(data)
        if state[0] % 3 == 0:
            return data[:at] + data[at + 1 :]
        if state[0] % 3 == 1:
            return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        return data

    for _ in range(20):
        client = C1218Client(packets=4, echo=ECHO_DROP)
        wire = Heard(client, C1218Device(Twenty()), echo=lossy)
        for error in all_services(wire):
            assert error in (0, SILENCE, services.ISSS)


def test_echo_in_single_bytes():
    client = C1218Client(packets=4, echo=ECHO_DETECT)
    device = C1218Device(Twenty())
    client.start(IDENTIFY, 0)
    data = bytes(client.tx[: client.tx_count])
    client.sent(0)
    for at in range(len(data)):
        client.feed(data[at : at + 1], 1, at)
    assert client.echo == ECHO_DROP
    device.feed(data, len(data), 10)
    reply = bytes(device.tx[: device.tx_count])
    assert client.expected_bytes() == 9 + 1
    for at in range(len(reply)):
        client.feed(reply[at : at + 1], 1, at + 10)
    assert client.error == 0 and not client.busy


def test_a_wake_byte_goes_ahead_and_is_ignored_by_the_device():
    for echo in (ECHO_NONE, ECHO_DROP):
        client = C1218Client(echo=echo)
        wire = Heard(client, C1218Device(Twenty()), echo=(lambda data: data) if echo else None)
        client.wake()
        assert bytes(client.tx[: client.tx_count]) == b"\x55"
        wire._carry(client, wire.device, wire.echo)
        assert wire.device.tx_count == 0
        wire.now_ms += 50
        assert wire.ask(IDENTIFY) == 0


def test_packets_of_another_data_format_are_acknowledged_and_ignored():
    device = C1218Device(Twenty())
    body = bytes([0xEE, 0, 0x01, 0, 0, 1, 0x20])
    crc = crc16(body, len(body))
    data = body + bytes([crc & 0xFF, crc >> 8])
    device.feed(data, len(data), 0)
    assert bytes(device.tx[: device.tx_count]) == b"\x06"


def test_wait_of_0_seconds_changes_nothing():
    wire = Wire(C1218Client(), C1218Device(Twenty()))
    for request in (IDENTIFY, LOGON, services.wait_request(0)):
        wire.client.start(request, wire.now_ms)
        wire.run(lambda: not wire.client.busy)
        assert wire.client.error == 0
    wire.now_ms += 3000
    wire.device.tick(wire.now_ms)
    wire.client.start(services.read_request(5), wire.now_ms)
    wire.run(lambda: not wire.client.busy)
    assert wire.client.error == 0


def test_dropping_an_echo_allocates_nothing():
    client = C1218Client(echo=ECHO_DROP)
    device = C1218Device(Twenty())
    wire = Heard(client, device, echo=lambda data: data)
    assert wire.ask(IDENTIFY) == 0 and wire.ask(LOGON) == 0
    request = services.read_offset_request(5, 0, 8)
    tx, rx = client.tx, device.tx
    now = wire.now_ms
    micropython.heap_lock()
    client.start(request, now, 12)
    count = client.tx_count
    client.sent(now)
    client.feed(tx, count, now)
    device.feed(tx, count, now)
    count = device.tx_count
    device.sent(now)
    client.feed(rx, count, now)
    micropython.heap_unlock()
    assert client.error == 0 and not client.busy
