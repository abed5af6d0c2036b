"""A NOR flash that obeys the rules and loses power where it is told to.

A schedule is a string: operation counted from 1, how it is torn, and a number that picks the
bits, e.g. ``37:bits:5``. Programs and erases count as operations; reads do not. Repeating a
failure takes the string and nothing else.
"""

BLOCK_BYTES = 4096
PAGE_BYTES = 256

# How an operation ends when the power goes.
#   none  nothing was changed        first  the first bytes are done
#   bits  some bits are done         all    done, but the program never learnt it
TEARS = ("none", "first", "bits", "all")


class PowerCut(Exception):
    """The lights went out; only `power_on` helps."""


class RuleBroken(Exception):
    """The program did what NOR flash does not allow, or what no program may rely on."""


class FlashModel:
    """Blocks of 4096 bytes behind MicroPython's extended block protocol.

    Parameters
    ----------
    blocks : int
    fill : int
        Byte everywhere at first; 0xFF is a new chip.

    Attributes
    ----------
    erases : list of int
        For each block.
    programs : int
        Pages.
    weak : set of (int, int)
        Pages whose last program or erase was cut: to be erased before they are used.
    bad : set of (int, int)
        Pages in which one bit of a program does not stick.
    """

    def __init__(self, blocks, fill=0xFF):
        self.blocks = blocks
        self.data = bytearray(bytes([fill]) * (blocks * BLOCK_BYTES))
        self.erases = [0] * blocks
        self.programs = 0
        self.weak = set()
        self.bad = set()
        self.operations = 0
        self._cut_at = 0
        self._tear = "none"
        self._random = 1
        self._is_off = False

    def cut(self, schedule):
        """Plan the end of the power, counted from the operations done so far."""
        at, self._tear, seed = schedule.split(":")
        self._cut_at = self.operations + int(at)
        self._random = int(seed) * 2654435761 % 0x7FFFFFFF or 1

    def power_on(self):
        """Let the device work again, without a plan."""
        self._is_off = False
        self._cut_at = 0

    def _next(self):
        self._random = self._random * 48271 % 0x7FFFFFFF
        return self._random >> 8

    def _torn(self, old, new):
        """Return what a cut operation from `old` to `new` leaves."""
        if self._tear == "all":
            return new
        if self._tear == "none":
            return old
        if self._tear == "first":
            done = self._next() % len(new)
            return new[:done] + old[done:]
        mixed = bytearray(old)
        for index in range(len(mixed)):
            mixed[index] ^= (old[index] ^ new[index]) & self._next() & 0xFF
        return mixed

    def _operate(self, at, new):
        """Put `new` at byte `at`, or what the cut leaves of it."""
        self.operations += 1
        end = at + len(new)
        if self.operations != self._cut_at:
            self.data[at:end] = new
            return
        self.data[at:end] = self._torn(self.data[at:end], new)
        self._is_off = True
        if self._tear not in ("none", "all"):
            for page in range(at // PAGE_BYTES, end // PAGE_BYTES):
                self.weak.add(divmod(page, BLOCK_BYTES // PAGE_BYTES))
        raise PowerCut

    def _check_on(self):
        if self._is_off:
            raise PowerCut

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._check_on()
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset):
        """Program one page."""
        self._check_on()
        if offset % PAGE_BYTES or len(buffer) != PAGE_BYTES:
            raise RuleBroken("one aligned page at a time")
        page = (block, offset // PAGE_BYTES)
        if page in self.weak:
            raise RuleBroken("program of a page that was left half done")
        at = block * BLOCK_BYTES + offset
        old = self.data[at : at + PAGE_BYTES]
        if int.from_bytes(buffer, "big") & ~int.from_bytes(old, "big"):
            raise RuleBroken("program of a bit from 0 to 1")
        new = bytearray(buffer)
        if page in self.bad:
            new[self._next() % PAGE_BYTES] ^= 1
        self.programs += 1
        self._operate(at, new)

    def ioctl(self, request, argument):
        """Tell the size, or erase a block."""
        self._check_on()
        if request == 4:
            return self.blocks
        if request == 5:
            return BLOCK_BYTES
        if request == 6:
            self.erases[argument] += 1
            self._operate(argument * BLOCK_BYTES, bytearray(b"\xff" * BLOCK_BYTES))
            for page in range(BLOCK_BYTES // PAGE_BYTES):
                self.weak.discard((argument, page))
            return 0
        return None
