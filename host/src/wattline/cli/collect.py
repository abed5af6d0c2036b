"""wattline collect: decode a recording of the line."""

import json
import sys
from pathlib import Path

import cyclopts
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from endpoint.line.profile import PROFILES, Profile
from wattline.cli.options import Json, examples
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame, Reading
from wattline.errors import WattlineError
from wattline.line import recording

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
    file: Path,
    *,
    profile: str = "bench",
    eid: list[str] | None = None,
    endpoints: Path | None = None,
    cycle: int | None = None,
    clock: str = "line",
    rate: int | None = None,
    as_json: Json = False,
) -> None:
    """Find the endpoints in a recording and print what they say.

    An hour of a whole bus: `wattline collect hour.wav --profile field --endpoints bus.json`.
    Samples as they come: `recorder | wattline collect - --rate 4800` prints one JSON object
    per frame and line.

    Parameters
    ----------
    file
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
    as_json
        Print JSON instead of a table.
    """
    chosen = PROFILES.get(profile)
    if chosen is None:
        raise WattlineError(f"--profile {profile}: choose from {', '.join(PROFILES)}.")
    if clock not in ("line", "crystal"):
        raise WattlineError(f"--clock {clock}: choose line or crystal.")
    known = dict(_identity(text, chosen) for text in eid or [])
    if endpoints is not None:
        known.update(_listed(endpoints, chosen))
    if str(file) == "-":
        _live(Receiver(rate or _LIVE_SAMPLES, chosen, known, cycle, clock))
        return
    rate_sps, voltage, current = recording.read(file, rate)

    def listen(count: int | None) -> tuple[Receiver, list[Frame], bool]:
        receiver = Receiver(rate_sps, chosen, known, count, clock)
        frames: list[Frame] = []
        locked = False
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Listening", total=len(voltage))
            for v, i in recording.blocks(voltage, current):
                frames += receiver.feed(v, i)
                locked = locked or receiver.locked
                progress.advance(task, len(v))
        return receiver, frames + receiver.finish(), locked

    receiver, frames, locked = listen(cycle)
    if not locked:
        raise WattlineError(
            f"{file}: no line voltage of 57 to 63 Hz; put the voltage on the first channel."
        )
    if cycle is None and receiver.cycle is not None:
        known.update(receiver.known)
        again = listen(receiver.cycle)[1]
        frames = again if len(again) >= len(frames) else frames
    if as_json:
        print(json.dumps({"file": str(file), "frames": [f.to_json() for f in frames]}))
        return
    Console().print(_table(frames))


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


def _table(frames: list[Frame]) -> Table:
    table = Table(title=f"{len(frames)} frames", box=SIMPLE, caption=_CAPTION)
    for heading in ("start", "endpoint", "frame"):
        table.add_column(heading, no_wrap=True)
    for heading in ("ch", "kWh", "V %", "W", "age", "Eb/N0", "mended"):
        table.add_column(heading, justify="right", no_wrap=True)
    for frame in frames:
        kwh = voltage = power = age = ""
        if isinstance(frame, Reading):
            kwh = f"{frame.register_dkwh / 10:.1f}"
            voltage = (
                "" if frame.voltage_permille is None else f"{frame.voltage_permille / 10:.1f}"
            )
            power = "" if frame.power_w is None else str(frame.power_w)
            age = "" if frame.age_s is None else str(frame.age_s)
        table.add_row(
            f"{frame.start_s:.2f}",
            f"{frame.eid:08x}",
            frame.kind,
            str(frame.channel),
            kwh,
            voltage,
            power,
            age,
            f"{frame.ebn0_db:.1f}",
            str(frame.corrected_bits),
        )
    return table
