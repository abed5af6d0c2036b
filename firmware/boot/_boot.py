"""First Python code after reset, in place of the port's: import order and file system.

The interpreter runs `_boot`, then `boot`, then `main`, and takes each from the frozen
modules before it looks for a file. Imports are put in the same order here, so that a file
that happens to be called `endpoint` or `board` cannot replace the application.
"""

import sys

sys.path[:] = [".frozen", "", "/lib"]

import board  # noqa: E402 - must come from the frozen modules
import rp2  # noqa: E402
import storage  # noqa: E402
import vfs  # noqa: E402

# The stubs do not know that a part of the storage area can be asked for.
storage.mount(rp2.Flash(start=board.FILES_AT), rp2.Flash(), vfs)  # pyright: ignore[reportCallIssue]
