"""wattline line: the power line without hardware."""

import json
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from endpoint.line.payload import unpack
from wattline.collector.records import KINDS
from wattline.errors import WattlineError
from wattline.line import recording
from wattline.line.scene import RATE_SPS
from wattline.line.synth import make_bus, record

app = cyclopts.App(name="line", help="Synthesise the power line.")

_MAX_ENDPOINTS = 33
_MAX_SECONDS = 6 * 3600


@app.command
def synth(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    endpoints: int = 1,
    seconds: int = 90,
    ebn0: float = 8.0,
    noise: bool = True,
    spread: float = 0.0,
    seed: int = 1,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Record a line with modelled endpoints, and print what they sent.

    Parameters
    ----------
    output
        File to write, .wav (voltage in V left, current in A right) or .npz.
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
    scene, modelled = make_bus(endpoints, ebn0 if noise else None, seed, spread)
    voltage, current = record(scene, seconds)
    recording.write(output, RATE_SPS, voltage, current)
    rows = []
    for endpoint in modelled:
        for start_s, payload in endpoint.sent:
            frame_type, fields = unpack(payload)
            rows.append(
                {
                    **fields,
                    "kind": KINDS[frame_type].kind,
                    "eid": f"{endpoint.eid:08x}",
                    "channel": endpoint.channel,
                    "start_s": round(start_s, 4),
                    "payload": payload.hex(),
                }
            )
    rows.sort(key=lambda row: row["start_s"])
    if as_json:
        print(json.dumps({"file": str(output), "rate_sps": RATE_SPS, "sent": rows}))
        return
    table = Table("starts, s", "endpoint", "channel", "frame", "payload", title="Sent")
    for row in rows:
        table.add_row(
            f"{row['start_s']:.2f}", row["eid"], str(row["channel"]), row["kind"], row["payload"]
        )
    console = Console()
    console.print(table)
    console.print(f"{seconds} s of line in {output}; now: wattline collect {output}")
