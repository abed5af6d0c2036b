"""The module as a C12.19 device: the tables and procedures of its programming port.

Standard tables 0, 1, 3 and 5 say who is there and are free to read. Manufacturer tables carry
what is this product's own; texts are JSON, rows are those of `endpoint.metering.rows`:

    MT-0  status, text             read
    MT-1  settings, text           read, write whole
    MT-2  readings, text           read
    MT-3  keys, text               write whole with the admin password, never read
    MT-4  schedule in force        read
    MT-5  schedule that is staged  read, write whole; SCHEDULE_ACTIVATE puts it in force
    MT-6  the log's open row       read; `books.OPEN_ROW_HEAD`, then its filled bytes
    MT-16 and up                   one ring of records each: header `RING_HEAD`, then its rows

A text that is read in pieces stays as it was when the first piece was asked for. Manufacturer
procedure n is command n of `endpoint.line.command`; its response data is one result of that
file. Two more exist on this port alone: RESTART and SERVICE_WINDOW.

Context: the port's task. Allocates: texts and rows; nothing is kept between sessions.
"""

import struct

from micropython import const

from endpoint import commands
from endpoint.optical import services
from endpoint.optical.access import (
    ANYONE,
    CONFLICT,
    DONE,
    INVALID,
    NOBODY,
    PROCEDURE,
    UNFINISHED,
    UNKNOWN,
    Provider,
)
from endpoint.optical.tables import MT

READERS = const(1)
WRITERS = const(2)
ADMINS = const(4)

STATUS = const(0x0800)
SETTINGS = const(0x0801)
READINGS = const(0x0802)
KEYS = const(0x0803)
SCHEDULE = const(0x0804)
STAGED = const(0x0805)
OPEN_ROW = const(0x0806)
RINGS = const(0x0810)

# First and next row number, bytes of a row, number of the ring.
RING_HEAD = "<IIHH"
RING_HEAD_BYTES = const(12)

RESTART = const(0x80)
SERVICE_WINDOW = const(0x81)  # parameters: seconds (16 bits, high byte first), baud code
SERVICE_MAX_S = const(1800)
# 9600, 19200, 38400, 57600 and 115200: what opto probes and the UART both know.
BAUD_CODES = b"\x06\x08\x0b\x0a\x0c"

TEXT_MAX_BYTES = const(1024)  # of a text that is written

_ST_CONFIG = const(0)
_ST_MANUFACTURER = const(1)
_ST_STATUS = const(3)
_ST_DEVICE = const(5)
_MT_SET_BYTES = const(4)
_PROCEDURE_SET_BYTES = const(17)
_PARAMETER_BYTES = const(64)

_MANUFACTURER = b"WLIN"
_MODEL = b"FASY0624"
_HARDWARE = b"\x01\x00"

_UNPROGRAMMED = const(1 << 0)
_CLOCK_ERROR = const(1 << 6)
_MEASUREMENT_ERROR = const(1 << 7)


def rules(rings):
    """Return the rights of every table and procedure, as `GuardedTables` takes them.

    Parameters
    ----------
    rings : int
        How many rings there are.
    """
    made = {
        _ST_CONFIG: (ANYONE, NOBODY),
        _ST_MANUFACTURER: (ANYONE, NOBODY),
        _ST_STATUS: (ANYONE, NOBODY),
        _ST_DEVICE: (ANYONE, NOBODY),
        STATUS: (READERS, NOBODY),
        SETTINGS: (READERS, WRITERS),
        READINGS: (READERS, NOBODY),
        KEYS: (NOBODY, ADMINS),
        SCHEDULE: (READERS, NOBODY),
        STAGED: (READERS, WRITERS),
        OPEN_ROW: (READERS, NOBODY),
    }
    for i in range(rings):
        made[RINGS + i] = (READERS, NOBODY)
    for code in commands.ON_THE_PORT:
        made[PROCEDURE | MT | code] = (NOBODY, WRITERS)
    made[PROCEDURE | MT | RESTART] = (NOBODY, WRITERS)
    made[PROCEDURE | MT | SERVICE_WINDOW] = (NOBODY, ADMINS)
    return made


def levels(keys):
    """Return the passwords and what each opens, from the module's secrets."""
    return (
        (keys["read_password"], READERS),
        (keys["write_password"], READERS | WRITERS),
        (keys["admin_password"], READERS | WRITERS | ADMINS),
    )


class ModuleTables(Provider):
    """What the programming port serves.

    Parameters
    ----------
    module
        The application: `eid`, `version`, `is_programmed`, `is_logging`, `has_time`,
        `interface_bits`, `rings`, `window`, `wants_restart`, `waiting`; `text(table)`,
        `write(table, data)`.
    """

    varying = (SETTINGS, KEYS, STAGED)

    def __init__(self, module):
        self._module = module
        self._rules = rules(len(module.rings))
        self._table = None
        self._data = b""
        self._row = bytearray(max([ring.row_bytes for ring in module.rings] or [1]))

    def leave(self):
        """Forget what was being read in pieces."""
        self._table = None
        self._data = b""

    def size(self, table):
        """Return the table's length; a text is taken down now, unless a part of it was read."""
        if table >= RINGS:
            ring = self._module.rings[table - RINGS]
            return RING_HEAD_BYTES + (ring.next - ring.first) * ring.row_bytes
        if self.from_start or table != self._table:
            self._data = self._build(table)
            self._table = table
        return max(1, len(self._data))

    def room(self, table):
        """Return the longest text that is taken."""
        return TEXT_MAX_BYTES

    def read(self, table, offset, count, into, into_at):
        """Serve part of a table."""
        if table >= RINGS:
            return self._read_ring(
                self._module.rings[table - RINGS], table, offset, count, into, into_at
            )
        data = self._data or b" "
        into[into_at : into_at + count] = data[offset : offset + count]
        return services.OK

    def write(self, table, offset, count, source, source_at):
        """Take a whole text or schedule: all of it or nothing."""
        self.leave()
        if offset or count > TEXT_MAX_BYTES:
            return services.ONP
        return self._module.write(table, bytes(memoryview(source)[source_at : source_at + count]))

    def procedure(self, number, parameters):
        """Run a command, or what only this port can do."""
        code = number & 0xFF
        if code == RESTART:
            self._module.wants_restart = True
            return DONE, b""
        if code == SERVICE_WINDOW:
            return self._open_window(parameters), b""
        # Carried out by the port's task: from here the chip's stack would not reach to the rings.
        self._module.waiting = bytes((code,)) + parameters
        return UNFINISHED, b""

    def _open_window(self, parameters):
        if len(parameters) != 3 or parameters[2] not in BAUD_CODES:
            return INVALID
        seconds = parameters[0] << 8 | parameters[1]
        if not 0 < seconds <= SERVICE_MAX_S:
            return INVALID
        self._module.window = (seconds, services.BAUDS[parameters[2]])
        return DONE

    def _read_ring(self, ring, table, offset, count, into, into_at):
        end = offset + count
        if offset < RING_HEAD_BYTES:
            head = struct.pack(RING_HEAD, ring.first, ring.next, ring.row_bytes, table - RINGS)
            part = head[offset:end]
            into[into_at : into_at + len(part)] = part
            into_at += len(part)
            offset += len(part)
        while offset < end:
            place, skip = divmod(offset - RING_HEAD_BYTES, ring.row_bytes)
            if not ring.read(ring.first + place, self._row):
                for i in range(ring.row_bytes):  # lost to the flash: no row is all ones
                    self._row[i] = 0xFF
            part = min(ring.row_bytes - skip, end - offset)
            into[into_at : into_at + part] = self._row[skip : skip + part]
            into_at += part
            offset += part
        return services.OK

    def _build(self, table):
        module = self._module
        if table == _ST_CONFIG:
            return self._config()
        if table == _ST_MANUFACTURER:
            version = bytes((module.version, 0))
            return _MANUFACTURER + _MODEL + _HARDWARE + version + b"%016d" % module.eid
        if table == _ST_STATUS:
            status = 0
            if not module.is_programmed:
                status |= _UNPROGRAMMED
            if not module.has_time:
                status |= _CLOCK_ERROR
            if not module.is_logging:
                status |= _MEASUREMENT_ERROR
            return struct.pack("<BHBB", 1, status, 0, module.interface_bits)
        if table == _ST_DEVICE:
            return b"%-20d" % module.eid
        return module.text(table)

    def _config(self):
        tables, manufacturer, procedures, writable, mt_writable = 0, 0, 0, 0, 0
        for key in self._rules:
            if key & PROCEDURE:
                procedures |= 1 << (key & 0xFF)
            elif key & MT:
                manufacturer |= 1 << (key & 0x7FF)
                if self._rules[key][1]:
                    mt_writable |= 1 << (key & 0x7FF)
            else:
                tables |= 1 << key
        tables |= 1 << 7 | 1 << 8
        writable = 1 << 7
        # Least significant byte first, ASCII; seconds since 1970; offset reads; 64-bit integers.
        head = b"\x02\x0c\xbb" + _MANUFACTURER
        head += bytes((2, 0, _PARAMETER_BYTES, _PARAMETER_BYTES, 1, 0))
        head += bytes((2, _MT_SET_BYTES, 0, _PROCEDURE_SET_BYTES, 1, 0))
        return (
            head
            + tables.to_bytes(2, "little")
            + manufacturer.to_bytes(_MT_SET_BYTES, "little")
            + procedures.to_bytes(_PROCEDURE_SET_BYTES, "little")
            + writable.to_bytes(2, "little")
            + mt_writable.to_bytes(_MT_SET_BYTES, "little")
        )


def procedure_result(result):
    """Return what ST-8 shows for the result of a command."""
    if result in (commands.DONE, commands.ALREADY_DONE, commands.PENDING):
        return DONE
    if result == commands.BAD_ARGUMENT:
        return INVALID
    return UNKNOWN if result == commands.NOT_SUPPORTED else CONFLICT
