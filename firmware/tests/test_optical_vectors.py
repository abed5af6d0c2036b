"""C12.18: every published byte vector, on the client and on the device (R8, R11)."""

from binascii import hexlify, unhexlify

import optical_vectors as vectors

from endpoint.optical import services
from endpoint.optical.client import C1218Client
from endpoint.optical.device import C1218Device, Tables
from endpoint.optical.kernels import checksum, crc16
from endpoint.optical.packet import NO_ACK

ST0 = unhexlify("020a8854455354020010100100070102000100ab99e198031690010906a000000000040001")


class VectorTables(Tables):
    """The tables of the vectors: reads from a dictionary, refusals by table number."""

    def __init__(self):
        self.tables = {
            0: bytearray(ST0),
            1: bytearray(table_data("ee000000002400")),
            5: bytearray(20),
            7: bytearray(19),
            8: bytearray(unhexlify("09002a0001")),
            23: bytearray(unhexlify("40e2010015030000")),
            2048: bytearray(range(0x30, 0x94)),
        }
        self.refuse = {}
        self.writes = []
        self.password = b"ABCDEFGHIJKLMNOPQRST"

    def security(self, password):
        return services.OK if bytes(password) == self.password else services.ERR

    def size(self, table, writing):
        if table in self.refuse:
            return -self.refuse[table]
        if table not in self.tables:
            return -services.IAR
        return len(self.tables[table])

    def read(self, table, offset, count, to, to_at):
        to[to_at : to_at + count] = self.tables[table][offset : offset + count]
        return services.OK

    def write(self, table, offset, count, source, source_at):
        self.writes.append((table, offset, bytes(source[source_at : source_at + count])))
        return services.OK


def table_data(start):
    """Return the table data of the session's reply packet that starts so."""
    for _, packet in vectors.SESSION:
        if packet.startswith(start):
            return unhexlify(packet)[9:-3]
    raise AssertionError(start)


def take(link, now_ms):
    """Return what a link wants to send, and tell it that it is sent."""
    data = bytes(link.tx[: link.tx_count])
    link.sent(now_ms)
    return data


def give(link, data, now_ms):
    link.feed(data, len(data), now_ms)


def packet(control, data):
    """Return a single packet."""
    body = bytes([0xEE, 0, control, 0, 0, len(data)]) + data
    crc = crc16(body, len(body))
    return body + bytes([crc & 0xFF, crc >> 8])


def open_session(device):
    """Bring a device into Session state with its next toggle 0."""
    for control, request in ((0x20, b"\x20"), (0, services.logon_request(2, b"READER"))):
        give(device, packet(control, request), 0)
        take(device, 0)
        give(device, b"\x06", 0)
    give(device, packet(0x20, services.wait_request(60)), 0)
    take(device, 0)
    give(device, b"\x06", 0)
    device._toggle = 0


def test_crc_vectors():
    for text, wire in (
        ("313233343536373839", "6e90"),
        ("ee000000000120", "1310"),
        ("ee002000000120", "8270"),
        ("ee000000000100", "1131"),
        ("ee002000000100", "8051"),
    ):
        data = unhexlify(text)
        crc = crc16(data, len(data))
        assert bytes([crc & 0xFF, crc >> 8]) == unhexlify(wire), text


def test_table_checksum_vectors():
    for text, value in (
        ("09002a01", 0xCC),
        ("41424344", 0xF6),
        ("00", 0),
        ("ff", 1),
        ("8080", 0),
    ):
        data = unhexlify(text)
        assert checksum(data, 0, len(data)) == value, text


def test_V1_device_answers_the_main_session():
    tables = VectorTables()
    device = C1218Device(tables, packet_bytes=64, packets=4)
    now = 0
    expected = []
    for direction, packet in vectors.SESSION:
        now += 10
        packet = unhexlify(packet)
        if direction == "C":
            assert not expected
            give(device, packet, now)
            sent = take(device, now)
            assert sent[0] == 6
            expected.append(sent[1:])
        else:
            if not expected:
                expected.append(take(device, now))
            assert hexlify(expected.pop()) == hexlify(packet)
            give(device, b"\x06", now)
    assert take(device, now) == b""
    assert tables.writes == [
        (5, 0, b"METER-0001          "),
        (5, 16, b"ABCD"),
        (7, 0, unhexlify("09002a01")),
    ]
    give(device, unhexlify("ee0000000001201310"), now)  # back in Base: Identify is welcome
    assert take(device, now)[7:8] == b"\x00"


REQUESTS = (
    bytes([services.IDENTIFY]),
    services.negotiate_request(64, 4, b"\x06"),
    services.wait_request(60),
    services.logon_request(2, b"READER"),
    services.security_request(b"ABCDEFGHIJKLMNOPQRST"),
    services.read_request(0),
    services.read_request(1),
    services.read_offset_request(23, 0, 4),
    services.read_offset_request(23, 4, 4),
    services.write_request(5, b"METER-0001          "),
    services.write_offset_request(5, 16, b"ABCD"),
    services.write_request(7, b"\x09\x00\x2a\x01"),
    services.read_request(8),
    services.read_request(2048),
    services.wait_request(60),
    bytes([services.LOGOFF]),
    bytes([services.TERMINATE]),
)


def test_V1_client_speaks_the_main_session():
    client = C1218Client(64, 4, 224)
    requests = iter(REQUESTS)
    now = 0
    for direction, packet in vectors.SESSION:
        now += 10
        packet = unhexlify(packet)
        if direction == "C":
            assert not client.busy
            client.start(next(requests), now)
            assert hexlify(take(client, now)) == hexlify(packet)
            assert client.expected_bytes() == 10
            give(client, b"\x06", now)
        else:
            give(client, packet, now)
            assert take(client, now) == b"\x06"
            assert client.error == services.OK
    assert not client.busy
    assert not client.open
    assert client.deadline_ms() is None


def test_V1_client_hands_out_the_table_data():
    client = C1218Client(64, 4, 224)
    client.packets = 4
    client._toggle = 0x20
    client.start(services.read_request(2048), 0)
    take(client, 0)
    give(client, b"\x06" + unhexlify(vectors.SESSION[-8][1]), 5)
    assert client.busy
    give(client, unhexlify(vectors.SESSION[-7][1]), 9)
    assert take(client, 9) == b"\x06\x06"
    data = client.message[client.data_at : client.data_at + client.data_count]
    assert data == bytes(range(0x30, 0x94))


def test_V2_device_refuses():
    codes = {1: {4: 5}, 2: {21: 3}, 11: {1: 6}, 12: {1: 7}, 13: {1: 8}}
    for pair in range(len(vectors.REFUSALS) // 2):
        tables = VectorTables()
        device = C1218Device(tables, packet_bytes=64, packets=4)
        request, reply = (unhexlify(vectors.REFUSALS[2 * pair + i][1]) for i in (0, 1))
        if request[6] == services.NEGOTIATE:
            give(device, unhexlify("ee0020000001208270"), 0)
            device._toggle = 0
            take(device, 0)
            give(device, b"\x06", 0)
        else:
            open_session(device)
        tables.refuse = codes.get(pair, {})
        give(device, request, 1000)
        assert hexlify(take(device, 1000)) == hexlify(b"\x06" + reply), pair
        assert tables.writes == []


def test_V2_client_names_the_refusal():
    for pair in range(len(vectors.REFUSALS) // 2):
        request, reply = (unhexlify(vectors.REFUSALS[2 * pair + i][1]) for i in (0, 1))
        client = C1218Client(64, 4, 224)
        client.start(request[6:-2], 0)
        assert take(client, 0) == request
        give(client, b"\x06" + reply, 1)
        assert not client.busy
        assert client.error == (0 if reply[6] == 0 else reply[6])


def test_V3_segmented_write():
    data = bytes(range(0x30, 0x94))
    client = C1218Client(64, 4, 224)
    client.packets = 4
    client.start(services.write_request(2048, data), 0)
    tables = VectorTables()
    device = C1218Device(tables, packet_bytes=64, packets=4)
    open_session(device)
    device.packets = 4
    first, second, reply = (unhexlify(packet) for _, packet in vectors.SEGMENTED_WRITE)
    assert take(client, 1) == first
    give(device, first, 1000)
    assert take(device, 1000) == b"\x06"
    give(client, b"\x06", 2)
    assert take(client, 2) == second
    give(device, second, 1001)
    assert take(device, 1001) == b"\x06" + reply
    give(client, b"\x06" + reply, 3)
    assert client.error == services.OK
    assert not client.busy
    assert tables.writes == [(2048, 0, data)]


def test_V4_damaged_packet_is_refused_then_accepted():
    device = C1218Device(VectorTables())
    give(device, unhexlify("ee0000000001201311"), 0)
    assert take(device, 0) == b"\x15"
    give(device, unhexlify("ee0000000001201310"), 5)
    reply = unhexlify("ee00000000050000010000c6b5")
    assert take(device, 5) == b"\x06" + reply
    device.tick(2004)
    assert take(device, 2004) == b""
    device.tick(device.deadline_ms())
    assert take(device, 2030) == reply


def test_V4_duplicate_is_acknowledged_and_not_executed():
    device = C1218Device(VectorTables(), packet_bytes=64, packets=4)
    give(device, unhexlify("ee0000000001201310"), 0)
    take(device, 0)
    give(device, b"\x06", 10)
    negotiate = unhexlify("ee00200000056100400406f4b6")
    give(device, negotiate, 20)
    assert take(device, 20) == b"\x06" + unhexlify("ee00200000050000400406031c")
    served = device.services
    give(device, negotiate, 2020)
    assert take(device, 2020) == b"\x06"
    assert device.services == served


def test_V4_noise_before_a_packet_is_skipped():
    device = C1218Device(VectorTables())
    give(device, unhexlify("55ff00ee0000000001201310"), 0)
    assert take(device, 0)[0] == 6


def test_client_takes_a_reply_as_both_when_the_ack_was_lost():
    client = C1218Client()
    client.start(bytes([services.IDENTIFY]), 0)
    take(client, 0)
    give(client, unhexlify("ee00000000050000010000c6b5"), 30)
    assert take(client, 30) == b"\x06"
    assert not client.busy
    assert client.open


def test_client_gives_up_after_three_repeats():
    client = C1218Client()
    client.start(bytes([services.IDENTIFY]), 0)
    sent = 0
    for _ in range(10):
        if take(client, 0 if client.deadline_ms() is None else client.deadline_ms()):
            sent += 1
        if client.deadline_ms() is None:
            break
        client.tick(client.deadline_ms())
    assert sent == 4
    assert not client.busy
    assert client.error == NO_ACK
