"""Start-up never formats a flash that holds anything."""

from boot import storage

BLOCK_BYTES = 4096
BLOCKS = 8


class RamFlash:
    """A block device of erased flash that counts what is done to it."""

    def __init__(self):
        self.content = bytearray(b"\xff" * (BLOCK_BYTES * BLOCKS))
        self.reads = 0
        self.changes = 0

    def readblocks(self, number, buffer, offset=0):
        self.reads += 1
        start = number * BLOCK_BYTES + offset
        buffer[:] = self.content[start : start + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        self.changes += 1
        start = number * BLOCK_BYTES + offset
        self.content[start : start + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.changes += 1
            start = argument * BLOCK_BYTES
            self.content[start : start + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return 0


class Vfs:
    """The part of MicroPython's `vfs` that start-up uses; the real LittleFS where there is one."""

    def __init__(self):
        self.mounted = None
        try:
            from vfs import VfsLfs2
        except ImportError:
            VfsLfs2 = StandIn  # noqa: N806 - the name that MicroPython gives it
        self.VfsLfs2 = VfsLfs2

    def mount(self, file_system, path):
        self.mounted = (file_system, path)


class StandIn:
    """LittleFS for CPython: a mark in the first block is the whole file system."""

    MARK = b"littlefs"

    def __init__(self, device, progsize):
        head = bytearray(len(self.MARK))
        device.readblocks(0, head, 8)
        if head != self.MARK:
            raise OSError(84)

    @staticmethod
    def mkfs(device, progsize):
        device.ioctl(6, 0)
        device.writeblocks(0, StandIn.MARK, 8)


def formatted():
    flash = RamFlash()
    Vfs().VfsLfs2.mkfs(flash, progsize=256)
    flash.changes = 0
    return flash


def test_blank_flash_is_formatted_and_mounted():
    flash, vfs = RamFlash(), Vfs()
    storage.mount(flash, flash, vfs)
    assert storage.state == storage.FORMATTED
    assert vfs.mounted[1] == "/"
    assert flash.changes > 0


def test_file_system_is_mounted_as_it_is():
    flash, vfs = formatted(), Vfs()
    storage.mount(flash, flash, vfs)
    assert storage.state == storage.MOUNTED
    assert storage.reason == ""
    assert vfs.mounted[1] == "/"
    assert flash.changes == 0


def test_damaged_file_system_is_left_untouched():
    flash, vfs = formatted(), Vfs()
    for block in (0, 1):
        flash.content[block * BLOCK_BYTES : block * BLOCK_BYTES + 64] = b"\x00" * 64
    before = bytes(flash.content)
    storage.mount(flash, flash, vfs)
    assert storage.state == storage.REFUSED
    assert "format" in storage.reason
    assert vfs.mounted is None
    assert flash.changes == 0
    assert flash.content == before


def test_one_byte_anywhere_forbids_formatting():
    for position in (0, 5000, BLOCK_BYTES * BLOCKS - 1):
        flash, vfs = RamFlash(), Vfs()
        flash.content[position] = 0xFE
        storage.mount(flash, flash, vfs)
        assert storage.state == storage.REFUSED
        assert flash.changes == 0


def test_data_outside_the_file_system_forbid_formatting():
    """The layout of an earlier image kept its files elsewhere: they must not vanish."""
    files, whole, vfs = RamFlash(), RamFlash(), Vfs()
    whole.content[100] = 0x7F
    storage.mount(files, whole, vfs)
    assert storage.state == storage.REFUSED
    assert vfs.mounted is None
    assert files.changes == whole.changes == 0


def test_looking_stops_at_the_first_byte_that_is_not_blank():
    flash = RamFlash()
    flash.content[BLOCK_BYTES] = 0
    assert not storage.is_blank(flash)
    assert flash.reads == 2


def test_a_refused_flash_can_be_formatted_on_purpose():
    flash, vfs = RamFlash(), Vfs()
    flash.content[:] = b"\x55" * len(flash.content)
    storage.mount(flash, flash, vfs)
    assert storage.state == storage.REFUSED
    storage.format(flash, vfs)
    storage.mount(flash, flash, vfs)
    assert storage.state == storage.MOUNTED
