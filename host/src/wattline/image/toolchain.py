"""Find the cross compiler, or install it."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from wattline.errors import RunError, WattlineError
from wattline.image.progress import Stages
from wattline.image.run import clean_environment, run

_COMPILER = "arm-none-eabi-gcc"
_PACKAGES = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "libstdc++-arm-none-eabi-newlib")
_TARGET = ("-mcpu=cortex-m0plus", "-mthumb")
# What the firmware links against; a compiler alone is not enough.
_LIBRARIES = ("libc.a", "libstdc++.a")


@dataclass(frozen=True)
class Toolchain:
    """A cross compiler that can build the firmware.

    Attributes
    ----------
    folder : Path
        Holds `arm-none-eabi-gcc` and its companions.
    version : str
        The compiler's own first line about itself.
    """

    folder: Path
    version: str

    def program(self, name: str) -> Path:
        """Return the path of one of the toolchain's programs, such as ``size``."""
        return self.folder / f"arm-none-eabi-{name}"


def find(root: Path, stages: Stages) -> Toolchain:
    """Return the cross compiler on PATH; install Debian's when there is none and it may be.

    Raises
    ------
    WattlineError
        There is none and it cannot be installed from here.
    """
    found = _on_path(root)
    if found is None:
        _install(root, stages)
        found = _on_path(root)
    if found is None:
        raise _cannot("Debian's packages were installed and it still does not work")
    return found


def _on_path(root: Path) -> Toolchain | None:
    compiler = shutil.which(_COMPILER)
    if compiler is None:
        return None
    environment = clean_environment()
    for library in _LIBRARIES:
        command = [compiler, *_TARGET, f"-print-file-name={library}"]
        if not Path(run(command, root=root, environment=environment).strip()).is_absolute():
            return None
    version = run([compiler, "--version"], root=root, environment=environment).splitlines()[0]
    return Toolchain(Path(compiler).parent, version)


def _install(root: Path, stages: Stages) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        raise _cannot("this machine has no apt-get")
    command = [apt]
    if os.geteuid() != 0:
        command = ["sudo", "-n", apt]
        try:
            run(["sudo", "-n", "true"], root=root)
        except RunError:
            raise _cannot("installing it needs root") from None
    stages.stage("Installing the cross compiler (about 320 MB)")
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run([*command, "-q", "update"], root=root, environment=environment)
        run(
            [*command, "-q", "-y", "install", "--no-install-recommends", *_PACKAGES],
            root=root,
            environment=environment,
        )
    except RunError as error:
        raise _cannot(f"installing it failed ({error})") from error


def _cannot(reason: str) -> WattlineError:
    return WattlineError(
        f"the cross compiler {_COMPILER} with newlib and libstdc++ is missing and {reason}; have "
        f"these installed: {' '.join(_PACKAGES)}"
    )


def build_tool(name: str) -> Path:
    """Return `cmake` or `ninja`: from this Python environment, else from PATH.

    Raises
    ------
    WattlineError
        It is not installed.
    """
    beside = Path(sys.executable).with_name(name)
    found = beside if beside.exists() else shutil.which(name)
    if found is None:
        raise WattlineError(f"the build needs {name}: pip install 'wattline[build]'")
    return Path(found)
