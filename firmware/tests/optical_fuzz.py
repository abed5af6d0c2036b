"""Random and mutated byte streams into each role, and what has to hold after every one."""

from optical_channel import Dice

from endpoint.optical import services
from endpoint.optical.access import ANYONE, DONE, NOBODY, PROCEDURE, GuardedTables, Provider
from endpoint.optical.client import (
    BAD_REPLY,
    ECHO_DETECT,
    ECHO_NONE,
    OWN_ECHO,
    TOO_LONG,
    C1218Client,
)
from endpoint.optical.device import C1218Device
from endpoint.optical.kernels import HAVE, NEED, SWALLOW, crc16
from endpoint.optical.packet import NO_ACK, SILENCE

PASSWORD = b"FUZZ-WRITE"
_WRITERS = 1
_LINK_ERRORS = (NO_ACK, SILENCE, BAD_REPLY, TOO_LONG, OWN_ECHO)
_TABLE_BYTES = 300


class Notes(Provider):
    """One free table, one that only writers may write; complains about a write without right."""

    index_access = True
    default_table = 1

    def __init__(self):
        self.guard = None
        self.data = bytearray(_TABLE_BYTES)
        self.writes = 0

    def size(self, table):
        return _TABLE_BYTES

    def read(self, table, offset, count, into, into_at):
        for i in range(count):
            into[into_at + i] = self.data[offset + i]
        return services.OK

    def write(self, table, offset, count, source, source_at):
        assert self.guard.groups & _WRITERS, "written without a right"
        for i in range(count):
            self.data[offset + i] = source[source_at + i]
        self.writes += 1
        return services.OK

    def place(self, table, indexes, count):
        return (indexes[0], count)

    def procedure(self, number, parameters):
        assert self.guard.groups & _WRITERS, "run without a right"
        return (DONE, parameters)


def device():
    """Return a guarded device and its provider."""
    notes = Notes()
    rules = {1: (ANYONE, NOBODY), 2: (ANYONE, _WRITERS), PROCEDURE | 9: (NOBODY, _WRITERS)}
    notes.guard = GuardedTables(notes, rules, ((PASSWORD, _WRITERS),))
    return C1218Device(notes.guard, 128, 4, 400, b"\x06\x08\x0a"), notes


REQUESTS = (
    bytes([services.IDENTIFY]),
    bytes([services.IDENTIFY]),
    services.negotiate_request(128, 4, b"\x06\x0a"),
    services.negotiate_request(64, 1),
    services.logon_request(2, b"FUZZ"),
    services.logon_request(2, b"FUZZ"),
    services.security_request(PASSWORD),
    services.security_request(b"WRONG"),
    services.read_request(1),
    services.read_request(8),
    services.read_offset_request(2, 17, 40),
    services.read_index_request(1, (3, 4), 9),
    bytes([services.READ_DEFAULT]),
    services.write_offset_request(2, 5, b"abcdef"),
    services.write_request(2, bytes(_TABLE_BYTES)),
    services.write_request(7, b"\x09\x00\x2a\x01"),
    services.write_index_request(2, (7,), 3, b"xyz"),
    services.wait_request(3),
    bytes([services.LOGOFF]),
    bytes([services.TERMINATE]),
)
REPLIES = (
    b"\x00\x00\x01\x00\x00",
    b"\x00\x00\x40\x04\x06",
    b"\x00\x00\x80\x04\x0a",
    b"\x00",
    b"\x05",
    b"\x06",
    b"\x09",
    b"\x0a",
    b"\x1f",
    b"\x20",
    b"\x00\x00\x04\x01\x02\x03\x04\xf6",
    b"\x00\x00\x28" + bytes(41),
)


def _packet(dice, data, toggle):
    """Return one packet, mostly right."""
    control, sequence = toggle, 0
    if dice.below(12) == 0:
        control |= (0x80, 0xC0, 0x40, 0x01, 0x1C)[dice.below(5)]
        sequence = dice.below(4)
    body = bytes([0xEE, 0, control, sequence, len(data) >> 8, len(data) & 0xFF]) + data
    crc = crc16(body, len(body))
    return body + bytes([crc & 0xFF, crc >> 8])


def stream(dice, corpus):
    """Return a stream: packets, acknowledgements and noise; sometimes mutated."""
    data = b""
    for _ in range(1 + dice.below(3)):
        kind = dice.below(10)
        if kind < 6:
            message = corpus[dice.below(len(corpus))]
            if dice.below(5) == 0:
                message = _mutated(dice, message)
            data += _packet(dice, message[:120] or b"\x00", dice.below(2) << 5)
        elif kind < 9:
            data += (b"\x06", b"\x06", b"\x15")[kind - 6]
        else:
            data += bytes(dice.below(256) for _ in range(dice.below(20)))
    if dice.below(3) == 0:
        data = _mutated(dice, data)
    return data


def _mutated(dice, data):
    data = bytearray(data)
    for _ in range(1 + dice.below(3)):
        if not data:
            break
        at = dice.below(len(data))
        kind = dice.below(4)
        if kind == 0:
            data[at] ^= 1 << dice.below(8)
        elif kind == 1:
            data = data[:at] + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + data[at : at + 1] + data[at:]
        else:
            data[at] = dice.below(256)
    return bytes(data)


def _check_link(link, sizes):
    need = link._receiver[NEED]
    assert need == SWALLOW or 0 <= need <= link.packet_bytes
    assert 0 <= link._receiver[HAVE] <= (link.packet_bytes if need else len(link._rx))
    assert link._flight in (0, 1, 2)
    assert 0 <= link.tx_count <= len(link.tx)
    assert 0 <= link.message_count <= len(link.message)
    assert 8 < link.packet_bytes <= link.largest_packet_bytes
    assert 0 < link.packets <= link.most_packets
    assert link.baud_bps in services.BAUDS[1:]
    assert (len(link.tx), len(link._rx), len(link._packet), len(link.message)) == sizes


def _sizes(link):
    return (len(link.tx), len(link._rx), len(link._packet), len(link.message))


def _feed(dice, link, data, now_ms):
    """Hand over the stream in pieces, with gaps; return the time after it."""
    at = 0
    while at < len(data):
        part = data[at : at + 1 + dice.below(len(data))]
        at += len(part)
        link.feed(part, len(part), now_ms)
        if dice.below(4):
            link.sent(now_ms)
        gap = dice.below(32)
        now_ms += gap if gap < 28 else (600, 2100, 6100, 20)[gap - 28]
        link.tick(now_ms)
    return now_ms


def _open(dice, link, now_ms):
    """Bring a device into a session that may write, if it is not in one."""
    for toggle, request in (
        (0, services.TERMINATE),
        (0x20, services.IDENTIFY),
        (0, services.logon_request(2, b"FUZZ")),
        (0x20, services.security_request(PASSWORD)),
    ):
        if isinstance(request, int):
            request = bytes([request])
        data = b"\x06" + _packet(Dice(12), request, toggle) + b"\x06"
        for part in (data[:-1], data[-1:]):
            link.feed(part, len(part), now_ms)
            link.sent(now_ms)


def fuzz_device(seed, count):
    """Feed `count` streams to a device; return how many services and writes came of them."""
    dice = Dice(seed)
    link, notes = device()
    sizes = _sizes(link)
    now_ms = 0
    for number in range(count):
        if dice.below(8) == 0:
            _open(dice, link, now_ms)
        now_ms = _feed(dice, link, stream(dice, REQUESTS), now_ms)
        _check_link(link, sizes)
        assert link._state in (0, 1, 2)
        assert link._change in (0, 1, 2, 3)
        assert not (link._state == 0 and notes.guard.groups & _WRITERS)
        assert notes.guard.locked_ms() <= 60_000
        if number % 200 == 199:
            now_ms += 300_000
            link.tick(now_ms)
            link.sent(now_ms)
            link.tick(now_ms)
            assert link._state == 0
            assert link.deadline_ms() is None
            identify = _packet(Dice(1), b"\x20", 0)
            link.feed(identify, len(identify), now_ms)
            assert link.tx[0] == 0x06 and link.tx[7] == 0
            link.close()
    assert len(link.out) == 400 and len(notes.data) == _TABLE_BYTES
    return link.services, notes.writes


def fuzz_client(seed, count):
    """Feed `count` streams to a client with a request; return how many ended well."""
    dice = Dice(seed)
    good = 0
    link = C1218Client(128, 4, 400, ECHO_NONE)
    now_ms = 0
    for number in range(count):
        if number % 200 == 0:
            link = C1218Client(128, 4, 400, ECHO_DETECT if number % 400 else ECHO_NONE)
            sizes = _sizes(link)
            now_ms = 0
        if not link.busy:
            link.start(REQUESTS[dice.below(len(REQUESTS))], now_ms)
            if dice.below(8):
                link.sent(now_ms)
        now_ms = _feed(dice, link, stream(dice, REPLIES), now_ms)
        _check_link(link, sizes)
        assert not link.busy or link.deadline_ms() is not None or link.tx_count
        if not link.busy:
            assert link.error < 0x20 or link.error in _LINK_ERRORS
            if link.error == 0:
                good += 1
                assert link.data_at + link.data_count <= link.message_count
        elif number % 50 == 49:
            while link.busy:
                link.sent(now_ms)
                now_ms = link.deadline_ms()
                link.tick(now_ms)
            assert link.error in _LINK_ERRORS
    return good
