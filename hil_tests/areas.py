"""A part of a saved flash, as the module's own storage code expects its block device."""

BLOCK_BYTES = 4096


class Area:
    """Bytes of a flash content that are programmed and erased in place, without the time it takes.

    Parameters
    ----------
    content : bytearray
        The whole flash.
    at, count : int
        Offset into it and size in bytes.
    """

    def __init__(self, content, at, count):
        self.view = memoryview(content)[at : at + count]

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset):
        at = block * BLOCK_BYTES + offset
        self.view[at : at + len(buffer)] = buffer

    def ioctl(self, operation, block):
        if operation == 6:
            self.view[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return {4: len(self.view) // BLOCK_BYTES, 5: BLOCK_BYTES}.get(operation, 0)
