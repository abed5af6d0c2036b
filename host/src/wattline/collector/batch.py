"""Recordings as units of work: one function that decodes one file, here or on another machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endpoint.line.profile import PROFILES
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame
from wattline.collector.secrets import Secrets
from wattline.errors import WattlineError
from wattline.line import recording


@dataclass(frozen=True)
class Job:
    """How recordings are decoded.

    Parameters
    ----------
    profile
        Name of the profile.
    known
        Identities with their channels, or None where the channel is not known.
    cycle, clock, secrets, history
        As `Receiver` takes them.
    rate
        Samples per second of files that do not say.
    """

    profile: str
    known: dict[int, int | None] = field(default_factory=dict)
    cycle: int | None = None
    clock: str = "line"
    rate: int | None = None
    secrets: Secrets | None = None
    history: bool = True


def decode_file(
    path: Path, job: Job, advance: Callable[[float], None] = lambda share: None
) -> list[Frame]:
    """Return the frames of one recording.

    Without a count of the bus's cycles the recording is gone through a second time with the
    one that was found. `advance` is told the share of a pass that was done.

    Raises
    ------
    WattlineError
        The recording cannot be read or holds no line voltage.
    """
    rate_sps, voltage, current = recording.read(path, job.rate)
    known = dict(job.known)

    def listen(cycle: int | None) -> tuple[Receiver, list[Frame], bool]:
        profile = PROFILES[job.profile]
        receiver = Receiver(
            rate_sps, profile, known, cycle, job.clock, job.secrets, history=job.history
        )
        frames: list[Frame] = []
        locked = False
        for v, i in recording.blocks(voltage, current):
            frames += receiver.feed(v, i)
            locked = locked or receiver.locked
            advance(len(v) / len(voltage))
        return receiver, frames + receiver.finish(), locked

    receiver, frames, locked = listen(job.cycle)
    if not locked:
        raise WattlineError(
            f"{path}: no line voltage of 57 to 63 Hz; put the voltage on the first channel."
        )
    if job.cycle is None and receiver.cycle is not None:
        known.update(receiver.known)
        again = listen(receiver.cycle)[1]
        frames = again if len(again) >= len(frames) else frames
    return frames


def _outcome(path: Path, job: Job) -> list[dict[str, Any]] | str:
    """Return a file's frames as plain values, or why it has none; this travels."""
    try:
        return [frame.to_json() for frame in decode_file(path, job)]
    except WattlineError as error:
        return str(error)


def decode_files(
    paths: Sequence[Path], job: Job, cluster: str | None
) -> Iterator[tuple[Path, list[dict[str, Any]] | str]]:
    """Yield every recording's frames as plain values, or the reason for none, as they are done.

    Parameters
    ----------
    paths
        Recordings; with `cluster`, as the workers see them.
    job
        How.
    cluster
        Address of a Dask scheduler; None for workers on this machine.
    """
    from wattline.line.cluster import spread

    for path, outcome in spread(_outcome, [(path, job) for path in paths], cluster):
        yield path[0], outcome
