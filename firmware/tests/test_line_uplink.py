"""Cycle counts of the bus, join channels, sealed frames, limits of the transmitter."""

from line_rig import Rig, steady

from endpoint.line import ChannelError
from endpoint.line.authority import Authority
from endpoint.line.frame import encode_into, frame_crc
from endpoint.line.loop import CYCLES_FOLD, Loop
from endpoint.line.payload import JOIN, pack_join
from endpoint.line.profile import BENCH, FIELD
from endpoint.line.seal import Seal, check16, crypt_into, frame_number, opened
from endpoint.line.uplink import Uplink

EID = 0x1234ABCD
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
RING = 2048


def _send(payload, start_us):
    payload[:] = PAYLOAD
    return True


def _raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def test_frames_start_where_the_bus_counts():
    starts = []

    def source(payload, start_us):
        starts.append(start_us)
        return _send(payload, start_us)

    rig = Rig(steady(60.0), BENCH, 41, source, EID)
    rig.run(3000000)
    loop = rig.uplink.loop
    assert loop.locked and not rig.uplink.synchronised
    # The bus has counted 777 cycles before the rig's first.
    began = round((loop.now_us + loop.boundary_x16(0) / 16) * 60 / 1e6)
    rig.uplink.synchronise(loop.cycle, began + 777)
    assert loop.cycle == began + 777
    assert rig.uplink.synchronised
    starts.clear()
    rig.run(45000000)
    assert len(starts) >= 2
    for start_us in starts:
        cycle = round(start_us * 60 / 1e6) + 777
        assert (cycle - BENCH.frame_offset(41)) % BENCH.frame_cycles == 0


def test_synchronising_again_changes_nothing():
    rig = Rig(steady(60.0), BENCH, 41, _send, EID)
    rig.run(20000000)
    loop, carrier = rig.uplink.loop, rig.uplink.carrier
    rig.uplink.synchronise(loop.cycle, 5)
    rig.run(20000000)
    assert carrier.sending
    symbol = carrier.symbol
    assert rig.uplink.synchronise(loop.cycle, loop.cycle) == 0
    # A whole number of frames leaves the frame in place as well.
    assert rig.uplink.synchronise(loop.cycle, (loop.cycle + BENCH.frame_cycles) % CYCLES_FOLD)
    rig.run(66000)
    assert carrier.sending and carrier.symbol >= symbol
    assert rig.uplink.synchronise(loop.cycle, (loop.cycle - 1) % CYCLES_FOLD) == -1
    assert not carrier.sending


def test_without_the_bus_count_only_join_channels_are_used():
    assigned = FIELD.channel(11, 200)
    uplink = Uplink(EID, FIELD, assigned, _send, bytearray(RING))
    assert FIELD.is_join(uplink.carrier.channel)
    uplink._next_frame(0)
    assert FIELD.is_join(uplink.carrier.channel) and uplink.frames == 1
    uplink.loop._state[21] = 1
    uplink.synchronise(10, 20)
    # At once: the join channel's next place for a frame may be an hour away.
    assert uplink.carrier.channel == assigned
    assert uplink._next_frame(0) is not None and uplink.frames == 2
    # The line was lost and found again: the count is unknown again.
    uplink.loop._state[21] = 2
    assert uplink._next_frame(0) is None
    assert FIELD.is_join(uplink.carrier.channel)
    assert _raises(ChannelError, uplink.tune, 5)
    uplink.synchronise(10, 20)
    uplink.tune(assigned + 1)
    assert uplink.carrier.channel == assigned + 1
    # A frame under way goes on where it is.
    uplink.carrier._symbols = bytearray(280)
    uplink.tune(assigned)
    assert uplink.carrier.channel == assigned + 1
    assert uplink._next_frame(0) is None and uplink.carrier.channel == assigned


def test_loop_shift_keeps_phase():
    loop = Loop(1000)
    loop.shift(-1)
    assert loop.cycle == CYCLES_FOLD - 1
    loop.shift(2)
    assert loop.cycle == 1 and loop.phase_q28 == 0


def test_R105_no_setting_raises_the_duty():
    for asked, sent in ((5000, 100), (1000, 100), (500, 50), (333, 33), (0, 0), (-5, 0)):
        uplink = Uplink(EID, BENCH, 41, _send, bytearray(RING), None, asked)
        for _ in range(100):
            uplink._next_frame(0)
        assert uplink.frames == sent


def test_R105_pin_is_high_half_the_time_and_never_long():
    # All zeros, all ones, alternating: what symbols come makes no difference.
    for pattern in (0x00, 0xFF, 0xAA):

        def source(payload, start_us, pattern=pattern):
            payload[:] = bytes((pattern,)) * 8
            return True

        for frequency_hz, channel in ((57.0, 25), (63.0, 67)):
            rig = Rig(steady(frequency_hz), BENCH, channel, source, EID)
            rig.run(25000000)
            high = low = longest = 0
            for low_us, high_us in rig.words():
                if high_us > 1:
                    longest = max(longest, high_us)
                    high += high_us
                    low += min(low_us, 3000)
            assert longest <= 3000
            assert 0.47 < high / (high + low) < 0.52


def test_R105_too_long_a_pulse_is_cut():
    rig = Rig(steady(60.0), BENCH, 25, _send, EID)
    rig.run(20000000)
    carrier = rig.uplink.carrier
    assert carrier.sending
    # As if a fault had left the pin high for long.
    while not carrier._state[1]:
        rig.run(66000)
    carrier._state[3] += 50000
    rig.run(1000000)
    assert max(high for _, high in rig.words()) <= 3000


def test_frame_number_is_never_repeated():
    unix_s = 1577836800 + 400 * 86400
    cycle = 400 * 86400 * 60 % CYCLES_FOLD
    k = frame_number(cycle, unix_s, FIELD.frame_cycles)
    assert k == 400 * 86400 * 60 // FIELD.frame_cycles
    # Days of error in the time, or of the line's drift, make no difference.
    for error_s in (-20 * 86400, -5, 5, 20 * 86400):
        assert frame_number(cycle, unix_s + error_s, FIELD.frame_cycles) == k
    # One fold later the cycle is the same, the number is not.
    later = unix_s + CYCLES_FOLD // 60
    assert frame_number(cycle, later, FIELD.frame_cycles) == k + 1024


def test_sealed_frame_opens_for_its_own_number_only():
    authority = Authority(EID, bytes(range(16)))
    for encrypt in (False, True):
        seal = Seal(authority, BENCH.frame_cycles, lambda: 1700000000, encrypt)
        payload = bytearray(PAYLOAD)
        check = seal(payload, 1120)
        assert (payload == PAYLOAD) != encrypt
        k = frame_number(1120, 1700000000, BENCH.frame_cycles)
        assert opened(authority.key, EID, k, payload, check, encrypt) == PAYLOAD
        for wrong in (
            opened(authority.key, EID, k + 1, payload, check, encrypt),
            opened(authority.key, EID + 1, k, payload, check, encrypt),
            opened(bytes(16), EID, k, payload, check, encrypt),
            opened(authority.key, EID, k, payload, check ^ 1, encrypt),
        ):
            assert wrong is None
        for bit in range(64):
            changed = bytearray(payload)
            changed[bit >> 3] ^= 1 << (bit & 7)
            # No change of the payload has a known change of the check, as a CRC has.
            assert check16(authority.key, EID, k, changed) != check
    crypt_into(payload, authority.key, EID, k)
    assert payload == PAYLOAD


def test_join_and_unknown_time_are_sent_with_a_plain_crc():
    authority = Authority(EID, bytes(16))
    payload = bytearray(8)
    pack_join(payload, 18, EID)
    assert payload[0] >> 4 == JOIN
    assert Seal(authority, 1120, lambda: 1700000000)(payload, 0) is None
    assert Seal(authority, 1120, lambda: None)(bytearray(PAYLOAD), 0) is None


def test_check_takes_the_place_of_the_crc():
    plain, same, other = bytearray(280), bytearray(280), bytearray(280)
    encode_into(plain, PAYLOAD, EID, 41)
    encode_into(same, PAYLOAD, EID, 41, frame_crc(EID, PAYLOAD))
    encode_into(other, PAYLOAD, EID, 41, frame_crc(EID, PAYLOAD) ^ 1)
    assert plain == same and plain != other
