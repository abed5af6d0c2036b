"""A simulated FOCUS AL: tables and registers behind the C12.18 device role.

What is known of the real meter and what is invented here is listed in docs/meter.md; every
name and serial number is obviously fake. Registers are pure functions of simulated time.
"""

from bisect import bisect_right
from collections import deque

from endpoint.meter.layout import MODULUS_WH, PATCH_MARK
from endpoint.optical import formats, services, tables
from endpoint.optical.device import PROCEDURE_TABLE, C1218Device, Tables
from wattline.meter import encode
from wattline.meter.forms import find_form
from wattline.meter.load import MW_NS_PER_WH, NS_PER_S, Lit, Load

_MT_ELECTRICAL = tables.MT | 0
_MT_PATCH = tables.MT | 1
_DISPLAY_SLOTS = 16
_DISPLAY_USED = 4
_PASSWORDS = 2
_PASSWORD_BYTES = 20
_MOST_READS = 100_000
_FREE_TABLES = (0, 1, 3, 5)  # readable without any right
_SECRET_TABLES = (7, 42)  # never readable

# ID_CODE, TIME_BASE, quadrants, NET_FLOW of the sources without the voltages; see docs/meter.md.
_WH_DELIVERED = 0b1001 << 14
_WH_RECEIVED = 0b0110 << 14
_WH_NET = 0b1111 << 14 | 1 << 18
_W_NET = 1 << 8 | 0b1111 << 14 | 1 << 18
_V_RMS_HUNDREDTHS = 8 | 1 << 8 | 5 << 11
_OUTAGES = 50
_KILO = 2 << 11

_ENGINEERING = 0x11
_PULSES = 0x29  # unit, constants, constant still to be applied

_DONE, _INVALID, _NO_RIGHT, _UNKNOWN = 0, 2, 5, 6  # procedure results


class FocusAL(Tables):
    """The meter.

    Parameters
    ----------
    serial : str
        Serial number, at most 16 characters.
    form : str
        Form of the data sheet, for example ``2S``.
    volts : int or None
        Voltage in V where the form exists at more than one.
    load : Load or None
        What is measured; None takes the default house at the form's voltage.
    forward_wh, reverse_wh : int
        Registers at time zero.
    display_multiplier : int
        1 to 240; scales the display, not the registers (rule E-8).
    patch : bytes or None
        Content of the patch table; None is a meter without the patch.
    read_password, write_password : bytes or None
        None: reading is free; writing is impossible.
    most_first, offset_access, bcd_ids : bool
        Byte order, partial reads and kind of identifiers that ST-0 announces.
    ni_format : int
        Number format of all registers, 0 to 12.
    kilo : bool
        Registers in kWh instead of Wh.
    pulse_wh : int or None
        If given, the registers count pulses of so many Wh and ST-15 holds the constant.
    model : str
        Model text, at most 8 characters.
    """

    def __init__(
        self,
        serial="SIM0000000000001",
        form="2S",
        volts=None,
        load=None,
        forward_wh=0,
        reverse_wh=0,
        display_multiplier=1,
        patch=PATCH_MARK,
        read_password=None,
        write_password=b"FAKE-WRITE",
        most_first=False,
        offset_access=True,
        bcd_ids=False,
        ni_format=formats.INT32,
        kilo=False,
        pulse_wh=None,
        model="FOCUSSIM",
        packet_bytes=256,
        packets=255,
    ):
        if not 0 < len(serial) <= 16:
            raise ValueError("A serial number has 1 to 16 characters.")
        if not 1 <= display_multiplier <= 240:
            raise ValueError("The display multiplier of a FOCUS AL is 1 to 240.")
        self.form = find_form(form, volts)
        self.load = load or Load(nominal_dv=10 * self.form.volts)
        self.serial = serial
        self.model = model
        self.display_multiplier = display_multiplier
        self.offset_access = offset_access
        self.now_ns = 0
        self.reads = deque(maxlen=_MOST_READS)
        self.outages = 0
        self.refuse = {}  # table -> reply code, as a meter that denies it
        self.spoil = {}  # table -> function(data) -> data, as a meter that is wrong
        self.device = C1218Device(self, packet_bytes, packets)
        self._patch = patch
        self._passwords = (read_password, write_password)
        self._most_first = most_first
        self._bcd_ids = bcd_ids
        self._ni = ni_format
        self._kilo = kilo
        self._pulse_wh = pulse_wh
        self._lit = Lit()
        self._preset_ns = [0]
        self._presets = [(forward_wh * MW_NS_PER_WH, reverse_wh * MW_NS_PER_WH)]
        self._may_read = self._may_write = False
        self._device_id = f"{serial:<20}".encode() if not bcd_ids else self._bcd(serial, 10)
        self._display = bytearray(self._display_list())
        self._response = bytes(4)
        self._builders = self._list_tables()
        self._writers = {
            5: self._write_device_id,
            PROCEDURE_TABLE: self._write_procedure,
            33: self._write_display,
        }
        self.leave()

    # -- truth ----------------------------------------------------------------------

    def register_wh(self, t_ns):
        """Return what the display shows at `t_ns`: forward and reverse energy in Wh."""
        forward, reverse = self._raw_wh(t_ns)
        factor = self.display_multiplier
        return forward * factor % MODULUS_WH, reverse * factor % MODULUS_WH

    def voltages_dv(self, t_ns):
        """Return the RMS voltages at `t_ns` in 0.1 V, one for each measured phase."""
        t_s = t_ns / NS_PER_S
        return tuple(self.load.voltage_dv(t_s, i) for i in range(len(self.form.segments)))

    def is_lit(self, t_ns):
        """Return whether the service is energised at `t_ns`."""
        return self._lit.at(t_ns)

    def set_lit(self, t_ns, lit):
        """Switch the service: dark, the registers stand still and the port is dead."""
        if self._lit.at(t_ns) and not lit:
            self.outages += 1
            self.device.close()
        self._lit.set(t_ns, lit)

    def preset(self, t_ns, forward_wh, reverse_wh):
        """Set the registers at `t_ns`, as a meter shop's tool does."""
        self._preset_ns.append(t_ns)
        self._presets.append((forward_wh * MW_NS_PER_WH, reverse_wh * MW_NS_PER_WH))

    def _raw_wh(self, t_ns):
        place = max(0, bisect_right(self._preset_ns, t_ns) - 1)
        base = self._presets[place]
        since = self._lit.energy(self.load, self._preset_ns[place])
        until = self._lit.energy(self.load, t_ns)
        return tuple((base[i] + until[i] - since[i]) // MW_NS_PER_WH % MODULUS_WH for i in (0, 1))

    # -- the device's tables --------------------------------------------------------

    def leave(self):
        """Take all rights back."""
        self._may_read = self._passwords[0] is None
        self._may_write = False

    def security(self, password):
        """Grant read or read and write access."""
        given = bytes(password)
        read, write = self._passwords
        if write is not None and _is_password(given, write):
            self._may_read = self._may_write = True
        elif read is not None and _is_password(given, read):
            self._may_read, self._may_write = True, False
        else:
            return services.ERR
        return services.OK

    def size(self, table, writing):
        """Return a table's length, or the negative reply code that refuses it."""
        if table in self.refuse:
            return -self.refuse[table]
        if table not in self._builders:
            return -services.IAR
        if writing:
            if table not in self._writers:
                return -services.IAR
            if not self._may_write and table != PROCEDURE_TABLE:
                return -services.ISC
        elif table in _SECRET_TABLES or (not self._may_read and table not in _FREE_TABLES):
            return -services.IAR if table == PROCEDURE_TABLE else -services.ISC
        return len(self._builders[table]())

    def read(self, table, offset, count, to, to_at):
        """Serve part of a table as it is at `now_ns`."""
        data = self._builders[table]()
        if table in self.spoil:
            data = self.spoil[table](data)
        if table == tables.ST_CURRENT:
            self.reads.append((self.now_ns, *self.register_wh(self.now_ns)))
        to[to_at : to_at + count] = data[offset : offset + count]
        return services.OK

    def write(self, table, offset, count, source, source_at):
        """Store what a client with write access sends."""
        data = bytes(source[source_at : source_at + count])
        return self._writers[table](offset, data)

    def _write_device_id(self, offset, data):
        stored = bytearray(self._device_id)
        stored[offset : offset + len(data)] = data
        self._device_id = bytes(stored)
        return services.OK

    def _write_display(self, offset, data):
        self._display[offset : offset + len(data)] = data
        return services.OK

    def _write_procedure(self, offset, data):
        if offset or len(data) < 3:
            return services.ONP
        order = "big" if self._most_first else "little"
        number = int.from_bytes(data[:2], order) & 0x0FFF
        self._response = data[:3] + bytes([self._procedure(number, data[3:])])
        if number == 9 and self._response[3] == _DONE:
            self._response += data[3:4]
        return services.OK

    def _procedure(self, number, parameters):
        if number not in (0, 1, 3, 7, 9):
            return _UNKNOWN
        if not self._may_write:
            return _NO_RIGHT
        if number in (0, 3):
            self.preset(self.now_ns, 0, 0)
        if number == 9:
            if len(parameters) != 1:
                return _INVALID
            self.outages = 0
        return _DONE

    # -- table contents -------------------------------------------------------------

    def _list_tables(self):
        builders = {
            0: self._config,
            1: self._manufacturer,
            3: lambda: bytes([1, 0, 0, 0, 0]),
            5: lambda: self._device_id,
            PROCEDURE_TABLE: lambda: bytes(19),
            8: lambda: self._response,
            11: self._source_limits,
            12: lambda: b"".join(self._int(unit, 4) for unit in self._units()),
            16: self._source_flags,
            21: lambda: bytes([0, 0, 0, 3, 0, 0, 0, 0, 0, len(self.form.segments) + 2]),
            22: lambda: bytes([0, 1, 2]),
            23: self._current,
            27: lambda: bytes(range(3, 5 + len(self.form.segments))),
            28: self._present,
            31: lambda: (
                bytes([0])
                + self._int(_DISPLAY_SLOTS, 2)
                + bytes([4])
                + self._int(_DISPLAY_SLOTS, 2)
                + bytes([1])
                + self._int(0, 2)
                + bytes([0])
            ),
            32: lambda: b"".join(bytes([i, 5, 0, 0]) for i in range(_DISPLAY_SLOTS)),
            33: lambda: bytes(self._display),
            41: lambda: bytes([_PASSWORDS, _PASSWORD_BYTES, 0, 0]) + self._int(1, 2),
            42: lambda: bytes(_PASSWORDS * (_PASSWORD_BYTES + 1)),
            44: lambda: self._int(1 << 13, 2) + bytes([3, 2]),
            _MT_ELECTRICAL: self._electrical,
        }
        if self._pulse_wh:
            builders[15] = self._constants
        if self._patch is not None:
            builders[_MT_PATCH] = lambda: self._patch + bytes([self.display_multiplier, 0])
        return builders

    def _config(self):
        standard = _set((n for n in self._builders if n < tables.MT), 6)
        manufacturer = _set((n - tables.MT for n in self._builders if n >= tables.MT), 1)
        return (
            bytes(
                [
                    0x02 | self._most_first,
                    (0x08 if self.offset_access else 0) | (0x20 if self._bcd_ids else 0),
                    self._ni << 4 | self._ni,
                ]
            )
            + b"SIML"
            + bytes([2, 0, 16, 16, 1, 0, 6, 1, 2, 0, 1, 0])
            + standard
            + manufacturer
            + _set((0, 1, 3, 7, 9), 2)
            + _set(self._writers, 6)
            + bytes(1)
        )

    def _manufacturer(self):
        serial = self.serial
        text = self._bcd(serial, 8) if self._bcd_ids else f"{serial:<16}".encode()
        return b"SIML" + f"{self.model:<8}".encode() + bytes([1, 0, 1, 0]) + text

    def _source_limits(self):
        count = len(self._units())
        return bytes([0, count, 0, 0, 0, 3 if self._pulse_wh else 0, 2, count])

    def _units(self):
        kilo = _KILO if self._kilo else 0
        volts = [_V_RMS_HUNDREDTHS | segment << 19 for segment in self.form.segments]
        energy = [unit | kilo for unit in (_WH_DELIVERED, _WH_RECEIVED, _WH_NET)]
        return [*energy, *volts, _W_NET, _OUTAGES]

    def _source_flags(self):
        energy = _PULSES if self._pulse_wh else _ENGINEERING
        return bytes([energy] * 3 + [_ENGINEERING] * (len(self.form.segments) + 2))

    def _constants(self):
        return (self._number(self._pulse_wh) + self._number(0)) * 3

    def _current(self):
        forward, reverse = self._raw_wh(self.now_ns)
        net = forward - reverse
        if self._ni in (formats.BCD8, formats.BCD12, formats.BCD16):
            net %= MODULUS_WH
        divisor = self._pulse_wh or 1
        exp10 = 3 if self._kilo else 0
        return b"".join(self._number(wh // divisor, exp10) for wh in (forward, reverse, net))

    def _present(self):
        power_w = self.load.power_mw(self.now_ns) // 1000
        volts = [self._number(dv * 10) for dv in self.voltages_dv(self.now_ns)]
        if self._ni in (formats.BCD8, formats.BCD12, formats.BCD16):
            power_w = max(power_w, 0)
        return b"".join([*volts, self._number(power_w), self._number(self.outages)])

    def _electrical(self):
        volts = [*self.voltages_dv(self.now_ns), 0][:2]
        power_w = self.load.power_mw(self.now_ns) // 1000
        return self._int(volts[0], 2) + self._int(volts[1], 2) + self._int(power_w, 4)

    def _display_list(self):
        items = [i if i < _DISPLAY_USED else 0 for i in range(_DISPLAY_SLOTS)]
        return bytes([0x15, 0x10, _DISPLAY_USED]) + b"".join(self._int(i, 2) for i in items)

    def _int(self, value, count):
        return encode.integer(value, count, self._most_first)

    def _number(self, value, exp10=0):
        return encode.number(value, self._ni, self._most_first, exp10)

    @staticmethod
    def _bcd(text, count):
        digits = "".join(letter for letter in text if letter.isdigit())[-2 * count :]
        return bytes.fromhex(digits.zfill(2 * count))


def _is_password(given, password):
    head, rest = given[: len(password)], given[len(password) :]
    return head == password and (not rest.strip(b"\x00") or not rest.strip(b" "))


def _set(numbers, count):
    """Return a C12.19 set of `count` bytes."""
    value = 0
    for number in numbers:
        value |= 1 << number
    return value.to_bytes(count, "little")
