"""The device behind rights: passwords, lock-out, procedures; nothing without its level (R57)."""

import micropython
from optical_wire import Wire

from endpoint.optical import services
from endpoint.optical.access import (
    ANYONE,
    DONE,
    INVALID,
    NO_RIGHT,
    NOBODY,
    PROCEDURE,
    UNFINISHED,
    UNKNOWN,
    GuardedTables,
    PasswordError,
    Provider,
)
from endpoint.optical.client import C1218Client
from endpoint.optical.device import C1218Device

IDENTIFY = bytes([services.IDENTIFY])
READERS = 1
WRITERS = 2
MT = 0x800


class Box(Provider):
    """Tables 5, 42, MT-1 and 60 of 20 bytes; two procedures."""

    default_table = 5
    index_access = True

    def __init__(self):
        self.tables = {5: bytearray(20), 42: bytearray(20), MT | 1: bytearray(range(20)), 60: b""}
        self.ran = []
        self.left = 0

    def leave(self):
        self.left += 1

    def size(self, table):
        return 20 if table in self.tables else -services.DNR

    def read(self, table, offset, count, into, into_at):
        source = self.tables[table]
        i = 0
        while i < count:
            into[into_at + i] = source[offset + i]
            i += 1
        return services.OK

    def write(self, table, offset, count, source, source_at):
        if source[source_at] == 0xBB:
            return services.BSY
        self.tables[table][offset : offset + count] = source[source_at : source_at + count]
        return services.OK

    def place(self, table, indexes, count):
        if len(indexes) != 1 or indexes[0] + count > 5:
            return (0, -services.ONP)
        return (4 * indexes[0], 4 * count)

    def procedure(self, number, parameters):
        self.ran.append((number, parameters))
        if number == 10:
            return (UNFINISHED, b"")
        return (DONE, parameters) if parameters else (INVALID, b"")


RULES = {
    5: (ANYONE, WRITERS),
    42: (NOBODY, WRITERS),
    60: (ANYONE, NOBODY),
    61: (ANYONE, ANYONE),
    MT | 1: (READERS, WRITERS),
    PROCEDURE | 9: (NOBODY, WRITERS),
    PROCEDURE | 10: (NOBODY, ANYONE),
}
LEVELS = ((b"read", READERS), (b"write-it", READERS | WRITERS), (b"", WRITERS), (b" ", WRITERS))


def ask(wire, request):
    wire.client.start(request, wire.now_ms)
    wire.run(lambda: not wire.client.busy)
    return wire.client.error


def data(wire):
    client = wire.client
    return bytes(client.message[client.data_at : client.data_at + client.data_count])


def pair(levels=LEVELS, **options):
    """Return (wire in session without password, guard, provider)."""
    box = Box()
    guard = GuardedTables(box, RULES, levels, **options)
    wire = Wire(C1218Client(), C1218Device(guard))
    log_on(wire)
    return wire, guard, box


def log_on(wire):
    assert ask(wire, IDENTIFY) == services.OK
    assert ask(wire, services.logon_request(7, b"TESTER")) == services.OK


def test_R57_rights_per_table_and_level():
    wire, guard, box = pair()
    assert guard.user_id == 7 and bytes(guard.user) == b"TESTER    "
    for password, may_read, may_write in ((None, 0, 0), (b"read", 1, 0), (b"write-it", 1, 1)):
        if password:
            assert ask(wire, services.security_request(password)) == services.OK
        for table, read, write in (
            (5, services.OK, services.OK if may_write else services.ISC),
            (42, services.ISC, services.OK if may_write else services.ISC),
            (60, services.OK, services.IAR),
            (61, services.DNR, services.DNR),
            (62, services.IAR, services.IAR),
            (MT | 1, services.OK if may_read else services.ISC, services.OK if may_write else 3),
            (0x1000 | 5, services.IAR, services.IAR),
        ):
            if table != 60:  # it is empty: nothing to read
                assert ask(wire, services.read_request(table)) == read, (password, table)
            request = services.write_request(table, bytes(range(20)))
            assert ask(wire, request) == write, (password, table)
            request = services.write_offset_request(table, 3, b"\x01\x02")
            assert ask(wire, request) == write, (password, table)
    assert bytes(box.tables[5][:6]) == b"\x00\x01\x02\x01\x02\x05"


def test_rights_end_with_the_session():
    wire, guard, box = pair()
    for end in (bytes([services.LOGOFF]), bytes([services.TERMINATE]), None):
        assert ask(wire, services.security_request(b"write-it")) == services.OK
        assert guard.groups & WRITERS
        if end is None:
            wire.now_ms += 6001
            wire.device.tick(wire.now_ms)
            wire.client.tick(wire.now_ms)
        else:
            assert ask(wire, end) == services.OK
            wire.run(lambda: True)
        assert guard.groups == ANYONE
        if end is not None and end[0] == services.LOGOFF:
            assert ask(wire, services.logon_request(7, b"TESTER")) == services.OK
        else:
            log_on(wire)
        assert ask(wire, services.write_request(5, bytes(20))) == services.ISC
    assert box.left >= 3


def test_passwords_are_whole_and_either_pad_is_right():
    wire, guard, _ = pair()
    for password, pad, groups in (
        (b"read", b"\x00", READERS),
        (b"read", b" ", READERS),
        (b"write-it", b" ", READERS | WRITERS),
    ):
        assert ask(wire, services.security_request(password, pad)) == services.OK
        assert guard.groups == groups | ANYONE
    for wrong in (b"rea", b"readx", b"READ", b"", b" ", b"read\x00x", b"write-it" + b"y" * 12):
        guard.restore_lock(0, 0, wire.now_ms)
        assert ask(wire, services.security_request(wrong)) == services.ERR, wrong
        assert guard.groups == READERS | WRITERS | ANYONE  # a wrong one changes nothing
    guard.restore_lock(0, 0, wire.now_ms)
    guard.set_levels(((b"z" * 20, WRITERS),))
    assert ask(wire, services.security_request(b"read")) == services.ERR
    assert ask(wire, services.security_request(b"z" * 20)) == services.OK
    assert guard.groups == WRITERS | ANYONE


def test_a_password_of_21_bytes_is_refused():
    try:
        GuardedTables(Box(), RULES, ((b"z" * 21, WRITERS),))
    except PasswordError:
        return
    raise AssertionError


def test_without_passwords_nothing_can_be_written():
    wire, guard, box = pair(levels=((b"", WRITERS), (bytes(20), WRITERS), (b" " * 20, WRITERS)))
    for password in (b"", b" ", b"\x00", b"x"):
        for pad in (b"\x00", b" "):
            guard.restore_lock(0, 0, wire.now_ms)
            assert ask(wire, services.security_request(password, pad)) == services.ERR
            for table in (5, 42, 60, 62, MT | 1):
                error = ask(wire, services.write_request(table, bytes(20)))
                assert error in (services.ISC, services.IAR)
    assert box.tables[5] == bytes(20)


def test_lock_after_wrong_passwords_outlives_session_and_restart():
    wire, guard, _ = pair(wrong_limit=3, lock_ms=5000)
    wrong = services.security_request(b"guess")
    right = services.security_request(b"write-it")
    assert ask(wire, wrong) == services.ERR
    assert ask(wire, right) == services.OK
    assert guard.changes == 2 and guard.lock_state() == (0, 0)
    for _ in range(3):
        assert ask(wire, bytes([services.LOGOFF])) == services.OK
        assert ask(wire, services.logon_request(7, b"TESTER")) == services.OK
        assert ask(wire, wrong) == services.ERR
    assert guard.changes == 5
    assert ask(wire, right) == services.BSY
    assert guard.groups == ANYONE
    count, left_ms = guard.lock_state()
    assert count == 3 and 4000 < left_ms <= 5000

    # A restart: another clock, the stored state.
    again, guard, _ = pair(wrong_limit=3, lock_ms=5000)
    guard.restore_lock(count, left_ms, again.now_ms)
    assert ask(again, right) == services.BSY
    again.now_ms += left_ms
    assert ask(again, wrong) == services.ERR  # one more locks at once
    assert ask(again, right) == services.BSY
    again.now_ms += 5000
    assert ask(again, right) == services.OK
    assert guard.lock_state() == (0, 0)


def procedure(number, sequence, parameters=b""):
    head = bytes([number & 0xFF, number >> 8, sequence])
    return services.write_request(7, head + parameters)


def test_procedures_answer_in_ST8():
    wire, guard, box = pair()
    assert ask(wire, services.read_request(7)) == services.IAR
    assert ask(wire, services.write_request(8, bytes(4))) == services.IAR
    for number, parameters, response in (
        (9, b"\x01", bytes([9, 0, 1, NO_RIGHT])),
        (3, b"", bytes([3, 0, 1, UNKNOWN])),
        (MT | 9, b"", bytes([9, 8, 1, UNKNOWN])),
    ):
        assert ask(wire, procedure(number, 1, parameters)) == services.OK
        assert ask(wire, services.read_request(8)) == services.OK
        assert data(wire) == response
    assert box.ran == []
    assert ask(wire, services.security_request(b"write-it")) == services.OK
    assert ask(wire, procedure(9, 0x2A, b"\x01\x02")) == services.OK
    assert ask(wire, services.read_request(8)) == services.OK
    assert data(wire) == bytes([9, 0, 0x2A, DONE, 1, 2])
    assert ask(wire, procedure(9, 0x2B)) == services.OK
    ask(wire, services.read_request(8))
    assert data(wire) == bytes([9, 0, 0x2B, INVALID])
    assert box.ran == [(9, b"\x01\x02"), (9, b"")]
    # Posted only on exception, never, and at the end.
    ask(wire, procedure(0x1000 | 9, 0x2C, b"\x05"))
    ask(wire, procedure(0x2000 | 9, 0x2D, b"\x05"))
    ask(wire, services.read_request(8))
    assert data(wire)[2] == 0x2B
    ask(wire, procedure(0x1000 | 9, 0x2E))
    ask(wire, services.read_request(8))
    assert data(wire) == bytes([9, 0x10, 0x2E, INVALID])
    ask(wire, procedure(10, 0x2F))
    ask(wire, services.read_request(8))
    assert data(wire) == bytes([10, 0, 0x2F, UNFINISHED])
    guard.complete(DONE, b"end")
    ask(wire, services.read_request(8))
    assert data(wire) == bytes([10, 0, 0x2F, DONE]) + b"end"
    ask(wire, bytes([services.LOGOFF]))
    ask(wire, services.logon_request(7, b"OTHER"))
    ask(wire, services.read_request(8))
    assert data(wire) == bytes(4)


def test_procedures_in_the_other_byte_order_and_at_odd_lengths():
    wire, _, box = pair()
    box.most_first = True
    assert ask(wire, services.write_request(7, b"\x00\x0a\x07")) == services.OK
    assert box.ran == [(10, b"")]
    assert ask(wire, services.write_request(7, b"\x00\x0a")) == services.ONP
    assert ask(wire, services.write_offset_request(7, 1, b"\x0a\x07\x08")) == services.ONP
    assert ask(wire, services.read_index_request(7, (0,), 1)) == services.IAR
    assert ask(wire, services.read_index_request(8, (0,), 1)) == services.ONP
    assert box.ran == [(10, b"")]


def test_access_by_index_and_the_default_table():
    wire, guard, box = pair()
    box.tables[5][:] = bytes(range(20))
    assert ask(wire, bytes([services.READ_DEFAULT])) == services.OK
    assert data(wire) == bytes(range(20))
    assert ask(wire, services.read_index_request(5, (2,), 2)) == services.OK
    assert data(wire) == bytes(range(8, 16))
    for indexes, count in (((5,), 1), ((2,), 0), ((0, 0), 1), (tuple(range(9)), 1)):
        assert ask(wire, services.read_index_request(5, indexes, count)) == services.ONP
    assert ask(wire, services.read_index_request(MT | 1, (0,), 1)) == services.ISC
    write = services.write_index_request(5, (1,), 1, b"abcd")
    assert ask(wire, write) == services.ISC
    ask(wire, services.security_request(b"write-it"))
    assert ask(wire, write) == services.OK
    assert bytes(box.tables[5][3:9]) == b"\x03abcd\x08"
    assert ask(wire, services.write_index_request(5, (1,), 2, b"abcd")) == services.ONP
    assert ask(wire, services.write_index_request(5, (1,), 1, b"abc")) == services.ONP
    assert ask(wire, write[:-1] + bytes([write[-1] ^ 1])) == services.ERR
    for code in (0x3A, 0x3D, 0x4A, 0x4E):
        assert ask(wire, bytes([code]) + bytes(8)) == services.SNS
    guard.index_access = False
    assert ask(wire, services.read_index_request(5, (2,), 2)) == services.SNS
    assert ask(wire, write) == services.SNS
    guard.default_table = None
    assert ask(wire, bytes([services.READ_DEFAULT])) == services.SNS


def test_a_refused_write_changes_nothing():
    wire, _, box = pair()
    ask(wire, services.security_request(b"write-it"))
    assert ask(wire, services.write_request(5, b"\xbb" + bytes(range(19)))) == services.BSY
    request = services.write_request(5, bytes(range(20)))
    assert ask(wire, request[:-1] + b"\x00") == services.ERR
    assert ask(wire, services.write_request(5, bytes(21))) == services.ONP
    assert ask(wire, services.write_request(5, bytes(19))) == services.ONP
    assert ask(wire, services.write_offset_request(5, 17, b"abcd")) == services.ONP
    assert box.tables[5] == bytes(20)


def test_a_guarded_session_allocates_nothing():
    wire, guard, _ = pair()
    client, device = wire.client, wire.device
    requests = (
        services.security_request(b"read"),
        services.security_request(b"wrong"),
        services.read_offset_request(5, 2, 9),
        services.read_request(8),
    )
    tx, rx = client.tx, device.tx
    errors = bytearray(len(requests))
    now = wire.now_ms
    micropython.heap_lock()
    i = 0
    for request in requests:
        now += 50
        client.start(request, now, 13)
        count = client.tx_count
        client.sent(now)
        device.feed(tx, count, now)
        count = device.tx_count
        device.sent(now)
        client.feed(rx, count, now)
        errors[i] = client.error
        i += 1
        count = client.tx_count
        client.sent(now)
        device.feed(tx, count, now)
    micropython.heap_unlock()
    assert bytes(errors) == b"\x00\x01\x00\x00"
    assert guard.wrong_passwords == 1
