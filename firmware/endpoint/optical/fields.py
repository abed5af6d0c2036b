"""Kinds of field a C12.19 table is made of: one description decodes, encodes and finds by index.

Each kind has `size`, `read`, `write`; those with parts have `child` and `span` as well, and
show their parts to whoever walks through a table: `Array.of` and `count`, `Record.present`,
`Chosen.chosen`. `d` is
the `Dimensions` of the device: formats, byte order, and the tables that say how many.

Plain values: int; text; bytes; a list of members for a set; a dict by name for records and
bit fields; a list for arrays; dates as ``2013-01-05 01:23:15``; numbers as in `decimals`. A
field that is no number or time (a sentinel, month 13) reads as ``{"invalid": bytes}`` and is
written back as it was. None writes zeros, or spaces for text; as a time it means "never".

Context: host, tests; not meant for the chip's own road. Allocates: values.
Source: ANSI C12.19, table syntax.
"""

from binascii import hexlify

from endpoint.optical.decimals import read_number, write_number, write_signed, write_unsigned
from endpoint.optical.formats import NI_BYTES, FormatError, signed, unsigned
from endpoint.optical.times import (
    LTIME,
    MINUTES,
    STIME,
    TIME,
    read_time,
    time_bytes,
    write_time,
)

INVALID = "invalid"
OTHER = "OTHER"  # bits of a bit field that have no name, if any is set

_CHAR_UTF8 = 3


def _many(count, d):
    return count if isinstance(count, int) else count(d)


class Kind:
    """A field without parts, of `count` bytes (an int or a function of the dimensions)."""

    def __init__(self, count):
        self._count = count

    def size(self, d):
        """Return the length in bytes."""
        return _many(self._count, d)

    def child(self, d, index) -> tuple:
        """Return (offset, kind) of a part; FormatError if there is none."""
        raise FormatError

    def span(self, d, index, count) -> int:
        """Return the length of `count` parts from `index` on; FormatError if there are not."""
        raise FormatError

    def read(self, d, data, at) -> "object":
        """Return the value at `at`; the caller has checked the length of `data`."""
        try:
            return self._get(d, data, at)
        except FormatError:
            return {INVALID: bytes(data[at : at + self.size(d)])}

    def write(self, d, value):
        """Return the bytes of a value; FormatError if it does not fit."""
        size = self.size(d)
        if isinstance(value, dict) and INVALID in value:
            raw = value[INVALID]
        elif value is None:
            raw = self._blank(d, size)
        else:
            raw = self._put(d, value)
        if len(raw) != size:
            raise FormatError
        return raw

    def _get(self, d, data, at) -> "object":
        return None

    def _put(self, d, value) -> bytes:
        return b""

    def _blank(self, d, size):
        return bytes(size)


class Uint(Kind):
    """Unsigned integer."""

    def _get(self, d, data, at):
        return unsigned(data, at, self.size(d), d.most_first)

    def _put(self, d, value):
        return write_unsigned(value, self.size(d), d.most_first)


class Sint(Kind):
    """Signed integer in the device's INT_FORMAT."""

    def _get(self, d, data, at):
        return signed(data, at, self.size(d), d.most_first, d.int_format)

    def _put(self, d, value):
        return write_signed(value, self.size(d), d.most_first, d.int_format)


class Bits(Kind):
    """Bit field: `parts` lists (name, lowest bit, width)."""

    def __init__(self, count, parts):
        super().__init__(count)
        self.parts = parts

    def _get(self, d, data, at):
        rest = unsigned(data, at, self.size(d), d.most_first)
        value = {}
        for name, low, width in self.parts:
            part = rest >> low & ((1 << width) - 1)
            value[name] = part
            rest -= part << low
        if rest:
            value[OTHER] = rest
        return value

    def _put(self, d, value):
        bits = value.get(OTHER, 0)
        known = 1 if OTHER in value else 0
        for name, low, width in self.parts:
            if name in value:
                known += 1
                if not 0 <= value[name] < 1 << width:
                    raise FormatError
                bits |= value[name] << low
        if known != len(value):
            raise FormatError
        return write_unsigned(bits, self.size(d), d.most_first)


class Members(Kind):
    """Set: element n is bit n % 8 of byte n // 8."""

    def _get(self, d, data, at):
        return [n for n in range(8 * self.size(d)) if data[at + (n >> 3)] >> (n & 7) & 1]

    def _put(self, d, value):
        raw = bytearray(self.size(d))
        for n in value:
            if not 0 <= n < 8 * len(raw):
                raise FormatError
            raw[n >> 3] |= 1 << (n & 7)
        return bytes(raw)


class Text(Kind):
    """Characters, filled up with spaces; read without the spaces around them."""

    def _get(self, d, data, at):
        raw = bytes(data[at : at + self.size(d)])
        if d.char_format == _CHAR_UTF8:
            try:
                return raw.decode().strip(" \x00")
            except UnicodeError:
                raise FormatError from None
        return "".join(chr(byte) for byte in raw).strip(" \x00")

    def _put(self, d, value):
        if d.char_format == _CHAR_UTF8:
            raw = value.encode()
        else:
            codes = [ord(letter) for letter in value]
            if any(code > 0xFF for code in codes):
                raise FormatError
            raw = bytes(codes)
        return raw + b" " * (self.size(d) - len(raw))

    def _blank(self, d, size):
        return b" " * size


class Digits(Kind):
    """BCD digits as text; shorter text gets zeros in front."""

    def _get(self, d, data, at):
        text = hexlify(bytes(data[at : at + self.size(d)])).decode()
        for letter in text:
            if letter not in "0123456789":
                raise FormatError
        return text

    def _put(self, d, value):
        raw = bytearray(self.size(d))
        text = "0" * (2 * len(raw) - len(value)) + value
        for i, letter in enumerate(text):
            if letter not in "0123456789" or i >= 2 * len(raw):
                raise FormatError
            raw[i >> 1] |= int(letter) << (0 if i & 1 else 4)
        return bytes(raw)


class Ident(Kind):
    """Identifier: text or BCD, as ID_FORM says."""

    def __init__(self, text_bytes, bcd_bytes):
        self._text = Text(text_bytes)
        self._digits = Digits(bcd_bytes)

    def size(self, d):
        """Return the length in bytes."""
        return self._kind(d).size(d)

    def _kind(self, d):
        return self._digits if d.bcd_ids else self._text

    def _get(self, d, data, at):
        return self._kind(d)._get(d, data, at)

    def _put(self, d, value):
        return self._kind(d)._put(d, value)

    def _blank(self, d, size):
        return self._kind(d)._blank(d, size)


class Binary(Kind):
    """Bytes without a meaning of their own."""

    def _get(self, d, data, at):
        return bytes(data[at : at + self.size(d)])

    def _put(self, d, value):
        return bytes(value)


class Rest(Kind):
    """All bytes that are left, only as the last field of a table whose length varies."""

    def __init__(self):
        super().__init__(0)

    def _get(self, d, data, at):
        return bytes(data[at:])

    def write(self, d, value):
        """Return the bytes of a value."""
        return bytes(value or b"")


class Number(Kind):
    """Number in NI_FORMAT1 or NI_FORMAT2."""

    def __init__(self, which):
        self._second = which == 2

    def size(self, d):
        """Return the length in bytes."""
        return NI_BYTES[self._code(d)]

    def _code(self, d):
        return d.ni2 if self._second else d.ni1

    def _get(self, d, data, at):
        return read_number(data, at, self._code(d), d.most_first, d.int_format)

    def _put(self, d, value):
        return write_number(value, self._code(d), d.most_first, d.int_format)

    def _blank(self, d, size):
        return self._put(d, 0)


class Time(Kind):
    """LTIME, STIME or TIME; None for "never" and where the device has no times.

    TIME as a 32-bit integer stays one: it is not known what it counts.
    """

    def __init__(self, kind):
        self._kind = kind

    def size(self, d):
        """Return the length in bytes."""
        return time_bytes(self._kind, d.tm_format)

    def _get(self, d, data, at):
        kind = self._kind
        if self.size(d) == 0:
            return None
        if kind == TIME and d.tm_format >= MINUTES:
            return unsigned(data, at, 4, d.most_first)
        fields = read_time(data, at, kind, d.tm_format, d.most_first)
        if kind == TIME:
            return "%02d:%02d:%02d" % fields
        if not any(fields):
            return None
        if kind == STIME:
            return "%04d-%02d-%02d %02d:%02d" % fields[:5]
        return "%04d-%02d-%02d %02d:%02d:%02d" % fields

    def _put(self, d, value):
        if isinstance(value, int):
            return write_unsigned(value, self.size(d), d.most_first)
        try:
            fields = tuple(int(part) for part in _parts(value))
        except ValueError:
            raise FormatError from None
        if self._kind == STIME and len(fields) == 5:
            fields += (0,)
        if len(fields) != (3 if self._kind == TIME else 6):
            raise FormatError
        return write_time(fields, self._kind, d.tm_format, d.most_first)


def _parts(text):
    for mark in "- ":
        text = text.replace(mark, ":")
    return text.split(":")


class Chosen(Kind):
    """A field whose kind only the dimensions tell: `choose` is a function of them."""

    def __init__(self, choose):
        self.chosen = choose

    def size(self, d):
        """Return the length in bytes."""
        return self.chosen(d).size(d)

    def _get(self, d, data, at):
        return self.chosen(d)._get(d, data, at)

    def _put(self, d, value):
        return self.chosen(d)._put(d, value)

    def _blank(self, d, size):
        return self.chosen(d)._blank(d, size)


class Array(Kind):
    """So many elements of one kind; elements without a length read as an empty list."""

    def __init__(self, count, of):
        super().__init__(count)
        self.of = of

    def count(self, d):
        """Return how many elements there are."""
        return _many(self._count, d)

    def size(self, d):
        """Return the length in bytes."""
        return self.count(d) * self.of.size(d)

    def child(self, d, index):
        """Return (offset, kind) of an element."""
        if index >= self.count(d):
            raise FormatError
        return index * self.of.size(d), self.of

    def span(self, d, index, count):
        """Return the length of `count` elements."""
        if index + count > self.count(d):
            raise FormatError
        return count * self.of.size(d)

    def read(self, d, data, at):
        """Return the list of elements."""
        of = self.of
        step = of.size(d)
        if not step:
            return []
        return [of.read(d, data, at + i * step) for i in range(self.count(d))]

    def write(self, d, value):
        """Return the bytes of a list; what it lacks at its end is written as None."""
        of = self.of
        if not of.size(d):
            return b""
        value = value or []
        count = self.count(d)
        if len(value) > count:
            raise FormatError
        raw = [of.write(d, part) for part in value]
        if count > len(value):
            raw.append(of.write(d, None) * (count - len(value)))
        return b"".join(raw)


class Record(Kind):
    """Fields one after the other: each is (name, kind) or (name, kind, function: is it there?).

    An index counts all fields, also those that are not there.
    """

    def __init__(self, *fields):
        self._fields = fields

    def present(self, d):
        """Yield the fields that are there."""
        for field in self._fields:
            if len(field) == 2 or field[2](d):
                yield field

    def size(self, d):
        """Return the length in bytes."""
        return sum(field[1].size(d) for field in self.present(d))

    def child(self, d, index):
        """Return (offset, kind) of a field."""
        if index < len(self._fields):
            offset = 0
            for field in self.present(d):
                if field is self._fields[index]:
                    return offset, field[1]
                offset += field[1].size(d)
        raise FormatError

    def span(self, d, index, count):
        """Return the length of `count` fields, those that are there."""
        if index + count > len(self._fields):
            raise FormatError
        wanted = self._fields[index : index + count]
        return sum(field[1].size(d) for field in self.present(d) if field in wanted)

    def read(self, d, data, at):
        """Return the values by name."""
        value = {}
        for field in self.present(d):
            value[field[0]] = field[1].read(d, data, at)
            at += field[1].size(d)
        return value

    def write(self, d, value):
        """Return the bytes of a dict of values; FormatError for a name that is not there."""
        value = value or {}
        raw = []
        known = 0
        for field in self.present(d):
            if field[0] in value:
                known += 1
            raw.append(field[1].write(d, value.get(field[0])))
        if known != len(value):
            raise FormatError
        return b"".join(raw)


U8 = Uint(1)
U16 = Uint(2)
U32 = Uint(4)
NI1 = Number(1)
NI2 = Number(2)
LTIME_DATE = Time(LTIME)
STIME_DATE = Time(STIME)
TIME_OF_DAY = Time(TIME)
