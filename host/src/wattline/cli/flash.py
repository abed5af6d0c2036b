"""wattline flash: write an image into a blank board and see that it runs."""

import json
import time
from pathlib import Path
from typing import Any

import cyclopts
from rich.progress import Progress

from wattline.board import bootsel
from wattline.board.console import read_status
from wattline.board.find import find_port
from wattline.cli.options import Json, examples
from wattline.errors import RunError, WattlineError
from wattline.image import uf2
from wattline.image.build import build_image

app = cyclopts.App(
    name="flash",
    help_epilogue=examples(
        "wattline flash --board FASY_0624_0004",
        after="Hold BOOTSEL while you connect the board; its drive or picotool is found by itself.",
    ),
)
DEFAULT_BOARD = "FASY_0624_0004"
_SHOW_UP_S = 30.0
_LOOK_S = 1.0


@app.default
def run(
    *,
    board: str = DEFAULT_BOARD,
    image: Path | None = None,
    drive: Path | None = None,
    picotool: str | None = None,
    port: str | None = None,
    verify: bool = True,
    as_json: Json = False,
) -> None:
    """Find the board, write the image, wait for it, compare its build id.

    Journal, rings, slots and files stay as they are: they lie behind the image.

    Parameters
    ----------
    board
        Board to build the image for.
    image
        UF2 file to write instead of building one.
    drive
        Boot loader drive; found by itself otherwise.
    picotool
        Program to use instead of a drive.
    port
        Serial port on which the board shows up; the only module on USB otherwise.
    verify
        Ask the board afterwards what it runs.
    as_json
        Print JSON.
    """
    file = image or build_image(board).uf2
    try:
        facts = uf2.identity(file.read_bytes())
    except OSError as error:
        raise WattlineError(f"{file} cannot be read: {error.strerror}") from None
    target = bootsel.find_target(drive, picotool)
    with Progress(transient=True) as progress:
        bar = progress.add_task(f"Writing to {target.name}", total=file.stat().st_size)
        bootsel.write(target, file, lambda done, _: progress.update(bar, completed=done))
    result: dict[str, Any] = {"target": target.name, **facts, "verified": False}
    if verify:
        result["verified"] = _verify(port, facts["build_id"])
    if as_json:
        print(json.dumps(result))
        return
    state = "runs" if verify else "written, not verified"
    print(f"{facts['board']} {facts['version']}, build {facts['build_id']}: {state}")


def _verify(port: str | None, build_id: str) -> bool:
    """Wait for the board and compare what it runs with what was written."""
    deadline_s = time.monotonic() + _SHOW_UP_S
    while True:
        try:
            found = read_status(find_port(port))["build_id"]
            break
        except WattlineError as error:
            if time.monotonic() > deadline_s:
                raise RunError(f"the image was written, but {error}") from None
            time.sleep(_LOOK_S)
    if found != build_id:
        raise RunError(
            f"the board runs build {found} and not {build_id}, which was written: connect it "
            "again with BOOTSEL held and repeat"
        )
    return True
