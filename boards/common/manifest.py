"""What every board freezes: start-up, application, board data, build information.

Files are listed in sorted order, so that the image does not depend on the order in which
a file system returns them.
"""

import os

include("$(MPY_DIR)/extmod/asyncio")
# The port's own start-up code stays out: it formats a flash that does not mount.
module("rp2.py", base_path="$(PORT_DIR)/modules")


# Descriptions of tables for a PC; the chip never imports them.
FOR_A_PC = {"decimals.py", "fields.py", "schema.py"}


def freeze_folder(base, folder):
    """Freeze every module of `folder` under its path relative to `base`."""
    for directory, folders, files in os.walk(os.path.join(base, folder)):
        folders[:] = sorted(set(folders) - {"__pycache__", "tests"})
        for file in sorted(files):
            if file.endswith(".py") and file not in FOR_A_PC:
                path = os.path.relpath(os.path.join(directory, file), base)
                module(path, base_path=base)


freeze_folder("../../firmware/boot", ".")
freeze_folder("../../firmware", "endpoint")
module("flash_layout.py", base_path=".")
module("wiring.py", base_path=".")
module("board.py", base_path="$(BOARD_DIR)")
module("build_info.py", base_path="$(BUILD_INFO_DIR)")
