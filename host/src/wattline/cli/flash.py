"""wattline flash: write an image into a blank board and see that it runs."""

import json
import time
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console
from rich.progress import Progress

from wattline.board import bootsel
from wattline.board.console import read_status
from wattline.board.find import find_port
from wattline.cli.options import Json, Switch, examples
from wattline.errors import RunError, WattlineError
from wattline.image import uf2
from wattline.image.build import build_image

app = cyclopts.App(
    name="flash",
    help_epilogue=examples(
        "wattline flash --dry-run",
        "wattline flash --board FASY_0624_0004",
        "wattline flash --image my.uf2 --drive /media/me/RPI-RP2",
        after="Hold BOOTSEL while you connect the board; drive or picotool is found by itself.",
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
    usb: str | None = None,
    verify: bool = True,
    dry_run: Switch = False,
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
    usb
        Serial port on which the board shows up; the only module on USB otherwise.
    verify
        Ask the board afterwards what it runs.
    dry_run
        Find the board and say what would be written; nothing is.
    """
    facts = None if image is None else _identity(image)
    target = bootsel.find_target(drive, picotool)
    if image is None or facts is None:
        image = build_image(board).uf2
        facts = _identity(image)
    result: dict[str, Any] = {"target": target.name, **facts, "verified": False}
    if dry_run:
        _show(result, "would be written", as_json=as_json)
        return
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"Writing to {target.name}", total=image.stat().st_size)
        bootsel.write(target, image, lambda done, _: progress.update(bar, completed=done))
    if verify:
        result["verified"] = _verify(usb, facts["build_id"])
    _show(result, "runs" if verify else "written, not verified", as_json=as_json)


def _identity(image: Path) -> dict[str, Any]:
    try:
        return uf2.identity(image.read_bytes())
    except OSError as error:
        raise WattlineError(f"{image} cannot be read: {error.strerror}") from None


def _show(result: dict[str, Any], state: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**result, "result": state}))
        return
    print(f"{result['board']} {result['version']}, build {result['build_id']}: {state}")


def _verify(usb: str | None, build_id: str) -> bool:
    """Wait for the board and compare what it runs with what was written."""
    deadline_s = time.monotonic() + _SHOW_UP_S
    while True:
        try:
            found = read_status(find_port(usb))["build_id"]
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
