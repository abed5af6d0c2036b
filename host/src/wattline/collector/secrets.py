"""Keys of endpoints whose frames are sealed, and the file they come from.

What is sealed and how is in docs/authority.md, "Readings".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from endpoint.line.loop import CYCLES_FOLD
from endpoint.line.mac import KEY_BYTES, working_key
from endpoint.line.seal import frame_number
from wattline.collector.decoder import Key
from wattline.errors import WattlineError

_MAX_ENDPOINTS = 20_000
_FORM = "lines of identity, key (32 hex digits) and, if so, the words root and encrypted"


@dataclass(frozen=True)
class Secrets:
    """What opens the frames of a bus.

    Parameters
    ----------
    working
        Working key and whether payloads are encrypted, by identity.
    unix_s
        Time of the first sample, right to within days.
    """

    working: dict[int, tuple[bytes, bool]]
    unix_s: int

    def keys(
        self, eids: Iterable[int], cycle: int, start_s: float, frame_cycles: int
    ) -> dict[int, Key]:
        """Return the keys of those `eids` that have one.

        Parameters
        ----------
        eids
            Identities.
        cycle
            The bus's cycle at which the frame starts.
        start_s
            Its start, s from the first sample.
        frame_cycles
            Length of a frame.
        """
        at_s = self.unix_s + int(start_s)
        number = frame_number(cycle % CYCLES_FOLD, at_s, frame_cycles)
        return {
            eid: Key(self.working[eid][0], number, self.working[eid][1])
            for eid in eids
            if eid in self.working
        }


def read_keys(path: Path) -> dict[int, tuple[bytes, bool]]:
    """Return working keys by identity; raise WattlineError in one sentence that shows no key."""
    try:
        lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise WattlineError(f"{path}: cannot be read; give {_FORM}.") from error
    found = {}
    for number, words in enumerate(lines, 1):
        if not words:
            continue
        try:
            eid, key = int(words[0], 16), bytes.fromhex(words[1])
        except (ValueError, IndexError):
            eid, key = -1, b""
        if (
            not 0 <= eid < 1 << 32
            or len(key) != KEY_BYTES
            or set(words[2:]) - {"root", "encrypted"}
        ):
            raise WattlineError(f"{path}, line {number}: give {_FORM}.")
        if "root" in words[2:]:
            key = working_key(key, 0)
        found[eid] = key, "encrypted" in words[2:]
    if len(found) > _MAX_ENDPOINTS:
        raise WattlineError(f"{path}: more than {_MAX_ENDPOINTS} endpoints; split the list.")
    return found
