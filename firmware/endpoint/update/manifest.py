"""The first block of a release: what it is, and who signed that.

A release is one block of 4096 bytes followed by a read-only file system, and lies in a slot
byte for byte as it lies in its file. The block holds the manifest, the signature over exactly
these bytes, and nothing but 0xFF behind it. Nothing of it is believed before the signature is.
"""

import struct

from micropython import const

from endpoint.update import (
    NotARelease,
    Oversized,
    TooOld,
    Truncated,
    Unsigned,
    WrongBoard,
    WrongInterpreter,
)

HEADER_BYTES = const(4096)
# Magic with layout, start-up interface needed, ABI, board, version, oldest version that may
# follow, file system's length, its SHA-256, build.
_FORMAT = "<4sHH20s3H3HI32s16s"
_MAGIC = b"WLR1"
_KEY_ID_BYTES = const(8)
_SIGNATURE_BYTES = const(64)
MANIFEST_BYTES = struct.calcsize(_FORMAT)
_KEY_ID_AT = MANIFEST_BYTES
_SIGNATURE_AT = _KEY_ID_AT + _KEY_ID_BYTES
_END = _SIGNATURE_AT + _SIGNATURE_BYTES

# The interface between start-up and application: raised when an application needs more of it.
START_INTERFACE = const(1)


class Manifest:
    """What a release says of itself.

    Attributes
    ----------
    board : str
        Name of the board's folder.
    version, floor : tuple of int
        Three numbers each; once this release is confirmed, nothing below `floor` is accepted.
    interface : int
        The start-up interface that it needs at least.
    abi : int
        `sys.implementation._mpy` of the interpreter it was compiled for.
    length : int
        Bytes of the file system.
    sha256 : bytes
        Of the file system.
    build : str
        16 hexadecimal digits, hash of what it was made from.
    """

    def __init__(self, board, version, floor, interface, abi, length, sha256, build):
        self.board = board
        self.version = version
        self.floor = floor
        self.interface = interface
        self.abi = abi
        self.length = length
        self.sha256 = sha256
        self.build = build

    def pack(self):
        """Return the bytes that are signed."""
        return struct.pack(
            _FORMAT,
            _MAGIC,
            self.interface,
            self.abi,
            self.board.encode(),
            *(tuple(self.version) + tuple(self.floor)),
            self.length,
            self.sha256,
            self.build.encode()
        )  # fmt: skip


def _text(field):
    """Return a padded field as text; `NotARelease` unless it is plain."""
    field = bytes(field).rstrip(b"\0")
    for byte in field:
        if not 32 < byte < 127:
            raise NotARelease
    return field.decode()


def unpack(header):
    """Return the manifest in the first block of a release, signed or not.

    Raises
    ------
    Truncated, NotARelease
    """
    if len(header) < HEADER_BYTES:
        raise Truncated
    fields = struct.unpack_from(_FORMAT, header)
    magic, interface, abi, board = fields[:4]
    if magic != _MAGIC:
        raise NotARelease
    for at in range(_END, HEADER_BYTES):
        if header[at] != 0xFF:
            raise NotARelease
    length, sha256, build = fields[10:]
    return Manifest(
        _text(board), fields[4:7], fields[7:10], interface, abi, length, sha256, _text(build)
    )


def header(manifest_bytes, key_id, signature):
    """Return the first block of a release."""
    block = bytearray(b"\xff" * HEADER_BYTES)
    block[:_END] = manifest_bytes + key_id + signature
    return bytes(block)


def key_id(public, sha256):
    """Return the short name of a key: the first bytes of the hash of its public half."""
    return sha256(public).digest()[:_KEY_ID_BYTES]


def signed_by(block, keys, sha256):
    """Return the public key whose signature the block carries.

    Parameters
    ----------
    block : bytes-like
        `HEADER_BYTES`.
    keys : list of bytes
        Public keys that may sign.
    sha256 : callable
        `hashlib.sha256`.

    Raises
    ------
    Unsigned
        None of them has signed it.
    """
    # Its constants take longer to make than the whole of a start without an update.
    from endpoint.update.ed25519 import verify

    named = bytes(block[_KEY_ID_AT:_SIGNATURE_AT])
    for public in keys:
        if key_id(public, sha256) == named:
            if verify(public, block[:MANIFEST_BYTES], block[_SIGNATURE_AT:_END]):
                return public
    raise Unsigned


def check(manifest, board, abi, floor, room):
    """Refuse a release that is signed and yet not for this module.

    Parameters
    ----------
    manifest : Manifest
    board : str
        This module's.
    abi : int
        This interpreter's.
    floor : tuple of int
        The oldest version that this module still accepts.
    room : int
        Bytes that a slot has for the file system.

    Raises
    ------
    WrongBoard, WrongInterpreter, TooOld, NotARelease, Oversized
    """
    if manifest.board != board:
        raise WrongBoard
    if manifest.abi != abi or manifest.interface > START_INTERFACE:
        raise WrongInterpreter
    if tuple(manifest.version) < tuple(floor):
        raise TooOld
    if tuple(manifest.floor) > tuple(manifest.version):
        raise NotARelease  # once confirmed, not even itself could come again
    if not 0 < manifest.length <= room:
        raise Oversized
