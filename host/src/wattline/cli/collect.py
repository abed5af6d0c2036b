"""wattline collect: decode a recording of the line."""

import json
import sys
from pathlib import Path
from typing import Any

import cyclopts
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from endpoint.line.profile import PROFILES, Profile
from wattline.cli.options import Json, examples
from wattline.collector.batch import Job, decode_file, decode_files
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame
from wattline.collector.secrets import Secrets, read_keys
from wattline.errors import WattlineError

_CAPTION = "start and age in s, Eb/N0 in dB, mended: code bits of 256 that were put right"

_LIVE_SAMPLES = 4800
_MAX_ENDPOINTS = 20_000

app = cyclopts.App(
    name="collect",
    help="Decode recordings of the line, or samples as they come.",
    help_epilogue=examples(
        "wattline line synth -o line.wav --endpoints 24 --spread 12 && wattline collect line.wav",
        "wattline collect day.npy --rate 4000 --profile field --endpoints bus.txt --json",
        "recorder | wattline collect - --rate 4000",
    ),
)


@app.default
def run(
    *files: Path,
    profile: str = "bench",
    eid: list[str] | None = None,
    endpoints: Path | None = None,
    cycle: int | None = None,
    clock: str = "line",
    rate: int | None = None,
    keys: Path | None = None,
    time: int | None = None,
    history: bool = True,
    cluster: str | None = None,
    as_json: Json = False,
) -> None:
    """Find the endpoints in a recording and print what they say.

    An hour of a whole bus: `wattline collect hour.wav --profile field --endpoints bus.json`.
    Samples as they come: `recorder | wattline collect - --rate 4800` prints one JSON object
    per frame and line. Several recordings are decoded side by side, each on its own.

    Parameters
    ----------
    files
        Two-channel .wav (voltage left, current right), .npy of shape (samples, 2), or .npz with
        the arrays voltage and current and the number rate_sps. Units do not matter. - reads
        pairs of 32-bit floats from standard input.
    profile
        bench, bench2, express, field2 or field.
    eid
        Identity of an endpoint to expect, 8 hex digits, with @channel if that is known;
        endpoints that join need none.
    endpoints
        File with more of them: lines of identity and channel, or what line synth --json printed.
    cycle
        Line cycles that the bus counted before the first sample. Without it the count is found
        from the frames, and the recording is gone through twice.
    clock
        line, or crystal for carriers that do not follow the line.
    rate
        Samples per second, for .npy and standard input.
    keys
        File that opens sealed frames: lines of identity and working key (32 hex digits), then
        the word root if it is the root key, and encrypted if payloads are. Needs --cycle and
        --time.
    time
        Unix time of the first sample, right to a few days; only sealed frames need it.
    history
        Try lost frames again knowing what their endpoint said last; --no-history leaves it out.
    cluster
        Address of a Dask scheduler for several recordings, which its workers must find under
        the same names; without it the cores of this machine share them.
    as_json
        Print JSON instead of a table.
    """
    chosen = PROFILES.get(profile)
    if chosen is None:
        raise WattlineError(f"--profile {profile}: choose from {', '.join(PROFILES)}.")
    if clock not in ("line", "crystal"):
        raise WattlineError(f"--clock {clock}: choose line or crystal.")
    if not files:
        raise WattlineError("name a recording, or - for samples from standard input.")
    known = dict(_identity(text, chosen) for text in eid or [])
    if endpoints is not None:
        known.update(_listed(endpoints, chosen))
    secrets = None
    if keys is not None:
        if cycle is None or time is None:
            raise WattlineError("--keys needs --cycle and --time: frames are numbered by them.")
        secrets = Secrets(read_keys(keys), time)
        known = {**dict.fromkeys(secrets.working), **known}
    if "-" in map(str, files):
        if len(files) > 1:
            raise WattlineError("- stands alone: standard input is one recording.")
        _live(Receiver(rate or _LIVE_SAMPLES, chosen, known, cycle, clock, secrets, history))
        return
    job = Job(profile, known, cycle, clock, rate, secrets, history)
    if len(files) > 1 or cluster is not None:
        _many(files, job, cluster, as_json)
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Listening", total=1.0)
        frames = decode_file(files[0], job, lambda share: progress.advance(task, share))
    rows = [frame.to_json() for frame in frames]
    if as_json:
        print(json.dumps({"file": str(files[0]), "frames": rows}))
        return
    Console().print(_table(rows, f"{len(rows)} frames"))


def _many(files: tuple[Path, ...], job: Job, cluster: str | None, as_json: bool) -> None:
    """Decode several recordings; those that cannot be read do not keep the others from it."""
    found: dict[Path, list[dict[str, Any]]] = {}
    failed: list[str] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Recordings", total=len(files))
        for path, outcome in decode_files(files, job, cluster):
            progress.advance(task)
            if isinstance(outcome, str):
                failed.append(outcome)
            else:
                found[path] = outcome
    done = [(path, found[path]) for path in files if path in found]
    if as_json:
        print(json.dumps([{"file": str(path), "frames": rows} for path, rows in done]))
    else:
        for path, rows in done:
            Console().print(_table(rows, f"{path}: {len(rows)} frames"))
    if failed:
        raise WattlineError(" ".join(failed))


def _live(receiver: Receiver) -> None:
    """Print frames as they are heard, until the input ends."""
    frames: list[Frame] = []
    while True:
        data = sys.stdin.buffer.read(8 * _LIVE_SAMPLES)
        pairs = np.nan_to_num(np.frombuffer(data[: len(data) // 8 * 8], np.float32))
        frames = receiver.feed(pairs[::2], pairs[1::2]) if data else receiver.finish()
        for frame in frames:
            print(json.dumps(frame.to_json()), flush=True)
        if not data:
            return


def _identity(text: str, profile: Profile) -> tuple[int, int | None]:
    name, _, place = text.partition("@")
    try:
        value, channel = int(name, 16), int(place) if place else None
    except ValueError:
        value, channel = -1, None
    if not 0 <= value < 1 << 32:
        raise WattlineError(f"{text}: an identity is 8 hex digits, with @channel if it is known.")
    if channel is not None and not profile.has(channel):
        raise WattlineError(f"{text}: profile {profile.name} has no such channel.")
    return value, channel


def _listed(path: Path, profile: Profile) -> dict[int, int | None]:
    """Read identities and channels from lines, or from the JSON of line synth."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WattlineError(f"{path}: cannot be read; give a text file.") from error
    try:
        if text.lstrip().startswith("{"):
            rows = [f"{row['eid']}@{row['channel']}" for row in json.loads(text)["endpoints"]]
        else:
            rows = ["@".join(line.split()[:2]) for line in text.splitlines() if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise WattlineError(
            f"{path}: give lines of identity and channel, or the JSON of wattline line synth."
        ) from error
    if len(rows) > _MAX_ENDPOINTS:
        raise WattlineError(f"{path}: more than {_MAX_ENDPOINTS} endpoints; split the list.")
    return dict(_identity(row, profile) for row in rows)


def _table(rows: list[dict[str, Any]], title: str) -> Table:
    table = Table(title=title, box=SIMPLE, caption=_CAPTION)
    for heading in ("start", "endpoint", "frame"):
        table.add_column(heading, no_wrap=True)
    for heading in ("ch", "kWh", "V %", "W", "age", "Eb/N0", "mended"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        permille = row.get("voltage_permille")
        reading = (
            f"{row['register_kwh']:.1f}" if row.get("register_kwh") is not None else "",
            f"{permille / 10:.1f}" if permille is not None else "",
            *(
                str(row[name]) if row.get(name) is not None else ""
                for name in ("power_w", "age_s")
            ),
        )
        table.add_row(
            f"{row['start_s']:.2f}",
            row["eid"],
            row["kind"] + (" sealed" if row["sealed"] else ""),
            str(row["channel"]),
            *reading,
            f"{row['ebn0_db']:.1f}",
            str(row["corrected_bits"]),
        )
    return table
