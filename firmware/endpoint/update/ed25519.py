"""Verify an Ed25519 signature with whole numbers of any size.

Nothing here is secret, so nothing has to take the same time for every input.

Refused besides wrong signatures: S at or above the group's order, encodings of a coordinate at
or above the field's prime, x = 0 with the sign bit, points that are not on the curve, and keys or
commitments of small order, which would sign anything.

Context: task only; takes seconds on the chip. Allocates: big integers, all garbage afterwards.
Source: RFC 8032, 5.1; addition formulas: Hisil, Wong, Carter, Dawson 2008, for a = -1.
"""

from endpoint.update.sha512 import sha512

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

_BITS = 255
_LOW = (1 << _BITS) - 1
_P = _LOW - 18
_ORDER = (1 << 252) + 27742317777372353535851937790883648493
_WINDOW = 4


def _reduce(value):
    """Return `value` modulo the prime but for a multiple; below 2^255 + 2^10 afterwards.

    `value` must not be negative and stay below 2^520.
    """
    value = (value & _LOW) + 19 * (value >> _BITS)
    return (value & _LOW) + 19 * (value >> _BITS)


def _power(base, exponent):
    result = 1
    for bit in range(_BITS, -1, -1):
        result = _reduce(result * result)
        if exponent >> bit & 1:
            result = _reduce(result * base)
    return result % _P


_D = -121665 * _power(121666, _P - 2) % _P
_2D = 2 * _D % _P
# Kept as a multiple of the prime above every reduced value, so that differences stay positive.
_LIFT = 4 * _P


def _double(point):
    """Return twice a point (x, y, z); the fourth coordinate is made where it is needed."""
    x, y, z = point[:3]
    a = _reduce(x * x)
    b = _reduce(y * y)
    c = 2 * z * z
    total = a + b
    e = total + _LIFT - _reduce((x + y) * (x + y))
    g = a + _LIFT - b
    f = _reduce(c) + g
    return _reduce(e * f), _reduce(g * total), _reduce(f * g), e, total


def _extended(doubled):
    x, y, z, e, h = doubled
    return x, y, z, _reduce(e * h)


def _add(point, other):
    """Return the sum of (x, y, z, t) and a prepared point (y + x, y - x, 2z, 2dt)."""
    x, y, z, t = point
    plus, minus, twice_z, scaled_t = other
    a = _reduce((y + _LIFT - x) * minus)
    b = _reduce((y + x) * plus)
    c = _reduce(t * scaled_t)
    d = _reduce(z * twice_z)
    e = b + _LIFT - a
    f = d + _LIFT - c
    g = d + c
    h = b + a
    return _reduce(e * f), _reduce(g * h), _reduce(f * g), _reduce(e * h)


def _prepared(point):
    x, y, z, t = point
    return _reduce(y + x), _reduce(y + _LIFT - x), 2 * z, _reduce(t * _2D)


def _decode(encoded):
    """Return the point with z = 1, None if these 32 bytes encode none."""
    number = int.from_bytes(encoded, "little")
    sign = number >> _BITS
    y = number & _LOW
    if y >= _P:
        return None
    square = _reduce(y * y)
    u = (square - 1) % _P
    v = (_D * square + 1) % _P
    v3 = _reduce(v * _reduce(v * v))
    root = _reduce(u * v3) * _power(_reduce(u * _reduce(v3 * _reduce(v3 * v))), (_P - 5) // 8) % _P
    check = v * root % _P * root % _P
    if check != u:
        if (check + u) % _P:
            return None
        root = root * _power(2, (_P - 1) // 4) % _P
    if root == 0 and sign:
        return None
    if root & 1 != sign:
        root = _P - root
    return root, y, 1, root * y % _P


def _multiples(point):
    """Return the prepared multiples 1 … 15 of a point."""
    first = _prepared(point)
    found = [None, first]
    while len(found) < 1 << _WINDOW:
        point = _add(point, first)
        found.append(_prepared(point))
    return found


def _is_small(point):
    """Return whether eight times the point is the neutral element."""
    for _ in range(3):
        point = _double(point)
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0


_BASE = _decode(bytes([0x58]) + bytes([0x66]) * 31)


def verify(public, message, signature):
    """Return whether `signature` of `message` was made with the secret half of `public`.

    Parameters
    ----------
    public : bytes
        32 bytes.
    message : bytes
    signature : bytes
        64 bytes.
    """
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    public, signature = bytes(public), bytes(signature)
    s = int.from_bytes(signature[32:], "little")
    if s >= _ORDER:
        return False
    key = _decode(public)
    commitment = _decode(signature[:32])
    if key is None or commitment is None or _is_small(key) or _is_small(commitment):
        return False
    k = int.from_bytes(sha512(signature[:32] + public + bytes(message)), "little") % _ORDER
    # s*B - k*A, both at once, four bits of each a step; it must be R.
    x, y, z, t = key
    by_base = _multiples(_BASE)
    by_key = _multiples((_P - x, y, z, _P - t))
    total = (0, 1, 1, 0)
    for shift in range(252, -1, -_WINDOW):
        for _ in range(_WINDOW):
            total = _double(total)
        total = _extended(total)
        part = s >> shift & 15
        if part:
            total = _add(total, by_base[part])
        part = k >> shift & 15
        if part:
            total = _add(total, by_key[part])
    x, y, z = total[:3]
    return (x - commitment[0] * z) % _P == 0 and (y - commitment[1] * z) % _P == 0
