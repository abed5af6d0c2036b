"""Decade 0: what the meter is, how it is, and procedures."""

from endpoint.optical import schema, services, tables
from endpoint.optical.access import DONE, INVALID
from wattline.meter.own_tables import MAKER

_HERTZ_60 = 5
_VOLTS_120, _VOLTS_240 = 2, 5
LARGEST_PARAMETERS = 16
LARGEST_RESPONSE = 16
_MODES = {1: 0, 2: 1, 4: 2, 8: 3}
_UTILITY_BYTES = 230
_STATUS_BYTES = 1
MFG = 0x0800  # manufacturer procedure n is MFG + n


class General:
    """ST-0, 1, 2, 3, 5, 6, 7 and 8.

    Parameters
    ----------
    meter : FocusAL
    device_id : str
        Content of ST-5.
    """

    def __init__(self, meter, device_id):
        self._meter = meter
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
        self.device_id = self._written(5, {"IDENTIFICATION": self._identifier(text, 20)})

    def _written(self, table, values):
        return schema.encode(table, values, self._meter.encoder)

    def _identifier(self, text, most):
        """Return an identifier as this meter can show it: as BCD, its last digits."""
        if not self._meter.encoder.bcd_ids:
            return text
        return "".join(letter for letter in text if letter.isdigit())[-most:]

    def _config(self):
        meter = self._meter
        encoder = meter.encoder
        numbers = {
            "STD_TBLS": [n for n in meter.contents if n < tables.MT],
            "MFG_TBLS": [n - tables.MT for n in meter.contents if n >= tables.MT],
            "STD_PROC": [n for n in meter.procedures if n < MFG],
            "MFG_PROC": [n - MFG for n in meter.procedures if n >= MFG],
        }
        access = (1 if meter.offset_access else 0) | (2 if meter.index_access else 0)
        formats = encoder[0]
        return self._written(
            0,
            {
                **formats,
                "FORMAT_CONTROL_2": {**formats["FORMAT_CONTROL_2"], "DATA_ACCESS_METHOD": access},
                "DEVICE_CLASS": MAKER,
                "MAX_PROC_PARM_LENGTH": LARGEST_PARAMETERS,
                "MAX_RESP_DATA_LEN": LARGEST_RESPONSE,
                "DIM_MFG_STATUS_USED": _STATUS_BYTES,
                **{f"DIM_{name}_USED": max(those) // 8 + 1 for name, those in numbers.items()},
                **{f"{name}_USED": those for name, those in numbers.items()},
                "STD_TBLS_WRITE": [7, *(n for n in meter.writers if n < tables.MT)],
                "MFG_TBLS_WRITE": [n - tables.MT for n in meter.writers if n >= tables.MT],
            },
        )

    def _manufacturer(self):
        meter = self._meter
        return self._written(
            1,
            {
                "MANUFACTURER": MAKER.decode(),
                "ED_MODEL": meter.model,
                "HW_VERSION_NUMBER": 1,
                "FW_VERSION_NUMBER": meter.firmware[0],
                "FW_REVISION_NUMBER": meter.firmware[1],
                "MFG_SERIAL_NUMBER": self._identifier(meter.served_serial, 16),
            },
        )

    def _nameplate(self):
        form = self._meter.form
        return self._written(
            2,
            {
                "E_KH": "   1.0",
                "E_KT": "   0.0",
                "E_ED_CONFIG": form.name,
                "E_ELEMENTS": {"E_FREQUENCY": _HERTZ_60, "E_NO_OF_ELEMENTS": form.elements},
                "E_VOLTS": {"E_ELEMENT_VOLTS": _VOLTS_120 if form.volts == 120 else _VOLTS_240},
                "E_CLASS_MAX_AMPS": f"{form.class_amps:>6}",
                "E_TA": "  30.0",
            },
        )

    def _status(self):
        u = self._meter.encoder.u
        return bytes([self.mode]) + u(self._meter.diagnostics.flags, 2) + bytes(1 + _STATUS_BYTES)

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
