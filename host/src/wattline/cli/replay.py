"""wattline replay: the module's metering engine over a log or a written scenario."""

import json
import sys
from pathlib import Path

import cyclopts
from rich.console import Console

from wattline.cli.options import Json, examples

app = cyclopts.App(
    name="replay",
    help="Run the metering engine over a module's log or a scenario, and explain any value.",
    help_epilogue=examples(
        "wattline replay docs/scenarios/A-1-outage.toml --why interval:07:00",
        "wattline replay module.log --json",
        after="docs/replay.md describes scenario files.",
    ),
)


@app.default
def run(
    file: Path,
    /,
    *,
    why: str | None = None,
    plot: Path | None = None,
    as_json: Json = False,
) -> int:
    """Print every billing value that the engine arrives at.

    The exit code is 1 if a value differs from the file's [expect], if an explanation does not
    add up, or if the ledger is not zero.

    Parameters
    ----------
    file
        A log exported from a module, or a scenario in TOML or JSON.
    why
        Explain one value instead: total, rate.B, interval:07:00, hour:2027-03-14T08:00Z,
        demand:17:15, peak, outages, estimated or unplaced.
    plot
        Also draw the load profile with its flags into this PNG, SVG or PDF file.
    as_json
        Print JSON with the keys of docs/replay.md instead of tables.
    """
    from wattline.replay.run import replay
    from wattline.replay.tables import show, show_why
    from wattline.replay.why import explain

    console = Console()
    with Console(stderr=True).status(f"Replaying {file.name} ..."):
        done = replay(file, with_trace=why is not None)
    if plot is not None:
        from wattline.replay.plot import plot as draw

        draw(done, plot)
    is_good = not done.mismatches and done.report["sums"]["ledger_is_zero"]
    if why is not None:
        answer = explain(done, why)
        is_good = is_good and answer.adds_up
        if as_json:
            _print_json(answer.to_json())
        else:
            show_why(answer, console)
    elif as_json:
        mismatches = [vars(mismatch) for mismatch in done.mismatches]
        _print_json({**done.report, "expected": done.expected, "mismatches": mismatches})
    else:
        show(done, console)
    return 0 if is_good else 1


def _print_json(value: dict) -> None:
    json.dump(value, sys.stdout, indent=1)
    print()
