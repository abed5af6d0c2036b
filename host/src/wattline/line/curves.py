"""Frame error rate against Eb/N0 for every scenario: measured, beside bounds and others' modes."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wattline.errors import WattlineError
from wattline.line.bounds import MODES, frame_error_bound, wilson
from wattline.line.cluster import client as spread_over
from wattline.line.trials import SCENARIOS, Tally

# Frames per task: a task takes a second or so.
_BATCH = 25
# From so many tasks on, starting workers pays.
_WORTH_SPREADING = 4
# A point is done early once so many frames were lost.
_ENOUGH_LOST = 60


def points(
    names: Sequence[str], frames: int, quick: bool
) -> list[tuple[str, float, list[tuple[int, int]]]]:
    """Return scenario, Eb/N0 and batches (frames, seed) of every point.

    Raises
    ------
    WattlineError
        A scenario does not exist.
    """
    out = []
    for name in names or SCENARIOS:
        if name not in SCENARIOS:
            raise WattlineError(f"{name}: no such scenario; choose from {', '.join(SCENARIOS)}.")
        where = SCENARIOS[name].ebn0_db
        for ebn0_db in (where[len(where) // 2],) if quick else where:
            batches = []
            for seed, start in enumerate(range(0, frames, _BATCH)):
                batches.append((min(_BATCH, frames - start), seed + 1000 * round(10 * ebn0_db)))
            out.append((name, ebn0_db, batches))
    return out


def trial(name: str, ebn0_db: float, frames: int, seed: int) -> Tally:
    """Run one batch; this is what travels to other machines."""
    return SCENARIOS[name].run(ebn0_db, frames, abs(seed))


def measure(
    wanted: list[tuple[str, float, list[tuple[int, int]]]],
    cluster: str | None = None,
    advance: Callable[[int], None] = lambda frames: None,
) -> Iterator[dict[str, Any]]:
    """Yield one row per point as it becomes known.

    Parameters
    ----------
    wanted
        From `points`.
    cluster
        Address of a Dask scheduler; None for this machine.
    advance
        Told of frames done or not needed.
    """
    if cluster is None and sum(len(batches) for _, _, batches in wanted) < _WORTH_SPREADING:
        for name, ebn0_db, batches in wanted:
            yield _row(
                name, ebn0_db, batches, (trial(name, ebn0_db, *b) for b in batches), advance
            )
        return
    units = max(len(batches) for _, _, batches in wanted)
    with spread_over(cluster, units) as client:
        for name, ebn0_db, batches in wanted:
            waiting = [client.submit(trial, name, ebn0_db, *b, pure=False) for b in batches]
            yield _row(name, ebn0_db, batches, (f.result() for f in waiting), advance)
            client.cancel(waiting)


def _row(
    name: str,
    ebn0_db: float,
    batches: list[tuple[int, int]],
    tallies: Iterator[Tally],
    advance: Callable[[int], None],
) -> dict[str, Any]:
    frames = lost = wrong = 0
    for tally in tallies:
        frames += tally.frames
        lost += tally.lost
        wrong += tally.wrong
        advance(tally.frames)
        if lost >= _ENOUGH_LOST:
            break
    advance(sum(count for count, _ in batches) - frames)
    low, high = wilson(lost, frames)
    return {
        "scenario": name,
        "ebn0_db": ebn0_db,
        "frames": frames,
        "lost": lost,
        "wrong": wrong,
        "rate": lost / frames,
        "low": low,
        "high": high,
        "bound": frame_error_bound(ebn0_db),
    }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw all curves into a picture file."""
    from wattline.line import figures

    figure, axes = figures.axes(
        "Uplink frames lost, phase and level unknown; × others' modes at 50 %",
        "Eb/N0 in dB: energy of all 280 symbols per payload bit",
        "share of frames lost (95 % intervals)",
    )
    grid = np.arange(-2.0, 3.0, 0.05)
    for uses, bits, style, label in (
        (280, 64, "k-", "bound: normal approximation (280, 64)"),
        (280, 75, "k:", "the same with 11 bits of error detection"),
    ):
        shift = 10 * np.log10(64 / bits)
        axes.semilogy(
            grid, [frame_error_bound(e + shift, uses, bits) for e in grid], style, label=label
        )
    for i, name in enumerate(dict.fromkeys(row["scenario"] for row in rows)):
        mine = [row for row in rows if row["scenario"] == name]
        rate = np.array([max(row["rate"], 0.3 / row["frames"]) for row in mine])
        error = [
            rate - np.minimum([max(row["low"], 1e-4) for row in mine], rate),
            np.maximum([row["high"] for row in mine], rate) - rate,
        ]
        axes.errorbar(
            [row["ebn0_db"] for row in mine],
            rate,
            yerr=error,
            marker="osD^v<>ph*"[i % 10],
            markersize=4,
            capsize=2,
            linewidth=1,
            label=SCENARIOS[name].title,
        )
    for i, (mode, ebn0_db) in enumerate(MODES):
        axes.plot(ebn0_db, 0.5, "x", color="0.4")
        axes.annotate(
            mode, (ebn0_db, 0.5), (ebn0_db, 0.27 / 1.45 ** (i % 3)), color="0.4",
            fontsize=7, ha="center", arrowprops={"arrowstyle": "-", "color": "0.8"},
        )  # fmt: skip
    axes.set(xlim=(-2, 7.4), ylim=(2e-3, 1))
    axes.grid(True, which="both", alpha=0.25)
    axes.legend(fontsize=7, loc="lower right")
    figures.save(figure, path)


def to_json(rows: list[dict[str, Any]]) -> str:
    """Return rows, bound and modes as JSON."""
    modes = [{"mode": mode, "ebn0_db_at_half": ebn0_db} for mode, ebn0_db in MODES]
    return json.dumps({"points": rows, "modes": modes}, indent=1)
