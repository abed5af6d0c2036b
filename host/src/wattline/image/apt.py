"""A private apt: one Debian suite from the mirror that the machine already uses.

Nothing of the system's own package state is read or changed; only its choice of mirror,
its proxy settings and its archive keys are used.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattline.errors import RunError, WattlineError
from wattline.image.run import ProgramFailed, run

_SYSTEM_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Suites that only Debian's own archive has; other archives use names of their own.
_DEBIAN_SUITES = frozenset(
    "stable oldstable testing unstable sid bullseye bookworm trixie forky duke".split()
)


@dataclass(frozen=True)
class Archive:
    """A Debian archive: its address and the keyring that signs it (None: apt's own)."""

    address: str
    keyring: Path | None


def find_archive(etc: Path = Path("/etc/apt")) -> Archive:
    """Return the archive that this machine's apt is configured for.

    Raises
    ------
    WattlineError
        None is configured.
    """
    for entry in _entries(etc):
        suite = entry["suite"].split("/")[0]
        if suite in _DEBIAN_SUITES and "main" in entry["components"].split():
            keyring = entry.get("signed-by", "")
            if not keyring.startswith("/"):
                keyring = str(_SYSTEM_KEYRING)
            return Archive(entry["address"], Path(keyring) if Path(keyring).exists() else None)
    raise WattlineError(
        "the sources come from a Debian archive and this machine's apt has none configured; "
        "give a MicroPython checkout of your own with MICROPYTHON=<path>"
    )


def _entries(etc: Path) -> Iterator[dict[str, str]]:
    """Yield the `deb` entries of all source files: address, suite, components, signed-by."""
    parts = sorted((etc / "sources.list.d").glob("*"))
    for file in [etc / "sources.list", *parts]:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            yield from _stanza_entries(text)
        elif file.suffix == ".list":
            yield from _line_entries(text)


def _line_entries(text: str) -> Iterator[dict[str, str]]:
    """Parse the one-line format: ``deb [option=value ...] address suite component ...``."""
    for line in text.splitlines():
        words = line.split("#")[0].replace("[", " [ ").replace("]", " ] ").split()
        if words[:1] != ["deb"]:
            continue
        words = words[1:]
        options = {}
        if words[:1] == ["["] and "]" in words:
            end = words.index("]")
            options = dict(word.split("=", 1) for word in words[1:end] if "=" in word)
            words = words[end + 1 :]
        if len(words) >= 3:
            yield {
                "address": words[0],
                "suite": words[1],
                "components": " ".join(words[2:]),
                "signed-by": options.get("signed-by", ""),
            }


def _stanza_entries(text: str) -> Iterator[dict[str, str]]:
    """Parse the deb822 format: stanzas of ``Field: value`` with continuation lines."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for address in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield {
                    "address": address,
                    "suite": suite,
                    "components": fields.get("components", ""),
                    "signed-by": fields.get("signed-by", ""),
                }


class PrivateApt:
    """apt-get with lists, cache and sources in one folder of ours.

    Parameters
    ----------
    folder : Path
        An empty folder; remove it when done.
    archive : Archive
        Where to fetch from.
    suite : str
        The Debian suite.
    root : Path
        The folder to name when the disk turns out to be full.
    """

    def __init__(self, folder: Path, archive: Archive, suite: str, root: Path) -> None:
        self._root = root
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        signed = f"[signed-by={archive.keyring}] " if archive.keyring else ""
        sources = folder / "sources.list"
        sources.write_text(
            "".join(
                f"{kind} {signed}{archive.address} {suite} main\n" for kind in ("deb", "deb-src")
            )
        )
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": 3,
            "Acquire::http::Timeout": 30,
            "Acquire::https::Timeout": 30,
            "APT::Sandbox::User": "",
        }
        self._options = [f"-o{name}={value}" for name, value in settings.items()]

    def get(self, *arguments: str, into: Path) -> str:
        """Run apt-get; downloads land in `into`.

        Raises
        ------
        RunError
            No network, a broken download, an archive that cannot be verified.
        """
        try:
            return run(
                ["apt-get", *self._options, "-q", *arguments],
                root=self._root,
                environment={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                cwd=into,
            )
        except ProgramFailed as error:
            raise explained(error) from error


_CAUSES = (
    (
        (
            "Temporary failure resolving",
            "Could not resolve",
            "Could not connect",
            "Unable to connect",
            "Connection timed out",
            "connection timed out",
            "Connection failed",
            "Network is unreachable",
            "Cannot initiate the connection",
        ),
        "the package mirror cannot be reached: check the network or apt's proxy settings, then "
        "run the same command again",
    ),
    (
        ("NO_PUBKEY", "is not signed", "couldn't be verified", "not available: EXPKEYSIG"),
        "the package archive's signature cannot be verified: install or upgrade the package "
        "debian-archive-keyring, then run the same command again",
    ),
    (
        (
            "Hash Sum mismatch",
            "unexpected size",
            "File is corrupted",
            "Connection closed prematurely",
            "Error reading from server",
        ),
        "a download arrived broken and was thrown away: run the same command again; if it happens "
        "again, the mirror or a proxy on the way is at fault",
    ),
)


def explained(error: ProgramFailed) -> RunError:
    """Return the sentence for a failure of apt."""
    for marks, sentence in _CAUSES:
        if any(mark in error.output for mark in marks):
            return RunError(sentence)
    return error
