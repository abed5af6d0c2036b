"""One size and style for all pictures, and their way into a file."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wattline.errors import WattlineError


def axes(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes."""
    figure = Figure(figsize=(8.2, 5.0), dpi=110, layout="constrained")
    made = figure.subplots()
    made.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure, made


def save(figure: Figure, path: Path) -> None:
    """Write a picture; raise WattlineError in one sentence."""
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise WattlineError(f"{path}: the picture cannot be written ({error}).") from error
