"""The newest record, whole or not at all, on NOR flash that may lose power at any instant.

A ring of 4096-byte blocks, sixteen pages of 256 bytes each. A record is one to sixteen pages in
one block, every page with its own header and check; the newest whole record is the record.
The block that holds it is never erased. See docs/journal.md for what a cut leaves behind.

Context: task only, while no byte can arrive: the flash stops interrupts.
"""

import struct
from binascii import crc32

import micropython
from micropython import const

from endpoint.store import TooLong, TooSmall, Unreadable, WornOut

# rp2.Flash and the W25Q16JV behind it: erase 4096 bytes, program 256 (datasheet, sector erase
# and page program).
_BLOCK_BYTES = const(4096)
_PAGE_BYTES = const(256)
_PAGES = const(16)

# MicroPython's extended block protocol.
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_BLOCK_ERASE = const(6)

# Page header: magic with layout version, sequence, record length, part, spare, CRC-32 of the
# whole page with this field zero.
_HEADER = "<IIHBBI"
_HEADER_BYTES = const(16)
_CRC_AT = const(12)
_MAGIC = const(0x314A4C57)  # "WLJ1"
_SEQUENCE_LIMIT = const(0x3FFFFFFF)  # a small integer; 2,000 years of commits a minute

_BODY_BYTES = const(240)
RECORD_MAX_BYTES = const(3840)  # sixteen bodies: one block

# An erase that is due is done this many records ahead, so that the last commit before the
# lights go out is never the one that has to erase.
_RECORDS_AHEAD = const(2)


@micropython.viper
def _is_blank(page) -> bool:
    halves = ptr16(page)
    for index in range(128):
        if halves[index] != 0xFFFF:
            return False
    return True


@micropython.viper
def _fill(page, source, start: int, count: int):
    """Put `count` bytes of `source` behind the header and leave the rest of the page erased."""
    to = ptr8(page)
    give = ptr8(source)
    for index in range(count):
        to[16 + index] = give[start + index]
    for index in range(16 + count, 256):
        to[index] = 255


def _parts(length):
    return (length + _BODY_BYTES - 1) // _BODY_BYTES


class Journal:
    """Atomic records on a block device.

    Parameters
    ----------
    device : rp2.Flash or alike
        `readblocks(block, buffer, offset)`, `writeblocks(block, buffer, offset)` that programs
        without erasing, and `ioctl` 4, 5, 6; at least two blocks of 4096 bytes.

    Raises
    ------
    TooSmall
        The device has another shape.

    Allocates: two pages, once.
    """

    def __init__(self, device):
        self._device = device
        self._blocks = device.ioctl(_IOCTL_BLOCK_COUNT, 0)
        if self._blocks < 2 or device.ioctl(_IOCTL_BLOCK_SIZE, 0) != _BLOCK_BYTES:
            raise TooSmall
        self._page = bytearray(_PAGE_BYTES)
        self._back = bytearray(_PAGE_BYTES)
        self._forget()

    def _forget(self):
        self.sequence = 0  # of the newest whole record; 0: none
        self.length = 0
        self._newest_block = -1
        self._newest_slot = 0
        self._top = 0  # highest sequence ever tried
        # Where the next record goes. Without a record: the next block, which is block 0.
        self._block = self._blocks - 1
        self._slot = _PAGES
        self._prepared = False
        self._ahead = (
            0  # pages to keep free; prepare() waits for the first commit after each start
        )

    def mount(self):
        """Find the newest whole record among whatever the flash holds.

        Returns
        -------
        int
            Its length in bytes, 0 when there is none.

        Reads every page once; writes nothing.
        """
        self._forget()
        for block in range(self._blocks):
            self._scan(block)
        return self.length

    def _scan(self, block):
        """Take the newest record of `block` if it is newer than the one known."""
        whole = 0  # parts seen of the record being read
        record = length = end = 0
        newest_here = False
        for slot in range(_PAGES):
            self._device.readblocks(block, self._back, slot * _PAGE_BYTES)
            if _is_blank(self._back):
                whole = 0
                continue
            end = slot + 1
            header = self._check()
            if header is None:
                whole = 0
                continue
            sequence, size, part = header
            self._top = max(self._top, sequence)
            if part == 0:
                whole, record, length = 1, sequence, size
            elif whole and (sequence, size, part) == (record, length, whole):
                whole += 1
            else:
                whole = 0
                continue
            if whole == _parts(length) and record > self.sequence:
                self.sequence, self.length = record, length
                self._newest_block, self._newest_slot = block, slot + 1 - whole
                newest_here = True
        if newest_here:
            # The next page may look blank and yet hold the weak bits of a program that was cut.
            self._block, self._slot = block, end + 1

    def _check(self):
        """Return (sequence, record length, part) of the page just read, None if not ours."""
        magic, sequence, length, part, _, crc = struct.unpack_from(_HEADER, self._back)
        if magic != _MAGIC or not 0 < sequence < _SEQUENCE_LIMIT:
            return None
        if not 0 < length <= RECORD_MAX_BYTES or part >= _parts(length):
            return None
        struct.pack_into("<I", self._back, _CRC_AT, 0)
        if crc32(self._back) != crc:
            return None
        return sequence, length, part

    def load(self, buffer):
        """Copy the newest whole record.

        Parameters
        ----------
        buffer : bytearray or memoryview
            At least `length` bytes.

        Returns
        -------
        int
            Bytes copied; 0 when there is no record.

        Raises
        ------
        TooLong
            The buffer is too short.
        Unreadable
            The flash gave something else than at `mount()`.
        """
        if self.length > len(buffer):
            raise TooLong
        for part in range(_parts(self.length)):
            slot = self._newest_slot + part
            self._device.readblocks(self._newest_block, self._back, slot * _PAGE_BYTES)
            if self._check() != (self.sequence, self.length, part):
                raise Unreadable
            start = part * _BODY_BYTES
            count = min(_BODY_BYTES, self.length - start)
            buffer[start : start + count] = self._back[_HEADER_BYTES : _HEADER_BYTES + count]
        return self.length

    def commit(self, buffer, count):
        """Make the first `count` bytes of `buffer` the newest record.

        On good flash: one program per 240 bytes begun, after at most one erase, and none when
        `prepare()` is called between commits. A page that reads back wrong is passed over.

        Parameters
        ----------
        buffer : bytearray or memoryview
        count : int
            1 to 3840 bytes.

        Raises
        ------
        TooLong
            `count` is outside its range.
        WornOut
            Every other block was tried. The record before stays the newest.

        Allocates: nothing, but on a 32-bit chip the checksum's own integer per page.
        """
        if not 0 < count <= RECORD_MAX_BYTES:
            raise TooLong
        parts = _parts(count)
        blocks_left = self._blocks
        while True:
            while self._slot + parts <= _PAGES:
                if self._write(buffer, count, parts):
                    return
            if not blocks_left:
                raise WornOut
            blocks_left -= 1
            if not self._prepared:
                self._erase_next()
            self._block = self._next_block()
            self._slot = 0
            self._prepared = False

    def _write(self, buffer, count, parts):
        """Write and read back one record; False leaves the position behind the bad page."""
        self._top += 1
        start = self._slot
        for part in range(parts):
            body = part * _BODY_BYTES
            struct.pack_into(_HEADER, self._page, 0, _MAGIC, self._top, count, part, 255, 0)
            _fill(self._page, buffer, body, min(_BODY_BYTES, count - body))
            struct.pack_into("<I", self._page, _CRC_AT, crc32(self._page))
            offset = self._slot * _PAGE_BYTES
            self._slot += 1
            self._device.writeblocks(self._block, self._page, offset)
            self._device.readblocks(self._block, self._back, offset)
            if self._back != self._page:
                return False
        self._newest_block = self._block
        self._newest_slot = start
        self.sequence = self._top
        self.length = count
        self._ahead = _RECORDS_AHEAD * parts
        return True

    def prepare(self):
        """Erase the next block if it will be needed within two records.

        Call it when nobody talks. It does nothing before the first commit of a run, so that a
        module that restarts for ever does not wear a block out.

        Returns
        -------
        bool
            True when it erased.
        """
        if self._prepared or not self._ahead or self._slot + self._ahead <= _PAGES:
            return False
        self._erase_next()
        self._prepared = True
        return True

    def _next_block(self):
        block = (self._block + 1) % self._blocks
        if block == self._newest_block:
            block = (block + 1) % self._blocks
        return block

    def _erase_next(self):
        self._device.ioctl(_IOCTL_BLOCK_ERASE, self._next_block())
