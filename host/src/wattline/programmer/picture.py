"""The load profile of a module's hours as a picture: energy with its bounds, and voltage."""

import datetime as dt
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from wattline.errors import WattlineError

# Colours that keep their order for readers who do not see red and green apart.
_PLAIN, _ESTIMATED, _DARK, _MISSING = "#0072b2", "#e69f00", "#999999", "#d55e00"
_BARRED = ("EST", "TIME", "CHG", "TEST", "SKIPPED")


def plot(records: list[dict[str, Any]], title: str, path: Path) -> None:
    """Write the picture of hours or intervals.

    Raises
    ------
    WattlineError
        There is nothing to draw, or the file cannot be written.
    """
    records = [record for record in records if not record.get("lost")]
    if not records:
        raise WattlineError("the module has no closed interval to draw yet")
    figure, (energy, voltage) = plt.subplots(
        2, 1, figsize=(11, 6), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    for record in records:
        _bar(energy, record)
    energy.axhline(0, color="black", lw=0.5)
    energy.margins(y=0.1)
    energy.set_ylabel(f"Wh in {records[-1]['minutes']} min")
    energy.set_title(title)
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=color) for color in (_PLAIN, _ESTIMATED, _DARK, _MISSING)
    ]
    energy.legend(
        handles,
        ["measured", "estimated or barred from the peak", "power was off", "no data"],
        fontsize=8,
    )
    _voltage(voltage, records)
    figure.autofmt_xdate()
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise WattlineError(f"the picture cannot be written to {path}: {error}") from None
    finally:
        plt.close(figure)


def _bar(axes: Any, record: dict[str, Any]) -> None:
    end = dt.datetime.fromisoformat(record["end"])
    width = dt.timedelta(minutes=record["minutes"])
    if record["wh"] is None:
        axes.axvspan(end - width, end, facecolor="none", edgecolor=_MISSING, hatch="//", lw=0)
        return
    flags = record["flags"]
    color = _ESTIMATED if any(flag in flags for flag in _BARRED) else _PLAIN
    if "PF" in flags or "DARK" in flags:
        axes.axvspan(end - width, end, color=_DARK, alpha=0.3, lw=0)
    axes.bar(
        end - width, record["wh"], width, align="edge", color=color, edgecolor="white", lw=0.3
    )
    if record["most_wh"] > record["least_wh"]:
        axes.vlines(end - width / 2, record["least_wh"], record["most_wh"], color="black", lw=0.8)


def _voltage(axes: Any, records: list[dict[str, Any]]) -> None:
    known = [r for r in records if r.get("minimum_dv") is not None]
    times = [dt.datetime.fromisoformat(r["end"]) for r in known]
    least = [r["minimum_dv"] / 10 for r in known]
    most = [r["maximum_dv"] / 10 for r in known]
    axes.vlines(times, least, most, color=_PLAIN, lw=2)
    for ends in (least, most):  # a line without length would not be seen
        axes.plot(times, ends, "_", color=_PLAIN, ms=6)
    axes.set_ylabel("least to most V")
    axes.set_xlabel("UTC")
