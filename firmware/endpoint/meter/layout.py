"""Where the wanted quantities are in one particular meter, and the requests that fetch them.

A `Layout` is made once, from the meter's own dimension tables; each poll then only runs its
steps and decodes the bytes they gathered.

Context: any. Allocates: at construction; `values_into` nothing for integer formats below 2**30.
Source: ANSI C12.19, decades 1 and 2; metering rules E-1, E-6, E-8, X-3.
"""

from micropython import const

from endpoint.meter.errors import UnsupportedMeter
from endpoint.optical import services, tables
from endpoint.optical.formats import number
from endpoint.optical.packet import DEFAULT_PACKET_BYTES, OVERHEAD_BYTES
from endpoint.optical.services import READ_REPLY_BYTES

MODULUS_WH = const(100_000_000)  # five dials of whole kWh
MOST_VOLTAGES = const(2)

# What a refused step means.
PATCH = const(0)  # the module may not log
NEEDED = const(1)
VOLTAGE = const(2)  # the reading goes on without it
CLOCK = const(3)  # the reading goes on without it

# Invented: the real patch is not public. The simulator's manufacturer table 1 carries this.
PATCH_TABLE = tables.MT | 1
PATCH_MARK = b"WLP\x01"
PATCH_BYTES = const(6)  # mark, display multiplier, spare

_DELIVERED = const(0b1001)
_RECEIVED = const(0b0110)
_BOTH = const(0b1111)
_VOLT_TO_DV_EXP10 = const(1)

# The largest table data in one unnegotiated reply; also the span that is fetched at once.
PIECE_BYTES = DEFAULT_PACKET_BYTES - OVERHEAD_BYTES - READ_REPLY_BYTES


class Step:
    """One read of a poll.

    Attributes
    ----------
    request : bytes
        The service request.
    reply_bytes : int
        Length of a good reply.
    skip, count : int
        The part of the reply's data that is wanted.
    at : int
        Where it goes in the poll's data.
    kind : int
        PATCH, NEEDED, VOLTAGE or CLOCK.
    """

    def __init__(self, config, table, size, offset, count, at, kind):
        self.table = table
        self.kind = kind
        self.at = at
        self.count = count
        if config.offset_access:
            self.request = services.read_offset_request(table, offset, count)
            self.skip = 0
            self.reply_bytes = count + READ_REPLY_BYTES
        else:
            self.request = services.read_request(table)
            self.skip = offset
            self.reply_bytes = size + READ_REPLY_BYTES


class Field:
    """One number: where it is in the poll's data and how it becomes an integer."""

    def __init__(self, config, source, unit_exp10, at):
        self._config = config
        self._source = source
        self._exp10 = source.unit.exp10 + unit_exp10
        self.at = at

    def value(self, data):
        """Return the number in the wanted unit; FormatError if it is none."""
        config = self._config
        source = self._source
        if source.multiplier_e6 is None:
            value = number(
                data, self.at, config.ni1, config.most_first, config.int_format, self._exp10
            )
        else:
            raw_e6 = number(data, self.at, config.ni1, config.most_first, config.int_format, 6)
            value_e12 = raw_e6 * source.multiplier_e6 + source.offset_e6 * 10**6
            shift = self._exp10 - 12
            value = value_e12 // 10**-shift if shift < 0 else value_e12 * 10**shift
        return value

    def factor(self):
        """Return by how much the meter multiplies what it measures, at least 1."""
        multiplier_e6 = self._source.multiplier_e6
        if multiplier_e6 is None or self._source.unit.id != 0:
            return 1
        return max(1, (multiplier_e6 + 999_999) // 1_000_000)


class Layout:
    """The steps of a poll and the fields in its data.

    Parameters
    ----------
    config : tables.Config
    registers : tables.Registers
    sources : list of tables.Source or None
        Indexed as ST-16.
    sums, present : bytes-like
        Source numbers of the summations (ST-22) and of the present values (ST-27).
    serial : tuple of int
        Table, its size, offset and length of the serial number.
    patch : bool
        Whether the patch table has to be there.
    net_only : bool
        Whether the one register wanted is the net of both directions (rule D-9).

    Attributes
    ----------
    config : tables.Config
    forward, reverse : Field
        Energies; `reverse` is None when the meter has no such register or the net one is read.
    volts : list of Field
    clock_at : int or None
        Where the meter's clock is in the poll's data, if it has one.

    Raises
    ------
    UnsupportedMeter
        If the meter has no register for the energy that is wanted.
    """

    def __init__(self, config, registers, sources, sums, present, serial, patch, net_only=False):
        self.config = self._config = config
        self._size = 0
        self.steps = ()
        self.negotiate = False
        forward = _find(sources, sums, is_net if net_only else _is_delivered)
        reverse = [] if net_only else _find(sources, sums, _is_received)
        if not forward:
            raise UnsupportedMeter
        volts = _find(sources, present, _is_voltage)[:MOST_VOLTAGES]

        if patch:
            self._add(PATCH_TABLE, PATCH_BYTES, (0,), PATCH_BYTES, PATCH)
        table, size, offset, count = serial
        self.serial_at = self._add(table, size, (offset,), count, NEEDED)[0]
        self.serial_count = count

        indexes = [forward[0]] + reverse[:1]
        places = [registers.sum_at(i, config) for i in indexes]
        size = registers.current_bytes(config)
        places = self._add(tables.ST_CURRENT, size, places, config.ni1_bytes, NEEDED)
        self.forward = Field(config, sources[sums[forward[0]]], 0, places[0])
        self.reverse = None
        if reverse:
            self.reverse = Field(config, sources[sums[reverse[0]]], 0, places[1])

        places = [registers.present_at(i, config) for i in volts]
        size = registers.present_at(registers.present_values, config)
        places = self._add(tables.ST_PRESENT, size, places, config.ni1_bytes, VOLTAGE)
        self.volts = [
            Field(config, sources[present[i]], _VOLT_TO_DV_EXP10, at)
            for i, at in zip(volts, places)
        ]
        self.clock_at = None
        if config.ltime_bytes and config.uses(tables.ST_CLOCK):
            size = config.ltime_bytes
            self.clock_at = self._add(tables.ST_CLOCK, size + 1, (0,), size, CLOCK)[0]
        self.data = bytearray(self._size)

    def _add(self, table, size, offsets, width, kind):
        """Add the fewest reads that fetch `width` bytes at each offset; return their places."""
        if not offsets:
            return []
        first = min(offsets)
        span = max(offsets) + width - first
        if self._config.offset_access and span > PIECE_BYTES:
            places = []
            for offset in offsets:
                places += self._add(table, size, (offset,), width, kind)
            return places
        at = self._size
        self._size += span
        self.steps += (Step(self._config, table, size, first, span, at, kind),)
        if self.steps[-1].reply_bytes > PIECE_BYTES + READ_REPLY_BYTES:
            self.negotiate = True
        return [at + offset - first for offset in offsets]


def _is_delivered(unit):
    return unit.is_energy(_DELIVERED)


def _is_received(unit):
    return unit.is_energy(_RECEIVED)


def is_net(unit):
    """Return whether `unit` is delivered minus received active energy of all phases."""
    return (
        unit.id == 0
        and unit.time_base in (0, 5)
        and unit.quadrants == _BOTH
        and unit.net
        and unit.segment == 0
        and not unit.harmonic
        and unit.standard
    )


def _is_voltage(unit):
    return unit.is_voltage


def _find(sources, selection, wanted):
    """Return the places in `selection` whose source measures what is wanted."""
    found = []
    for i, source in enumerate(selection):
        if source < len(sources) and sources[source] and wanted(sources[source].unit):
            found.append(i)
    return found
