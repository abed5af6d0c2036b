"""The module's own tables behind the guard: who may what, whole or not at all (R57, R21)."""

import json

from endpoint import programming
from endpoint.line import command
from endpoint.optical import access, services
from endpoint.optical.access import GuardedTables
from endpoint.optical.tables import MT, Config

KEYS = {
    "read_password": b"READ-PASS",
    "write_password": b"WRITE-PASS",
    "admin_password": b"ADMIN-PASS",
}


class Ring:
    """Ten rows of four bytes, one of them lost."""

    row_bytes = 4
    first = 7
    next = 17

    def read(self, number, buffer):
        if number == 9:
            return False
        buffer[:] = bytes([number] * 4)
        return True


class Module:
    """What the tables see; notes what was asked of it."""

    eid = 4711
    version = 18
    is_programmed = is_logging = True
    has_time = False
    interface_bits = 3
    window = None
    wants_restart = False
    waiting = None

    def __init__(self):
        self.rings = [Ring(), Ring()]
        self.moment = 0
        self.written = []

    def text(self, table):
        self.moment += 1
        return json.dumps({"moment": self.moment, "fill": "x" * 90}).encode()

    def write(self, table, data):
        self.written.append((table, data))
        return services.OK


def guarded(password=None):
    module = Module()
    tables = programming.ModuleTables(module)
    guard = GuardedTables(tables, programming.rules(len(module.rings)), programming.levels(KEYS))
    if password is not None:
        assert guard.security(password + bytes(20 - len(password))) == services.OK
    return module, guard


def read(guard, table, offset=0, count=None):
    guard.from_start = offset == 0
    size = guard.size(table, False)
    if size < 0:
        return size
    count = size - offset if count is None else count
    buffer = bytearray(count)
    assert guard.read(table, offset, count, buffer, 0) == services.OK
    return bytes(buffer)


def run(guard, code, parameters=b""):
    data = bytes([code, 0x08, 1]) + parameters
    assert guard.write(7, 0, len(data), data, 0) == services.OK
    return read(guard, 8)[3:]


def test_R7_identity_is_free_and_says_0624():
    _, guard = guarded()
    assert b"0624" in read(guard, 1)
    assert read(guard, 5) == b"4711                "
    config = Config(read(guard, 0))
    for table in (0, 1, 3, 5, 7, 8, programming.STATUS, programming.KEYS, programming.RINGS + 1):
        assert config.uses(table), table
    assert not config.uses(programming.RINGS + 2)
    status = read(guard, 3)
    assert status[1] | status[2] << 8 == 1 << 6, "the clock is not set"
    assert status[4] == 3, "InterfaceBIT"


def test_nothing_else_is_read_without_a_password():
    _, guard = guarded()
    for table in range(MT, MT + 32):
        assert read(guard, table) in (-services.ISC, -services.IAR), table


def test_readers_change_nothing_whatever_they_send():
    for password in (None, b"READ-PASS"):
        module, guard = guarded(password)
        for table in list(range(64)) + list(range(MT, MT + 32)):
            if table != 7:
                assert guard.size(table, True) in (-services.ISC, -services.IAR), table
        for code in range(256):
            result = run(guard, code, bytes(9))[0]
            assert result in (access.NO_RIGHT, access.UNKNOWN), code
        assert (module.written, module.waiting, module.window) == ([], None, None)
        assert not module.wants_restart


def test_writers_give_commands_and_admins_open_the_window():
    module, guard = guarded(b"WRITE-PASS")
    assert run(guard, command.FREEZE, b"\x00\x07") == bytes((access.UNFINISHED,))
    assert module.waiting == bytes((command.FREEZE, 0, 7)), "the port's task carries it out"
    assert run(guard, programming.SERVICE_WINDOW, b"\x00\x3c\x06")[0] == access.NO_RIGHT
    assert run(guard, programming.RESTART)[0] == access.DONE
    assert module.wants_restart
    module, guard = guarded(b"ADMIN-PASS")
    for bad in (b"", b"\x00\x3c", b"\x00\x00\x06", b"\x07\x09\x06", b"\x00\x3c\x07"):
        assert run(guard, programming.SERVICE_WINDOW, bad)[0] == access.INVALID
    assert module.window is None
    assert run(guard, programming.SERVICE_WINDOW, b"\x00\x3c\x0c")[0] == access.DONE
    assert module.window == (60, 115200)


def test_a_refused_command_says_why():
    for result, shown in (
        (command.PENDING, access.DONE),
        (command.ALREADY_DONE, access.DONE),
        (command.BAD_ARGUMENT, access.INVALID),
        (command.NOT_SUPPORTED, access.UNKNOWN),
        (command.LOCKED_OUT, access.CONFLICT),
        (command.NEEDS_DETENT, access.CONFLICT),
    ):
        assert programming.procedure_result(result) == shown
    _, guard = guarded(b"WRITE-PASS")
    run(guard, command.FREEZE, b"\x00\x07")
    guard.complete(access.CONFLICT, bytes((command.LOCKED_OUT,)))
    assert read(guard, 8)[3:] == bytes((access.CONFLICT, command.LOCKED_OUT))


def test_keys_are_written_and_never_read():
    module, guard = guarded(b"ADMIN-PASS")
    assert read(guard, programming.KEYS) == -services.ISC
    size = guard.size(programming.KEYS, True)
    assert size == programming.TEXT_MAX_BYTES
    assert guard.write(programming.KEYS, 0, 2, b"{}", 0) == services.OK
    assert guard.write(programming.KEYS, 1, 2, b"{}", 0) == services.ONP, "only whole"
    assert module.written == [(programming.KEYS, b"{}")]


def test_a_text_read_in_pieces_is_of_one_moment():
    _, guard = guarded(b"READ-PASS")
    whole = read(guard, programming.STATUS, 0, 40)
    guard.from_start = False
    size = guard.size(programming.STATUS, False)
    while len(whole) < size:
        whole += read(guard, programming.STATUS, len(whole), min(40, size - len(whole)))
    assert json.loads(whole)["moment"] == 1
    assert json.loads(read(guard, programming.STATUS))["moment"] == 2


def test_a_ring_is_a_table_and_a_lost_row_is_all_ones():
    _, guard = guarded(b"READ-PASS")
    data = read(guard, programming.RINGS + 1)
    assert data[:12] == bytes((7, 0, 0, 0, 17, 0, 0, 0, 4, 0, 1, 0))
    rows = [data[i : i + 4] for i in range(12, len(data), 4)]
    assert rows == [bytes([n] * 4) if n != 9 else b"\xff" * 4 for n in range(7, 17)]
    for offset in range(len(data)):
        for count in (1, 5, 11):
            if offset + count <= len(data):
                part = read(guard, programming.RINGS + 1, offset, count)
                assert part == data[offset : offset + count]
