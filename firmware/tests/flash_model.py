"""A NOR flash that obeys the rules and loses power where it is told to.

A schedule is a string: operation counted from 1, how it is torn, and a number that picks the
bits, e.g. ``37:bits:5``. Programs and erases count as operations; reads do not. Repeating a
failure takes the string and nothing else.

`watcher` sees every operation before it happens; `fork()` and `tear()` let it try every end of
it without living the life again.
"""

try:
    from random import Random
except ImportError:  # MicroPython has no generator of one's own
    Random = None

BLOCK_BYTES = 4096
PAGE_BYTES = 256
PAGES = BLOCK_BYTES // PAGE_BYTES

# How an operation ends when the power goes.
#   none   it had not begun              first  the first bytes are done
#   bits   half of the bits are done     few    hardly any
#   shaky  each read finds something else: as before, as planned, or in between
#   all    done, but the program never learnt it
# A torn erase may also find bits programmed that were not: flash does that before it erases.
TEARS = ("none", "first", "bits", "few", "shaky", "all")

_MASK = 0x7FFFFFFF
# Marks the bytes of a page that are to be programmed; MicroPython has to look at each.
_USED = b"\xff" * 255 + b"\0" if hasattr(bytes, "translate") else None


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
    weak : dict of (int, int) to list
        Pages whose last operation was cut: what they held, what was planned, as integers, and
        whether reads differ. Their undone bits may be programmed to 0 or erased, nothing else.
    bad : set of (int, int)
        Pages in which one bit of a program does not stick.
    watcher : callable or None
        Called as `watcher(block, offset, new)` before each operation.
    """

    def __init__(self, blocks, fill=0xFF):
        self.blocks = blocks
        self.data = bytearray(bytes([fill]) * (blocks * BLOCK_BYTES))
        self.erases = [0] * blocks
        self.programs = 0
        self.weak = {}
        self.bad = set()
        self.operations = 0
        self.watcher = None
        self._cut_at = 0
        self._tear = "none"
        self._random = 1
        self._is_off = False

    def fork(self):
        """Return another flash with the same content and no plan."""
        other = FlashModel(0)
        other.blocks = self.blocks
        other.data = bytearray(self.data)
        other.erases = list(self.erases)
        other.programs = self.programs
        other.weak = {page: list(state) for page, state in self.weak.items()}
        other.bad = set(self.bad)
        other.operations = self.operations
        other._random = self._random
        return other

    def cut(self, schedule):
        """Plan the end of the power, counted from the operations done so far."""
        at, self._tear, seed = schedule.split(":")
        self._cut_at = self.operations + int(at)
        self._random = int(seed) * 2654435761 % _MASK or 1

    def tear(self, block, offset, new, tear, seed):
        """Do one operation as far as it gets before the power goes, and give it back."""
        self._tear = tear
        self._random = seed * 2654435761 % _MASK or 1
        self._torn(block, offset, new)

    def power_on(self):
        """Let the device work again, without a plan."""
        self._is_off = False
        self._cut_at = 0

    def _next(self):
        self._random = self._random * 48271 % _MASK
        return self._random >> 8

    def _bits(self):
        """Return a page of random bits as an integer."""
        if Random:
            return Random(self._next()).getrandbits(8 * PAGE_BYTES)
        value = 0
        for _ in range(PAGE_BYTES // 2):
            value = value << 16 | self._next() & 0xFFFF
        return value

    def _torn(self, block, offset, new):
        """Leave what a cut operation leaves."""
        if self._tear == "none":
            return
        at = block * BLOCK_BYTES + offset
        if self._tear == "all":
            self.data[at : at + len(new)] = new
            self._forget_weak(block, offset, len(new))
            return
        is_erase = len(new) == BLOCK_BYTES
        done = self._next() % len(new) if self._tear == "first" else 0
        for start in range(0, len(new), PAGE_BYTES):
            page = self.data[at + start : at + start + PAGE_BYTES]
            plan = int.from_bytes(new[start : start + PAGE_BYTES], "big")
            key = (block, (offset + start) // PAGE_BYTES)
            if is_erase and self._tear in ("few", "shaky"):
                page = (int.from_bytes(page, "big") & (self._bits() | self._bits())).to_bytes(
                    PAGE_BYTES, "big"
                )
            before = int.from_bytes(page, "big")
            weak = self.weak.get(key)
            if weak is None or is_erase:
                weak = self.weak[key] = [before, plan, False]
            weak[1] &= plan
            if is_erase:
                weak[0] &= ~(before & self._bits() & self._bits())  # no bit is beyond doubt
                weak[1] = plan
            weak[2] = self._tear == "shaky"
            if self._tear == "first":
                keep = max(0, min(PAGE_BYTES, done - start))
                page = new[start : start + keep] + page[keep:]
            else:
                mask = self._bits()
                if self._tear == "few":
                    mask &= self._bits() & self._bits() & self._bits()
                page = (before ^ (before ^ plan) & mask).to_bytes(PAGE_BYTES, "big")
            self.data[at + start : at + start + PAGE_BYTES] = page

    def _forget_weak(self, block, offset, count):
        """Drop doubts that an operation over these bytes ends."""
        if not self.weak:
            return
        for page in range(offset // PAGE_BYTES, (offset + count) // PAGE_BYTES):
            weak = self.weak.get((block, page))
            if weak is None:
                continue
            at = block * BLOCK_BYTES + page * PAGE_BYTES
            new = int.from_bytes(self.data[at : at + PAGE_BYTES], "big")
            if count == PAGE_BYTES:
                # A program: what is 0 now is 0 for certain.
                weak[0] &= new | ~(weak[0] ^ weak[1])
                weak[1] &= new | ~(weak[0] ^ weak[1])
            if count == BLOCK_BYTES or weak[0] == weak[1]:
                del self.weak[block, page]

    def _operate(self, block, offset, new):
        """Put `new` in its place, or what the cut leaves of it."""
        if self.watcher:
            self.watcher(block, offset, new)
        self.operations += 1
        if self.operations == self._cut_at:
            self._torn(block, offset, new)
            self._is_off = True
            raise PowerCut
        at = block * BLOCK_BYTES + offset
        self.data[at : at + len(new)] = new
        self._forget_weak(block, offset, len(new))

    def _check_on(self):
        if self._is_off:
            raise PowerCut

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._check_on()
        if self.weak:
            self._shake(block, offset, len(buffer))
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def _shake(self, block, offset, count):
        """Let the shaky pages of a read show another face."""
        for page in range(offset // PAGE_BYTES, (offset + count - 1) // PAGE_BYTES + 1):
            weak = self.weak.get((block, page))
            if weak is None or not weak[2]:
                continue
            face = self._next() % 4
            value = weak[face & 1]
            if face & 2:
                value = weak[0] ^ (weak[0] ^ weak[1]) & self._bits()
            at = block * BLOCK_BYTES + page * PAGE_BYTES
            self.data[at : at + PAGE_BYTES] = value.to_bytes(PAGE_BYTES, "big")

    def writeblocks(self, block, buffer, offset):
        """Program one page."""
        self._check_on()
        if offset % PAGE_BYTES or len(buffer) != PAGE_BYTES:
            raise RuleBroken("one aligned page at a time")
        page = (block, offset // PAGE_BYTES)
        at = block * BLOCK_BYTES + offset
        old = int.from_bytes(self.data[at : at + PAGE_BYTES], "big")
        new = int.from_bytes(buffer, "big")
        weak = self.weak.get(page)
        if weak is None:
            # Bytes of 255 and of 0 may stand over anything; all others need what they set.
            if new & ~old:
                new = self._over(old, buffer)
        else:
            new = self._over_weak(weak, old, buffer)
        if page in self.bad:
            new |= self._stuck(old & ~new)
        self.programs += 1
        self._operate(block, offset, bytearray(new.to_bytes(PAGE_BYTES, "big")))

    def _stuck(self, due):
        """Return one of the bits that a program should turn to 0."""
        high = due >> 8 * (self._next() % PAGE_BYTES) << 8 * (self._next() % PAGE_BYTES)
        due = high & due or due
        return due & -due

    def _over(self, old, buffer):
        """Return a page after a program; only bytes of 255 leave bits that are 0 as they are."""
        if _USED:
            used = int.from_bytes(buffer.translate(_USED), "big")
            if used & int.from_bytes(buffer, "big") & ~old:
                raise RuleBroken("program of a bit from 0 to 1")
            return old & int.from_bytes(buffer, "big")
        was = old.to_bytes(PAGE_BYTES, "big")
        for index in range(PAGE_BYTES):
            if buffer[index] != 0xFF and buffer[index] & ~was[index]:
                raise RuleBroken("program of a bit from 0 to 1")
        return old & int.from_bytes(buffer, "big")

    def _over_weak(self, weak, old, buffer):
        doubt = (weak[0] ^ weak[1]).to_bytes(PAGE_BYTES, "big")
        for index in range(PAGE_BYTES):
            if doubt[index] and buffer[index] not in (0, 0xFF):
                raise RuleBroken("program of a byte that was left half done")
        return self._over(old, buffer)

    def ioctl(self, request, argument):
        """Tell the size, or erase a block."""
        self._check_on()
        if request == 4:
            return self.blocks
        if request == 5:
            return BLOCK_BYTES
        if request == 6:
            self.erases[argument] += 1
            self._operate(argument, 0, _ERASED)
            return 0
        return None


_ERASED = bytearray(b"\xff" * BLOCK_BYTES)
