"""Write the read-only file system that a slot holds; `endpoint.update.romfs` reads it.

Source: MicroPython 1.25, `extmod/vfs_rom.c`, description of the format.
"""

_FILE_SYSTEM, _VERBATIM, _DIRECTORY, _FILE = 0x14A6B1, 2, 4, 5


def _number(value: int) -> bytes:
    """Return `value` in groups of seven bits, most significant first."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _named(kind: int, name: str, payload: bytes) -> bytes:
    return _record(kind, _number(len(name)) + name.encode("ascii") + payload)


def pack(files: dict[str, bytes]) -> bytes:
    """Return the file system that holds `files`, by path with `/` between the parts.

    Files and folders are sorted, so that the same files give the same bytes.
    """
    body = _folder({tuple(path.split("/")): content for path, content in files.items()})
    head, length = _number(_FILE_SYSTEM), _number(len(body))
    if (len(head) + len(length) + len(body)) % 2:
        length = b"\x80" + length  # the whole must have an even number of bytes
    return head + length + body


def _folder(files: dict[tuple[str, ...], bytes]) -> bytes:
    parts = []
    for name in sorted({path[0] for path in files}):
        if (name,) in files:
            parts.append(_named(_FILE, name, _record(_VERBATIM, files[(name,)])))
        else:
            inside = {path[1:]: content for path, content in files.items() if path[0] == name}
            parts.append(_named(_DIRECTORY, name, _folder(inside)))
    return b"".join(parts)
