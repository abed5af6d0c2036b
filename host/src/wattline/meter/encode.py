"""C12.19 encoders for what the simulator serves; the decoders are others'."""

import struct
from datetime import datetime, timedelta

from endpoint.optical import formats

_INT_BYTES = {
    formats.INT24: 3,
    formats.INT32: 4,
    formats.INT40: 5,
    formats.INT48: 6,
    formats.INT64: 8,
    formats.DECIMAL4: 4,
}
_BCD_DIGITS = {formats.BCD8: 8, formats.BCD12: 12, formats.BCD16: 16}
_TEXT_BYTES = {formats.TEXT6: 6, formats.TEXT12: 12, formats.TEXT21: 21}
_EPOCH = datetime(1970, 1, 1)

TM_FORMATS = (0, 1, 2, 3, 4)


def is_unsigned(code):
    """Return whether numbers of this format cannot be negative."""
    return code in _BCD_DIGITS


def integer(value, count, most_first):
    """Return an unsigned or two's-complement integer of `count` bytes."""
    order = "big" if most_first else "little"
    return value.to_bytes(count, order, signed=value < 0)


def number(value, code, most_first, exp10=0, int_format=0):
    """Return `value`, in its base unit, as the non-integer field of format `code`.

    Parameters
    ----------
    value : int
        For example watt-hours.
    exp10 : int
        Power of ten of the field's unit: 3 for a field in kilowatt-hours. Formats without
        decimals drop what is below one unit.
    int_format : int
        0 two's complement, 1 one's complement, 2 sign and magnitude.

    Raises
    ------
    ValueError
        If the value does not fit the format.
    """
    if code == formats.FLOAT32:
        return struct.pack(">f" if most_first else "<f", value / 10**exp10)
    if code == formats.FLOAT64:
        return struct.pack(">d" if most_first else "<d", value / 10**exp10)
    if code in _TEXT_BYTES:
        return _text(value, exp10, _TEXT_BYTES[code])
    if code == formats.DECIMAL4:
        exp10 -= 4
    units = value // 10**exp10 if exp10 > 0 else value * 10**-exp10
    try:
        if code in _BCD_DIGITS:
            digits = _BCD_DIGITS[code]
            if len(str(units)) > digits:
                raise OverflowError
            return bytes.fromhex(f"{units:0{digits}d}")
        return _signed(units, _INT_BYTES[code], most_first, int_format)
    except (OverflowError, ValueError):
        raise ValueError(f"{value} does not fit C12.19 number format {code}.") from None


def _signed(value, count, most_first, int_format):
    order = "big" if most_first else "little"
    if value >= 0 or int_format == 0:
        return value.to_bytes(count, order, signed=True)
    if -value >= 1 << (8 * count - 1):
        raise OverflowError
    raw = (1 << 8 * count) - 1 + value if int_format == 1 else 1 << (8 * count - 1) | -value
    return raw.to_bytes(count, order)


def _text(value, exp10, width):
    text = f"{value * 10**-exp10}" if exp10 <= 0 else f"{value / 10**exp10:.{exp10}f}"
    while len(text) > width and "." in text:
        text = text[:-1].rstrip(".")
    if len(text) > width:
        raise ValueError(f"{value} does not fit in {width} characters.")
    return text.rjust(width).encode()


def bcd(text, count):
    """Return the digits of `text` as `count` bytes of BCD, padded with zeros on the left."""
    digits = "".join(letter for letter in text if letter.isdigit())[-2 * count :]
    return bytes.fromhex(digits.zfill(2 * count))


def members(numbers, count):
    """Return a C12.19 set of `count` bytes."""
    value = 0
    for n in numbers:
        value |= 1 << n
    return value.to_bytes(count, "little")


class Encoder:
    """The formats that one meter's ST-0 announces.

    Parameters
    ----------
    most_first : bool
    ni1, ni2 : int
        NI_FORMAT of energies and present values, and of demands.
    tm_format : int
        0 to 4; 0 is a meter without any time.
    int_format : int
        0 to 2.
    """

    def __init__(self, most_first, ni1, ni2, tm_format, int_format=0):
        if tm_format not in TM_FORMATS:
            raise ValueError("A time format is 0 (none), 1 (BCD), 2, 3 or 4.")
        if int_format not in (0, 1, 2):
            raise ValueError("An integer format is 0, 1 or 2.")
        for code in (ni1, ni2):
            if not 0 <= code < len(formats.NI_BYTES):
                raise ValueError(f"A number format is 0 to {len(formats.NI_BYTES) - 1}.")
        self.most_first = most_first
        self.ni1 = ni1
        self.ni2 = ni2
        self.tm_format = tm_format
        self.int_format = int_format

    def u(self, value, count):
        """Return an integer of `count` bytes."""
        return integer(value, count, self.most_first)

    def first(self, value, exp10=0):
        """Return a number of NI_FORMAT1."""
        return number(value, self.ni1, self.most_first, exp10, self.int_format)

    def second(self, value, exp10=0):
        """Return a number of NI_FORMAT2."""
        return number(value, self.ni2, self.most_first, exp10, self.int_format)

    def long_time(self, when):
        """Return LTIME_DATE of a datetime; None is all zeros: no time."""
        if self.tm_format == 0:
            return b""
        if self.tm_format in (1, 2):
            return self.short_time(when) + self._part(when.second if when else 0)
        if self.tm_format == 3:
            return self.short_time(when) + bytes([when.second if when else 0])
        return self.u(_seconds(when), 4)

    def short_time(self, when):
        """Return STIME_DATE of a datetime; None is all zeros: no time."""
        if self.tm_format == 0:
            return b""
        if self.tm_format in (1, 2):
            if when is None:
                return bytes(5)
            fields = (when.year % 100, when.month, when.day, when.hour, when.minute)
            return b"".join(self._part(value) for value in fields)
        seconds = _seconds(when)
        return self.u(seconds // 60 if self.tm_format == 3 else seconds // 60 * 60, 4)

    def read_long_time(self, data):
        """Return the datetime of an LTIME_DATE.

        Raises
        ------
        ValueError
            If there is no such time.
        """
        order = "big" if self.most_first else "little"
        if self.tm_format == 4:
            seconds = int.from_bytes(data[:4], order)
        elif self.tm_format == 3:
            seconds = int.from_bytes(data[:4], order) * 60 + data[4]
        else:
            parts = [b if self.tm_format == 2 else int(f"{b:x}") for b in data[:6]]
            return datetime(parts[0] + (1900 if parts[0] >= 90 else 2000), *parts[1:])
        return _EPOCH + timedelta(seconds=seconds)

    @property
    def long_bytes(self):
        """Length of LTIME_DATE."""
        return (0, 6, 6, 5, 4)[self.tm_format]

    def _part(self, value):
        return bytes([value if self.tm_format == 2 else value // 10 << 4 | value % 10])


def _seconds(when):
    return int((when - _EPOCH).total_seconds()) if when else 0
