"""All payloads: vectors, round trips, and what must never be in a stream frame."""

import binascii

from endpoint.line import PayloadError
from endpoint.line import payload as p
from endpoint.line.digest import differing, digest

KEY = bytes(range(16))


def _raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def _packed(function, *arguments, **named):
    payload = bytearray(8)
    function(payload, *arguments, **named)
    return payload


def test_vectors():
    # 12345.6 kWh, Vmin 0.985, Vmax 1.02 pu, 1.23 kWh: both extremes is more than L-6 allows,
    # so the fields are given one by one.
    rotating = p.rotating_register(12345678, p.UNIT_TOTAL)
    values = (0, 1, 0, rotating, p.extreme_code(985), p.extreme_code(1020), p.energy_code(1230))
    assert _hex(p.STREAM_PROFILE, values) == b"0103c4800bcd807b"
    rotating = p.rotating_peak(6120, 17, 35)
    values = (3, 1, 0, rotating, p.extreme_code(982), 255, p.energy_code(40950))
    assert _hex(p.STREAM_PROFILE, values)[:8] == b"0702648c"
    assert _hex(p.STREAM_PROFILE, values)[-4:] == b"efff"
    block = _packed(p.pack_block, 0xA7, (1230, 980, None, 2450))
    assert binascii.hexlify(block) == b"2a703d818bffe0f5"
    rate_c = p.rotating_register(5432100, p.UNIT_RATE_A + 2)
    stream = _packed(p.pack_stream_register, 5, 12346800, 985, False, rate_c)
    assert binascii.hexlify(stream) == b"8b00d43131e24c5e"


def _hex(frame_type, values):
    return binascii.hexlify(_packed(p.pack_into, frame_type, values))


def test_every_layout_round_trips():
    seed = 1
    for frame_type, layout in p.LAYOUTS.items():
        assert sum(bits for _, bits in layout) == 60
        assert frame_type in p.NAMES
        for _ in range(50):
            values = []
            for name, bits in layout:
                seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
                values.append(0 if name == "zero" else seed << 10 >> 8 & ((1 << bits) - 1))
            payload = _packed(p.pack_into, frame_type, values)
            got_type, fields = p.unpack(payload)
            assert got_type == frame_type
            assert [fields[name] for name, _ in layout] == values
            assert len(p.read(fields)) >= len(fields)


def test_bits_that_must_be_zero_are_checked():
    payload = _packed(p.pack_tou, 0, (0, 0), 1, 0)
    payload[7] |= 1
    assert _raises(PayloadError, p.unpack, payload)
    payload = _packed(p.pack_voltage, 950, 0, 1050, 1439, 1000, 7, 2000)
    payload[7] |= 2
    assert _raises(PayloadError, p.unpack, payload)


def test_values_come_back_within_a_step():
    for wh in range(0, 81900, 777):
        fields = {"energy": p.energy_code(wh)}
        assert abs(p.read(fields)["energy_wh"] - wh) <= 5
    for permille in range(750, 1385):
        fields = {"minimum": p.extreme_code(permille)}
        assert abs(p.read(fields)["minimum_e4"] - 10 * permille) <= 13
    for wh in (0, 99, 100, 99999999):
        fields = {"register": p.register_code(wh)}
        assert p.read(fields)["register_wh"] == wh // 100 * 100
    assert p.register_code(100000000) == 0


def test_missing_is_never_zero():
    assert p.read({"energy": p.energy_code(None)})["energy_wh"] is None
    assert p.read({"minimum": p.extreme_code(None)})["minimum_e4"] is None
    assert p.read({"register": p.register_code(None)})["register_wh"] is None
    assert p.read({"demand": p.demand_code(None)})["demand_w"] is None
    assert p.read({"voltage": p.voltage_code(None)})["voltage_e4"] is None
    for name in p.CODES:
        assert p.read({name: p.missing_is(name)})[p.CODES[name][0]] is None


def test_D7_streamed_energy_is_delivered_or_both_never_net():
    assert p.streamed_wh(400, 900, False) == 400
    assert p.streamed_wh(400, 900, True) == 1300
    assert p.streamed_wh(None, None, False) is None
    assert _raises(PayloadError, p.streamed_wh, -1, 0, False)
    assert _raises(PayloadError, p.streamed_wh, 0, -1, True)


def test_D7_stream_functions_refuse_negative_values():
    payload = bytearray(8)
    assert _raises(PayloadError, p.pack_stream_profile, payload, 1, -1, 1000, None, 0)
    assert _raises(PayloadError, p.pack_stream_register, payload, 1, -1, 1000, False, 0)
    assert _raises(PayloadError, p.rotating_register, -1, p.UNIT_TOTAL)
    assert payload == bytes(8)


def test_D7_net_is_labelled_delivered():
    for net, profile, register in (
        (False, p.STREAM_PROFILE, p.STREAM_REGISTER),
        (True, p.STREAM_PROFILE_DELIVERED, p.STREAM_REGISTER_DELIVERED),
    ):
        a = _packed(p.pack_stream_profile, 9, 400, None, 1010, 0, net=net)
        b = _packed(p.pack_stream_register, 9, 400000, 990, False, 0, net=net)
        assert p.unpack(a)[0] == profile and p.unpack(b)[0] == register
        assert p.read(p.unpack(a)[1])["energy_wh"] == 400


def test_L6_one_extreme_only():
    payload = bytearray(8)
    assert _raises(PayloadError, p.pack_stream_profile, payload, 1, 10, 990, 1010, 0)
    minimum = p.read(p.unpack(_packed(p.pack_stream_profile, 1, 10, 990, None, 0))[1])
    assert minimum["minimum_e4"] == 9900 and minimum["maximum_e4"] is None


def test_rotating_parts_are_read_by_slot():
    expected = {
        0: "rotating_register_wh",
        1: "rotating_unit",
        3: "rotating_peak_day",
        7: "rotating_interface",
    }
    for hour, name in expected.items():
        stream = _packed(p.pack_stream_profile, hour + 800, 10, None, None, 0x123456)
        assert name in p.read(p.unpack(stream)[1])
    status = p.rotating_status(18, p.INTERFACE_DISPLAY_FULL, 300)
    stream = _packed(p.pack_stream_profile, 7, 10, None, None, status)
    values = p.read(p.unpack(stream)[1])
    assert values["rotating_firmware"] == 18 and values["rotating_outages"] == 44
    assert values["rotating_interface"] == p.INTERFACE_DISPLAY_FULL


def test_R94_R95_R96_interface_bit_is_sent_and_explained():
    status = _packed(p.pack_status, p.INTERFACE_DISPLAY_FULL, 18, True, False, 2, 3, 4, 5, 20, 300)
    fields = p.unpack(status)[1]
    assert fields["interface"] == 2 and fields["dropped_items"] == 15
    assert fields["uptime_h"] == 255 and fields["stream"] == 2
    assert p.INTERFACE_TEXTS[1] == "maximum number of display records reached"


def test_net_register_travels_with_its_sign_outside_the_stream():
    for wh, selector in ((5, 2), (-1, 6), (-25300, 6)):
        fields = p.unpack(_packed(p.pack_register, wh, None, None, 0, net=True))[1]
        assert fields["selector"] == selector
        assert fields["register"] == wh // 100 % 1000000
    tou = _packed(p.pack_tou, 1, (-600000, 800000), 7, 2, net=True)
    fields = p.unpack(tou)[1]
    assert fields["negative_0"] == 1 and fields["negative_1"] == 0 and fields["net"] == 1
    assert fields["register_0"] == 994000
    assert _raises(PayloadError, p.pack_tou, bytearray(8), 0, (-1, 0), 7, 2)


def test_answers_and_days():
    fields = p.unpack(_packed(p.pack_answer, 100, 1000, 50, 77))[1]
    assert fields["selector"] == p.ANSWER and fields["request"] == 77
    fields = p.unpack(_packed(p.pack_ack, 0x28, 1, 0x12345, 0x1FFFFFF))[1]
    assert fields["command"] == 0x28 and fields["reference"] == 0x2345
    assert fields["data"] == 0xFFFFFF
    fields = p.unpack(_packed(p.pack_event, 9, p.EVENT_EPOCH_UNIX_S + 3600, 5))[1]
    assert fields["minute"] == 60
    fields = p.unpack(_packed(p.pack_voltage, 950, 0, 1050, 1439, 1000, 7, 2000))[1]
    assert fields["maximum_at"] == 127 and fields["below_range"] == 1
    assert fields["above_range"] == 255
    none = (None, p.NO_DAY, 0)
    fields = p.unpack(_packed(p.pack_demand, (6120, 17, 35), none, 260))[1]
    values = p.read(fields)
    assert values["peak_w"] == 6120 and values["previous_w"] is None
    assert values["resets"] == 4


def test_N6_digest_finds_the_differing_block():
    codes = [(i * 97) & 8191 for i in range(24)]
    ours = digest(KEY, 1, 20000, codes)
    assert digest(KEY, 1, 20000, codes) == ours
    assert differing(ours, ours) == []
    found = 0
    for hour in range(24):
        changed = list(codes)
        changed[hour] ^= 1
        blocks = differing(ours, digest(KEY, 1, 20000, changed))
        # A nibble agrees by chance once in sixteen; then all six blocks are fetched.
        assert blocks == [hour // 4] or blocks == [0, 1, 2, 3, 4, 5]
        found += blocks == [hour // 4]
    assert found >= 18
    assert digest(KEY, 2, 20000, codes)[1] != ours[1]
    assert digest(KEY, 1, 20001, codes)[1] != ours[1]
    assert digest(bytes(16), 1, 20000, codes)[1] != ours[1]
    payload = _packed(p.pack_digest, 20000, ours[0], ours[1])
    fields = p.unpack(payload)[1]
    assert fields == {"day": 20000 & 255, "blocks": ours[0], "whole": ours[1]}
