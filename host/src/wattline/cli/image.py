"""`wattline image`: build and inspect firmware images."""

import json
import shutil
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wattline.cli.options import Json
from wattline.errors import RunError, WattlineError
from wattline.image import uf2
from wattline.image.build import build_image, build_twice

app = App(name="image", help="Build and inspect firmware images.")

DEFAULT_BOARD = "FASY_0624_0004"
Board = Annotated[str, Parameter(help="Board to build for, a folder in boards/.")]
OwnTree = Annotated[
    Path | None, Parameter(help="MicroPython checkout to use instead of Debian's sources.")
]


@app.command
def build(
    *,
    board: Board = DEFAULT_BOARD,
    micropython: OwnTree = None,
    output: Annotated[Path | None, Parameter(help="Copy the UF2 file here as well.")] = None,
    as_json: Json = False,
) -> None:
    """Build the image of a board; instant when nothing has changed."""
    image = build_image(board, micropython=micropython)
    if output is not None:
        try:
            shutil.copyfile(image.uf2, output)
        except OSError as error:
            raise WattlineError(
                f"{output} cannot be written ({error.strerror}); choose another --output"
            ) from None
    if as_json:
        print(json.dumps({**image.report, "path": str(image.uf2)}, indent=2))
        return
    sizes = image.report["sizes_bytes"]
    state = "built" if image.fresh else "up to date"
    print(f"{output or image.uf2} ({state})")
    print(
        f"version {image.report['version']}, git {image.report['git']}, "
        f"build {image.report['build_id']}"
    )
    print(
        f"flash {sizes['flash']:,} bytes, of these frozen {sizes['frozen']:,}; "
        f"RAM before the heap {sizes['data'] + sizes['bss']:,}"
    )


@app.command
def info(file: Path, *, as_json: Json = False) -> None:
    """Say which version, board and build a UF2 file holds."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WattlineError(f"{file} cannot be read: {error.strerror}") from None
    facts = uf2.identity(content)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name:12} {value}")


@app.command(name="verify-reproducible")
def verify_reproducible(*, board: Board = DEFAULT_BOARD, micropython: OwnTree = None) -> None:
    """Build twice from nothing in different folders and compare the bytes."""
    hashes = build_twice(board, micropython=micropython)
    for digest in hashes:
        print(digest)
    if len(set(hashes)) != 1:
        raise RunError(
            "the same inputs gave different images: compare the two build logs, a tool writes "
            "the time or its folder into its output"
        )
    print("identical")
