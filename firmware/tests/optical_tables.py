"""A small meter for tests in both worlds: tables from a dictionary, as the sheet's example."""

from endpoint.optical import services
from endpoint.optical.device import C1218Device, Tables

SERIAL = b"SIM0000000000042"


class FewTables(Tables):
    """Wh delivered, Wh received and volts; least significant byte first, int 32."""

    def __init__(self, serial=SERIAL, forward=123456, reverse=789):
        self.refuse = {}
        self.tables = {
            0: bytes([0x02, 0x08, 0x88])
            + b"SIML"
            + bytes([2, 0, 16, 16, 1, 0, 4, 1, 0, 0, 0, 0])
            + bytes([0x03, 0x18, 0xE1, 0x18, 0x02, 0, 0, 0, 0, 0]),
            1: b"SIML" + b"FOCUSSIM" + b"\x01\x00\x01\x00" + serial,
            11: bytes([0, 3, 0, 0, 0, 0, 2, 3]),
            12: bytes([0, 0x40, 2, 0, 0, 0x80, 1, 0, 8, 0x29, 8, 0]),
            16: bytes([0x11, 0x11, 0x11]),
            21: bytes([0, 0, 0, 2, 0, 0, 0, 0, 0, 1]),
            22: bytes([0, 1]),
            23: bytes(8),
            27: bytes([2]),
            28: (23987).to_bytes(4, "little"),
            0x801: b"WLP\x01\x01\x00",
        }
        self.set(forward, reverse)

    def set(self, forward, reverse):
        self.tables[23] = forward.to_bytes(4, "little") + reverse.to_bytes(4, "little")

    def size(self, table, writing):
        if table in self.refuse:
            return -self.refuse[table]
        return len(self.tables[table]) if table in self.tables else -services.IAR

    def read(self, table, offset, count, to, to_at):
        data = self.tables[table]
        i = 0
        while i < count:
            to[to_at + i] = data[offset + i]
            i += 1
        return services.OK


def meter(**options):
    """Return a device with these tables, and the tables."""
    tables = FewTables(**options)
    return C1218Device(tables, 128, 8, 1024), tables
