"""The newest record, whole or not at all, on NOR flash that may lose power at any instant.

A ring of 4096-byte blocks, sixteen pages of 256 bytes each. A record is one to sixteen pages in
one block, every page with its own header and check; the newest whole record is the record.
The block that holds it is never erased. See docs/journal.md for what a cut leaves behind.

Context: task only, while no byte can arrive: the flash stops interrupts.
"""

import struct
from array import array
from binascii import crc32

from micropython import const

from endpoint.store import TooLong, WornOut, nor
from endpoint.store.nor import ERASES_MAX, IOCTL_BLOCK_ERASE, PAGE_BYTES, PAGES

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


def _parts(length):
    return (length + _BODY_BYTES - 1) // _BODY_BYTES


class Journal:
    """Atomic records on part of a block device.

    Parameters
    ----------
    device : rp2.Flash or alike
        `readblocks(block, buffer, offset)`, `writeblocks(block, buffer, offset)` that programs
        without erasing, and `ioctl` 4, 5, 6.
    first_block, blocks : int, optional
        The part: at least two blocks of 4096 bytes; all of the device if not told.

    Attributes
    ----------
    sequence : int
        Of the newest whole record, 0: none. It rises with every record, by more than one after
        a start.
    length : int
        Of that record in bytes.

    Raises
    ------
    TooSmall
        The part does not exist.

    Allocates: two pages, once.
    """

    def __init__(self, device, first_block=0, blocks=None):
        self._device = device
        self._from = first_block
        self._blocks = nor.part(device, first_block, blocks)
        self._page = bytearray(PAGE_BYTES)
        self._back = bytearray(PAGE_BYTES)
        self._given_up = _SEQUENCE_LIMIT  # records from this sequence on are not taken
        self._forget()

    def _forget(self):
        self.sequence = 0
        self.length = 0
        self._newest_block = -1
        self._newest_slot = 0
        self._top = 0  # highest sequence ever tried
        # Where the next record goes. Without a record: the next block, which is block 0.
        self._block = self._blocks - 1
        self._slot = PAGES
        self._kept = PAGES  # pages of that block up to here stay
        self._prepared = False
        self._is_settled = False  # what a cut may have left is gone
        self._ahead = 0  # pages to keep free; none before the first commit after each start

    def mount(self):
        """Find the newest whole record among whatever the flash holds.

        Returns
        -------
        int
            Its length in bytes, 0 when there is none.

        Reads one page of each block that is in use and all of the newest; writes nothing.
        """
        self._forget()
        firsts = array("i", [0] * self._blocks)  # sequence of the first page that checks
        for block in range(self._blocks):
            firsts[block] = self._first_sequence(block)
        # Sequences rise from block to block, so nothing newer is in a block that began earlier.
        while not self.sequence:
            newest = 0
            for block in range(self._blocks):
                if firsts[block] > firsts[newest]:
                    newest = block
            if not firsts[newest]:
                break
            firsts[newest] = 0
            self._scan(newest)
        self._top += 1  # what is torn now may read whole one day; it must not be the newest then
        return self.length

    def _read(self, block, slot):
        self._device.readblocks(self._from + block, self._back, slot * PAGE_BYTES)

    def _first_sequence(self, block):
        """Return the sequence of a block's first page that checks, 0 when none does."""
        for slot in range(PAGES):
            self._read(block, slot)
            header = self._check()
            if header is not None:
                return header[0]
        return 0

    def _scan(self, block):
        """Take the newest whole record of one block, if it has one."""
        whole = 0  # parts seen of the record being read
        record = length = end = 0
        for slot in range(PAGES):
            self._read(block, slot)
            if nor.is_all(self._back, PAGE_BYTES, 0xFF):
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
            if whole == _parts(length) and record < self._given_up:
                self.sequence, self.length = record, length
                self._newest_block, self._newest_slot = block, slot + 1 - whole
                self._kept = slot + 1
        if self.sequence:
            self._block, self._slot = block, end

    def _check(self):
        """Return (sequence, record length, part) of the page just read, None if not ours."""
        if nor.number_at(self._back, 0) != _MAGIC:
            return None
        _, sequence, length, part, _, crc = struct.unpack_from(_HEADER, self._back)
        if not 0 < sequence < _SEQUENCE_LIMIT:
            return None
        if not 0 < length <= RECORD_MAX_BYTES or part >= _parts(length):
            return None
        struct.pack_into("<I", self._back, _CRC_AT, 0)
        if crc32(self._back) != crc:
            return None
        return sequence, length, part

    def load(self, buffer):
        """Copy the newest whole record.

        A record that no longer checks, or not every time, is given up for good: the one before
        it becomes the newest.

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
        """
        while not self._copy(buffer):
            self._given_up = self.sequence
            self.mount()
        return self.length

    def _copy(self, buffer):
        """Copy the newest record; return False when it does not check."""
        if self.length > len(buffer):
            raise TooLong
        for part in range(_parts(self.length)):
            self._read(self._newest_block, self._newest_slot + part)
            if self._check() != (self.sequence, self.length, part):
                return False
            start = part * _BODY_BYTES
            count = min(_BODY_BYTES, self.length - start)
            nor.copy(buffer, start, self._back, _HEADER_BYTES, count)
        return True

    def commit(self, buffer, count):
        """Make the first `count` bytes of `buffer` the newest record.

        On good flash: one program per 240 bytes begun, after at most one erase, and none when
        `prepare()` is called between commits; the first commit after `mount()` also clears what
        a cut may have left. A page that reads back wrong is passed over.

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
            Four blocks were tried. The record before stays the newest; the next call tries others.

        Allocates: nothing, but on a 32-bit chip the checksum's own integer per page.
        """
        if not 0 < count <= RECORD_MAX_BYTES:
            raise TooLong
        parts = _parts(count)
        self.settle()
        erases_left = ERASES_MAX
        while True:
            while self._slot + parts <= PAGES:
                if self._write(buffer, count, parts):
                    return
            if not erases_left:
                raise WornOut
            erases_left -= 1
            if not self._prepared:
                self._erase_next()
            self._block = self._next_block()
            self._slot = 0
            self._prepared = False

    def settle(self):
        """Program to 0 what a cut may have left of a record newer than the one just loaded.

        Call it after `load()` and before the first row goes to a ring: from then on no start can
        find that record whole and the rows that belong to it gone. Later calls do nothing.

        First the pages behind the newest record that are not blank, then the one page that looks
        so: its program may have been cut before a bit could be seen. It is the last, so that a
        cut in here leaves no second one.
        """
        if self._is_settled:
            return
        nor.fill(self._page, 0)
        for slot in range(self._kept, min(self._slot + 1, PAGES)):
            self._read(self._block, slot)
            if not nor.is_all(self._back, PAGE_BYTES, 0):
                self._clear(self._block, slot)
        self._slot += 1
        self._clear_scraps(self._next_block())
        self._is_settled = True

    def _clear(self, block, slot):
        self._device.writeblocks(self._from + block, self._page, slot * PAGE_BYTES)

    def _clear_scraps(self, block):
        """Clear what a cut may have left of a block's first record; it is erased before use."""
        for slot in range(PAGES):
            self._read(block, slot)
            if nor.is_all(self._back, PAGE_BYTES, 0):
                return
            if nor.is_all(self._back, PAGE_BYTES, 0xFF):
                self._clear(block, slot)
                return
            header = self._check()
            if header is None or header[0] > self.sequence:
                self._clear(block, slot)

    def _write(self, buffer, count, parts):
        """Write and read back one record; False leaves the position behind the bad page."""
        self._top += 1
        start = self._slot
        for part in range(parts):
            body = part * _BODY_BYTES
            nor.fill(self._page, 0xFF)
            struct.pack_into(_HEADER, self._page, 0, _MAGIC, self._top, count, part, 255, 0)
            nor.copy(self._page, _HEADER_BYTES, buffer, body, min(_BODY_BYTES, count - body))
            struct.pack_into("<I", self._page, _CRC_AT, crc32(self._page))
            offset = self._slot * PAGE_BYTES
            self._slot += 1
            self._device.writeblocks(self._from + self._block, self._page, offset)
            self._device.readblocks(self._from + self._block, self._back, offset)
            if self._back != self._page:
                return False
        self._given_up = _SEQUENCE_LIMIT
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
        if self._prepared or not self._ahead or self._slot + self._ahead <= PAGES:
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
        self._device.ioctl(IOCTL_BLOCK_ERASE, self._from + self._next_block())
