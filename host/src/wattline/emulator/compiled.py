"""The native parts of rp2040py, compiled for this very Python.

The wheel is built for Python's stable interface, in which every call between its parts goes
through a look-up by name. The same C sources, which the wheel brings along, compiled for the
Python at hand are about three times as fast and compute the same. Without them everything
works, more slowly.
"""

import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wattline.errors import RunError, WattlineError
from wattline.image.cache import complete_folder
from wattline.image.paths import cache_root

_PACKAGE = "rp2040py.native"
_FLAGS = ("-O2", "-fPIC", "-shared", "-fwrapv", "-DNDEBUG", "-w")
CHOICE = "WATTLINE_RP2040PY_NATIVE"  # environment: folder to take, or empty for the wheel's own
_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
_TRIAL = """
import wattline.emulator
import rp2040py.native._simulator as loop
assert loop.__file__.startswith({folder!r}), loop.__file__
"""


def _sources():
    spec = importlib.util.find_spec("rp2040py")
    return sorted((Path(spec.origin).parent / "native").glob("_*.c"))


def folder():
    """Return where the compiled parts for this Python and this rp2040py are or would be."""
    version = importlib.metadata.version("rp2040py")
    key = hashlib.sha256(f"{version} {sys.version} {_FLAGS} {_SUFFIX}".encode()).hexdigest()[:16]
    return cache_root() / f"rp2040py-{version}-{key}"


def use():
    """Let the compiled parts take the place of the wheel's, if they are there.

    Must come before the first import of rp2040py's own.
    """
    chosen = os.environ.get(CHOICE)
    try:
        path = folder() if chosen is None else Path(chosen)
    except WattlineError:
        return  # installed without a checkout, so there is no cache either
    if chosen != "" and path.is_dir() and _PACKAGE not in sys.modules:
        sys.meta_path.insert(0, _Finder(path))


class _Finder:
    def __init__(self, path):
        self._path = path

    def find_spec(self, name, _path=None, _target=None):
        package, _, part = name.rpartition(".")
        file = self._path / (part + _SUFFIX)
        if package != _PACKAGE or not file.exists():
            return None
        loader = importlib.machinery.ExtensionFileLoader(name, str(file))
        return importlib.util.spec_from_file_location(name, file, loader=loader)


def build():
    """Compile the parts, if that has not been done; return the folder.

    Raises
    ------
    RunError
        When there is no C compiler or it does not find the headers of Python.
    """
    target = folder()
    if target.is_dir():
        return target
    with complete_folder(target) as part, ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source: _compile(source, part), _sources()))
        trial = [sys.executable, "-c", _TRIAL.format(folder=str(part))]
        environment = {**os.environ, CHOICE: str(part)}
        if subprocess.run(trial, env=environment, capture_output=True, check=False).returncode:
            raise RunError("the compiled emulator does not load: go on with the slower one")
    return target


def _compile(source, target):
    compiler = os.environ.get("CC", "cc")
    include = sysconfig.get_path("include")
    output = target / (source.stem + _SUFFIX)
    command = [compiler, *_FLAGS, f"-I{include}", str(source), "-o", str(output)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RunError(f"there is no C compiler {compiler}: install gcc") from None
    if result.returncode:
        raise RunError(
            f"{source.name} does not compile: install the headers of Python "
            f"{sys.version_info.major}.{sys.version_info.minor} (on Debian: python3-dev)"
        )
