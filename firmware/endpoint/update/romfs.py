"""Walk a read-only file system in memory: every file, where it lies, and whether it may be there.

Source: MicroPython 1.25, the format as its own reader takes it: records of kind, length, payload.
"""

from micropython import const

from endpoint.update import BadPath, Truncated

_FILE_SYSTEM = const(0x14A6B1)
_PADDING = const(1)
_VERBATIM = const(2)
_DIRECTORY = const(4)
_FILE = const(5)

# The application is this package and nothing else: no file may stand before a frozen module.
PACKAGE = "endpoint"
_NAME_MAX_BYTES = const(40)
_DEPTH_MAX = const(4)
_FILES_MAX = const(250)
_SUFFIX = ".mpy"


def _number(memory, at, end):
    """Return the number that begins at `at` and where it ends."""
    value = 0
    # Four bytes are more than any length here; padding may make it one longer.
    for position in range(at, min(end, at + 5)):
        byte = memory[position]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, position + 1
    raise Truncated


def _record(memory, at, end):
    """Return kind, start and end of the payload of the record at `at`."""
    kind, at = _number(memory, at, end)
    length, at = _number(memory, at, end)
    if length > end - at:
        raise Truncated
    return kind, at, at + length


def _name(memory, at, end):
    """Return the name that a directory or file begins with, and where it ends."""
    length, at = _number(memory, at, end)
    if not 0 < length <= min(_NAME_MAX_BYTES, end - at):
        raise BadPath
    name = bytes(memory[at : at + length])
    for byte in name:
        if not (97 <= byte <= 122 or 65 <= byte <= 90 or 48 <= byte <= 57 or byte in b"_."):
            raise BadPath
    return name.decode(), at + length


def files(memory):
    """Return every file of a file system.

    Parameters
    ----------
    memory : bytes-like
        The file system, whole.

    Returns
    -------
    list of (str, int, int)
        Path, offset of its data from the start of `memory`, and length in bytes.

    Raises
    ------
    Truncated
        A record goes on behind the end of what holds it.
    BadPath
        A file is no compiled module of the application, or a name is there twice or out of order.
    """
    kind, at, end = _record(memory, 0, len(memory))
    if kind != _FILE_SYSTEM or end != len(memory):
        raise Truncated
    found = []
    _walk(memory, at, end, "", 0, found)
    return found


def _walk(memory, at, end, parent, depth, found):
    last = ""
    while at < end:
        kind, start, after = _record(memory, at, end)
        if kind in (_DIRECTORY, _FILE):
            name, start = _name(memory, start, after)
            if name <= last:  # of two with one name the interpreter would take either
                raise BadPath
            last = name
            if depth == 0 and (name != PACKAGE or kind == _FILE):
                raise BadPath
            if kind == _FILE:
                if len(name) <= len(_SUFFIX) or name.find(".") != len(name) - len(_SUFFIX):
                    raise BadPath
                _take(memory, start, after, parent + name, found)
            else:
                if depth >= _DEPTH_MAX or "." in name:
                    raise BadPath
                _walk(memory, start, after, parent + name + "/", depth + 1, found)
        elif kind != _PADDING:
            raise BadPath
        at = after


def _take(memory, at, end, path, found):
    """Note the one piece of data that a file has; the builder writes no other kind."""
    kind, start, after = _record(memory, at, end)
    if kind != _VERBATIM or after != end or not path.endswith(_SUFFIX) or len(found) >= _FILES_MAX:
        raise BadPath
    found.append((path, start, after - start))
