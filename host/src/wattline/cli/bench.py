"""wattline bench: the main job."""

import json
import sys
from pathlib import Path

import cyclopts
from rich.console import Console

from wattline.bench.options import Options
from wattline.bench.report import write_report
from wattline.bench.run import run_bench
from wattline.bench.view import frames_table
from wattline.cli.options import Json, Switch, examples
from wattline.errors import WattlineError
from wattline.image.build import build_image

app = cyclopts.App(
    name="bench",
    help_epilogue=examples(
        "wattline bench",
        "wattline bench --minutes 30 --noise off --load solar --no-detent",
        "wattline bench --cuts 5 --seed 7 --json > run.json",
    ),
    help="Run the real image on an emulated module between a simulated meter and a simulated "
    "line, listen with the collector, and compare what arrives with the meter's own register.",
)

REPORT = Path("build/bench/report.html")
_MINUTES = 5.5
_DOWNLINK_MINUTES = 10.0


@app.default
def run(
    *,
    minutes: float | None = None,
    load: str = "house",
    scale: float | None = None,
    noise: str = "8",
    seed: int = 1,
    form: str | None = None,
    detent: bool = True,
    cuts: int = 0,
    poll_s: int = 60,
    board: str = "FASY_0624_0004",
    micropython: Path | None = None,
    downlink: Switch = False,
    report: Path = REPORT,
    as_json: Json = False,
) -> int:
    """Exit code 0: every reading agrees with the meter; 1: something disagrees; 2: bad use.

    Parameters
    ----------
    minutes
        Simulated minutes; without it 5.5, which cover five polls and more than ten frames, or
        10 with --downlink.
    load
        Load profile of the meter: house, steady, solar or commercial.
    scale
        Factor on the load's power; without it the day's peak is the rating of the meter.
    noise
        Noise on the line as Eb/N0 in dB, or "off".
    seed
        Seed of the line and the load; the same seed gives the same run.
    form
        Meter form; without it the board's first (2S at 240 V, 1S at 120 V).
    detent
        Forward energy only; --no-detent adds reverse energy.
    cuts
        Cut the module's power this often at random moments.
    poll_s
        Seconds between two reads of the meter.
    board
        Board whose image runs.
    micropython
        MicroPython checkout to build from instead of the pinned sources.
    downlink
        Speak to the module as well: time, streaming and its gates, an interrupted upload of a
        schedule, demand resets, a group. Costs about three times as much.
    report
        Where the HTML report goes.
    as_json
        Print the whole record as JSON on standard output instead of live view and table.
    """
    console = Console(stderr=as_json)
    if minutes is None:
        minutes = _DOWNLINK_MINUTES if downlink else _MINUTES
    options = Options.checked(
        minutes=minutes,
        load=load,
        scale=scale,
        noise=noise,
        seed=seed,
        form=form,
        detent=detent,
        cuts=cuts,
        poll_s=poll_s,
        board=board,
        downlink=downlink,
    )
    _check_writable(report)
    image = build_image(board, micropython=micropython)
    record = run_bench(options, image, console)
    write_report(record, report)
    if as_json:
        json.dump(record.to_json(), sys.stdout, indent=1)
        print()
    else:
        console.print(frames_table(record))
        for claim in record.claims:
            word = "[green]shown[/]" if claim.holds else "[bold red]NOT SHOWN[/]"
            console.print(f"{claim.t_s:7.1f} s  {word}  {claim.text} {claim.detail}".rstrip())
        for problem in record.problems:
            console.print(f"[bold red]{problem}[/]")
        if record.interrupted:
            console.print(f"[bold]Stopped by Ctrl-C before the {minutes:g} minutes were over.[/]")
        console.print(
            f"{record.simulated_s:.0f} s simulated in {record.host_s:.0f} s; "
            f"{len(record.polls)} polls, {len(record.verdicts)} frames, "
            f"{len(record.disagreements)} disagree; report: {report}",
            highlight=False,
        )
    if not record.passed:
        return 1
    return 130 if record.interrupted else 0


def _check_writable(report: Path) -> None:
    """Find out before a long run, not after it."""
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        with report.open("a"):
            pass
    except OSError as error:
        raise WattlineError(
            f"cannot write {report} ({error.strerror}); choose another --report"
        ) from error
