"""C12.19 numbers as people write them, both ways and without loss: 1234, "123.4567", "-0.5".

A value is an int, or text with a decimal point where there is a fraction. All arithmetic is
on integers, so it is the same in every Python.

Context: host, tests; not meant for the chip's own road. Allocates: integers, text.
Source: ANSI C12.19, NI_FORMAT and INT_FORMAT; IEEE 754 (round half to even).
"""

from endpoint.optical.formats import (
    BCD8,
    BCD12,
    BCD16,
    DECIMAL4,
    FLOAT32,
    FLOAT64,
    INT24,
    INT64,
    NI_BYTES,
    TEXT6,
    TEXT12,
    TEXT21,
    FormatError,
    number,
    signed,
    unsigned,
)

_FLOATS = {FLOAT32: (23, 8, 9), FLOAT64: (52, 11, 17)}  # mantissa bits, exponent bits, digits
_MOST_DIGITS = 400  # of a value that is given; the largest float has 309


def read_number(buffer, at, code, most_first, int_format):
    """Return the non-integer field at `at` as an int or as decimal text.

    A float becomes the shortest decimal that reads back as the same float.

    Raises
    ------
    FormatError
        The field is a sentinel or no number, or the code is unknown.
    """
    if code in _FLOATS:
        return _read_float(unsigned(buffer, at, NI_BYTES[code], most_first), code)
    if code == DECIMAL4:
        return _shown(signed(buffer, at, 4, most_first, int_format), 4)
    if code in (TEXT6, TEXT12, TEXT21):
        decimals = NI_BYTES[code]  # more than the field can hold
        return _shown(number(buffer, at, code, most_first, int_format, decimals), decimals)
    return number(buffer, at, code, most_first, int_format, 0)


def write_number(value, code, most_first, int_format):
    """Return the bytes of an int or of decimal text; FormatError if it does not fit exactly.

    Only floats are rounded.
    """
    mantissa, decimals = _parsed(value)
    if code in _FLOATS:
        mantissa_bits, exponent_bits, _ = _FLOATS[code]
        bits = _float_bits(abs(mantissa), 10**decimals, code)
        if bits >> mantissa_bits >= (1 << exponent_bits) - 1:
            raise FormatError
        if mantissa < 0:
            bits += 1 << (mantissa_bits + exponent_bits)
        return bits.to_bytes(NI_BYTES[code], "big" if most_first else "little")
    if code in (TEXT6, TEXT12, TEXT21):
        return _aligned(_shown(mantissa, decimals), NI_BYTES[code])
    if code == DECIMAL4:
        return write_signed(_whole(mantissa * 10**4, decimals), 4, most_first, int_format)
    whole = _whole(mantissa, decimals)
    if code in (BCD8, BCD12, BCD16):
        return _bcd(whole, NI_BYTES[code])
    if INT24 <= code <= INT64:
        return write_signed(whole, NI_BYTES[code], most_first, int_format)
    raise FormatError


def write_signed(value, count, most_first, int_format):
    """Return a signed integer of `count` bytes; FormatError if it does not fit.

    -1 in two's complement is all ones, which readers take for "no value": see `signed`.
    """
    limit = 1 << (8 * count - 1)
    if int_format == 0:
        least, raw = -limit, value & (2 * limit - 1)
    elif int_format == 1:
        least, raw = 1 - limit, value if value >= 0 else 2 * limit - 1 + value
    elif int_format == 2:
        least, raw = 1 - limit, value if value >= 0 else limit - value
    else:
        raise FormatError
    if not least <= value < limit:
        raise FormatError
    return raw.to_bytes(count, "big" if most_first else "little")


def write_unsigned(value, count, most_first):
    """Return an unsigned integer of `count` bytes; FormatError if it does not fit."""
    if not 0 <= value < 1 << 8 * count:
        raise FormatError
    return value.to_bytes(count, "big" if most_first else "little")


def _parsed(value):
    """Return (mantissa, decimals) of a value."""
    if isinstance(value, int):
        return value, 0
    if not isinstance(value, str) or len(value) > _MOST_DIGITS:
        raise FormatError
    text = value.strip()
    negative = text[:1] == "-"
    if text[:1] in ("-", "+"):
        text = text[1:]
    parts = text.split(".")
    digits = "".join(parts)
    if len(parts) > 2 or not digits:
        raise FormatError
    for digit in digits:
        if digit not in "0123456789":
            raise FormatError
    mantissa = int(digits)
    return -mantissa if negative else mantissa, len(parts[1]) if len(parts) == 2 else 0


def _shown(mantissa, decimals):
    """Return an int, or text if ``mantissa / 10**decimals`` has a fraction."""
    while decimals and mantissa % 10 == 0:
        mantissa //= 10
        decimals -= 1
    if not decimals:
        return mantissa
    whole, rest = divmod(abs(mantissa), 10**decimals)
    digits = str(rest)
    sign = "-" if mantissa < 0 else ""
    return sign + str(whole) + "." + "0" * (decimals - len(digits)) + digits


def _whole(mantissa, decimals):
    value, rest = divmod(mantissa, 10**decimals)
    if rest:
        raise FormatError
    return value


def _aligned(value, width):
    text = str(value)
    if len(text) > width:
        raise FormatError
    return (" " * (width - len(text)) + text).encode()


def _bcd(value, count):
    if not 0 <= value < 100**count:
        raise FormatError
    data = bytearray(count)
    for i in range(count - 1, -1, -1):
        value, pair = divmod(value, 100)
        data[i] = pair // 10 << 4 | pair % 10
    return bytes(data)


def _read_float(bits, code):
    mantissa_bits, exponent_bits, most_digits = _FLOATS[code]
    mantissa = bits & ((1 << mantissa_bits) - 1)
    exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1)
    if exponent == (1 << exponent_bits) - 1:  # infinity and "not a number"
        raise FormatError
    if exponent:
        mantissa |= 1 << mantissa_bits
    else:
        exponent = 1
    if not mantissa:
        return 0
    exponent -= (1 << (exponent_bits - 1)) - 1 + mantissa_bits
    over = mantissa << exponent if exponent > 0 else mantissa
    under = 1 << -exponent if exponent < 0 else 1
    unsigned_bits = bits & ((1 << (mantissa_bits + exponent_bits)) - 1)
    sign = -1 if bits != unsigned_bits else 1
    # The decimal point such that the first digit is the units' digit, then more and more digits.
    point = len(str(over // under)) - 1 if over >= under else -len(str(under // over))
    for digits in range(1, most_digits + 1):
        decimals = digits - 1 - point
        scaled = over * 10**decimals if decimals > 0 else over
        step = under if decimals > 0 else under * 10**-decimals
        value = (2 * scaled + step) // (2 * step)
        if decimals < 0:
            value *= 10**-decimals
            decimals = 0
        if _float_bits(value, 10**decimals, code) == unsigned_bits:
            return _shown(sign * value, decimals)
    raise FormatError


def _float_bits(over, under, code):
    """Return the bits of the float nearest to ``over / under``; may pass infinity."""
    mantissa_bits, exponent_bits, _ = _FLOATS[code]
    if not over:
        return 0
    bias = (1 << (exponent_bits - 1)) - 1
    shift = _bit_length(over) - _bit_length(under)  # the float's exponent, or one above it
    if (over << -shift if shift < 0 else over) < (under << shift if shift > 0 else under):
        shift -= 1
    exponent = max(shift, 1 - bias)
    scale = mantissa_bits - exponent
    if scale > 0:
        over <<= scale
    else:
        under <<= -scale
    mantissa, rest = divmod(over, under)
    if 2 * rest > under or (2 * rest == under and mantissa & 1):
        mantissa += 1
    if mantissa < 1 << mantissa_bits:
        return mantissa
    return ((exponent + bias - 1) << mantissa_bits) + mantissa


def _bit_length(value):
    bits = 0
    while value >= 1 << 64:
        value >>= 64
        bits += 64
    while value:
        value >>= 1
        bits += 1
    return bits
