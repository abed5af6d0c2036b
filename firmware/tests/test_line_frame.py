"""Encoder and payloads of the uplink against the vectors of docs/phy.md."""

import binascii

import micropython

from endpoint.line import ChannelError, PayloadError
from endpoint.line.frame import encode_into, frame_crc, scrambler_into, transform
from endpoint.line.payload import (
    AGE_OLDER,
    DEMAND_MISSING,
    DEMAND_OVERFLOW,
    JOIN,
    LAYOUTS,
    REGISTER,
    VOLTAGE_MISSING,
    pack_into,
    pack_join,
    pack_register,
    unpack,
)
from endpoint.line.profile import BENCH, FIELD, PROFILES

# (payload, eid, channel, crc, symbols)
VECTORS = (
    (
        "0103c4800bcd807b",
        0x12345678,
        8648,
        0xA799,
        "578e4acf55d9815cdb150153da781d9a4fca8d7d78886017d2927d8f3cbdb4ba6c2865",
    ),
    (
        "0702648c6a4d2fff",
        0x0028A1C3,
        12979,
        0xC24A,
        "7dea1524e28b7ccd360a1ee14eb88d295dbec0c12efb1a6d6d55012aedc0ede111e66a",
    ),
    (
        "2a703d818bffe0f5",
        0x00000001,
        4685,
        0x4BAD,
        "967327ec4290257d13bd2456741d07fc57ce67390a34629c9bbe8e174c7602f19265fc",
    ),
    (
        "0000000000000000",
        0x00000001,
        7552,
        0x6FDA,
        "3d7e6eef564124e3719728acf370a28f9cbab82f476d6077d468c911267cf0f72c4f07",
    ),
    (
        "0123456789abcdef",
        0x12345678,
        8648,
        0xA501,
        "1ca2db5423b1f35692df176cbfc09702ba1e3fb4613f0690f236e12e5f4bef32c5a738",
    ),
    (
        "8b00d43131e24c5e",
        0x12345678,
        8648,
        0x4446,
        "57f3c11eb98e52cab0f14d1e163df59817110af4cf9567c5df51933553b78031ad20a2",
    ),
)


def _packed(symbols):
    word = 0
    for bit in symbols:
        word = word << 1 | bit
    return word.to_bytes(35, "big")


def _raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def test_vectors_symbols():
    symbols = bytearray(280)
    for payload, eid, channel, crc, sent in VECTORS:
        payload = binascii.unhexlify(payload)
        assert frame_crc(eid, payload) == crc
        encode_into(symbols, payload, eid, channel)
        assert _packed(symbols) == binascii.unhexlify(sent)


def test_vector_scrambler():
    symbols = bytearray(280)
    scrambler_into(symbols, 8648)
    start = "".join("%d" % bit for bit in symbols[:32])
    assert start == "10011011100100010100001010110100"


def test_encode_allocates_nothing():
    symbols = bytearray(280)
    payload = bytearray(8)
    encode_into(symbols, payload, 0x1234, 25)
    micropython.heap_lock()
    encode_into(symbols, payload, 0x1234, 25)
    micropython.heap_unlock()


def test_transform_inverts_itself():
    bits = bytearray((i * 7 >> 2) & 1 for i in range(256))
    copy = bytearray(bits)
    transform(copy)
    assert copy != bits
    transform(copy)
    assert copy == bits


def test_layouts_fill_64_bits():
    for layout in LAYOUTS.values():
        assert sum(bits for _, bits in layout) == 60


def test_register_round_trip():
    payload = bytearray(8)
    pack_register(payload, 12345678, 985, 6120, 17, flags=2)
    frame_type, fields = unpack(payload)
    assert frame_type == REGISTER
    assert fields["register"] == 123456
    assert fields["voltage"] == 485
    assert fields["demand"] == 612
    assert fields["request"] == 17
    assert fields["selector"] == 0 and fields["flags"] == 2 and fields["time_valid"] == 0


def test_register_limits():
    payload = bytearray(8)
    pack_register(payload, 100000 * 1000 + 99, 1800, 10**6, 5000)
    fields = unpack(payload)[1]
    assert fields["register"] == 0
    assert fields["voltage"] == VOLTAGE_MISSING - 1
    assert fields["demand"] == DEMAND_OVERFLOW
    assert fields["request"] == AGE_OLDER
    pack_register(payload, 0, None, None, 0)
    fields = unpack(payload)[1]
    assert fields["voltage"] == VOLTAGE_MISSING and fields["demand"] == DEMAND_MISSING


def test_join_round_trip():
    payload = bytearray(8)
    pack_join(payload, 18, 0xDEADBEEF, 0x123456)
    assert binascii.hexlify(payload) == b"f2deadbeef123456"
    frame_type, fields = unpack(payload)
    assert frame_type == JOIN
    assert fields == {"firmware": 2, "eid": 0xDEADBEEF, "capabilities": 0x123456}


def test_payload_refuses_what_does_not_fit():
    payload = bytearray(8)
    assert _raises(PayloadError, pack_into, payload, JOIN, (16, 0, 0))
    assert _raises(PayloadError, pack_into, payload, JOIN, (0, -1, 0))
    assert _raises(PayloadError, pack_into, payload, JOIN, (0, 0))
    assert _raises(PayloadError, pack_into, payload, 14, (0,))
    assert _raises(PayloadError, unpack, bytes(8)[:7])
    assert _raises(PayloadError, unpack, b"\xe0" + bytes(7))


def test_profiles_hold_the_stated_numbers_of_channels():
    counts = {name: len(p.channels()) for name, p in PROFILES.items()}
    assert counts == {"bench": 33, "bench2": 11, "express": 847, "field2": 3377, "field": 6765}
    field = FIELD.channels()
    assert len([n for n in field if FIELD.is_join(n)]) == 132
    assert len([n for n in field if FIELD.is_guard(n)]) == 44
    assert FIELD.channel(11, 200) == 8648
    assert BENCH.frame_cycles == 1120 and FIELD.frame_cycles == 215040
    assert BENCH.frame_offset(41) == 4 * 8 * 6


def test_profile_refuses_channels_that_do_not_exist():
    for n in (0, 23, 24, 28, 64, 68):
        assert _raises(ChannelError, BENCH.check, n)
    for n in (25, 27, 65, 67):
        BENCH.check(n)


def test_first_channel_exists_and_spreads():
    for profile in (BENCH, FIELD):
        seen = {}
        for eid in range(0x10000000, 0x10000000 + 660):
            n = profile.first_channel(eid)
            assert profile.is_join(n)
            seen[n] = seen.get(n, 0) + 1
        assert max(seen.values()) <= 2 * 660 // len(seen)
        assert len(seen) == (33 if profile is BENCH else 132)
