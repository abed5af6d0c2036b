"""C12.19 encoders for what the simulator serves; the decoders are the device's own."""

import struct

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


def integer(value, count, most_first):
    """Return an unsigned or two's-complement integer of `count` bytes."""
    order = "big" if most_first else "little"
    return value.to_bytes(count, order, signed=value < 0)


def number(value, code, most_first, exp10=0):
    """Return `value`, in its base unit, as the non-integer field of format `code`.

    Parameters
    ----------
    value : int
        For example watt-hours.
    exp10 : int
        Power of ten of the field's unit: 3 for a field in kilowatt-hours. Formats without
        decimals drop what is below one unit.

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
        return units.to_bytes(_INT_BYTES[code], "big" if most_first else "little", signed=True)
    except (OverflowError, ValueError):
        raise ValueError(f"{value} does not fit C12.19 number format {code}.") from None


def _text(value, exp10, width):
    text = f"{value * 10**-exp10}" if exp10 <= 0 else f"{value / 10**exp10:.{exp10}f}"
    while len(text) > width and "." in text:
        text = text[:-1].rstrip(".")
    if len(text) > width:
        raise ValueError(f"{value} does not fit in {width} characters.")
    return text.rjust(width).encode()
