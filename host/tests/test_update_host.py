"""The host's end of an update: what is sent, what is copied, who may do it, how it is told."""

import base64
import hashlib
import json
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.update.install import BLOCK_BYTES
from endpoint.update.manifest import Manifest
from endpoint.update.romfs import files
from wattline.board import role
from wattline.board import update as engine
from wattline.errors import RunError, WattlineError
from wattline.release import romfs
from wattline.release.build import ABI
from wattline.release.package import Release

REPORT = {
    "board": "FASY_0624_0004",
    "abi": ABI,
    "oldest_version": "11.0.0",
    "update_keys": 1,
    "active": "a",
}


class Answers:
    """A module that gives these answers, one a call."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def exec(self, code):
        self.calls.append(code)
        return self.answers.pop(0)


def rebuilt(plan, release, old_slot, there):
    """Return the file system that the module ends up with."""
    memory = bytearray(there)
    for number, pieces in plan.blocks.items():
        block = b""
        for piece in pieces:
            if isinstance(piece, str):
                block += zlib.decompress(base64.b64decode(piece), wbits=12)
            else:
                block += old_slot[piece[0] : piece[0] + piece[1]]
        memory[(number - 1) * BLOCK_BYTES : (number - 1) * BLOCK_BYTES + len(block)] = block
    return bytes(memory[: len(release.image)])


def slot_files(image):
    """Return the files of a running slot as the module tells them."""
    return [
        (path, 4096 + at, length, hashlib.sha256(image[at : at + length]).hexdigest()[:16])
        for path, at, length in files(image)
    ]


content = st.binary(min_size=1, max_size=3000)
sets = st.dictionaries(st.sampled_from("abcdefgh"), content, min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(sets, sets)
def test_plan_gives_the_new_file_system(old, new):
    """Whatever changed: copies and what is sent make the release, byte for byte."""
    shared = {name: old.get(name, data) if name < "d" else data for name, data in new.items()}
    old_image = romfs.pack({f"endpoint/{name}.mpy": data for name, data in old.items()})
    new_image = romfs.pack({f"endpoint/{name}.mpy": data for name, data in shared.items()})
    release = Release(bytes(4096), new_image)
    plan = engine.make_plan(release, slot_files(old_image), [])
    there = b"\xff" * (len(plan.blocks) * BLOCK_BYTES)
    assert rebuilt(plan, release, bytes(4096) + old_image, there) == new_image


@pytest.fixture(scope="module")
def release():
    """An unsigned release of twelve files that do not compress."""
    chance = random.Random(1)
    files = {f"endpoint/m{number}.mpy": chance.randbytes(4000) for number in range(12)}
    image = romfs.pack(files)
    version = (18, 0, 0)
    digest = hashlib.sha256(image).digest()
    fields = (REPORT["board"], version, version, 1, ABI, len(image), digest, "0" * 16)
    return Release.unsigned(Manifest(*fields), image)


def test_one_changed_file_sends_little(release):
    whole = engine.make_plan(release, [], [])
    running = [entry for entry in slot_files(release.image) if "m5" not in entry[0]]
    one = engine.make_plan(release, running, [])
    assert one.sent_bytes < whole.sent_bytes / 8
    assert one.copied_bytes > 0.9 * len(release.image)


def test_blocks_that_are_there_are_not_sent_again(release):
    there = [0] + [
        zlib.crc32(release.image[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\xff"))
        for at in range(0, len(release.image), BLOCK_BYTES)
    ]
    assert engine.make_plan(release, [], there).blocks == {}
    there[3] ^= 1
    assert list(engine.make_plan(release, [], there).blocks) == [3]


@pytest.mark.parametrize("name", ["Unsigned", "Mixed", "TooOld", "FlashFailed"])
def test_refusal_of_the_module_is_a_sentence(name):
    updater = engine.Updater(Answers(json.dumps({"refused": name})))
    with pytest.raises(engine.Refused, match=r"the module refused: .*;"):
        updater.finish()


@pytest.mark.parametrize("answer", ["", "hello\n", "{", "x" * 200000])
def test_answer_that_makes_no_sense(answer):
    with pytest.raises(RunError, match="makes no sense"):
        engine.Updater(Answers(answer)).report()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"board": "FASY_0624_0003"}, "made for another board"),
        ({"abi": ABI + 1}, "not for the interpreter"),
        ({"oldest_version": "19.0.0"}, "older than the module still accepts"),
        ({}, "not signed"),
    ],
)
def test_unfit_release_is_refused_before_anything_is_sent(release, changed, reason):
    with pytest.raises(WattlineError, match=reason):
        engine.check_fits(release, {**REPORT, **changed})


@pytest.mark.parametrize("system", ["mas", "eas", "MAS"])
@pytest.mark.parametrize("version", ["3.2", "3.10", "4.0", "4", "3.2.1", "10.0"])
def test_R43_R44_G2_new_enough_system_may_reflash(system, version):
    role.check_reflash(system, version)


@pytest.mark.parametrize("system", ["mas", "eas"])
@pytest.mark.parametrize("version", ["3.1", "3.1.9", "3", "2.10", "3.01", "0"])
def test_R43_R44_G2_old_system_may_not(system, version):
    with pytest.raises(WattlineError, match=r"use (MAS|EAS) 3\.2 or later"):
        role.check_reflash(system, version)


@pytest.mark.parametrize("version", ["", "3.", "three", "3.2a", "-3.2", "3.2.1.1.1", "٣.٢"])
def test_G2_no_version_is_refused(version):
    with pytest.raises(WattlineError, match="is no version"):
        role.check_reflash("mas", version)


def test_unknown_role_is_refused():
    with pytest.raises(WattlineError, match="choose one of mas, eas"):
        role.check_reflash("root", "4.0")
