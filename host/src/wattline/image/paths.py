"""Where the checkout, the boards and the cache are."""

import os
from pathlib import Path

from wattline.errors import WattlineError

_BUILT_IN_CHECKOUT = Path(__file__).resolve().parents[4]


def checkout() -> Path:
    """Return the source checkout that this package runs from.

    Raises
    ------
    WattlineError
        The package was installed without its checkout; images need the device's sources.
    """
    if not (_BUILT_IN_CHECKOUT / "boards").is_dir():
        raise WattlineError(
            "images are built from a source checkout, and this wattline was installed without "
            "one; clone the repository and run `make uf2` in it"
        )
    return _BUILT_IN_CHECKOUT


def cache_root() -> Path:
    """Return the folder for downloads and build trees: WATTLINE_CACHE, else build/cache."""
    chosen = os.environ.get("WATTLINE_CACHE")
    return Path(chosen).expanduser().resolve() if chosen else checkout() / "build" / "cache"


def output_folder(board: str) -> Path:
    """Return the folder that holds the finished image of `board`."""
    return checkout() / "build" / "image" / board
