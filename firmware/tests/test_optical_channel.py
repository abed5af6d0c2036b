"""C12.18 over a bad line: right data or a named error, each service once, whatever comes."""

import optical_channel
import optical_fuzz

from endpoint.optical.client import ECHO_DETECT, ECHO_DROP, ECHO_NONE
from endpoint.optical.kernels import crc16
from endpoint.optical.services import OK


def test_R8_sessions_over_a_bad_line():
    """180 random sessions; more of them in the host's tests."""
    wrong, ghosts, _, outcomes = optical_channel.run_sessions(0, 180)
    assert wrong == []
    assert ghosts <= 1
    assert outcomes[0] > 1000
    assert sum(outcomes.values()) - outcomes[0] > 20


def test_sessions_through_a_head_that_echoes_over_a_bad_line():
    """60 random sessions, the echo as bad as the rest."""
    for echo in (ECHO_DROP, ECHO_DETECT):
        wrong, ghosts, _, outcomes = optical_channel.run_sessions(500, 30, echo)
        assert wrong == []
        assert ghosts <= 1
        assert outcomes[0] > 200


def test_a_clean_line_never_fails():
    for seed in range(30):
        session = optical_channel.Session(seed, 0, (ECHO_NONE, ECHO_DROP, ECHO_DETECT)[seed % 3])
        session.idle = lambda time_ms: None  # or it would be left alone for longer than allowed
        session.run(12)
        assert session.wrong == []
        assert set(session.outcomes) == {OK}


def test_crc_catches_all_that_it_promises():
    """All single and double bit errors of a short packet, all bursts of 16 bits, odd errors."""
    packet = bytes([0xEE, 0, 0x20, 0, 0, 4, 0x00, 0x12, 0x34, 0x56])
    bits = 8 * len(packet)
    right = crc16(packet, len(packet))

    def crc_with(*places):
        bad = bytearray(packet)
        for place in places:
            bad[place >> 3] ^= 1 << (place & 7)
        return crc16(bad, len(bad))

    for one in range(bits):
        assert crc_with(one) != right
        for two in range(one):
            assert crc_with(one, two) != right
    dice = optical_channel.Dice(5)
    for _ in range(1000):
        three = {dice.below(bits) for _ in range(3)}
        if len(three) & 1:
            assert crc_with(*three) != right
        start = dice.below(bits - 16)
        burst = [start] + [start + i for i in range(1, 16) if dice.below(2)]
        assert crc_with(*burst) != right


def test_R8_random_and_mutated_streams_into_the_device():
    """1,500 streams; a million in the soak test."""
    services, writes = optical_fuzz.fuzz_device(99, 1500)
    assert services > 600 and writes > 5


def test_R8_random_and_mutated_streams_into_the_client():
    """1,500 streams; a million in the soak test."""
    assert optical_fuzz.fuzz_client(99, 1500) > 40
