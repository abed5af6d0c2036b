"""The boards of this checkout: their names and their data."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

from wattline.errors import WattlineError
from wattline.image import paths


def names() -> list[str]:
    """Return the names of all boards, sorted."""
    return sorted(file.parent.name for file in _root().glob("*/board.py"))


def folder(name: str) -> Path:
    """Return the folder of one board.

    Raises
    ------
    WattlineError
        There is no such board; the sentence lists those that exist.
    """
    if name not in names():
        raise WattlineError(f"there is no board {name}; choose one of: {', '.join(names())}")
    return _root() / name


def data(name: str) -> SimpleNamespace:
    """Return the constants of a board's `board.py`, which the image holds as module `board`."""
    file = folder(name) / "board.py"
    sys.path.insert(0, str(shared()))
    try:
        constants = runpy.run_path(str(file))
    finally:
        sys.path.remove(str(shared()))
    return SimpleNamespace(**{key: constants[key] for key in constants if key.isupper()})


def shared() -> Path:
    """Return the folder of what the boards have in common."""
    return _root() / "common"


def _root() -> Path:
    return paths.checkout() / "boards"
