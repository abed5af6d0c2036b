"""Small files that are replaced whole: after a power cut there is the old one or the new one."""

import os


def read(path, most):
    """Return a file's bytes, None if there is none; at most `most` + 1 of them."""
    try:
        with open(path, "rb") as file:
            return file.read(most + 1)
    except OSError:
        return None


def replace(path, data):
    """Write beside the file and rename: LittleFS makes the rename one step."""
    beside = path + ".new"
    with open(beside, "wb") as file:
        file.write(data)
    os.rename(beside, path)
