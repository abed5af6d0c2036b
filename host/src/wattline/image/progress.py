"""Show a build's stages: a bar on a terminal, one line per stage elsewhere."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Stages:
    """Reports stages on standard error; standard output stays free for results.

    Use as a context manager. `stage` opens the next stage, `advance` fills its bar.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description:<44}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Stages":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._complete()
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Begin a stage; the one before it is complete."""
        self._complete()
        if self._bar.disable:
            self._console.print(text, highlight=False)
        else:
            self._task = self._bar.add_task(text, total=None)

    def advance(self, done: float, total: float) -> None:
        """Say how far the present stage is."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total)

    def _complete(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=1, total=1)
            self._task = None
