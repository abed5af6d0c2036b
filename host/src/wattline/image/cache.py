"""Folders that are complete or absent, one builder at a time, and a full disk in one sentence."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wattline.errors import RunError

# Measured in MB: sources 145, package lists while fetching 42, mpy-cross 17, each board 80.
NEEDED_MB = 400


@contextlib.contextmanager
def locked(root: Path, waiting: Any) -> Iterator[None]:
    """Hold the cache for one builder; the lock goes away with its last process.

    Parameters
    ----------
    root : Path
        The cache folder; created when missing.
    waiting : callable
        Called once, without arguments, when another process holds the lock.
    """
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w") as file:
        # A compiler that outlives a killed builder goes on holding it.
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """Yield a fresh folder beside `folder` and give it that name only when the body succeeds.

    What a killed run left behind is removed first.
    """
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is never seen half written."""
    temporary = file.with_name(file.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(file)


def write_json(file: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_whole(file, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def read_json(file: Path) -> Any:
    """Return the value of a JSON file, or None when it is missing or damaged."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def disk_trouble_named(root: Path) -> Iterator[None]:
    """Turn a full or write-protected disk anywhere in the body into one sentence with its cure."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(root) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise RunError(
                f"{error.filename} cannot be written: make it writable, or set WATTLINE_CACHE to "
                "a folder that is"
            ) from error
        raise


def disk_full(root: Path) -> RunError:
    """Return the error for a full disk."""
    return RunError(
        f"the disk is full: the build needs about {NEEDED_MB} MB free in {root}; free some, or "
        "set WATTLINE_CACHE to a folder on another disk"
    )
