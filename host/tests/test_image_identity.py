"""What an image is made of decides its build id and whether it is built again."""

import shutil
from types import SimpleNamespace

import pytest
from fake_programs import put_on_path

from wattline.image import boards, build, paths


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a small copy of this checkout's image inputs."""
    copy = tmp_path / "checkout"
    for part in ("boards", "firmware/boot", "firmware/endpoint"):
        shutil.copytree(paths.checkout() / part, copy / part)
    monkeypatch.setattr(paths, "_BUILT_IN_CHECKOUT", copy)
    return copy


def identify(checkout):
    board = "FASY_0624_0004"
    tree = SimpleNamespace(inputs={"micropython": "1"}, version="v1.25.0")
    compiler = SimpleNamespace(version="gcc 12")
    return build._identify(board, boards.folder(board), tree, compiler)[0]


def test_same_inputs_same_build_id(checkout):
    first = identify(checkout)
    (checkout / "firmware" / "endpoint" / "notes.txt").write_text("not frozen")
    assert identify(checkout) == first
    assert len(first.build_id) == 16


@pytest.mark.parametrize(
    "file",
    [
        "firmware/endpoint/version.py",
        "firmware/endpoint/optical/packet.py",
        "firmware/boot/_boot.py",
        "boards/common/wiring.py",
        "boards/FASY_0624_0004/mpconfigboard.h",
    ],
)
def test_any_changed_input_changes_the_build_id(checkout, file):
    before = identify(checkout).build_id
    with open(checkout / file, "a") as out:
        out.write("\n")
    assert identify(checkout).build_id != before


def test_other_board_does_not_matter(checkout):
    before = identify(checkout).build_id
    (checkout / "boards" / "FASY_0624_0003" / "board.py").write_text("")
    assert identify(checkout).build_id == before


def test_without_git_the_description_is_unknown(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert identify(checkout).git == "unknown"
    put_on_path(tmp_path / "bin", monkeypatch)
    assert identify(checkout).git == "unknown"


def test_image_is_current_only_when_file_and_report_agree(tmp_path):
    image = tmp_path / "x.uf2"
    image.write_bytes(b"abc")
    identity = SimpleNamespace(build_id="1")
    good = {
        "build_id": "1",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert build._is_current(image, good, identity)
    assert not build._is_current(image, None, identity)
    assert not build._is_current(image, {**good, "build_id": "2"}, identity)
    assert not build._is_current(image, {"build_id": "1"}, identity)
    image.write_bytes(b"abcd")
    assert not build._is_current(image, good, identity)
    image.unlink()
    assert not build._is_current(image, good, identity)
