"""Ed25519 and SHA-512 against the standards' own vectors, and what must never verify."""

from binascii import unhexlify

from endpoint.update.ed25519 import verify
from endpoint.update.sha512 import sha512

P = (1 << 255) - 19
ORDER = (1 << 252) + 27742317777372353535851937790883648493

# RFC 8032, 7.1, tests 1, 2, 3 and SHA(abc): public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


def vector(number):
    return [unhexlify(text) for text in VECTORS[number]]


def changed(data, at, bit=0):
    data = bytearray(data)
    data[at] ^= 1 << bit
    return bytes(data)


def number(value):
    return value.to_bytes(32, "little")


def test_sha512_of_the_standard():
    """FIPS 180-4 examples: no block, one block, two blocks; the lengths around a block's end."""
    assert sha512(b"").hex().startswith("cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4")
    assert sha512(b"abc").hex().startswith("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a")
    two = (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
    )
    assert sha512(two).hex().startswith("8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299")


def test_rfc_8032_vectors_verify():
    for at in range(len(VECTORS)):
        assert verify(*vector(at))


def test_every_part_counts():
    public, message, signature = vector(1)
    assert not verify(public, message + b"\0", signature)
    assert not verify(public, b"", signature)
    for at in range(0, 64, 5):
        assert not verify(public, message, changed(signature, at, at % 8))
    for at in range(0, 32, 9):
        assert not verify(changed(public, at, 3), message, signature)


def test_s_at_or_above_the_order_is_refused():
    """The same signature with S + L would verify where nobody looks: a second valid spelling."""
    public, message, signature = vector(2)
    s = int.from_bytes(signature[32:], "little")
    for times in (1, 2, 7):
        other = s + times * ORDER
        assert not verify(public, message, signature[:32] + number(other))
    assert not verify(public, message, signature[:32] + number(ORDER))
    assert not verify(public, message, signature[:32] + b"\xff" * 32)


def test_coordinates_at_or_above_the_prime_are_refused():
    """Non-canonical spellings of small points: y + p and p itself, with either sign."""
    public, message, signature = vector(1)
    for y in (P, P + 1, P + 18, (1 << 255) - 1):
        for sign in (0, 1 << 255):
            assert not verify(number(y | sign), message, signature)
            assert not verify(public, message, number(y | sign) + signature[32:])


def test_points_off_the_curve_are_refused():
    public, message, signature = vector(1)
    for y in (2, 7, P - 2):
        assert not verify(number(y), message, signature)
        assert not verify(public, message, number(y) + signature[32:])


def test_keys_of_small_order_sign_nothing():
    """With A of order 1, 2, 4 or 8, R = the neutral element and S = 0 would sign everything."""
    order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    points = [number(1), number(P - 1), number(0), number(1 << 255), unhexlify(order_8)]
    for public in points:
        for commitment in points:
            assert not verify(public, b"anything", commitment + bytes(32))


def test_x_zero_with_the_sign_bit_is_refused():
    _, message, signature = vector(1)
    assert not verify(number(1 | 1 << 255), message, signature)
    assert not verify(number(P - 1 | 1 << 255), message, signature)


def test_wrong_lengths_are_refused():
    public, message, signature = vector(1)
    assert not verify(public[:31], message, signature)
    assert not verify(public + b"\0", message, signature)
    assert not verify(public, message, signature[:63])
    assert not verify(public, message, signature + b"\0")
    assert not verify(b"", message, b"")
