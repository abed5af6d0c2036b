"""Run a program of the build, follow its output, and keep the log."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wattline.errors import RunError
from wattline.image.cache import disk_full

# The only variables a compiler run may see: anything else could change the image.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment of a compiler run, the same on every machine but for paths."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C", **extra}


class ProgramFailed(RunError):
    """A program ended with an error; `output` is what it printed."""

    def __init__(self, sentence: str, output: str) -> None:
        super().__init__(sentence)
        self.output = output


def run(
    command: Sequence[str | Path],
    *,
    root: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    follow: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return what it printed, both streams together.

    Parameters
    ----------
    command : sequence of str or Path
        Program and arguments.
    root : Path
        The folder to name when the disk turns out to be full.
    environment : mapping, optional
        Its whole environment; this process's own when left out.
    cwd : Path, optional
        Where to run it.
    log : Path, optional
        File that the output is appended to.
    follow : callable, optional
        Receives each line as it comes.

    Raises
    ------
    ProgramFailed
        It ended with a status other than 0.
    RunError
        The program is missing, or the disk is full.
    """
    lines = []
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=None if environment is None else dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            close_fds=False,  # the cache's lock is the only one that children inherit
        )
    except FileNotFoundError:
        raise RunError(f"the build needs the program {name}, which is not installed") from None
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if follow is not None:
                follow(line.rstrip("\n"))
    output = "".join(lines)
    if log is not None:
        with open(log, "a") as file:
            file.write(output)
    if process.returncode != 0:
        if "No space left on device" in output or "Disk quota exceeded" in output:
            raise disk_full(root)
        raise ProgramFailed(f"{name} failed: {_gist(output)}", output)
    return output


def _gist(output: str) -> str:
    """Return the one line of a failed program's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for mark in ("error:", "Error", "E: ", "error"):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "it printed nothing"
