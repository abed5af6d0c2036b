"""Counters and key generations of every endpoint, kept so that no counter is used twice."""

import json
import os
from pathlib import Path

from wattline.errors import WattlineError

_AHEAD = 64  # counters reserved by one write of the file
_MOST = 0xFFFFFFFF


class Registry:
    """Command counters in one file.

    Counters are reserved in the file, `_AHEAD` at a time, before the first of them is handed
    out: after a crash some are skipped, none is repeated. Modules accept jumps below 2^23.

    Parameters
    ----------
    path : Path or str
        JSON file; made when absent.
    """

    def __init__(self, path: Path | str):
        self._path = Path(path)
        self._next: dict[int, int] = {}
        self._reserved: dict[int, int] = {}
        self.generations: dict[int, int] = {}
        if self._path.exists():
            self._load()

    def _load(self) -> None:
        try:
            content = json.loads(self._path.read_text())
            self._reserved = {int(eid): int(n) for eid, n in content["counters"].items()}
            self.generations = {int(eid): int(n) for eid, n in content["generations"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WattlineError(
                f"{self._path} is not a file of command counters: restore it from its backup, "
                "or endpoints will refuse what is sent"
            ) from None
        self._next = dict(self._reserved)

    def counter(self, eid: int) -> int:
        """Return the next counter of an endpoint; it is never returned again."""
        counter = self._next.get(eid, 0) + 1
        if counter > _MOST:
            raise WattlineError(f"endpoint {eid:08x} has used all counters: change its key")
        if counter > self._reserved.get(eid, 0):
            self._reserved[eid] = min(counter + _AHEAD, _MOST)
            self._store()
        self._next[eid] = counter
        return counter

    def generation(self, eid: int) -> int:
        """Return the generation of an endpoint's working key."""
        return self.generations.get(eid, 0)

    def changed(self, eid: int, generation: int) -> None:
        """Note that an endpoint has confirmed a new key."""
        self.generations[eid] = generation
        self._store()

    def _store(self) -> None:
        content = {"counters": self._reserved, "generations": self.generations}
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
