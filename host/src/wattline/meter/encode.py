"""What one meter's ST-0 announces, and numbers and times written as it says."""

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from endpoint.optical import formats
from endpoint.optical.decimals import write_number, write_unsigned
from endpoint.optical.schema import Dimensions
from endpoint.optical.times import LTIME, STIME, read_time, time_bytes, write_time

_UNSIGNED = (formats.BCD8, formats.BCD12, formats.BCD16)
_FRACTIONS = (formats.FLOAT32, formats.FLOAT64)
_TEXTS = (formats.TEXT6, formats.TEXT12, formats.TEXT21)
_DECIMAL4_STEP = Decimal("0.0001")
_ELECTRIC = 2
_STANDARD_1997 = 1
_NEVER = (0, 0, 0, 0, 0, 0)

TM_FORMATS = (0, 1, 2, 3, 4)


def is_unsigned(code):
    """Return whether numbers of this format cannot be negative."""
    return code in _UNSIGNED


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
    try:
        return write_number(_text(value, code, exp10), code, most_first, int_format)
    except formats.FormatError:
        raise ValueError(f"{value} does not fit C12.19 number format {code}.") from None


def _text(value, code, exp10):
    """Return a value in the field's unit as decimal text, with as many decimals as fit."""
    exact = Decimal(value).scaleb(-exp10)
    if code in _TEXTS:
        text = f"{exact:f}"
        while len(text) > formats.NI_BYTES[code] and "." in text:
            text = text[:-1].rstrip(".")
        return text
    if code not in _FRACTIONS:
        step = _DECIMAL4_STEP if code == formats.DECIMAL4 else 1
        exact = exact.quantize(Decimal(step), ROUND_FLOOR)
    return f"{exact:f}"


class Encoder(Dimensions):
    """The formats of one meter; `fields` and `schema` write with it.

    Its ST-0 holds what is known of the formats before any table is built.

    Parameters
    ----------
    most_first : bool
    ni1, ni2 : int
        NI_FORMAT of energies and present values, and of demands.
    tm_format : int
        0 to 4; 0 is a meter without any time.
    int_format : int
        0 to 2.
    bcd_ids : bool
    """

    def __init__(self, most_first, ni1, ni2, tm_format, int_format=0, bcd_ids=False):
        super().__init__()
        if tm_format not in TM_FORMATS:
            raise ValueError("A time format is 0 (none), 1 (BCD), 2, 3 or 4.")
        if int_format not in (0, 1, 2):
            raise ValueError("An integer format is 0, 1 or 2.")
        for code in (ni1, ni2):
            if not 0 <= code < len(formats.NI_BYTES):
                raise ValueError(f"A number format is 0 to {len(formats.NI_BYTES) - 1}.")
        self.take(
            0,
            {
                "FORMAT_CONTROL_1": {"DATA_ORDER": int(most_first), "CHAR_FORMAT": 1},
                "FORMAT_CONTROL_2": {
                    "TM_FORMAT": tm_format,
                    "ID_FORM": int(bcd_ids),
                    "INT_FORMAT": int_format,
                },
                "FORMAT_CONTROL_3": {"NI_FORMAT1": ni1, "NI_FORMAT2": ni2},
                "NAMEPLATE_TYPE": _ELECTRIC,
                "STD_VERSION_NO": _STANDARD_1997,
            },
        )

    def u(self, value, count):
        """Return an unsigned integer of `count` bytes."""
        return write_unsigned(value, count, self.most_first)

    def first(self, value, exp10=0):
        """Return a number of NI_FORMAT1."""
        return number(value, self.ni1, self.most_first, exp10, self.int_format)

    def second(self, value, exp10=0):
        """Return a number of NI_FORMAT2."""
        return number(value, self.ni2, self.most_first, exp10, self.int_format)

    def long_time(self, when):
        """Return LTIME_DATE of a datetime; None is all zeros: no time."""
        return write_time(_parts(when), LTIME, self.tm_format, self.most_first)

    def short_time(self, when):
        """Return STIME_DATE of a datetime; None is all zeros: no time."""
        return write_time(_parts(when), STIME, self.tm_format, self.most_first)

    def read_long_time(self, data):
        """Return the datetime of an LTIME_DATE.

        Raises
        ------
        ValueError
            If there is no such time.
        """
        try:
            return datetime(*read_time(data, 0, LTIME, self.tm_format, self.most_first))
        except formats.FormatError:
            raise ValueError("These bytes are no time.") from None

    @property
    def long_bytes(self):
        """Length of LTIME_DATE."""
        return time_bytes(LTIME, self.tm_format)


def _parts(when):
    return tuple(when.timetuple()[:6]) if when else _NEVER
