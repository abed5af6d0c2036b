"""C12.19 tables as fields with names, units and values, by the device's own dimension tables.

A `Decoder` learns the dimension tables as it sees them; what they do not describe stays hex.
Parts of a table decode as well: only fields that are whole are named.

Source: ANSI C12.19, decades 0 to 7.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from endpoint.optical import tables
from endpoint.optical.formats import NI_BYTES, FormatError, number, unsigned
from wattline.optical import decades
from wattline.optical.names import unit_of

_DECIMALS = 6
_EPOCH = datetime(1970, 1, 1)
LARGEST_TABLE_BYTES = 1 << 20
_MOST_STEPS = 1 << 18  # of one walk; dimensions may name more elements than any table holds


@dataclass(frozen=True)
class Field:
    """One field of a table.

    Attributes
    ----------
    name : str
    value : int, float, str, list or None
        None is a field without a value: a sentinel or a wrong digit.
    unit : str
    offset, size : int
        Where it is in the table, in bytes.
    """

    name: str
    value: object
    unit: str
    offset: int
    size: int

    @property
    def text(self):
        """Return value and unit for a person."""
        if self.value is None:
            return "no value"
        if isinstance(self.value, list):
            shown = ", ".join(str(item) for item in self.value) or "none"
        else:
            shown = str(self.value)
        return f"{shown} {self.unit}".rstrip()


class Short(Exception):
    """The table is shorter than its dimensions say."""


class Walk:
    """Goes through a table from its start and names its fields.

    Parameters
    ----------
    data : bytes
        The part that is there.
    offset : int
        Where in the table it begins.
    decoder : Decoder
    """

    def __init__(self, data, offset, decoder):
        self._data = data
        self._offset = offset
        self._end = offset + len(data)
        self._steps = 0
        self.at = 0
        self.known = decoder
        self.config = decoder.config
        self.fields = []

    @property
    def left(self):
        """Bytes from here to the end of what is there."""
        return self._end - self.at

    def take(self, name, size, convert, unit=""):
        """Name the next `size` bytes; return the value, None if they are not there."""
        begin, end = self.at, self.at + size
        self._steps += 1
        if begin >= self._end or self._steps > _MOST_STEPS:
            raise Short
        self.at = end
        if begin < self._offset or size == 0:
            return None
        if end > self._end:
            raise Short
        raw = self._data[begin - self._offset : end - self._offset]
        try:
            value = convert(raw)
        except (FormatError, ValueError, OverflowError, IndexError):
            value = None
        self.fields.append(Field(name, value, unit, begin, size))
        return value

    def u(self, name, size=1, unit=""):
        """Name an unsigned integer of `size` bytes."""
        return self.take(name, size, lambda raw: self.integer(raw), unit)

    def scaled(self, name, size, decimals=0, unit=""):
        """Name a signed integer of `size` bytes with so many decimals."""
        order = "big" if self.config.most_first else "little"

        def convert(raw):
            value = int.from_bytes(raw, order, signed=True)
            return value / 10**decimals if decimals else value

        return self.take(name, size, convert, unit)

    def text(self, name, size):
        """Name a text."""
        return self.take(name, size, _text)

    def identifier(self, name, characters):
        """Name an identifier: text, or BCD of half the length."""
        if self.config.bcd_ids:
            return self.take(name, characters // 2, bytes.hex)
        return self.text(name, characters)

    def raw(self, name, size):
        """Name bytes without known meaning."""
        return self.take(name, size, lambda raw: raw.hex(" "))

    def flags(self, name, size, names):
        """Name a field of bits."""
        return self.take(name, size, lambda raw: _named(self.integer(raw), names))

    def members(self, name, size):
        """Name a set: the numbers in it."""
        return self.take(name, size, _members)

    def one_of(self, name, names):
        """Name a byte that chooses one of `names`."""
        return self.take(name, 1, lambda raw: names[raw[0]])

    def first(self, name, source=None):
        """Name a number of NI_FORMAT1, scaled by its source if there is one."""
        return self._number(name, self.config.ni1, source)

    def second(self, name, source=None):
        """Name a number of NI_FORMAT2, scaled by its source if there is one."""
        return self._number(name, self.config.ni2, source)

    def _number(self, name, code, source):
        exp10, unit, multiplier_e6, offset_e6 = 0, "", None, None
        if source is not None:
            found, unit = unit_of(source.unit)
            name = f"{name}: {found}" if name else found
            exp10 = source.unit.exp10
            multiplier_e6, offset_e6 = source.multiplier_e6, source.offset_e6

        def convert(raw):
            value = number(raw, 0, code, self.config.most_first, self.config.int_format, _DECIMALS)
            scaled = Decimal(value).scaleb(-_DECIMALS)
            if multiplier_e6 is not None:
                scaled = (scaled * multiplier_e6 + offset_e6).scaleb(-6)
            scaled = scaled.scaleb(exp10)
            return int(scaled) if scaled == scaled.to_integral_value() else float(scaled)

        return self.take(name, NI_BYTES[code], convert, unit)

    def long_time(self, name):
        """Name an LTIME_DATE."""
        return self._time(name, self.config.ltime_bytes, True)

    def short_time(self, name):
        """Name an STIME_DATE."""
        return self._time(name, self.config.stime_bytes, False)

    def _time(self, name, size, seconds):
        if not size:
            return None
        return self.take(name, size, lambda raw: self._date(raw, seconds))

    def _date(self, raw, seconds):
        form = self.config.tm_format
        if not any(raw):
            return "never"
        if form >= 3:
            count = unsigned(raw, 0, 4, self.config.most_first)
            count *= 60 if form == 3 else 1
            when = _EPOCH + timedelta(seconds=count + (raw[4] if len(raw) > 4 else 0))
        else:
            parts = [byte if form == 2 else int(f"{byte:x}") for byte in raw]
            when = datetime(parts[0] + (1900 if parts[0] >= 90 else 2000), *parts[1:])
        return when.isoformat(" ", "seconds" if seconds else "minutes")

    def integer(self, raw):
        """Return bytes as an unsigned integer in the device's order."""
        return unsigned(raw, 0, len(raw), self.config.most_first)


class Decoder:
    """What is known of one device from the tables that were seen.

    Attributes
    ----------
    config : endpoint.optical.tables.Config or None
        ST-0; without it only hex can be shown.
    """

    def __init__(self):
        self.config = None
        self.data = {}
        self._sources = None

    def learn(self, table, data):
        """Note a whole table."""
        self.data[table] = bytes(data)
        self._sources = None
        if table == tables.ST_CONFIG:
            try:
                self.config = tables.Config(data)
            except FormatError:
                self.config = None

    def sources(self):
        """Return the list of sources, with None for what has no unit; empty if not known."""
        if self._sources is None:
            self._sources = self._read_sources()
        return self._sources

    def _read_sources(self):
        data = self.data
        if self.config is None or not all(n in data for n in (11, 12, 16)):
            return []
        try:
            return tables.read_sources(
                self.config, tables.Sources(data[11]), data[12], data[16], data.get(15, b"")
            )
        except FormatError:
            return []

    def source(self, index):
        """Return one source or None."""
        sources = self.sources()
        return sources[index] if index is not None and index < len(sources) else None

    def fields(self, table, data, offset=0):
        """Return (fields, remark) of a table or of a part of it.

        Parameters
        ----------
        table : int
        data : bytes
        offset : int
            Where in the table `data` begins.

        Returns
        -------
        (list of Field, str)
            The remark says why there are no fields or not all; empty if there is nothing to
            say.
        """
        describe = decades.TABLES.get(table)
        if describe is None:
            describe = decades.own_table(self, table)
        if describe is None:
            return [], "layout not known"
        if self.config is None and table != tables.ST_CONFIG:
            return [], "layout not known without ST-0"
        walk = Walk(data, offset, self)
        if table == tables.ST_CONFIG and offset == 0 and self.config is None:
            try:
                walk.config = tables.Config(data)
            except FormatError:
                return [], "formats in ST-0 that nobody knows"
        if any(needed not in self.data for needed in decades.NEEDS.get(table, ())):
            missing = [n for n in decades.NEEDS[table] if n not in self.data]
            names = ", ".join(f"ST-{n}" for n in missing)
            return [], f"layout not known without {names}"
        try:
            describe(walk)
        except Short:
            whole = offset == 0 and (table not in self.data or len(self.data[table]) == len(data))
            return walk.fields, "shorter than its dimensions say" if whole else ""
        except (FormatError, IndexError, KeyError):
            return walk.fields, "its dimension tables contradict each other"
        if walk.left > 0:
            return walk.fields, f"{walk.left} more bytes than its dimensions say"
        return walk.fields, ""


def _text(raw):
    return raw.decode("ascii", "replace").strip(" \x00")


def _named(value, names):
    found = [name for i, name in enumerate(names) if name and value >> i & 1]
    rest = value >> len(names)
    return [*found, f"bits {rest << len(names):#x}"] if rest else found


def _members(raw):
    return [i for i in range(8 * len(raw)) if raw[i >> 3] >> (i & 7) & 1]
