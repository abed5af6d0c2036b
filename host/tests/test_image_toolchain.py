"""The cross compiler: found, installed, or asked for in one sentence."""

import os
import shutil

import pytest
from fake_programs import put_on_path

from wattline.errors import WattlineError
from wattline.image import toolchain
from wattline.image.progress import Stages

QUIET = Stages(quiet=True)


COMPILER = """case "$*" in
    *-print-file-name*) echo /usr/lib/found.a ;;
    *) echo "arm-none-eabi-gcc 12" ;;
esac"""


def test_compiler_on_path(tmp_path, monkeypatch):
    put_on_path(tmp_path / "bin", monkeypatch, arm_none_eabi_gcc=COMPILER)
    found = toolchain.find(tmp_path, QUIET)
    assert found.version == "arm-none-eabi-gcc 12"
    assert found.program("size") == tmp_path / "bin" / "arm-none-eabi-size"


@pytest.mark.parametrize("user", [0, 1000])
def test_no_compiler_and_no_apt(tmp_path, monkeypatch, user):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    put_on_path(tmp_path / "bin", monkeypatch)
    with pytest.raises(
        WattlineError, match=r"no apt-get; have these installed: gcc-arm-none-eabi"
    ):
        toolchain.find(tmp_path, QUIET)


@pytest.mark.parametrize("programs", [{}, {"sudo": "echo 'a password is required'; exit 1"}])
def test_no_compiler_and_no_permission(tmp_path, monkeypatch, programs):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put_on_path(tmp_path / "bin", monkeypatch, apt_get="exit 99", **programs)
    with pytest.raises(WattlineError, match=r"needs root; have these installed") as caught:
        toolchain.find(tmp_path, QUIET)
    assert "\n" not in str(caught.value)


def test_compiler_without_its_library_counts_as_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put_on_path(tmp_path / "bin", monkeypatch, arm_none_eabi_gcc="echo libc.a", apt_get="exit 99")
    with pytest.raises(WattlineError, match="libstdc"):
        toolchain.find(tmp_path, QUIET)


def test_root_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = tmp_path / "bin"
    hidden = tmp_path / "hidden"
    put_on_path(hidden, monkeypatch, arm_none_eabi_gcc=COMPILER)
    shell = shutil.which("mv", path="/usr/bin:/bin")
    put_on_path(
        folder,
        monkeypatch,
        apt_get=f'case "$*" in *install*) {shell} {hidden}/* {folder} ;; esac',
    )
    assert toolchain.find(tmp_path, QUIET).folder == folder


def test_failed_installation_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    put_on_path(tmp_path / "bin", monkeypatch, apt_get="echo 'E: no such package'; exit 100")
    with pytest.raises(WattlineError, match=r"E: no such package.*have these installed"):
        toolchain.find(tmp_path, QUIET)


def test_missing_build_tool_names_the_extra(tmp_path, monkeypatch):
    put_on_path(tmp_path / "bin", monkeypatch)
    with pytest.raises(WattlineError, match=r"pip install 'wattline\[build\]'"):
        toolchain.build_tool("no-such-tool")


def test_stages_are_lines_when_nobody_watches(capsys):
    with Stages() as stages:
        stages.stage("one")
        stages.advance(1, 2)
        stages.stage("two")
    assert capsys.readouterr().err.splitlines() == ["one", "two"]
