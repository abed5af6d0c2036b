"""Decade 0: what the meter is, how it is, and procedures."""

from endpoint.optical import services, tables
from endpoint.optical.access import DONE, INVALID
from wattline.meter.encode import bcd, members

_MAKER = b"SIML"
_STANDARD_1997 = 1
LARGEST_PARAMETERS = 16
LARGEST_RESPONSE = 16
_MODES = {1: 0, 2: 1, 4: 2, 8: 3}
_UTILITY_BYTES = 230
MFG = 0x0800  # manufacturer procedure n is MFG + n


class General:
    """ST-0, 1, 2, 3, 5, 6, 7 and 8.

    Parameters
    ----------
    meter : FocusAL
    device_id : str
        Content of ST-5.
    bcd_ids : bool
    """

    def __init__(self, meter, device_id, bcd_ids):
        self._meter = meter
        self._bcd_ids = bcd_ids
        self.set_device_id(device_id)
        self.utility = b"SIMULATED UTILITY".ljust(20) + bytes(b" " * (_UTILITY_BYTES - 20))
        self.mode = 1

    def tables(self):
        """Return the functions that make the tables' contents."""
        return {
            0: self._config,
            1: self._manufacturer,
            2: self._nameplate,
            3: self._status,
            5: lambda: self.device_id,
            6: lambda: self.utility,
            # The guard before the tables answers for procedures; these only say that they exist.
            7: lambda: bytes(3 + LARGEST_PARAMETERS),
            8: lambda: bytes(4),
        }

    def writers(self):
        """Return the functions that take what is written."""
        return {5: self._write_device_id, 6: self._write_utility}

    def set_device_id(self, text):
        """Set ST-5."""
        self.device_id = bcd(text, 10) if self._bcd_ids else f"{text:<20}".encode()

    def _config(self):
        meter = self._meter
        encoder = meter.encoder
        standard = [n for n in meter.contents if n < tables.MT]
        made = [n - tables.MT for n in meter.contents if n >= tables.MT]
        procedures = [n for n in meter.procedures if n < MFG]
        own = [n - MFG for n in meter.procedures if n >= MFG]
        sizes = [max(numbers) // 8 + 1 for numbers in (standard, made, procedures, own)]
        access = (0x08 if meter.offset_access else 0) | (0x10 if meter.index_access else 0)
        return (
            bytes(
                [
                    0x02 | encoder.most_first,
                    encoder.tm_format
                    | access
                    | (0x20 if self._bcd_ids else 0)
                    | encoder.int_format << 6,
                    encoder.ni2 << 4 | encoder.ni1,
                ]
            )
            + _MAKER
            + bytes([2, 0, LARGEST_PARAMETERS, LARGEST_RESPONSE, _STANDARD_1997, 0, *sizes, 1, 0])
            + members(standard, sizes[0])
            + members(made, sizes[1])
            + members(procedures, sizes[2])
            + members(own, sizes[3])
            + members([7, *(n for n in meter.writers if n < tables.MT)], sizes[0])
            + members([n - tables.MT for n in meter.writers if n >= tables.MT], sizes[1])
        )

    def _manufacturer(self):
        meter = self._meter
        serial = meter.served_serial
        text = bcd(serial, 8) if self._bcd_ids else f"{serial:<16}".encode()
        return _MAKER + f"{meter.model:<8}".encode() + bytes([1, 0, *meter.firmware]) + text

    def _nameplate(self):
        form = self._meter.form
        elements = form.elements << 3 | 5  # 60 Hz
        return (
            b"   1.0"
            + b"   0.0"
            + bytes([0])
            + f"{form.name:<5}".encode()
            + self._meter.encoder.u(elements, 2)
            + bytes([2 if form.volts == 120 else 5])
            + f"{form.class_amps:>6}".encode()
            + b"  30.0"
        )

    def _status(self):
        u = self._meter.encoder.u
        return bytes([self.mode]) + u(self._meter.diagnostics.flags, 2) + bytes(2)

    def _write_device_id(self, offset, data):
        stored = bytearray(self.device_id)
        stored[offset : offset + len(data)] = data
        self.device_id = bytes(stored)
        return services.OK

    def _write_utility(self, offset, data):
        stored = bytearray(self.utility)
        stored[offset : offset + len(data)] = data
        self.utility = bytes(stored)
        return services.OK

    def set_mode(self, parameters):
        """Carry out procedure 6."""
        if len(parameters) != 1 or parameters[0] not in _MODES:
            return INVALID, b""
        self.mode = parameters[0]
        return DONE, b""
