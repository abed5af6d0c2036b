"""C12.19 tables that say how the others look: sizes, formats and places derived from them.

Each class takes the data of one table as it came from the meter. Nothing is assumed that
the tables do not say.

Context: any. Allocates: small objects; meant for the first contact with a device.
Source: ANSI C12.19, decades 0, 1 and 2.
"""

from micropython import const

from endpoint.optical.formats import NI_BYTES, FormatError, number, unsigned

ST_CONFIG = const(0)
ST_MANUFACTURER = const(1)
ST_DEVICE = const(5)
ST_ACTUAL_SOURCES = const(11)
ST_UNITS = const(12)
ST_CONSTANTS = const(15)
ST_SOURCES = const(16)
ST_ACTUAL_REGISTERS = const(21)
ST_SELECTION = const(22)
ST_CURRENT = const(23)
ST_PRESENT_SELECTION = const(27)
ST_PRESENT = const(28)
ST_CLOCK = const(52)
MT = const(0x0800)  # manufacturer table n is MT + n

UNUSED = const(255)  # a selection that selects no source

_CONFIG_BYTES = const(19)
_ELECTRIC = const(2)

# Bytes of LTIME_DATE, of STIME_DATE and of TIME by TM_FORMAT.
_LTIME_BYTES = (0, 6, 6, 5, 4)
_STIME_BYTES = (0, 5, 5, 4, 4)
_TIME_BYTES = (0, 3, 3, 4, 4)

# UOM MULTIPLIER code -> power of ten.
_EXPONENTS = (0, 2, 3, 6, 9, -2, -3, -6)

_UOM_FLAG = const(0x01)
_CONSTANTS_FLAG = const(0x08)
_ENGINEERING_FLAG = const(0x10)
_TO_APPLY_FLAG = const(0x20)

_CONSTANT_EXP10 = const(6)  # constants are kept as integers of millionths
_RATIOS_APPLIED = const(0x01)


def need(data, count):
    """Raise FormatError unless `data` holds `count` bytes."""
    if len(data) < count:
        raise FormatError


class Config:
    """ST-0: byte order, formats and the sets of tables."""

    def __init__(self, data):
        need(data, _CONFIG_BYTES)
        self.most_first = data[0] & 1 == 1
        tm_format = data[1] & 7
        access = data[1] >> 3 & 3
        self.offset_access = access & 1 == 1
        self.bcd_ids = data[1] >> 5 & 1 == 1
        self.int_format = data[1] >> 6
        self.ni1 = data[2] & 0x0F
        self.ni2 = data[2] >> 4
        if self.ni1 >= len(NI_BYTES) or self.ni2 >= len(NI_BYTES):
            raise FormatError
        if tm_format >= len(_TIME_BYTES):
            raise FormatError
        self.ni1_bytes = NI_BYTES[self.ni1]
        self.ni2_bytes = NI_BYTES[self.ni2]
        self.tm_format = tm_format
        self.ltime_bytes = _LTIME_BYTES[tm_format]
        self.time_bytes = _TIME_BYTES[tm_format]
        self.stime_bytes = _STIME_BYTES[tm_format]
        self.electric = data[7] == _ELECTRIC
        standard, manufacturer = data[13], data[14]
        need(data, _CONFIG_BYTES + 2 * (standard + manufacturer) + data[15] + data[16])
        self._standard = bytes(data[_CONFIG_BYTES : _CONFIG_BYTES + standard])
        end = _CONFIG_BYTES + standard + manufacturer
        self._manufacturer = bytes(data[_CONFIG_BYTES + standard : end])

    def uses(self, table):
        """Return whether the device says that it has `table` (a standard or MT number)."""
        tables = self._manufacturer if table & MT else self._standard
        table &= MT - 1
        return table >> 3 < len(tables) and tables[table >> 3] >> (table & 7) & 1 == 1

    @property
    def serial_bytes(self):
        """Length of the manufacturer's serial number in ST-1."""
        return 8 if self.bcd_ids else 16

    @property
    def device_bytes(self):
        """Length of ST-5."""
        return 10 if self.bcd_ids else 20


class Sources:
    """ST-11: how many units, constants and sources there are."""

    def __init__(self, data):
        need(data, 8)
        self.has_set1 = data[0] & 0x20 != 0
        self.has_set2 = data[0] & 0x40 != 0
        self.units = data[1]
        self.constants = data[5]
        self.electric = data[6] == 2
        self.sources = data[7]

    def constant_bytes(self, config):
        """Return the length of one entry of ST-15."""
        ratios = (1 if self.has_set1 else 0) + (1 if self.has_set2 else 0)
        return 2 * config.ni1_bytes + ratios * (1 + 2 * config.ni1_bytes)


class Unit:
    """One entry of ST-12: what a source measures, and the power of ten of its numbers."""

    def __init__(self, data, at, most_first):
        value = unsigned(data, at, 4, most_first)
        self.id = value & 0xFF
        self.time_base = value >> 8 & 7
        self.exp10 = _EXPONENTS[value >> 11 & 7]
        self.quadrants = value >> 14 & 0x0F
        self.net = value >> 18 & 1 == 1
        self.segment = value >> 19 & 7
        self.harmonic = value >> 22 & 1 == 1
        self.standard = value >> 31 == 0

    def is_energy(self, quadrants):
        """Return whether this is active energy, all phases, of exactly these quadrants.

        Parameters
        ----------
        quadrants : int
            Bit 0 is quadrant 1: 0b1001 delivered, 0b0110 received.
        """
        return (
            self.id == 0
            and self.time_base == 0
            and self.quadrants == quadrants
            and not self.net
            and self.segment == 0
            and not self.harmonic
            and self.standard
        )

    @property
    def is_voltage(self):
        """Whether this is an instantaneous RMS voltage."""
        return self.id == 8 and self.time_base == 1 and not self.harmonic and self.standard


class Source:
    """One source of ST-16, with its unit and the constant that is still to be applied.

    Attributes
    ----------
    multiplier_e6, offset_e6 : int or None
        Engineering value = raw * multiplier + offset, both in millionths; None if the stored
        number already is the engineering value.
    """

    def __init__(self, unit):
        self.unit = unit
        self.multiplier_e6 = None
        self.offset_e6 = None


def read_sources(config, sources, units, flags, constants):
    """Return the list of sources, None for each that has no unit or only bare pulses.

    Parameters
    ----------
    config : Config
    sources : Sources
    units, flags, constants : bytes-like
        Data of ST-12, ST-16 and ST-15 (the last may be empty if there are no constants).
    """
    need(flags, sources.sources)
    need(units, 4 * sources.units)
    found = []
    unit_index = 0
    constant_index = 0
    for i in range(sources.sources):
        flag = flags[i]
        source = None
        if flag & _UOM_FLAG:
            need(units, 4 * unit_index + 4)
            source = Source(Unit(units, 4 * unit_index, config.most_first))
            unit_index += 1
        if flag & _TO_APPLY_FLAG and source and flag & _CONSTANTS_FLAG:
            _apply(source, config, sources, constants, constant_index)
        elif not flag & _ENGINEERING_FLAG:
            source = None
        if flag & _CONSTANTS_FLAG:
            constant_index += 1
        found.append(source)
    return found


def _apply(source, config, sources, constants, index):
    width = sources.constant_bytes(config)
    step = config.ni1_bytes
    at = index * width
    if not sources.electric:
        raise FormatError
    need(constants, at + width)

    def millionths(place):
        return number(
            constants, place, config.ni1, config.most_first, config.int_format, _CONSTANT_EXP10
        )

    source.multiplier_e6 = millionths(at)
    source.offset_e6 = millionths(at + step)
    place = at + 2 * step
    for present in (sources.has_set1, sources.has_set2):
        if not present:
            continue
        if not constants[place] & _RATIOS_APPLIED:
            ratio_e12 = millionths(place + 1) * millionths(place + 1 + step)
            source.multiplier_e6 = source.multiplier_e6 * ratio_e12 // 10**12
            source.offset_e6 = source.offset_e6 * ratio_e12 // 10**12
        place += 1 + 2 * step


class Registers:
    """ST-21: how ST-22, ST-23, ST-27 and ST-28 look."""

    def __init__(self, data):
        need(data, 10)
        self._function = data[0]
        self.sums = data[3]
        self.demands = data[4]
        self.coincidents = data[5]
        self.occurrences = data[6]
        self.tiers = data[7]
        self.present_demands = data[8]
        self.present_values = data[9]

    @property
    def selection_bytes(self):
        """Length of ST-22; its first `sums` bytes select the summations."""
        maxima = (self.demands + 7) // 8
        return self.sums + self.demands + maxima + 2 * self.coincidents

    def sum_at(self, index, config):
        """Return the offset of a total summation in ST-23."""
        return (1 if self._function & 0x04 else 0) + index * config.ni1_bytes

    def current_bytes(self, config):
        """Return the length of ST-23."""
        demand = self.occurrences * config.ni2_bytes
        if self._function & 0x02:
            demand += self.occurrences * config.stime_bytes
        if self._function & 0x10:
            demand += config.ni1_bytes
        if self._function & 0x20:
            demand += config.ni1_bytes
        block = (
            self.sums * config.ni1_bytes
            + self.demands * demand
            + self.coincidents * self.occurrences * config.ni2_bytes
        )
        return (1 if self._function & 0x04 else 0) + (1 + self.tiers) * block

    def present_at(self, index, config):
        """Return the offset of a present value in ST-28."""
        demand = config.ni2_bytes + (config.time_bytes if self._function & 0x40 else 0)
        return self.present_demands * demand + index * config.ni1_bytes
