"""Mount the file system, and never format a flash that holds anything.

The outcome stays here for the application and the console: `state` is one of the
constants below and `reason` says why, in one sentence for a person.

Context: start-up, before any task. Allocates: two blocks while it looks for data.
"""

MOUNTED = "mounted"
FORMATTED = "formatted"
REFUSED = "refused"

# Operations of the block device protocol's `ioctl`.
_COUNT_BLOCKS = 4
_BLOCK_BYTES = 5

_PROGRAM_BYTES = 256  # the flash is programmed in pages of this size

state = None
reason = ""


def is_blank(device):
    """Return whether every byte of a block device is 0xFF; stop at the first block that is not."""
    blank = b"\xff" * device.ioctl(_BLOCK_BYTES, 0)
    block = bytearray(len(blank))
    for number in range(device.ioctl(_COUNT_BLOCKS, 0)):
        device.readblocks(number, block)
        if block != blank:
            return False
    return True


def mount(device, flash, vfs):
    """Mount a block device at `/`; format it first only when the whole flash is blank.

    A device that does not mount although the flash holds something is left untouched: the
    module then runs without a file system, `state` is `REFUSED` and `reason` names the cure.
    That something may lie outside the device: another firmware's data, or this one's with
    another layout.

    Parameters
    ----------
    device : block device
        The part of the storage area that holds files.
    flash : block device
        The whole storage area.
    vfs : module
        MicroPython's `vfs`.
    """
    global state, reason
    try:
        file_system = vfs.VfsLfs2(device, progsize=_PROGRAM_BYTES)
        state = MOUNTED
        reason = ""
    except OSError as error:
        if not is_blank(flash):
            state = REFUSED
            reason = (
                "The file system does not mount (error %s) and the flash is not blank, so it was "
                "left as it is; save what you need, then format it." % error.args[0]
            )
            return
        format(device, vfs)
        file_system = vfs.VfsLfs2(device, progsize=_PROGRAM_BYTES)
        state = FORMATTED
        reason = "The flash was blank."
    vfs.mount(file_system, "/")


def format(device, vfs):
    """Erase a block device and make an empty file system on it, whatever it holds."""
    vfs.VfsLfs2.mkfs(device, progsize=_PROGRAM_BYTES)
