"""Rows of one size with rising numbers on NOR flash; the oldest make room for the newest.

A ring of 4096-byte blocks. Each begins with a header that says how many blocks were begun before
it; behind it the rows lie side by side, several to a page, each with its number and check. See
docs/journal.md for what a cut leaves behind.

Context: task only, while no byte can arrive: the flash stops interrupts.
"""

import struct
from array import array
from binascii import crc32

from micropython import const

from endpoint.store import TooLong, WornOut, nor
from endpoint.store.nor import ERASES_MAX, IOCTL_BLOCK_ERASE, PAGE_BYTES, PAGES

# Block header: magic with layout version, blocks begun before, number of its first row, CRC-32
# of it with this field zero, begun with the ring's number and row size.
_HEADER = "<IIII"
_HEADER_BYTES = const(16)
_HEADER_CRC_AT = const(12)
_MAGIC = const(0x31524C57)  # "WLR1"

# Row header: CRC-32 of the whole row with this field zero, number.
_ROW = "<II"
_ROW_BYTES = const(8)
_CRC_BYTES = const(4)
_NUMBER_AT = const(4)
_LIMIT = const(0x3FFFFFFF)  # numbers are small integers: 2,000 years of a row a minute

ROW_MIN_BYTES = const(8)
ROW_MAX_BYTES = const(232)  # with its header and the block's: a page

# The next block is erased when this many rows still fit.
ROWS_AHEAD = const(2)
_NONE = const(-1)


def rows_per_block(row_bytes):
    """Return how many rows of `row_bytes` fit in a block."""
    size = row_bytes + _ROW_BYTES
    return (PAGE_BYTES - _HEADER_BYTES) // size + (PAGES - 1) * (PAGE_BYTES // size)


class Ring:
    """A ring of rows on part of a block device.

    Parameters
    ----------
    device : rp2.Flash or alike
        As `Journal`; several rings and a journal may share one.
    first_block, blocks : int
        The part of the device: at least two blocks.
    row_bytes : int
        8 to 232. Another size, or another `number`, makes a ring foreign: it starts empty.
    capacity : int
        Rows kept readable; at most what `blocks - 1` full blocks hold, less `ROWS_AHEAD`.
    page : bytearray
        256 bytes to work in; rings may share it, it holds nothing between calls.
    number : int, optional
        Tells this ring from others of the same row size, 0 to 255.

    Attributes
    ----------
    first : int
        Number of the oldest row that can be read.
    next : int
        Number that the next row gets: what goes into the state record. `next - first` is how
        many rows are there, at most `capacity`.
    row_bytes, capacity : int

    Raises
    ------
    TooSmall
        The part does not exist or is too small for the capacity.
    TooLong
        Rows of this size are not possible.
    """

    def __init__(self, device, first_block, blocks, row_bytes, capacity, page, number=0):
        if not ROW_MIN_BYTES <= row_bytes <= ROW_MAX_BYTES:
            raise TooLong
        self._device = device
        self._from = first_block
        self._blocks = nor.part(device, first_block, blocks)
        self.row_bytes = row_bytes
        self._size = row_bytes + _ROW_BYTES
        self._in_head = (PAGE_BYTES - _HEADER_BYTES) // self._size  # rows in a block's first page
        self._in_page = PAGE_BYTES // self._size
        self._rows = rows_per_block(row_bytes)
        if capacity > (self._blocks - 1) * self._rows - ROWS_AHEAD:
            raise TooLong
        self.capacity = capacity
        self._page = page
        self._row = bytearray(self._size)
        self._row_back = bytearray(self._size)
        self._crc = bytearray(_CRC_BYTES)
        self._header = bytearray(_HEADER_BYTES)
        self._header_back = bytearray(_HEADER_BYTES)
        self._seed = number << 8 | row_bytes
        self._firsts = array("i", [_NONE] * self._blocks)  # number of each block's first row
        self._begun = array("i", [_NONE] * self._blocks)  # and its place in time
        self._forget()

    def _forget(self):
        self.first = self.next = 0
        self._block = self._blocks - 1  # where the next row goes: the next block, so block 0
        self._slot = self._rows
        self._kept = self._rows  # rows of the current block up to here stay
        self._generation = 0  # blocks ever begun
        self._prepared = False
        self._is_clean = False  # what a cut may have left is gone
        self._has_appended = False

    def mount(self, next_row=None):
        """Find the rows among whatever the flash holds.

        Parameters
        ----------
        next_row : int or None
            `next` as the state record has it: rows with this or a higher number are not taken
            and the next row gets this number. None, without a state record: every row is taken.

        Returns
        -------
        int
            Rows that can be read.

        Reads a header per block and the newest block; writes nothing.
        """
        self._forget()
        limit = _LIMIT if next_row is None else next_row
        for block in range(self._blocks):
            self._read_header(block)
        found = self._find_newest(limit)
        if next_row is None:
            self.next = found + 1
        else:
            self.next = next_row
            if self.next > found + 1:
                self._slot = self._rows  # within a block no number is left out
        self.first = self.next
        if found != _NONE:
            self._drop_strangers()
        else:
            for block in range(self._blocks):
                self._firsts[block] = _NONE
        self._set_first()
        return self.next - self.first

    def _read_header(self, block):
        """Note number and place in time of a block's header, `_NONE` when it is not ours."""
        header = self._header
        self._firsts[block] = self._begun[block] = _NONE
        self._device.readblocks(self._from + block, header, 0)
        if nor.number_at(header, 0) != _MAGIC:
            return
        _, begun, first, crc = struct.unpack_from(_HEADER, header)
        if begun >= _LIMIT or first >= _LIMIT:
            return
        struct.pack_into("<I", header, _HEADER_CRC_AT, 0)
        if crc32(header, self._seed) != crc:
            return
        self._firsts[block] = first
        self._begun[block] = begun
        self._generation = max(self._generation, begun + 1)

    def _find_newest(self, limit):
        """Find the newest row below `limit`, going back from the block begun last.

        Blocks passed on the way hold nothing that counts. Returns the row's number or `_NONE`.
        """
        while True:
            newest = _NONE
            for block in range(self._blocks):
                if self._firsts[block] == _NONE:
                    continue
                if newest == _NONE or self._begun[block] > self._begun[newest]:
                    newest = block
            if newest == _NONE:
                return _NONE
            found = self._find_last(newest, limit)
            if found != _NONE:
                return found
            self._firsts[newest] = _NONE

    def _find_last(self, block, limit):
        """Find the last row below `limit` of one block; make it the place to go on from."""
        end = 0
        for slot in range(self._rows - 1, -1, -1):
            self._read_slot(block, slot)
            if not end:
                if nor.is_all(self._row, self._size, 0xFF):
                    continue
                end = slot + 1
            number = self._number()
            if number != _NONE and number < limit:
                self._block = block
                self._slot = end
                self._kept = slot + 1
                return number
        return _NONE

    def _drop_strangers(self):
        """Keep only the blocks that lead up to the newest, each begun before the next."""
        newest = self._block
        begun = self._begun[newest]
        first = self._firsts[newest]
        for back in range(1, self._blocks):
            block = (newest - back) % self._blocks
            if self._firsts[block] == _NONE:
                continue
            if self._begun[block] < begun and self._firsts[block] < first:
                begun = self._begun[block]
                first = self._firsts[block]
            else:
                self._firsts[block] = _NONE

    def _set_first(self):
        """Let the oldest row be the oldest that is there, but none beyond the capacity."""
        first = self.next
        for block in range(self._blocks):
            here = self._firsts[block]
            if here != _NONE and here < first:
                first = here
        self.first = max(first, self.next - self.capacity)

    def _offset(self, slot):
        """Return where a slot begins in its block."""
        if slot < self._in_head:
            return _HEADER_BYTES + slot * self._size
        slot -= self._in_head
        return (1 + slot // self._in_page) * PAGE_BYTES + slot % self._in_page * self._size

    def _read_slot(self, block, slot):
        self._device.readblocks(self._from + block, self._row, self._offset(slot))

    def _number(self):
        """Return the number of the row just read, `_NONE` if it does not check."""
        row = self._row
        number = nor.number_at(row, _NUMBER_AT)
        if number >= _LIMIT:
            return _NONE
        nor.copy(self._crc, 0, row, 0, _CRC_BYTES)
        nor.fill_part(row, 0, _CRC_BYTES, 0)
        struct.pack_into("<I", row, 0, crc32(row))
        return number if nor.is_same(row, self._crc, _CRC_BYTES) else _NONE

    def read(self, number, buffer):
        """Copy one row.

        Parameters
        ----------
        number : int
            `first` to `next - 1`, in any order; rising order is the fastest.
        buffer : bytearray
            At least `row_bytes`.

        Returns
        -------
        bool
            False when the row is not there or no longer checks; the buffer is unchanged.

        Raises
        ------
        TooLong
            The buffer is too short.

        Allocates: nothing, but on a 32-bit chip the checksum's own integer per row.
        """
        if len(buffer) < self.row_bytes:
            raise TooLong
        if not self.first <= number < self.next:
            return False
        block = self._block_of(number)
        if block == _NONE:
            return False
        # Rows lie side by side; those that were passed over can only push a row further back.
        for slot in range(number - self._firsts[block], self._rows):
            self._read_slot(block, slot)
            found = self._number()
            if found == number:
                nor.copy(buffer, 0, self._row, _ROW_BYTES, self.row_bytes)
                return True
            if found > number:
                break
        return False

    def _block_of(self, number):
        """Return the newest block whose rows begin at or before `number`."""
        for back in range(self._blocks):
            block = (self._block - back) % self._blocks
            if self._firsts[block] != _NONE and self._firsts[block] <= number:
                return block
        return _NONE

    def append(self, row):
        """Write one row with the number `next`.

        On good flash one program, after at most one erase, and none when `prepare()` is called
        between rows; the first call after `mount()` also clears what a cut may have left.

        Parameters
        ----------
        row : bytearray or bytes
            `row_bytes` bytes.

        Raises
        ------
        TooLong
            The row has another length.
        WornOut
            Four blocks were tried. Nothing that is there is lost; the next call tries others.

        Allocates: nothing, but on a 32-bit chip the checksum's own integer.
        """
        if len(row) != self.row_bytes:
            raise TooLong
        if not self._is_clean:
            self._clean()
        erases_left = ERASES_MAX
        while True:
            while self._slot < self._rows:
                slot = self._slot
                self._slot += 1
                if self._write(slot, row):
                    self.next += 1
                    self._kept = self._slot
                    self._has_appended = True
                    self.first = max(self.first, self.next - self.capacity)
                    return
            if not erases_left:
                raise WornOut
            erases_left -= 1
            self._begin_block()

    def _write(self, slot, row):
        """Program one row, with the header before the first; return whether it reads back."""
        head = self._row
        struct.pack_into(_ROW, head, 0, 0, self.next)
        nor.copy(head, _ROW_BYTES, row, 0, self.row_bytes)
        struct.pack_into("<I", head, 0, crc32(head))
        nor.fill(self._page, 0xFF)
        at = self._offset(slot)
        nor.copy(self._page, at % PAGE_BYTES, head, 0, self._size)
        if slot == 0:
            self._put_header()
        self._program(at)
        block = self._from + self._block
        if slot == 0:
            self._device.readblocks(block, self._header_back, 0)
            if self._header_back != self._header:
                self._slot = self._rows  # a block without header is passed over
                return False
            self._firsts[self._block] = self.next
            self._generation += 1
        self._device.readblocks(block, self._row_back, at)
        return self._row_back == head

    def _put_header(self):
        header = self._header
        struct.pack_into(_HEADER, header, 0, _MAGIC, self._generation, self.next, 0)
        struct.pack_into("<I", header, _HEADER_CRC_AT, crc32(header, self._seed))
        nor.copy(self._page, 0, header, 0, _HEADER_BYTES)

    def _program(self, offset):
        """Program the page in which `offset` lies."""
        self._device.writeblocks(
            self._from + self._block, self._page, offset - offset % PAGE_BYTES
        )

    def _begin_block(self):
        if not self._prepared:
            self._erase_next()
        self._block = self._next_block()
        self._slot = self._kept = 0
        self._prepared = False

    def _next_block(self):
        block = (self._block + 1) % self._blocks
        # The block of the newest row stays, even if no other takes rows any more.
        if self.next > self.first and block == self._block_of(self.next - 1):
            block = (block + 1) % self._blocks
        return block

    def _erase_next(self):
        block = self._next_block()
        self._firsts[block] = _NONE
        self._set_first()
        self._device.ioctl(IOCTL_BLOCK_ERASE, self._from + block)

    def prepare(self):
        """Erase the next block if it will be needed soon.

        Call it when nobody talks. It does nothing before the first row of a run, so that a
        module that restarts for ever does not wear a block out.

        Returns
        -------
        bool
            True when it erased.
        """
        if self._prepared or not self._has_appended or self._slot + ROWS_AHEAD < self._rows:
            return False
        self._erase_next()
        self._prepared = True
        return True

    def _clean(self):
        """Program to 0 what a cut may have left, so that it reads the same for ever.

        Rows that do not count, headers of blocks that do not count, and then the first slot that
        looks blank: its program may have been cut before a bit could be seen. That slot is last
        and alone, so that a cut in here leaves no second one.
        """
        for block in range(self._blocks):
            if self._firsts[block] == _NONE:
                self._clear_header(block)
        self._clear(self._kept, self._slot)
        if self._slot < self._rows:
            self._clear(self._slot, self._slot + 1)
            self._slot += 1
        self._is_clean = True

    def _clear_header(self, block):
        self._device.readblocks(self._from + block, self._header, 0)
        if nor.is_all(self._header, _HEADER_BYTES, 0xFF):
            return
        if nor.is_all(self._header, _HEADER_BYTES, 0):
            return
        nor.fill(self._page, 0xFF)
        nor.fill_part(self._page, 0, _HEADER_BYTES, 0)
        self._device.writeblocks(self._from + block, self._page, 0)

    def _clear(self, start, end):
        """Program the slots from `start` to before `end` to 0, page by page."""
        slot = start
        while slot < end:
            nor.fill(self._page, 0xFF)
            at = self._offset(slot)
            page = at // PAGE_BYTES
            while slot < end and self._offset(slot) // PAGE_BYTES == page:
                nor.fill_part(self._page, self._offset(slot) % PAGE_BYTES, self._size, 0)
                slot += 1
            self._program(at)
