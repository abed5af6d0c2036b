"""C12.18 over a bad line and under random streams, in numbers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))

import optical_channel
import optical_fuzz

from endpoint.optical.client import ECHO_DETECT, ECHO_DROP, ECHO_NONE

_CRC_VALUES = 65536


def judge(first, count, echo=ECHO_NONE):
    """Run sessions and assert what may be asserted of a link with a CRC of 16 bits.

    Wrong data, a service carried out twice or a hang: never, unless a packet that nobody sent
    was accepted because its CRC was right by chance. Of damaged packets one in 65,536 may be; the
    bound is the mean and six standard deviations. Beyond that, damage the CRC is bound to find
    is never missed: see the tests of both roles.
    """
    wrong, ghosts, refused, outcomes = optical_channel.run_sessions(first, count, echo)
    assert wrong == []
    mean = refused / _CRC_VALUES
    assert ghosts <= mean + 6 * mean**0.5 + 1
    assert outcomes[0] > 6 * count


def test_R8_two_thousand_sessions_over_a_bad_line():
    judge(1_000_000, 2000)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(10))
def test_R8_a_hundred_thousand_sessions_over_a_bad_line(part):
    judge(10_000 * part, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("echo", [ECHO_DROP, ECHO_DETECT])
def test_twenty_thousand_sessions_through_heads_that_echo(echo):
    judge(0, 10_000, echo)


@pytest.mark.parametrize("role", [optical_fuzz.fuzz_device, optical_fuzz.fuzz_client])
def test_R8_random_streams(role):
    assert role(1, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("role", [optical_fuzz.fuzz_device, optical_fuzz.fuzz_client])
def test_R8_a_million_random_streams(role):
    for seed in range(10):
        assert role(1000 + seed, 100_000)
