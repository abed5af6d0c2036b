"""C12.19 tables as fields with names, units and values, by the device's own dimension tables.

What is in a table says `endpoint.optical.schema`; here its fields get words, units and places. A
`Decoder` learns the dimension tables as it sees them; what they do not describe stays hex. Parts
of a table decode as well: only fields that are whole are named.
"""

from dataclasses import dataclass

from endpoint.optical import schema, tables
from endpoint.optical.fields import Array, Chosen, Number, Record, Rest
from endpoint.optical.formats import FormatError
from wattline.optical import own
from wattline.optical.names import unit_of
from wattline.optical.show import UNITS, WHOLE, shown
from wattline.optical.words import words

LARGEST_TABLE_BYTES = 1 << 20
_DIMENSIONS = {needed for number in schema.numbers() for needed in schema.needs(number)}
# Tables that say what the numbers of another one measure.
_SELECTIONS = (22, 27)
# Array of numbers -> table and field that select the source of each.
_SELECTED = {
    "SUMMATIONS": (22, "SUMMATION_SELECT"),
    "DEMANDS": (22, "DEMAND_SELECT"),
    "COINCIDENTS": (22, "COINCIDENT_SELECT"),
    "PRESENT_DEMAND": (27, "PRESENT_DEMAND_SELECT"),
    "PRESENT_VALUE": (27, "PRESENT_VALUE_SELECT"),
}
_BY_LETTER = ("TIER_DATA_BLOCK",)
_OCCURRENCES = ("EVENT_TIME", "DEMAND", "COINCIDENT_VALUES")


@dataclass(frozen=True)
class Field:
    """One field of a table.

    Attributes
    ----------
    name : str
    value : int, float, str, list, dict or None
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
            text = ", ".join("no value" if v is None else str(v) for v in self.value) or "none"
        elif isinstance(self.value, dict):
            text = ", ".join(f"{name} {value}" for name, value in self.value.items())
        else:
            text = str(self.value)
        return f"{text} {self.unit}".rstrip()


class Decoder:
    """What is known of one device from the tables that were seen.

    Attributes
    ----------
    config : endpoint.optical.tables.Config or None
        ST-0; without it only hex can be shown.
    data : dict of int to bytes
        Whole tables by number.
    """

    def __init__(self):
        self.config = None
        self.data = {}
        self._dimensions = schema.Dimensions()
        self._sources = None

    def learn(self, table, data):
        """Note a whole table."""
        data = bytes(data)
        if self.data.get(table) == data:
            return
        self.data[table] = data
        self._sources = None
        if table in _DIMENSIONS or table in _SELECTIONS:
            self._dimensions = schema.Dimensions()
        if table == tables.ST_CONFIG:
            try:
                self.config = tables.Config(data)
            except FormatError:
                self.config = None

    def dimensions(self, needed):
        """Return `schema.Dimensions` that know as many of the needed tables as can be known."""
        d = self._dimensions
        for table in needed:
            if table not in d and table in self.data:
                try:
                    d.learn(table, self.data[table])
                except FormatError:
                    continue
        return d

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
        is_whole = offset == 0 and len(self.data.get(table, data)) == len(data)
        maker = own.maker(self.data) if table & tables.MT else None
        if maker is not None and table in maker.texts:
            return _texts(maker.texts[table], data, is_whole)
        try:
            d, layout = self._layout(table, data, maker)
            size = layout.size(d)
        except schema.MissingTable:
            missing = [n for n in schema.needs(table) if n not in self.data]
            if not missing:
                return [], "its dimension tables contradict each other"
            return [], f"layout not known without {', '.join(f'ST-{n}' for n in missing)}"
        except FormatError:
            return [], "layout not known"
        walk = _Walk(self, d, data, offset, maker)
        try:
            walk.go(layout, 0, "", table=table)
        except FormatError:
            return walk.fields, "its dimension tables contradict each other"
        end = offset + len(data)
        if size > end:
            return walk.fields, "shorter than its dimensions say" if is_whole else ""
        if end > max(size, walk.at):
            return walk.fields, f"{end - max(size, walk.at)} more bytes than its dimensions say"
        return walk.fields, ""

    def _layout(self, table, data, maker):
        """Return the dimensions and the layout of a table."""
        if maker is not None:
            if table not in maker.layouts:
                raise FormatError
            return self.dimensions((0,)), maker.layouts[table]
        if table not in schema.numbers():
            raise FormatError
        if table == tables.ST_CONFIG and table not in self.data:
            d = schema.bootstrap(data)
        else:
            d = self.dimensions(schema.needs(table) or (0,))
            self.dimensions(_SELECTIONS)
        return d, schema.layout(table, d)


class _Walk:
    """Goes through a table and names the fields that are whole in the part that is there."""

    def __init__(self, decoder, d, data, offset, maker):
        self._decoder = decoder
        self._d = d
        self._data = data
        self._begin = offset
        self._end = offset + len(data)
        self._units = {**UNITS, **maker.units} if maker else UNITS
        self._scales = maker.scales if maker else {}
        self._whole = (*WHOLE, *maker.wholes) if maker else WHOLE
        self._shown = maker.wholes if maker else {}
        self.at = 0
        self.fields = []

    def go(self, kind, at, label, name="", source=None, table=None):
        """Name the fields of one kind at `at`; `label` says in words where it is."""
        d = self._d
        if isinstance(kind, Chosen):
            kind = kind.chosen(d)
        size = self._end - at if isinstance(kind, Rest) else kind.size(d)
        self.at = max(self.at, min(at + size, self._end))
        if size <= 0 or at + size <= self._begin or at >= self._end:
            return
        if isinstance(kind, Array):
            self._elements(kind, at, label, name, source)
        elif isinstance(kind, Record) and name not in self._whole:
            for field in kind.present(d):
                step = field[1].size(d)
                said = f"{label} {words(field[0])}".strip()
                self.go(field[1], at, said, field[0], source)
                at += step
        elif at >= self._begin and at + size <= self._end:
            self._name(kind, at, size, label, name, source)

    def _elements(self, kind, at, label, name, source):
        d, count = self._d, kind.count(self._d)
        step = kind.of.size(d)
        selected = self._selected(name)
        first = max(0, (self._begin - at) // step)
        for i in range(first, count):
            begin = at + i * step
            if begin >= self._end:
                break
            if selected is not None:
                source = self._decoder.source(selected[i]) if i < len(selected) else None
            if name in _BY_LETTER:
                said = f"{label} {chr(65 + i)}"
            elif name in _OCCURRENCES:
                said = label if count == 1 else f"{label} occurrence {i}"
            else:
                said = f"{label} {i}"
            self.go(kind.of, begin, said, name, source)

    def _selected(self, name):
        table, field = _SELECTED.get(name, (None, None))
        return self._d[table][field] if table in self._d else None

    def _name(self, kind, at, size, label, name, source):
        raw = self._data[at - self._begin : at - self._begin + size]
        value = kind.read(self._d, raw, 0)
        unit = self._units.get(name, "")
        if isinstance(kind, Number) and source is not None:
            what, unit = unit_of(source.unit)
            label = f"{label}: {what}"
        if name in self._shown:
            value = self._shown[name](value)
        elif name in self._scales and isinstance(value, int):
            value /= 10 ** self._scales[name]
        else:
            value = shown(name, kind, value, raw, self._decoder, source)
        self.fields.append(Field(label, value, unit, at, size))


def _texts(read, data, is_whole):
    """Return (fields, remark) of a table whose fields another description finds."""
    if not is_whole:
        return [], "a part of a text"
    found = [Field(*field) for field in read(data)]
    return found, "" if found else "layout not known"
