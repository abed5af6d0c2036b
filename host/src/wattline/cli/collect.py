"""wattline collect: decode a recording of the line."""

import json
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame, Reading
from wattline.errors import WattlineError
from wattline.line import recording

_CAPTION = "start and age in s, Eb/N0 in dB, mended: code bits of 256 that were put right"

app = cyclopts.App(name="collect", help="Decode a recording of the line (bench profile).")


@app.default
def run(
    file: Path,
    *,
    eid: list[str] | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Find the endpoints in a recording and print what they say.

    Parameters
    ----------
    file
        Two-channel .wav (voltage left, current right), or .npz with the arrays voltage and
        current and the number rate_sps. Units do not matter.
    eid
        Identity of an endpoint to expect, 8 hex digits; endpoints that join need none.
    as_json
        Print JSON instead of a table.
    """
    rate_sps, voltage, current = recording.read(file)
    receiver = Receiver(rate_sps, eids=[_identity(text) for text in eid or []])
    frames: list[Frame] = []
    locked = False
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Listening", total=len(voltage))
        for v, i in recording.blocks(voltage, current):
            frames += receiver.feed(v, i)
            locked = locked or receiver.locked
            progress.advance(task, len(v))
    if not locked:
        raise WattlineError(
            f"{file}: no line voltage of 57 to 63 Hz; put the voltage on the first channel."
        )
    if as_json:
        print(json.dumps({"file": str(file), "frames": [f.to_json() for f in frames]}))
        return
    Console().print(_table(frames))


def _identity(text: str) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise WattlineError(f"--eid {text}: an identity is 8 hex digits.")
    return value


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
