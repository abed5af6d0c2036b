"""Take a release into the free slot, block by block, and let it run only when all of it is right.

The order is the safety: forget the slot, write, verify what the flash holds, then announce it.
A cut between any two operations leaves the application that ran before, or the new one whole.
"""

import hashlib
from binascii import crc32

from micropython import const

from endpoint.update import FlashFailed, Mixed, NothingThere, NotStarted, Oversized, Truncated
from endpoint.update.manifest import HEADER_BYTES, check, signed_by, unpack
from endpoint.update.record import EMPTY, FROZEN
from endpoint.update.romfs import files

BLOCK_BYTES = const(4096)
_PAGE_BYTES = const(256)
_ERASE = const(6)
_HASH_BYTES = const(8)


class Installer:
    """The module's end of an update.

    Parameters
    ----------
    record : Record
        As loaded; changed here.
    commit : callable
        ``commit(record)`` makes it durable before it returns.
    devices : list
        The two slots' block devices, `writeblocks(block, page, offset)` and `ioctl(6, block)`.
    views : list
        The same bytes to be read in place.
    board : str
    abi : int
        `sys.implementation._mpy`.
    """

    def __init__(self, record, commit, devices, views, board, abi):
        self._record = record
        self._commit = commit
        self._devices = devices
        self._views = views
        self._board = board
        self._abi = abi
        self._room = len(views[0]) - HEADER_BYTES
        self._header = None
        self._manifest = None
        self.slot = None

    def begin(self, header):
        """Judge a release by its first block, and forget what the free slot held.

        Returns
        -------
        int
            The slot it goes to.

        Raises
        ------
        UpdateError
            It is refused; nothing was changed.
        """
        self._header = None
        manifest = self.judge(header)
        self._manifest = manifest
        number = self._record.free()
        if self._record.slots[number].state != EMPTY:
            self._record.slots[number].clear()
            self._commit(self._record)
        self.slot = number
        self._header = bytes(header)
        return number

    def judge(self, header):
        """Return the manifest of a release that may be installed; change nothing.

        Raises
        ------
        UpdateError
        """
        if len(header) > HEADER_BYTES:
            raise Oversized
        manifest = unpack(header)
        signed_by(header, self._record.keys, hashlib.sha256)
        check(manifest, self._board, self._abi, self._record.floor, self._room)
        return manifest

    def _blocks(self):
        """Return how many blocks the release has, its first block included."""
        return 1 + (self._manifest.length + BLOCK_BYTES - 1) // BLOCK_BYTES

    def checks(self):
        """Return the CRC-32 of every block that the free slot holds now, for going on later."""
        if self._header is None:
            raise NotStarted
        view = self._views[self.slot]
        return [
            crc32(view[at : at + BLOCK_BYTES])
            for at in range(0, self._blocks() * BLOCK_BYTES, BLOCK_BYTES)
        ]

    def running_files(self):
        """Return path, offset, length and short hash of every file of the active slot.

        What is in there was verified when it came; a file that is the same in a new release
        need not be sent again.
        """
        if self._record.active == FROZEN:
            return []
        number = self._record.active
        view = self._views[number]
        end = HEADER_BYTES + self._record.slots[number].length
        found = files(view[HEADER_BYTES:end])
        return [
            (
                path,
                HEADER_BYTES + at,
                length,
                hashlib.sha256(view[HEADER_BYTES + at : HEADER_BYTES + at + length]).digest()[
                    :_HASH_BYTES
                ],
            )
            for path, at, length in found
        ]

    def put(self, number, pieces):
        """Write block `number` of the release, put together from `pieces`.

        Parameters
        ----------
        number : int
            From 1; block 0 is the header, which `finish` writes.
        pieces : list
            Each either bytes, or ``(offset, length)`` in the active slot.

        Raises
        ------
        NotStarted, Oversized, Truncated, FlashFailed
        """
        if self._header is None:
            raise NotStarted
        if not 1 <= number < self._blocks():
            raise Oversized
        block = bytearray(b"\xff" * BLOCK_BYTES)
        at = 0
        for piece in pieces:
            if isinstance(piece, tuple):
                piece = self._copied(piece[0], piece[1])
            if at + len(piece) > BLOCK_BYTES:
                raise Oversized
            block[at : at + len(piece)] = piece
            at += len(piece)
        wanted = min(BLOCK_BYTES, self._manifest.length - (number - 1) * BLOCK_BYTES)
        if at != wanted:
            raise Truncated if at < wanted else Oversized
        self._write(number, block)

    def _copied(self, offset, length):
        if self._record.active == FROZEN:
            raise NothingThere
        view = self._views[self._record.active]
        if offset < 0 or length < 0 or length > BLOCK_BYTES or offset + length > len(view):
            raise Oversized
        return view[offset : offset + length]

    def _write(self, number, block):
        """Write one block unless it is there already, and read it back."""
        at = number * BLOCK_BYTES
        view = self._views[self.slot]
        if view[at : at + BLOCK_BYTES] == block:
            return
        device = self._devices[self.slot]
        device.ioctl(_ERASE, number)
        memory = memoryview(block)
        for offset in range(0, BLOCK_BYTES, _PAGE_BYTES):
            page = memory[offset : offset + _PAGE_BYTES]
            if page != _BLANK:
                device.writeblocks(number, page, offset)
        if view[at : at + BLOCK_BYTES] != block:
            raise FlashFailed

    def finish(self, needs_meter=True):
        """Verify what the flash holds, to the last byte, and put it on trial.

        Parameters
        ----------
        needs_meter : bool
            False when no meter is expected to answer.

        Raises
        ------
        UpdateError
            It is refused; the application that runs stays.
        """
        if self._header is None:
            raise NotStarted
        # Read back as written, so the flash holds the block whose signature was verified.
        self._write(0, self._header)
        view = self._views[self.slot]
        manifest = self._manifest
        image = view[HEADER_BYTES : HEADER_BYTES + manifest.length]
        if hashlib.sha256(image).digest() != manifest.sha256:
            raise Mixed
        files(image)
        self._record.begin_trial(self.slot, manifest, crc32(image), needs_meter)
        self._commit(self._record)
        self._header = None

    def roll_back(self):
        """Go back to the application before this one.

        Raises
        ------
        NothingThere
            The frozen application is the active one already.
        """
        if not self._record.roll_back("rolled back on request"):
            raise NothingThere
        self._commit(self._record)


_BLANK = b"\xff" * _PAGE_BYTES
