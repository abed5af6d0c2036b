"""Ed25519 keys that sign releases. Made by the user; none comes with this package."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from endpoint.update import manifest as block
from wattline.errors import WattlineError

KEY_ID_BYTES, SIGNATURE_BYTES, PUBLIC_BYTES = 8, 64, 32
_FILE_MAX_BYTES = 4096


class SigningKey:
    """The secret half of a key.

    Attributes
    ----------
    public : bytes
        The 32 bytes that modules hold.
    key_id : bytes
        Short name that a release carries.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.key_id = block.key_id(self.public, hashlib.sha256)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return self._private.sign(message)

    @classmethod
    def read(cls, file: Path) -> "SigningKey":
        """Return the key in a PEM file.

        Raises
        ------
        WattlineError
            It cannot be read, or holds something else.
        """
        try:
            key = serialization.load_pem_private_key(_content(file), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise WattlineError(
                f"{file} holds no Ed25519 key without password: make one with "
                "`wattline release keys new FILE`"
            )
        return cls(key)


def create(file: Path) -> SigningKey:
    """Make a key: the secret half in `file`, for its owner only, the public one in `file`.pub.

    Raises
    ------
    WattlineError
        One of the files exists or cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = SigningKey(private)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
        with public_file(file).open("x") as stream:
            stream.write(public_text(key.public))
    except OSError as error:
        raise WattlineError(
            f"{error.filename} cannot be written ({error.strerror}); an existing key is never "
            "replaced, choose another name"
        ) from None
    return key


def public_file(file: Path) -> Path:
    """Return the name of the public half that belongs to a secret one."""
    return file.with_name(file.name + ".pub")


def public_text(public: bytes) -> str:
    """Return a public key as one line."""
    return base64.b64encode(public).decode() + "\n"


def read_public(file: Path) -> bytes:
    """Return the 32 bytes of a public key.

    Raises
    ------
    WattlineError
        It cannot be read, or holds something else.
    """
    try:
        public = base64.b64decode(_content(file).strip(), validate=True)
    except binascii.Error:
        public = b""
    if len(public) != PUBLIC_BYTES:
        raise WattlineError(f"{file} holds no public key: name the file that ends in .pub")
    return public


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_FILE_MAX_BYTES)
    except OSError as error:
        raise WattlineError(f"{file} cannot be read: {error.strerror}") from None
