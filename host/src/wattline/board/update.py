"""Bring a release into a module's free slot, sending only what is not there already."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from endpoint.update import UpdateError
from endpoint.update.install import BLOCK_BYTES
from endpoint.update.manifest import HEADER_BYTES, check
from wattline.board.session import Executor
from wattline.errors import RunError, WattlineError
from wattline.image import boards
from wattline.release.build import parse_version
from wattline.release.package import SENTENCES, Release, version_text

# The module unpacks with this window; a block is no larger.
_WINDOW_BITS = 12
_HASH_BYTES = 8
_ANSWER_MAX_BYTES = 64 * 1024
# One file of the release: where it begins and ends in it, and where it lies in the running slot.
Copy = tuple[int, int, int]


class Refused(RunError):
    """The module did not take the release; what ran before still runs."""


@dataclass(frozen=True)
class Plan:
    """What has to be done for one update.

    Attributes
    ----------
    blocks : dict
        Pieces by block number: text to be sent, or (offset, length) to be copied.
    sent_bytes : int
        Characters that travel as data.
    copied_bytes : int
        Taken from the slot that runs.
    there_bytes : int
        In the free slot already, from an attempt that was interrupted.
    """

    blocks: dict[int, list[str | tuple[int, int]]]
    sent_bytes: int
    copied_bytes: int
    there_bytes: int


class Updater:
    """Talks to the module's `updater`.

    Parameters
    ----------
    executor : Executor
        A session in which no application has run since the reset.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def call(self, function: str, *arguments: object) -> Any:
        """Call a function of the module's `updater` and return its result.

        Raises
        ------
        Refused
            With the reason in a sentence.
        """
        text = ", ".join(map(repr, arguments))
        answer = self._executor.exec(f"import updater; updater.{function}({text})")
        lines = answer[-_ANSWER_MAX_BYTES:].strip().splitlines()
        try:
            result = json.loads(lines[-1])
        except (ValueError, IndexError):
            raise RunError(
                "the module's answer to an update makes no sense; flash it with a wattline image"
            ) from None
        if "refused" in result:
            name = result["refused"]
            raise Refused(f"the module refused: {SENTENCES.get(name, name)}")
        return result.get("ok")

    def report(self) -> dict[str, Any]:
        """Return what the module is and holds."""
        return self.call("report")

    def preview(self, release: Release) -> Plan:
        """Return what an update would do, judged by the module; nothing there is changed."""
        self.call("judge", packed(release.header))
        return make_plan(release, self.call("files"), [])

    def plan(self, release: Release) -> Plan:
        """Begin with a release and return what is left to do; the module judges it first."""
        self.call("begin", packed(release.header))
        return make_plan(release, self.call("files"), self.call("checks"))

    def send(self, plan: Plan, progress: Callable[[int, int], None] = lambda *_: None) -> None:
        """Write the blocks of a plan; `progress` gets how many are done, and of how many."""
        for done, (number, pieces) in enumerate(sorted(plan.blocks.items()), 1):
            self.call("put", number, pieces)
            progress(done, len(plan.blocks))

    def finish(self, *, needs_meter: bool = True) -> None:
        """Let the module verify all of it; it runs on trial from the next reset on."""
        self.call("finish", needs_meter)

    def roll_back(self) -> None:
        """Go back to the application before this one, from the next reset on."""
        self.call("roll_back")

    def install_keys(self, publics: list[bytes]) -> None:
        """Replace the public keys that may sign releases for this module."""
        self.call("keys", [base64.b64encode(public).decode() for public in publics])


def check_fits(release: Release, report: dict[str, Any]) -> None:
    """Refuse on the host what the module would refuse, before anything is stopped for long.

    Raises
    ------
    Refused
        With the module's own reason.
    """
    room = boards.data(report["board"]).SLOT_BYTES - HEADER_BYTES
    floor = parse_version(report["oldest_version"])
    try:
        check(release.manifest, report["board"], report["abi"], floor, room)
    except UpdateError as error:
        raise Refused(
            f"release {version_text(release.manifest.version)} for {release.manifest.board} is "
            f"not for this module: {SENTENCES[type(error).__name__]}"
        ) from None
    if not release.is_signed:
        raise Refused(f"the release is not signed: {SENTENCES['Unsigned']}")
    if not report["update_keys"]:
        raise WattlineError(
            "the module holds no key yet: install the signer's public key with "
            "`wattline release keys install`"
        )


def make_plan(
    release: Release, running: list[tuple[str, int, int, str]], there: list[int]
) -> Plan:
    """Return which blocks are missing and where each part of them comes from.

    Parameters
    ----------
    release : Release
    running : list
        Path, offset, length and short hash of every file of the slot that runs.
    there : list of int
        CRC-32 of every block in the free slot, its header's first; [] when not known.
    """
    image = release.image
    copies = _copies(release, running)
    blocks: dict[int, list[str | tuple[int, int]]] = {}
    sent = copied = present = 0
    for number, at in enumerate(range(0, len(image), BLOCK_BYTES), 1):
        content = image[at : at + BLOCK_BYTES]
        check_now = zlib.crc32(content.ljust(BLOCK_BYTES, b"\xff"))
        if number < len(there) and there[number] == check_now:
            present += len(content)
            continue
        blocks[number] = pieces = _pieces(image, at, at + len(content), copies)
        sent += sum(len(piece) for piece in pieces if isinstance(piece, str))
        copied += sum(piece[1] for piece in pieces if isinstance(piece, tuple))
    return Plan(blocks, sent, copied, present)


def _copies(release: Release, running: list[tuple[str, int, int, str]]) -> list[Copy]:
    """Return what the running slot has already, as few and as long pieces as there are.

    What stands between two files of one folder follows from the second one's name and length, so
    neighbours that are neighbours there too make one piece. The module verifies the whole.
    """
    image = release.image
    known = {(digest, length): (path, offset) for path, offset, length, digest in running}
    copies: list[Copy] = []
    before = None  # folder of the file before this one, when that was copied under its own name
    for path, at, length in release.files():
        digest = hashlib.sha256(image[at : at + length]).hexdigest()[: 2 * _HASH_BYTES]
        old_path, source = known.get((digest, length), ("", 0))
        folder = path.rpartition("/")[0] if old_path == path else None
        if not old_path:
            before = None
            continue
        if folder is not None and folder == before:
            first, _, first_source = copies[-1]
            if source - first_source == at - first:
                copies[-1] = (first, at + length, first_source)
                continue
        copies.append((at, at + length, source))
        before = folder
    return copies


def _pieces(image: bytes, start: int, end: int, copies: list[Copy]) -> list[str | tuple[int, int]]:
    """Return one block as a sequence of copies and of text for what has to be sent."""
    pieces: list[str | tuple[int, int]] = []
    for first, last, source in copies:
        first_here, last_here = max(first, start), min(last, end)
        if first_here >= last_here:
            continue
        if first_here > start:
            pieces.append(packed(image[start:first_here]))
        pieces.append((source + first_here - first, last_here - first_here))
        start = last_here
    if start < end:
        pieces.append(packed(image[start:end]))
    return pieces


def packed(content: bytes) -> str:
    """Return bytes as the module unpacks them: compressed, in printable characters."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode()
