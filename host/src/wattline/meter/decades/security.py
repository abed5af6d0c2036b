"""Decade 4: passwords, groups and who may do what."""

from endpoint.optical import services
from endpoint.optical.access import ANYONE, NOBODY, PROCEDURE

PASSWORD_BYTES = 20
READER, PROGRAMMER, MASTER = 1, 2, 4  # groups
_FREE_TABLES = (0, 1, 3, 5)
_SECRET = 42
_READ_FREE, _WRITE_FREE = 1 << 13, 1 << 14
_PROCEDURE_BIT = 1 << 12
_GROUP_BITS = 0xFF


class Security:
    """ST-41, 42 and 44; the rules and levels of the guard before the tables.

    Parameters
    ----------
    meter : FocusAL
    read, write, master : bytes or None
        Passwords of the three levels. Without a read password reading is free; without one of
        the others nobody has its rights.
    """

    def __init__(self, meter, read, write, master):
        self._meter = meter
        self.open_groups = READER if read is None else 0
        self._entries = [
            [read, READER],
            [write, READER | PROGRAMMER],
            [master, READER | PROGRAMMER | MASTER],
        ]
        for password, _ in self._entries:
            if password is not None and not 0 < len(password) <= PASSWORD_BYTES:
                raise ValueError(f"A password has 1 to {PASSWORD_BYTES} bytes.")

    @property
    def levels(self):
        """Passwords and groups, as the guard takes them."""
        return [(password, groups) for password, groups in self._entries if password]

    def rules(self):
        """Return who may read and write each table and run each procedure."""
        readers = READER | PROGRAMMER | MASTER
        rules = {}
        for table in self._meter.contents:
            reading = ANYONE if table in _FREE_TABLES else readers
            writing = PROGRAMMER | MASTER if table in self._meter.writers else NOBODY
            rules[table] = (reading, writing)
        rules[_SECRET] = (NOBODY, MASTER)
        for number in self._meter.procedures:
            rules[PROCEDURE | number] = (NOBODY, PROGRAMMER | MASTER)
        return rules

    def tables(self):
        """Return the functions that make the tables' contents."""
        u = self._meter.encoder.u
        size = len(self._entries) * (PASSWORD_BYTES + 1)
        return {
            41: lambda: (
                bytes([len(self._entries), PASSWORD_BYTES, 0, 0]) + u(len(self.rules()), 2)
            ),
            _SECRET: lambda: bytes(size),
            44: self._permissions,
        }

    def writers(self):
        """Return the functions that take what is written."""
        return {_SECRET: self._write}

    def _permissions(self):
        rows = []
        for key, (reading, writing) in sorted(self.rules().items()):
            word = key & 0x0FFF | (_PROCEDURE_BIT if key & PROCEDURE else 0)
            if (reading & ANYONE) or reading & self.open_groups:
                word |= _READ_FREE
            if writing & ANYONE:
                word |= _WRITE_FREE
            groups = bytes([reading & _GROUP_BITS, writing & _GROUP_BITS])
            rows.append(self._meter.encoder.u(word, 2) + groups)
        return b"".join(rows)

    def _write(self, offset, data):
        width = PASSWORD_BYTES + 1
        if offset % width or len(data) % width:
            return services.ONP
        for i in range(len(data) // width):
            field = data[i * width : i * width + PASSWORD_BYTES]
            self._entries[offset // width + i][0] = field.rstrip(b"\x00").rstrip(b" ") or None
        self._meter.guard.set_levels(self.levels)
        return services.OK
