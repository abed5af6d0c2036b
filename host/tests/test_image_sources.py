"""Sources: fetched once through a fake apt, or a checkout of the user's own."""

import io
import os
import shutil
import tarfile

import pytest
from fake_programs import put_on_path

from wattline.errors import RunError, WattlineError
from wattline.image import sources
from wattline.image.progress import Stages

QUIET = Stages(quiet=True)


def archive(file, top, names):
    with tarfile.open(file, f"w:{file.suffix[1:]}") as tar:
        for name in names:
            info = tarfile.TarInfo(f"{top}/{name}" if top else name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"x\n"))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Return a folder whose files a fake apt-get and dpkg-deb hand out."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    archive(
        folder / "micropython_1.25.0+ds.orig.tar.xz",
        "micropython-1.25.0",
        ["py/mpconfig.h", "ports/rp2/CMakeLists.txt", "lib/mbedtls"],
    )
    archive(folder / "mbedtls_3.6.6.orig.tar.bz2", "", ["library/aes.c", "include/a.h"])
    for package in ("pico-sdk-source_2.1.1_all.deb", "tinyusb-source_0.18_all.deb"):
        (folder / package).write_bytes(b"deb")
    system_path = os.environ["PATH"]
    put_on_path(
        tmp_path / "bin",
        monkeypatch,
        apt_get=f'echo "$@" >> {folder}/calls; test -e {folder}/fail && cat {folder}/fail && '
        f'exit 100; case "$*" in *" source "*|*" download "*) cp {folder}/*_* . ;; esac',
        dpkg_deb='for name in pico-sdk tinyusb; do mkdir -p "$3/usr/src/$name"; done',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{system_path}")
    monkeypatch.setattr(
        sources.apt, "find_archive", lambda: sources.apt.Archive("http://mirror.example", None)
    )
    return folder


def test_sources_are_fetched_once(mirror, tmp_path):
    root = tmp_path / "cache"
    first = sources.fetch(root, QUIET)
    calls = (mirror / "calls").read_text()
    assert first.version == "v1.25.0"
    for file in ("mbedtls/library/aes.c", "pico-sdk", "tinyusb", "micropython-lib/README.md"):
        assert (first.tree / "lib" / file).exists()
    assert set(first.inputs) == {path.name for path in mirror.iterdir()} - {"calls"}
    assert sources.fetch(root, QUIET) == first
    assert (mirror / "calls").read_text() == calls
    assert {path.name for path in root.iterdir()} == {"sources-trixie"}


def test_machine_configuration_is_not_touched(mirror, tmp_path):
    sources.fetch(tmp_path / "cache", QUIET)
    for call in (mirror / "calls").read_text().splitlines():
        assert f"-oDir::State::Lists={tmp_path}" in call
        assert f"-oDir::Etc::sourcelist={tmp_path}" in call
        assert "trusted" not in call


def test_no_network_leaves_nothing_and_can_be_repeated(mirror, tmp_path):
    root = tmp_path / "cache"
    (mirror / "fail").write_text("E: Temporary failure resolving 'mirror.example'\n")
    with pytest.raises(RunError, match="check the network"):
        sources.fetch(root, QUIET)
    assert list(root.iterdir()) == []
    (mirror / "fail").unlink()
    assert sources.fetch(root, QUIET).tree.exists()


def test_short_download_is_named_and_not_kept(mirror, tmp_path):
    whole = mirror / "micropython_1.25.0+ds.orig.tar.xz"
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=r"damaged.*run the same command again"):
        sources.fetch(tmp_path / "cache", QUIET)
    whole.write_bytes(content)
    assert sources.fetch(tmp_path / "cache", QUIET).tree.exists()


def test_missing_file_is_named(mirror, tmp_path):
    (mirror / "mbedtls_3.6.6.orig.tar.bz2").unlink()
    with pytest.raises(RunError, match="0 files for mbedtls"):
        sources.fetch(tmp_path / "cache", QUIET)


def own_checkout(folder):
    for file in (
        "ports/rp2/CMakeLists.txt",
        "py/mpconfig.h",
        "lib/pico-sdk/pico_sdk_init.cmake",
        "lib/tinyusb/src/tusb.c",
        "lib/mbedtls/library/aes.c",
    ):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    return folder


def test_own_checkout_is_used_as_it_is(tmp_path):
    tree = sources.own_tree(own_checkout(tmp_path))
    assert tree.tree == tmp_path
    before = tree.inputs
    (tmp_path / "py" / "mpconfig.h").write_text("y\n")
    assert sources.own_tree(tmp_path).inputs != before


def test_own_checkout_that_is_none(tmp_path):
    with pytest.raises(WattlineError, match="is no MicroPython checkout"):
        sources.own_tree(tmp_path)
    with pytest.raises(WattlineError, match="is no MicroPython checkout"):
        sources.own_tree(tmp_path / "missing")


def test_own_checkout_without_git_has_the_version_of_its_sources(tmp_path):
    own_checkout(tmp_path)
    assert sources.own_tree(tmp_path).version == "unknown"
    (tmp_path / "py" / "mpconfig.h").write_text(
        "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 25\n"
        "#define MICROPY_VERSION_MICRO 0\n#define MICROPY_VERSION_PRERELEASE 0\n"
    )
    assert sources.own_tree(tmp_path).version == "v1.25.0"


@pytest.mark.parametrize("library", ["pico-sdk", "tinyusb", "mbedtls"])
def test_own_checkout_without_its_submodules(tmp_path, library):
    shutil.rmtree(own_checkout(tmp_path) / "lib" / library)
    with pytest.raises(WattlineError, match=rf"lacks lib/{library}: run .*submodules"):
        sources.own_tree(tmp_path)
