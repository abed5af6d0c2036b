"""A release as a file: the block with manifest and signature, then the file system.

The bytes are those that the module writes into a slot, and the checks are the module's own.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from endpoint.update import NotARelease, Oversized, Truncated, UpdateError
from endpoint.update import manifest as block
from endpoint.update.manifest import HEADER_BYTES, Manifest
from endpoint.update.romfs import files as walk
from wattline.errors import WattlineError
from wattline.release.keys import KEY_ID_BYTES, SIGNATURE_BYTES, SigningKey

# Larger than any slot; more is not read from a file.
FILE_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Release:
    """A release, signed or not.

    Attributes
    ----------
    header : bytes
        4096 bytes.
    image : bytes
        The file system.
    """

    header: bytes
    image: bytes

    @classmethod
    def unsigned(cls, manifest: Manifest, image: bytes) -> "Release":
        """Return a release that no module takes yet."""
        empty = bytes(KEY_ID_BYTES), bytes(SIGNATURE_BYTES)
        return cls(block.header(manifest.pack(), *empty), image)

    @classmethod
    def read(cls, file: Path) -> "Release":
        """Return the release in a file, whole in itself but perhaps signed by anybody.

        Raises
        ------
        WattlineError
            It cannot be read, or is no whole release.
        """
        try:
            with file.open("rb") as stream:
                content = stream.read(FILE_MAX_BYTES + 1)
        except OSError as error:
            raise WattlineError(f"{file} cannot be read: {error.strerror}") from None
        if len(content) > FILE_MAX_BYTES:
            raise WattlineError(f"{file} is larger than any release: choose another file")
        release = cls(content[:HEADER_BYTES], content[HEADER_BYTES:])
        try:
            release.verify_whole()
        except UpdateError as error:
            raise WattlineError(
                f"{file} is no release: {SENTENCES[type(error).__name__]}"
            ) from None
        return release

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        return block.unpack(self.header)

    @property
    def is_signed(self) -> bool:
        """Whether it carries a signature, of whomever."""
        return any(self.header[len(self.manifest.pack()) :][:KEY_ID_BYTES])

    def verify_whole(self) -> None:
        """Raise the module's own refusal unless manifest and files belong together."""
        manifest = self.manifest
        if len(self.image) < manifest.length:
            raise Truncated
        if len(self.image) > manifest.length:
            raise Oversized
        if hashlib.sha256(self.image).digest() != manifest.sha256:
            raise NotARelease
        walk(self.image)

    def signed(self, key: SigningKey) -> "Release":
        """Return the same release, signed."""
        text = self.manifest.pack()
        return Release(block.header(text, key.key_id, key.sign(text)), self.image)

    def is_signed_by(self, public: bytes) -> bool:
        """Return whether the signature is that of a key, as the module would judge."""
        try:
            block.signed_by(self.header, [public], hashlib.sha256)
        except UpdateError:
            return False
        return True

    def files(self) -> list[tuple[str, int, int]]:
        """Return path, offset in the file system and length of every file."""
        return walk(self.image)

    def pack(self) -> bytes:
        """Return the bytes of the file."""
        return self.header + self.image


def version_text(version: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


# What the module means by its refusals, and what to do; keys are the names of its exceptions.
SENTENCES = {
    "Truncated": "something of it is missing; copy or build it again",
    "Oversized": "it is longer than it says, or does not fit a slot; build it again",
    "NotARelease": "its first block or its files are not what the manifest says; build it again",
    "Unsigned": "no key that the module holds has signed it; sign it, or install the signer's "
    "public key with `wattline release keys install`",
    "WrongBoard": "it was made for another board; build one with --board",
    "WrongInterpreter": "its files are not for the interpreter of this image; build it with the "
    "sources that the image came from, or flash a newer image",
    "TooOld": "it is older than the module still accepts; choose a newer release",
    "Mixed": "what arrived is not what was signed; send it again, and build it again if that "
    "does not help",
    "BadPath": "it holds a file outside the application; do not trust where it comes from",
    "NotStarted": "data came before the manifest; start the update again",
    "NothingThere": "there is no earlier application to go back to",
    "FlashFailed": "the flash does not keep what is written; replace the module",
    "WornOut": "the flash takes no more records; replace the module",
    "Damaged": "a message to the module was damaged on its way; start the update again",
    "MemoryError": "the module has no memory left for it; reset it and start the update again",
}
