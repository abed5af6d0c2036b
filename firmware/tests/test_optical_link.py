"""C12.18 data link: time-outs, duplicates, segments, limits; and what allocates (R8, R11)."""

import micropython
from optical_wire import Wire

from endpoint.optical import services
from endpoint.optical.client import BAD_REPLY, TOO_LONG, C1218Client
from endpoint.optical.device import C1218Device, Tables
from endpoint.optical.kernels import checksum, copy, crc16, same
from endpoint.optical.packet import NO_ACK, SILENCE, Link

IDENTIFY = bytes([services.IDENTIFY])
TERMINATE = bytes([services.TERMINATE])


class Store(Tables):
    """Table n is n bytes long, up to 2000, and counts what happens to it."""

    def __init__(self):
        self.reads = 0
        self.writes = []

    def size(self, table, writing):
        return table if 0 < table <= 2000 else -services.IAR

    def read(self, table, offset, count, to, to_at):
        self.reads += 1
        i = 0
        while i < count:
            to[to_at + i] = offset + i & 0xFF
            i += 1
        return services.OK

    def write(self, table, offset, count, source, source_at):
        self.writes.append(bytes(source[source_at : source_at + count]))
        return services.OK


def packet(control, data, sequence=0, length=None):
    body = bytes([0xEE, 0, control, sequence, 0, len(data) if length is None else length]) + data
    crc = crc16(body, len(body))
    return body + bytes([crc & 0xFF, crc >> 8])


def take(link, now_ms):
    data = bytes(link.tx[: link.tx_count])
    link.sent(now_ms)
    return data


def ask(wire, request):
    wire.client.start(request, wire.now_ms)
    wire.run(lambda: not wire.client.busy)
    return wire.client.error


def pair(client=None, device=None, spoil=None):
    """Return a wire whose client is in session."""
    wire = Wire(client or C1218Client(), device or C1218Device(Store()), spoil)
    assert ask(wire, IDENTIFY) == services.OK
    assert ask(wire, services.logon_request(1, b"X")) == services.OK
    return wire


class Ear(Link):
    """A bare link that keeps what it hears."""

    def __init__(self):
        super().__init__(64, 4, 200)
        self.heard = []
        self.dead = []

    def _on_message(self):
        self.heard.append(bytes(self.message[: self.message_count]))

    def _on_dead(self, error):
        self.dead.append(error)


def test_bytes_may_come_in_any_portions():
    whole = b"\x55\x06" + packet(0, b"one") + packet(0x20, b"\xee\xee\x06two")
    for step in (1, 2, 3, 5, 7, len(whole)):
        ear = Ear()
        for at in range(0, len(whole), step):
            part = whole[at : at + step]
            ear.feed(part, len(part), at)
        assert ear.heard == [b"one", b"\xee\xee\x06two"]
        assert take(ear, 0) == b"\x06\x06"


def test_gap_of_more_than_500_ms_in_a_packet_is_refused():
    ear = Ear()
    data = packet(0, b"one")
    ear.feed(data, 7, 1000)
    assert ear.deadline_ms() == 1500
    ear.tick(1499)
    assert ear.tx_count == 0
    ear.tick(1500)
    assert take(ear, 1500) == b"\x15"
    ear.feed(data, len(data), 1600)
    assert ear.heard == [b"one"]


def test_length_beyond_the_packet_size_is_refused_after_silence():
    ear = Ear()
    data = packet(0, bytes(57), length=57)
    ear.feed(data, len(data), 0)
    ear.feed(data, len(data), 100)
    assert ear.tx_count == 0
    ear.tick(ear.deadline_ms())
    assert take(ear, 600) == b"\x15"
    assert ear.heard == []


def test_largest_packet_of_64_bytes_is_taken():
    ear = Ear()
    ear.feed(packet(0, bytes(range(56))), 64, 0)
    assert ear.heard == [bytes(range(56))]


def test_every_flipped_bit_is_noticed():
    good = packet(0, b"\x50\x00\x02READER")
    for bit in range(8, 8 * len(good)):
        bad = bytearray(good)
        bad[bit >> 3] ^= 1 << (bit & 7)
        ear = Ear()
        ear.feed(bad, len(bad), 0)
        if ear.deadline_ms() is not None:
            ear.tick(ear.deadline_ms())
        assert ear.heard == [], bit


def test_duplicate_is_acknowledged_once_more_and_dropped():
    ear = Ear()
    for _ in range(3):
        ear.feed(packet(0x20, b"same"), 12, 0)
    ear.feed(packet(0, b"same"), 12, 0)
    assert ear.heard == [b"same", b"same"]
    assert take(ear, 0) == b"\x06" * 4


def test_after_silence_the_same_packet_is_new():
    device = C1218Device(Store())
    data = packet(0, IDENTIFY)
    device.feed(data, len(data), 0)
    assert len(take(device, 0)) == 14
    device.feed(b"\x06", 1, 20)
    device.feed(data, len(data), 3000)
    assert take(device, 3000) == b"\x06"
    device.tick(9000)
    device.feed(data, len(data), 9100)
    assert len(take(device, 9100)) == 14


def test_segments_out_of_order_lose_the_message_only():
    ear = Ear()
    ear.packets = 4
    ear.feed(packet(0xC0, b"a", 2), 9, 0)
    ear.feed(packet(0xA0, b"c", 0), 9, 0)
    ear.feed(packet(0x80, b"b", 1), 9, 0)
    assert ear.heard == []
    assert take(ear, 0) == b"\x06\x06\x06"
    for control, data, sequence in ((0xE0, b"a", 2), (0x80, b"b", 1), (0xA0, b"c", 0)):
        ear.feed(packet(control, data, sequence), 9, 0)
    assert ear.heard == [b"abc"]


def test_more_segments_than_negotiated_are_refused_with_onp():
    device = C1218Device(Store())
    wire = pair(device=device)
    device.feed(packet(0xC0 | 0x20, b"\x40\x00\x05", 1), 11, wire.now_ms)
    assert take(device, wire.now_ms) == b"\x06"
    device.feed(packet(0x80, b"\x00\x05hello\x00", 0), 16, wire.now_ms)
    reply = take(device, wire.now_ms)
    assert reply[7] == services.ONP
    assert device._tables.writes == []


def test_negotiated_segments_carry_a_long_table():
    for packet_bytes, packets in ((64, 20), (128, 9), (256, 5)):
        client = C1218Client(packet_bytes, packets, 1100)
        wire = Wire(client, C1218Device(Store()))
        assert ask(wire, IDENTIFY) == services.OK
        offer = services.negotiate_request(packet_bytes, packets, b"\x06")
        assert ask(wire, offer) == services.OK
        assert (client.packet_bytes, client.packets) == (packet_bytes, packets)
        assert ask(wire, services.logon_request(1, b"X")) == services.OK
        assert ask(wire, services.read_request(1000)) == services.OK
        data = client.message[client.data_at : client.data_at + client.data_count]
        assert data == bytes(i & 0xFF for i in range(1000))
        assert ask(wire, TERMINATE) == services.OK
        assert (client.packet_bytes, wire.device.packet_bytes) == (64, 64)


def test_reply_that_does_not_fit_is_refused_with_onp():
    wire = pair()
    assert ask(wire, services.read_request(53)) == services.ONP
    assert ask(wire, services.read_request(52)) == services.OK
    assert ask(wire, services.read_offset_request(53, 1, 52)) == services.OK


def test_request_that_does_not_fit_is_not_sent():
    wire = pair(client=C1218Client(64, 4, 224))
    assert ask(wire, services.write_request(60, bytes(60))) == TOO_LONG
    assert wire.client.tx_count == 0


def test_offset_reads_stay_inside_the_table():
    wire = pair()
    read = services.read_offset_request
    assert ask(wire, read(20, 19, 1)) == services.OK
    for offset, count in ((19, 2), (20, 1), (0, 0), (0xFFFFFF, 0xFFFF), (0, 21)):
        assert ask(wire, read(20, offset, count)) == services.ONP
    assert ask(wire, read(3000, 0, 1)) == services.IAR


def test_meter_without_offset_access_does_not_know_the_service():
    device = C1218Device(Store())
    device._tables.offset_access = False
    wire = pair(device=device)
    assert ask(wire, services.read_offset_request(20, 0, 4)) == services.SNS
    assert ask(wire, services.read_request(20)) == services.OK


def test_writes_need_the_exact_size_and_the_checksum():
    wire = pair()
    store = wire.device._tables
    assert ask(wire, services.write_request(5, b"short"[:4])) == services.ONP
    bad = bytearray(services.write_request(5, b"right"))
    bad[-1] ^= 1
    assert ask(wire, bad) == services.ERR
    assert store.writes == []
    assert ask(wire, services.write_request(5, b"right")) == services.OK
    assert store.writes == [b"right"]


def test_service_states():
    """The whole table: state, request, reply."""
    logon = services.logon_request(1, b"X")
    requests = (
        (IDENTIFY, 0, 10, 10),
        (services.negotiate_request(64, 1), 10, 0, 10),
        (services.wait_request(9), 10, 0, 0),
        (logon, 10, 0, 10),
        (services.security_request(b"x"), 10, 10, services.ERR),
        (services.read_request(4), 10, 10, 0),
        (services.write_request(1, b"x"), 10, 10, 0),
        (bytes([services.LOGOFF]), 10, 10, 0),
        (TERMINATE, 0, 0, 0),
        (b"\x22", 2, 2, 2),
        (b"\x53", 2, 2, 2),
        (b"\x7f", 2, 2, 2),
    )
    for row in requests:
        for state in range(3):
            wire = Wire(C1218Client(), C1218Device(Store()))
            if state:
                ask(wire, IDENTIFY)
            if state == 2:
                ask(wire, logon)
            if row[0] == IDENTIFY and state:
                wire.client._close()
            assert ask(wire, row[0]) == row[1 + state], (row[0], state)


def test_logoff_keeps_the_link_and_terminate_gives_it_up():
    wire = pair()
    assert ask(wire, bytes([services.LOGOFF])) == services.OK
    assert ask(wire, services.read_request(4)) == services.ISSS
    assert ask(wire, services.logon_request(1, b"X")) == services.OK
    assert ask(wire, TERMINATE) == services.OK
    assert not wire.client.open
    assert wire.client.deadline_ms() is None
    assert wire.device.deadline_ms() is None


def test_wait_replaces_the_traffic_timeout_until_the_next_packet():
    wire = pair()
    assert ask(wire, services.wait_request(60)) == services.OK
    now = wire.now_ms
    assert 59900 <= wire.client.deadline_ms() - now <= 60000
    assert 59900 <= wire.device.deadline_ms() - now <= 60000
    wire.now_ms += 50000
    assert ask(wire, services.read_request(4)) == services.OK
    assert wire.device.deadline_ms() - wire.now_ms <= 6000


def test_six_seconds_of_silence_end_the_session_on_both_sides():
    wire = pair()
    later = wire.now_ms + 6001
    wire.device.tick(later)
    wire.client.tick(later)
    assert not wire.client.open
    wire.now_ms = later
    assert ask(wire, services.read_request(4)) == SILENCE


def test_lost_reply_is_sent_again_and_the_service_is_done_once():
    lost = []

    def spoil(direction, data):
        if direction == "M" and len(data) > 12 and not lost:
            lost.append(data)
            return data[:1]
        return data

    wire = pair()
    wire.spoil = spoil
    assert ask(wire, services.read_request(8)) == services.OK
    assert lost
    assert wire.device._tables.reads == 1


def test_dead_line_is_named():
    wire = pair(spoil=None)
    wire.spoil = lambda direction, data: b""
    assert ask(wire, services.read_request(8)) == SILENCE
    wire = Wire(C1218Client(), C1218Device(Store()), lambda direction, data: b"")
    assert ask(wire, IDENTIFY) == NO_ACK


def test_client_names_a_reply_with_a_wrong_checksum_or_count():
    good = b"\x00\x00\x04\x01\x02\x03\x04"
    good += bytes([checksum(good, 3, 4)])
    for reply in (good[:-1] + b"\x00", b"\x00\x00\x05" + good[3:], b"\x00", good[:-2] + b"\x00"):
        client = C1218Client()
        client.start(services.read_offset_request(23, 0, 4), 0)
        take(client, 0)
        data = b"\x06" + packet(0, reply)
        client.feed(data, len(data), 1)
        assert client.error == BAD_REPLY


def test_negotiation_above_the_offer_is_a_bad_reply():
    for reply in (b"\x00\x00\x80\x04\x06", b"\x00\x00\x40\x05\x06", b"\x00\x00\x40\x00\x06"):
        client = C1218Client()
        client.start(services.negotiate_request(64, 4, b"\x06"), 0)
        take(client, 0)
        data = b"\x06" + packet(0, reply)
        client.feed(data, len(data), 1)
        assert client.error == BAD_REPLY
        assert client.packet_bytes == 64


def test_device_grants_no_baud_it_does_not_have():
    wire = Wire(C1218Client(), C1218Device(Store()))
    ask(wire, IDENTIFY)
    assert ask(wire, services.negotiate_request(64, 1, b"\x0c")) == services.BSY
    assert ask(wire, services.negotiate_request(64, 1, b"\x0c\x06")) == services.OK
    assert wire.client.baud_bps == 9600


def test_expected_bytes_end_with_the_reply():
    client = C1218Client()
    client.start(services.read_offset_request(23, 0, 8), 0, 12)
    assert client.expected_bytes() == 21
    take(client, 0)
    client.feed(b"\x06", 1, 1)
    assert client.expected_bytes() == 20
    reply = b"\x00\x00\x08" + bytes(8) + b"\x00"
    data = packet(0, reply)
    client.feed(data, 7, 2)
    assert client.expected_bytes() == 13
    rest = data[7:]
    client.feed(rest, len(rest), 3)
    assert client.expected_bytes() == 0


def test_random_bytes_leave_both_roles_alive():
    """30,000 random bytes, seasoned with true packets; no exception, no growth, no hang."""
    state = 12345
    for role in (0, 1):
        link = C1218Device(Store()) if role else C1218Client()
        now = 0
        buffer = bytearray(40)
        for turn in range(800):
            for i in range(len(buffer)):
                state = state * 1103515245 + 12345 & 0x3FFFFFFF
                buffer[i] = 0xEE if state >> 16 & 15 == 0 else state >> 16 & 0xFF
            if turn % 3 == 0:
                data = packet(turn & 0xE0, bytes(buffer[: 1 + turn % 30]), turn & 3)
                buffer[: len(data)] = data
            now += state >> 12 & 1023
            if not role and not link.busy:
                link.start(IDENTIFY, now)
            link.feed(buffer, len(buffer), now)
            link.tick(now)
            assert link.tx_count <= len(link.tx)
            assert len(buffer) >= 40
            buffer = bytearray(40)
            take(link, now)
        if not role:
            assert link.start is not None
            continue
        link.tick(now + 20000)
        take(link, now)
        data = packet(0, IDENTIFY)
        link.feed(data, len(data), now + 20001)
        assert take(link, now + 20001)[7] == services.OK


def test_kernels_allocate_nothing():
    data = bytearray(range(64))
    to = bytearray(64)
    crc16(data, 64)
    checksum(data, 0, 64)
    micropython.heap_lock()
    crc16(data, 64)
    checksum(data, 3, 60)
    copy(to, 0, data, 0, 64)
    equal = same(to, 0, data, 0, 64)
    micropython.heap_unlock()
    assert equal


def test_a_service_allocates_nothing_in_either_role():
    wire = pair()
    client, device = wire.client, wire.device
    request = services.read_offset_request(40, 4, 16)
    tx, rx = client.tx, device.tx
    now = wire.now_ms
    micropython.heap_lock()
    for _ in range(5):
        now += 50
        client.start(request, now, 20)
        count = client.tx_count
        client.sent(now)
        device.feed(tx, count, now)
        device.tick(now)
        count = device.tx_count
        device.sent(now)
        due = client.expected_bytes()
        client.feed(rx, count, now)
        client.tick(now)
        due = client.deadline_ms()
        count = client.tx_count
        client.sent(now)
        device.feed(tx, count, now)
    micropython.heap_unlock()
    assert client.error == services.OK
    assert due is not None
    assert device._tables.reads == 5
