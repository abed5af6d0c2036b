"""The UF2 container, there and back, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.errors import WattlineError
from wattline.image import uf2

FACTS = {"version": "1.2.3", "board": "B", "git": "abc-dirty", "build_id": "0" * 16}


@given(st.binary(min_size=1, max_size=2000))
def test_round_trip(binary):
    base, back = uf2.unpack(uf2.pack(binary))
    assert base == 0x1000_0000
    assert back[: len(binary)] == binary
    assert not any(back[len(binary) :])


def test_block_layout():
    content = uf2.pack(bytes(300))
    assert len(content) == 2 * 512
    assert content[:8].hex() == "5546320a" + "57515d9e"
    assert content[508:512].hex() == "306fb10a"
    assert content[12:16].hex() == "00000010"  # address
    assert content[512 + 20 : 512 + 28].hex() == "01000000" + "02000000"  # block 1 of 2
    assert content[28:32].hex() == "56ff8be4"  # RP2040


def test_identity_is_found_in_the_middle():
    mark = (uf2.MARK + json.dumps(FACTS)).encode()
    content = uf2.pack(bytes(1000) + b"wattline-image is only a word here" + mark + bytes(700))
    assert uf2.identity(content) == FACTS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 511,
        b"x" * 512,
        uf2.pack(bytes(600))[:-512],
        uf2.pack(bytes(600))[:-1],
        uf2.pack(bytes(600)).replace(bytes.fromhex("56ff8be4"), bytes(4)),
        uf2.pack(bytes(600)),
        uf2.pack(b"wattline-image {" + bytes(600)),
    ],
)
def test_bad_files_are_refused_in_one_sentence(content):
    with pytest.raises(WattlineError) as caught:
        uf2.identity(content)
    assert "\n" not in str(caught.value)
    assert ":" in str(caught.value) or ";" in str(caught.value)


@given(st.binary(max_size=1024))
def test_any_bytes_are_refused_without_a_traceback(content):
    with pytest.raises(WattlineError):
        uf2.identity(content)


def test_far_apart_blocks_do_not_allocate_the_gap():
    low, high = uf2.pack(b"a"), bytearray(uf2.pack(b"b"))
    both = bytearray(low + high)
    for block in (0, 512):
        both[block + 24 : block + 28] = (2).to_bytes(4, "little")
    both[512 + 12 : 512 + 16] = (0xFFFF_FF00).to_bytes(4, "little")
    with pytest.raises(WattlineError, match="does not fit"):
        uf2.unpack(bytes(both))
