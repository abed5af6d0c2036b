"""C12.19 numbers: integers in the table's byte order and non-integer formats as integers.

Every number becomes ``floor(value * 10**exp10)``, computed with integers only: the chip's own
floats hold 24 bits and would lose watt-hours.

Context: any. Allocates: integers above 2**30, strings of the text formats, nothing else.
Source: ANSI C12.19, NI_FORMAT and INT_FORMAT.
"""

from micropython import const

FLOAT64 = const(0)
FLOAT32 = const(1)
TEXT12 = const(2)
TEXT6 = const(3)
DECIMAL4 = const(4)  # int 32 with four implied decimals
BCD12 = const(5)
BCD8 = const(6)
INT24 = const(7)
INT32 = const(8)
INT40 = const(9)
INT48 = const(10)
INT64 = const(11)
BCD16 = const(12)
TEXT21 = const(13)

NI_BYTES = (8, 4, 12, 6, 4, 6, 4, 3, 4, 5, 6, 8, 8, 21)
_LARGEST_EXPONENT = const(64)  # of two, beyond any register; bounds the integers made from it


class OpticalError(Exception):
    """Base of what this room raises."""


class FormatError(OpticalError):
    """A field is no number: a sentinel, a wrong digit, an unknown format, a short table."""


def unsigned(buffer, at, count, most_first):
    """Return `count` bytes as an unsigned integer."""
    value = 0
    if most_first:
        for i in range(at, at + count):
            value = value << 8 | buffer[i]
    else:
        for i in range(at + count - 1, at - 1, -1):
            value = value << 8 | buffer[i]
    return value


def signed(buffer, at, count, most_first, int_format):
    """Return `count` bytes as a signed integer.

    Parameters
    ----------
    int_format : int
        0 two's complement, 1 one's complement, 2 sign and magnitude.

    Raises
    ------
    FormatError
        If all bits are ones: that is how meters mark a value they do not have.
    """
    top = buffer[at if most_first else at + count - 1]
    if top < 0x80:
        return unsigned(buffer, at, count, most_first)
    value = unsigned(buffer, at, count, most_first)
    bits = 8 * count
    if value == (1 << bits) - 1:
        raise FormatError
    if int_format == 0:
        return value - (1 << bits)
    if int_format == 1:
        return value - (1 << bits) + 1
    if int_format == 2:
        return -(value - (1 << (bits - 1)))
    raise FormatError


def number(buffer, at, code, most_first, int_format, exp10):
    """Return the non-integer field at `at` as ``floor(value * 10**exp10)``.

    Parameters
    ----------
    buffer : bytes-like
        Table data; the whole field lies in it.
    code : int
        NI_FORMAT code, 0 to 13.
    exp10 : int
        Decimal shift, for example 3 to get watt-hours from kilowatt-hours.

    Raises
    ------
    FormatError
        If the field is a sentinel or no number, or the code is unknown.
    """
    if INT24 <= code <= INT64:
        return _scaled(signed(buffer, at, NI_BYTES[code], most_first, int_format), exp10)
    if code == DECIMAL4:
        return _scaled(signed(buffer, at, 4, most_first, int_format), exp10 - 4)
    if code in (BCD12, BCD8, BCD16):
        return _scaled(_bcd(buffer, at, NI_BYTES[code]), exp10)
    if code == FLOAT32:
        bits = unsigned(buffer, at, 4, most_first)
        return _float(bits, 23, 8, exp10)
    if code == FLOAT64:
        bits = unsigned(buffer, at, 8, most_first)
        return _float(bits, 52, 11, exp10)
    if code in (TEXT12, TEXT6, TEXT21):
        return _text(bytes(buffer[at : at + NI_BYTES[code]]), exp10)
    raise FormatError


def _scaled(value, exp10):
    if exp10 == 0:
        return value
    return value * 10**exp10 if exp10 > 0 else value // 10**-exp10


def _bcd(buffer, at, count):
    value = 0
    for i in range(at, at + count):
        high = buffer[i] >> 4
        low = buffer[i] & 0x0F
        if high > 9 or low > 9:
            raise FormatError
        value = value * 100 + high * 10 + low
    return value


def _float(bits, mantissa_bits, exponent_bits, exp10):
    mantissa = bits & ((1 << mantissa_bits) - 1)
    exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1)
    bias = (1 << (exponent_bits - 1)) - 1
    if exponent == 0:
        exponent = 1
    else:
        mantissa |= 1 << mantissa_bits
    shift = exponent - bias - mantissa_bits
    if exponent - bias > _LARGEST_EXPONENT:  # infinity and "not a number" as well
        raise FormatError
    if bits >> (mantissa_bits + exponent_bits):
        mantissa = -mantissa
    step = 10**exp10 if exp10 > 0 else 1  # of the float, in units of 1 / divisor
    divisor = 10**-exp10 if exp10 < 0 else 1
    if shift < 0:
        divisor <<= -shift
    else:
        step <<= shift
    value, rest = divmod(mantissa * step, divisor)
    # 1.001 kWh has no exact float: what is within half a step below a whole number is meant so.
    if rest and step < divisor and 2 * (divisor - rest) <= step:
        value += 1
    return value


def _text(field, exp10):
    field = field.strip(b" \x00")
    negative = field[:1] == b"-"
    if field[:1] in (b"-", b"+"):
        field = field[1:]
    parts = field.split(b".")
    if len(parts) > 2:
        raise FormatError
    digits = b"".join(parts)
    for digit in digits:
        if not 0x30 <= digit <= 0x39:
            raise FormatError
    if not digits:
        raise FormatError
    decimals = len(parts[1]) if len(parts) == 2 else 0
    value = int(digits)
    return _scaled(-value if negative else value, exp10 - decimals)
