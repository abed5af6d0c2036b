"""Which room of the device code may import what; the table is the rule, the rest looks it up."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

PACKAGE = "endpoint"

_PURE_MODULES = frozenset({"micropython", "struct", "array", "binascii", "hashlib"})
_CHIP_MODULES = frozenset({"asyncio", "machine", "os", "rp2", "time", "uctypes"})
_TASK_MODULES = frozenset({"asyncio", "gc", "json", "sys"})
_PURE_ROOMS = frozenset({"optical", "meter", "metering", "line", "store", "update"})
_COMMON_FILES = frozenset({"keys", "settings", "version"})


@dataclass(frozen=True)
class Allowed:
    """What the files of one room may import besides their own room; None: anything."""

    modules: frozenset[str] | None
    rooms: frozenset[str] | None


RULE = {
    "version": Allowed(frozenset(), frozenset()),
    "settings": Allowed(_PURE_MODULES, frozenset({"version"})),
    "keys": Allowed(_PURE_MODULES, frozenset()),
    "optical": Allowed(_PURE_MODULES, frozenset()),
    "meter": Allowed(_PURE_MODULES, frozenset({"optical"})),
    "metering": Allowed(_PURE_MODULES, frozenset()),
    "line": Allowed(_PURE_MODULES, frozenset()),
    "store": Allowed(_PURE_MODULES, frozenset()),
    "update": Allowed(_PURE_MODULES, frozenset({"store"})),
    "hal": Allowed(_PURE_MODULES | _CHIP_MODULES, frozenset()),
    "commands": Allowed(_PURE_MODULES, _PURE_ROOMS | _COMMON_FILES),
    "books": Allowed(_PURE_MODULES, _PURE_ROOMS),
    "contents": Allowed(_PURE_MODULES, _PURE_ROOMS),
    "linestate": Allowed(_PURE_MODULES, _PURE_ROOMS),
    "readings": Allowed(_PURE_MODULES, _PURE_ROOMS),
    "module": Allowed(
        _PURE_MODULES | _TASK_MODULES,
        _PURE_ROOMS | _COMMON_FILES | {"books", "commands", "hal", "programming", "readings"},
    ),
    "programming": Allowed(_PURE_MODULES, _PURE_ROOMS | _COMMON_FILES | {"commands"}),
    "tasks": Allowed(
        _PURE_MODULES | _TASK_MODULES,
        _PURE_ROOMS | _COMMON_FILES | {"books", "commands", "hal", "programming"},
    ),
    "app": Allowed(None, None),
}


def violations(path: str, source: str) -> list[str]:
    """Return one sentence for each import of a device file that its room does not allow.

    Parameters
    ----------
    path : str
        Path below `endpoint/`, such as ``optical/packet.py``.
    source : str
        The file's text.
    """
    room = path.split("/")[0].removesuffix(".py")
    if room == "__init__":
        room = "version"
    allowed = RULE.get(room)
    if allowed is None:
        return [f"{path}: {room} is no room of the house"]
    return [
        f"{path}:{line}: {room} must not import {name}"
        for line, name in _imports(ast.parse(source))
        if not _may(allowed, room, name)
    ]


def _may(allowed: Allowed, room: str, name: str) -> bool:
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return allowed.modules is None or parts[0] in allowed.modules
    target = parts[1] if len(parts) > 1 else ""
    return allowed.rooms is None or target == room or target in allowed.rooms


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import that runs on the device."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, name) for name in _from(node))
        yield from _imports(node)


def _from(node: ast.ImportFrom) -> list[str]:
    if node.level:
        return [f"{PACKAGE}.<relative>"]
    if node.module == PACKAGE:
        return [f"{PACKAGE}.{alias.name}" for alias in node.names]
    return [node.module or ""]
