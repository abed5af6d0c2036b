"""Releases on the host: what is built is what the module's own code accepts."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.update.manifest import HEADER_BYTES
from endpoint.update.romfs import files
from wattline.cli import release as command
from wattline.errors import WattlineError
from wattline.image import paths
from wattline.release import keys, romfs
from wattline.release.build import build_release, parse_version
from wattline.release.package import Release

BOARD = "FASY_0624_0004"
SMALL = {
    "__init__.py": "",
    "version.py": 'VERSION = "11.2.3"\n',
    "app.py": "def main():\n    pass\n",
}


@pytest.fixture
def source(tmp_path):
    """A small application."""
    package = tmp_path / "source" / "endpoint"
    package.mkdir(parents=True)
    for name, text in SMALL.items():
        (package / name).write_text(text)
    return package.parent


@pytest.fixture
def key(tmp_path):
    return keys.create(tmp_path / "key")


def test_release_round_trip(source, key, tmp_path):
    release = build_release(BOARD, source=source)
    assert release.manifest.version == release.manifest.floor == (11, 2, 3)
    assert not release.is_signed
    signed = release.signed(key)
    file = tmp_path / "a.release"
    file.write_bytes(signed.pack())
    again = Release.read(file)
    assert again == signed and again.is_signed_by(key.public)
    assert not again.is_signed_by(bytes(32))
    assert [path for path, _, _ in again.files()] == [
        "endpoint/__init__.mpy",
        "endpoint/app.mpy",
        "endpoint/version.mpy",
    ]


def test_same_sources_give_the_same_bytes(source, tmp_path):
    other = tmp_path / "elsewhere"
    shutil.copytree(source, other)
    assert build_release(BOARD, source=source) == build_release(BOARD, source=other)


def test_this_checkout_s_application_fits_a_slot():
    release = build_release(BOARD)
    assert len(release.files()) == len(
        list((paths.checkout() / "firmware" / "endpoint").rglob("*.py"))
    )


@pytest.mark.parametrize("at", [0, 30, HEADER_BYTES - 1, HEADER_BYTES, -1])
def test_damaged_file_is_refused_with_a_sentence(source, key, tmp_path, at):
    content = bytearray(build_release(BOARD, source=source).signed(key).pack())
    content[at] ^= 0x10
    file = tmp_path / "bad"
    file.write_bytes(content)
    if at == 30:  # a byte of the manifest: whole in itself, but the signature is of other bytes
        assert not Release.read(file).is_signed_by(key.public)
        return
    with pytest.raises(WattlineError, match="is no release: "):
        Release.read(file)


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(5000), b"\xff" * 5000])
def test_no_release_is_refused(tmp_path, content):
    file = tmp_path / "bad"
    file.write_bytes(content)
    with pytest.raises(WattlineError, match="is no release: "):
        Release.read(file)


def test_endless_file_is_not_read(tmp_path):
    file = tmp_path / "bad"
    with file.open("wb") as stream:
        stream.truncate(3 * 1024 * 1024)
    with pytest.raises(WattlineError, match="larger than any release"):
        Release.read(file)


@pytest.mark.parametrize("text", ["18", "18.0", "18.0.0.0", "a.b.c", "1.2.99999", "-1.0.0", ""])
def test_no_version_is_refused(text):
    with pytest.raises(WattlineError, match="is no version"):
        parse_version(text)


def test_source_that_does_not_compile_is_named(source):
    (source / "endpoint" / "app.py").write_text("def main(:\n")
    with pytest.raises(WattlineError, match=r"endpoint/app.py does not compile"):
        build_release(BOARD, source=source)


def test_folder_without_application_is_named(tmp_path):
    with pytest.raises(WattlineError, match="holds no application"):
        build_release(BOARD, source=tmp_path)


def test_secret_key_is_for_its_owner_and_never_replaced(tmp_path):
    file = tmp_path / "key"
    keys.create(file)
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(WattlineError, match="never"):
        keys.create(file)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"AAAA\n"])
def test_bad_keys_are_one_sentence(tmp_path, content):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(WattlineError, match="holds no"):
        keys.SigningKey.read(file)
    with pytest.raises(WattlineError, match="holds no public key"):
        keys.read_public(file)


def test_command_builds_signs_and_inspects(source, tmp_path, capsys):
    secret, file = tmp_path / "key", tmp_path / "my.release"
    command.new(secret)
    command.build(source=source, output=file)
    command.sign(file, key=secret)
    capsys.readouterr()
    command.inspect(file, public=keys.public_file(secret), as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["version"], facts["signature"], facts["files"]) == ("11.2.3", "good", 3)


names = st.text("abcdefgh_12", min_size=1, max_size=12)
paths_of_files = st.lists(names, min_size=1, max_size=3).map(
    lambda parts: "/".join(["endpoint", *parts]) + ".mpy"
)


@settings(max_examples=60)
@given(st.dictionaries(paths_of_files, st.binary(max_size=400), min_size=1, max_size=12))
def test_file_system_reads_back(content):
    memory = romfs.pack(content)
    assert len(memory) % 2 == 0
    found = {path: memory[at : at + length] for path, at, length in files(memory)}
    assert found == content
