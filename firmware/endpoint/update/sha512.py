"""SHA-512, which MicroPython lacks; for the few hundred bytes of a signed manifest.

The constants are computed as the standard defines them, from the roots of the first primes:
shorter than the table, and a typing mistake is impossible.

Context: task only; some milliseconds a block on the chip. Allocates: big integers.
Source: FIPS 180-4, 4.1.3, 4.2.3, 5.3.5 and 6.4.
"""

_MASK = (1 << 64) - 1
_BLOCK_BYTES = 128
_FRACTION_BITS = 64


def _root(value, degree, guess):
    """Return the `degree`-th root of `value`, 64 bits behind the point; `guess` is not below it.

    Newton's steps in whole numbers fall until they reach the root.
    """
    scaled = value << (_FRACTION_BITS * degree)
    while True:
        power = guess if degree == 2 else guess * guess
        better = ((degree - 1) * guess + scaled // power) // degree
        if better >= guess:
            return guess
        guess = better


def _roots(primes, degree):
    """Return the first 64 bits of the fraction of each prime's root."""
    found = []
    guess = 1 << _FRACTION_BITS
    for prime in primes:
        # The next prime is at most twice this one, and so is its root.
        guess = _root(prime, degree, 2 * guess)
        found.append(guess & _MASK)
    return found


def _primes(count):
    found = []
    number = 2
    while len(found) < count:
        for prime in found:
            if number % prime == 0:
                break
        else:
            found.append(number)
        number += 1
    return found


def _compress(state, block, constants):
    words = [int.from_bytes(block[at : at + 8], "big") for at in range(0, _BLOCK_BYTES, 8)]
    for _ in range(64):
        x = words[-15]
        y = words[-2]
        x |= x << 64
        y |= y << 64
        words.append(
            (
                words[-16]
                + words[-7]
                + (((x >> 1) ^ (x >> 8)) & _MASK ^ (words[-15] >> 7))
                + (((y >> 19) ^ (y >> 61)) & _MASK ^ (words[-2] >> 6))
            )
            & _MASK
        )
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(constants, words):
        x = e | e << 64
        first = h + ((x >> 14 ^ x >> 18 ^ x >> 41) & _MASK) + (g ^ (e & (f ^ g))) + constant + word
        x = a | a << 64
        second = ((x >> 28 ^ x >> 34 ^ x >> 39) & _MASK) + (a & b | c & (a | b))
        h, g, f, e = g, f, e, (d + first) & _MASK
        d, c, b, a = c, b, a, (first + second) & _MASK
    return [(old + new) & _MASK for old, new in zip(state, (a, b, c, d, e, f, g, h))]


def sha512(data):
    """Return the 64 bytes of the digest of `data`.

    Parameters
    ----------
    data : bytes or bytearray
    """
    primes = _primes(80)
    constants = _roots(primes, 3)
    state = _roots(primes[:8], 2)
    padding = (
        b"\x80" + bytes(-(len(data) + 17) % _BLOCK_BYTES) + (len(data) * 8).to_bytes(16, "big")
    )
    whole = bytes(data) + padding
    for at in range(0, len(whole), _BLOCK_BYTES):
        state = _compress(state, whole[at : at + _BLOCK_BYTES], constants)
    return b"".join([word.to_bytes(8, "big") for word in state])
