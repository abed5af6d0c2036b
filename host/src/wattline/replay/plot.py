"""The load profile of a run as a picture, with its flags."""

import datetime as dt
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from wattline.errors import WattlineError
from wattline.replay.run import Run

# Colours that keep their order for readers who do not see red and green apart.
_PLAIN, _ESTIMATED, _DARK, _MISSING = "#0072b2", "#e69f00", "#999999", "#d55e00"
_BARRED = ("EST", "TIME", "CHG", "TEST", "SKIPPED")
_UNMARKED = ("DST",)


def plot(run: Run, path: Path) -> Path:
    """Write the picture.

    Raises
    ------
    WattlineError
        There is nothing to draw, or the file cannot be written.
    """
    intervals = run.report["intervals"]
    if not intervals:
        raise WattlineError("There is no closed interval to draw; let the scenario run longer.")
    figure, axes = plt.subplots(figsize=(11, 4.5), layout="constrained")
    for row in intervals:
        _bar(axes, row)
    for entry in run.report["outages"]["log"]:
        if entry["start"] and entry["seconds"] is not None:
            start = _time(entry["start"])
            axes.axvspan(
                start, start + dt.timedelta(seconds=entry["seconds"]), color=_DARK, alpha=0.3, lw=0
            )
    peak = run.report["demand"]["peak"]
    if peak["at"]:
        axes.axvline(_time(peak["at"]), color="black", lw=1, ls=":")
        axes.annotate(
            f"peak {peak['w'] / 1000:.2f} kW",
            (_time(peak["at"]), axes.get_ylim()[1]),
            ha="right",
            va="top",
            rotation=90,
            fontsize=8,
        )
    axes.margins(y=0.18)
    axes.axhline(0, color="black", lw=0.5)
    axes.set_ylabel("Wh per interval")
    axes.set_xlabel("UTC")
    axes.set_title(run.report["title"] or "Load profile")
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=color) for color in (_PLAIN, _ESTIMATED, _DARK, _MISSING)
    ]
    axes.legend(
        handles, ["measured", "estimated or barred from the peak", "dark", "no data"], fontsize=8
    )
    figure.autofmt_xdate()
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise WattlineError(f"The picture cannot be written to {path}: {error}.") from None
    finally:
        plt.close(figure)
    return path


def _bar(axes: Any, row: dict[str, Any]) -> None:
    end = _time(row["end"])
    width = dt.timedelta(minutes=row["minutes"])
    if row["wh"] is None:
        axes.axvspan(end - width, end, facecolor="none", edgecolor=_MISSING, hatch="//", lw=0)
        return
    flags = row["flags"]
    color = _ESTIMATED if any(flag in flags for flag in _BARRED) else _PLAIN
    axes.bar(end - width, row["wh"], width, align="edge", color=color, edgecolor="white", lw=0.3)
    if row["most_wh"] > row["least_wh"]:
        axes.vlines(end - width / 2, row["least_wh"], row["most_wh"], color="black", lw=0.8)
    marks = [flag for flag in flags if flag not in _UNMARKED]
    if marks:
        axes.annotate(
            " ".join(marks),
            (end - width / 2, max(row["wh"], 0)),
            rotation=90,
            fontsize=6,
            ha="center",
            va="bottom",
        )


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
