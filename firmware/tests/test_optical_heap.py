"""C12.18: a whole session, all services, allocates nothing in either role (R8)."""

import micropython
from optical_wire import Wire

from endpoint.optical import services
from endpoint.optical.client import C1218Client
from endpoint.optical.device import C1218Device, Tables

REQUESTS = (
    bytes([services.IDENTIFY]),
    services.negotiate_request(100, 4, b"\x08\x06"),
    services.wait_request(10),
    services.logon_request(1, b"X"),
    services.security_request(b"wrong"),
    services.read_request(5),
    services.read_offset_request(5, 7, 200),
    services.write_offset_request(5, 3, bytes(range(250))),
    services.write_request(5, bytes(300)),
    services.read_request(6),
    bytes([services.READ_DEFAULT]),
    bytes([services.LOGOFF]),
    services.logon_request(1, b"X"),
    bytes([services.TERMINATE]),
    services.read_request(5),
)
ENDS = b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x05\x02\x00\x00\x00\x0a"


class Large(Tables):
    """Table 5 has 300 bytes."""

    def size(self, table, writing):
        return 300 if table == 5 else -services.IAR

    def read(self, table, offset, count, to, to_at):
        i = 0
        while i < count:
            to[to_at + i] = i & 0xFF
            i += 1
        return services.OK

    def write(self, table, offset, count, source, source_at):
        return services.OK


def run(client, device, ends):
    """Run all services; spoil every ninth transmission so that there are repeats as well."""
    now = 0
    turn = 0
    number = 0
    for request in REQUESTS:
        client.start(request, now, 4)
        while client.busy or client.tx_count or device.tx_count:
            turn += 1
            now += 20
            if client.tx_count:
                count = client.tx_count
                client.sent(now)
                if turn % 9:
                    device.feed(client.tx, count, now)
            elif device.tx_count:
                count = device.tx_count
                device.sent(now)
                if turn % 9:
                    client.feed(device.tx, count, now)
                client.expected_bytes()
            else:
                due = client.deadline_ms()
                other = device.deadline_ms()
                now = due if other is None or due < other else other
                client.tick(now)
                device.tick(now)
        ends[number] = client.error if client.error < 0x100 else 0xFF
        number += 1


def test_a_whole_session_with_repeats_allocates_nothing():
    client = C1218Client(128, 8, 700)
    device = C1218Device(Large(), 128, 8, 700, b"\x06\x08")
    ends = bytearray(len(REQUESTS))
    run(client, device, ends)
    first = bytes(ends)
    micropython.heap_lock()
    run(client, device, ends)
    micropython.heap_unlock()
    assert first == ENDS
    assert sum(1 for end in ends if end == 0xFF) <= 2


def test_the_wire_of_the_tests_agrees():
    wire = Wire(C1218Client(128, 8, 700), C1218Device(Large(), 128, 8, 700))
    ends = bytearray()
    for request in REQUESTS:
        wire.client.start(request, wire.now_ms)
        wire.run(lambda: not wire.client.busy)
        ends.append(wire.client.error)
    assert bytes(ends) == ENDS
