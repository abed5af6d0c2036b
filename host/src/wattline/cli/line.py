"""wattline line: the power line without hardware."""

import json
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from endpoint.line.payload import unpack
from endpoint.line.profile import PROFILES
from wattline.cli.options import Json, Switch
from wattline.collector.records import kind_of
from wattline.errors import WattlineError
from wattline.line import recording
from wattline.line.scenario import load
from wattline.line.scene import RATE_SPS
from wattline.line.synth import make_bus, record

app = cyclopts.App(
    name="line", help="Synthesise the power line, look at it, and measure the receiver on it."
)

_MAX_ENDPOINTS = 33
_MAX_SECONDS = 6 * 3600
_MAX_TRIALS = 1_000_000


@app.command
def synth(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    scenario: Path | None = None,
    endpoints: int = 1,
    seconds: int = 90,
    ebn0: float = 8.0,
    noise: bool = True,
    spread: float = 0.0,
    seed: int = 1,
    as_json: Json = False,
) -> None:
    """Record a line with modelled endpoints, and print what they sent.

    Parameters
    ----------
    output
        File to write, .wav (voltage in V left, current in A right) or .npz.
    scenario
        TOML file that describes line and endpoints, up to a whole field bus (docs/collector.md
        has one to copy); all other options but the output are then ignored.
    endpoints
        How many endpoints send, each on a channel of its own (0 to 33).
    seconds
        Length; a frame takes 18.7 s and the first one starts within 20 s.
    ebn0
        Energy per payload bit over noise density, dB, of the first endpoint.
    noise
        With --no-noise there is only the load's current beside the endpoints.
    spread
        The other endpoints' levels lie within plus or minus half of this, dB.
    seed
        The same seed gives the same recording.
    as_json
        Print JSON instead of a table.
    """
    if not 0 <= endpoints <= _MAX_ENDPOINTS:
        raise WattlineError(f"--endpoints {endpoints}: the bench profile has 33 channels.")
    if not 1 <= seconds <= _MAX_SECONDS:
        raise WattlineError(f"--seconds {seconds}: give 1 to {_MAX_SECONDS} s.")
    if scenario is not None:
        made = load(scenario)
        scene, modelled, seconds = made.scene, made.endpoints, made.seconds
    else:
        scene, modelled = make_bus(endpoints, ebn0 if noise else None, seed, spread)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Synthesising", total=seconds)
        voltage, current = record(scene, seconds, lambda: progress.advance(task))
    recording.write(output, RATE_SPS, voltage, current)
    rows = []
    for endpoint in modelled:
        for start_s, payload in endpoint.sent:
            frame_type, fields = unpack(payload)
            rows.append(
                {
                    **fields,
                    "kind": kind_of(frame_type),
                    "eid": f"{endpoint.eid:08x}",
                    "channel": endpoint.channel,
                    "start_s": round(start_s, 4),
                    "payload": payload.hex(),
                }
            )
    rows.sort(key=lambda row: row["start_s"])
    if as_json:
        listed = [{"eid": f"{e.eid:08x}", "channel": e.channel} for e in modelled]
        out = {"file": str(output), "rate_sps": RATE_SPS, "endpoints": listed, "sent": rows}
        print(json.dumps(out))
        return
    table = Table("starts, s", "endpoint", "channel", "frame", "payload", title="Sent")
    for row in rows:
        table.add_row(
            f"{row['start_s']:.2f}", row["eid"], str(row["channel"]), row["kind"], row["payload"]
        )
    console = Console()
    console.print(table)
    console.print(f"{seconds} s of line in {output}; now: wattline collect {output}")


@app.command
def curves(
    *scenario: str,
    output: Annotated[Path | None, Parameter(name=["--output", "-o", "--out"])] = None,
    frames: int = 400,
    cluster: str | None = None,
    quick: Switch = False,
    as_json: Json = False,
) -> None:
    """Measure frame error rates, beside the finite-length bound and others' modes.

    ```
    wattline line curves static typical -o curves.png
    ```

    Parameters
    ----------
    scenario
        Which curves; all if none is named.
    output
        Picture to draw.
    frames
        Frames per point at most; a point ends early once 60 were lost.
    cluster
        Address of a Dask scheduler that spreads the work; without it all cores of this machine
        do.
    quick
        One point per curve and 25 frames, to see that everything works.
    as_json
        Print JSON instead of a table.
    """
    from wattline.line import curves as measured

    if not 1 <= frames <= _MAX_TRIALS:
        raise WattlineError(f"--frames {frames}: give 1 to {_MAX_TRIALS}.")
    wanted = measured.points(scenario, 25 if quick else frames, quick)
    total = sum(count for _, _, batches in wanted for count, _ in batches)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Sending frames", total=total)
        rows = list(measured.measure(wanted, cluster, lambda n: progress.advance(task, n)))
    if output is not None:
        measured.draw(rows, output)
    if as_json:
        print(measured.to_json(rows))
        return
    table = Table(title="Frames lost, phase and level unknown")
    for heading in ("scenario", "Eb/N0 dB", "frames", "lost", "wrong", "95 % interval", "bound"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for row in rows:
        table.add_row(
            row["scenario"],
            f"{row['ebn0_db']:.2f}",
            str(row["frames"]),
            f"{100 * row['rate']:.1f} %",
            str(row["wrong"]),
            f"{100 * row['low']:.1f}-{100 * row['high']:.1f} %",
            f"{100 * row['bound']:.1f} %",
        )
    Console().print(table)


def _picture(kind: str, file: Path, out: Path, profile: str, channel: int | None) -> None:
    from wattline.line import pictures

    chosen = PROFILES.get(profile)
    if chosen is None:
        raise WattlineError(f"--profile {profile}: choose from {', '.join(PROFILES)}.")
    rate_sps, voltage, current = recording.read(file)
    getattr(pictures, kind)(rate_sps, voltage, current, out, chosen, channel)
    print(f"{out} written")


@app.command
def spectrum(file: Path, *, out: Path, profile: str = "bench") -> None:
    """Draw the current's spectrum between the harmonics, in A per square root of Hz."""
    _picture("spectrum", file, out, profile, None)


@app.command
def waterfall(file: Path, *, out: Path, profile: str = "bench") -> None:
    """Draw the current's spectrum against time."""
    _picture("waterfall", file, out, profile, None)


@app.command
def constellation(
    file: Path, *, out: Path, profile: str = "bench", channel: int | None = None
) -> None:
    """Draw the symbols of the frames that are heard, on one channel or on all."""
    _picture("constellation", file, out, profile, channel)


@app.command
def budget(file: Path, *, out: Path, profile: str = "bench") -> None:
    """Draw level, noise and margin of every endpoint that is heard."""
    _picture("budget", file, out, profile, None)
