"""Write an image into a board that is in its boot loader: by drive, or by picotool.

Both are found without help. The boot loader is in the chip's ROM and cannot be broken.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattline.board.find import ManyBoards, NoBoard
from wattline.errors import RunError

# What the boot loader writes on its drive. Source: RP2040 datasheet 2.8.3.
_INFO_FILE, _BOARD_ID = "INFO_UF2.TXT", "RPI-RP2"
_INFO_MAX_BYTES = 1024
_CHUNK_BYTES = 32 * 1024
_PICOTOOL_S = 120
_MOUNT_ROOTS = ("/media", "/run/media", "/mnt", "/Volumes")


@dataclass(frozen=True)
class Target:
    """A board in its boot loader, and the way to it: a `drive`, or the program `picotool`."""

    drive: Path | None = None
    picotool: str | None = None

    @property
    def name(self) -> str:
        """How to call it."""
        return str(self.drive or self.picotool)


def find_drives(roots: list[Path] | None = None) -> list[Path]:
    """Return every mounted boot loader drive, up to two folders below the usual places."""
    if roots is None:
        roots = [Path(root) for root in _MOUNT_ROOTS]
        if os.name == "nt":
            roots += [Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    found = set()
    for root in roots:
        if not root.is_dir():
            continue
        for folder in [root, *root.glob("*"), *root.glob("*/*")]:
            if _is_drive(folder):
                found.add(folder.resolve())
    return sorted(found)


def _is_drive(folder: Path) -> bool:
    try:
        with (folder / _INFO_FILE).open("rb") as stream:
            return _BOARD_ID.encode() in stream.read(_INFO_MAX_BYTES)
    except OSError:
        return False


def find_target(drive: Path | None = None, picotool: str | None = None) -> Target:
    """Return the one board in its boot loader.

    Parameters
    ----------
    drive : Path, optional
        The drive to use.
    picotool : str, optional
        The program to use; looked for on PATH when there is no drive.

    Raises
    ------
    NoBoard, ManyBoards
    """
    if drive is not None:
        if not _is_drive(drive):
            raise NoBoard(
                f"{drive} is no boot loader drive: hold BOOTSEL while you connect the board"
            )
        return Target(drive=drive)
    if picotool is None:
        drives = find_drives()
        if len(drives) > 1:
            raise ManyBoards(
                f"{len(drives)} boards are in their boot loader; name one with --drive: "
                + ", ".join(map(str, drives))
            )
        if drives:
            return Target(drive=drives[0])
    program = shutil.which(picotool or "picotool")
    if program is not None and _picotool_sees_one(program):
        return Target(picotool=program)
    raise NoBoard(
        "no board is in its boot loader: hold BOOTSEL while you connect it, and install picotool "
        "if your system mounts no drive"
    )


def _picotool_sees_one(program: str) -> bool:
    try:
        done = subprocess.run(
            [program, "info"], capture_output=True, text=True, timeout=_PICOTOOL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    if "multiple" in (done.stdout + done.stderr).lower():
        raise ManyBoards("picotool sees several boards in their boot loader: leave one connected")
    return done.returncode == 0


def write(target: Target, uf2: Path, progress: Callable[[int, int], None]) -> None:
    """Write an image; `progress` gets bytes done and bytes in all.

    Raises
    ------
    RunError
        The drive went away too early, or picotool failed.
    """
    total = uf2.stat().st_size
    if target.drive is None:
        _by_picotool(str(target.picotool), uf2)
        progress(total, total)
        return
    done = 0
    try:
        with uf2.open("rb") as source, (target.drive / uf2.name).open("wb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                sink.write(chunk)
                sink.flush()
                done += len(chunk)
                progress(done, total)
            # The board restarts with the last block and takes its drive along.
            os.fsync(sink.fileno())
    except OSError as error:
        if done < total:
            raise RunError(
                f"the drive went away after {done:,} of {total:,} bytes ({error.strerror}); hold "
                "BOOTSEL, connect it again and repeat: the boot loader cannot be damaged"
            ) from None


def _by_picotool(program: str, uf2: Path) -> None:
    try:
        done = subprocess.run(
            [program, "load", "-v", "-x", str(uf2)],
            capture_output=True,
            text=True,
            timeout=_PICOTOOL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError("picotool did not end; connect the board again and repeat") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise RunError(f"picotool failed: {lines[-1]}; connect the board again and repeat")
