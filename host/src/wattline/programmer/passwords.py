"""Where passwords and keys come from: a file, the environment, or a prompt.

Never from the command line, which other users of the computer can see.
"""

import getpass
import json
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any

from endpoint.keys import KEYS, KeyRefused, check_keys
from wattline.errors import WattlineError

VARIABLE = "WATTLINE_PASSWORD"
PROMPT = "prompt"
PASSWORD_MAX_BYTES = 20
_FILE_MAX_BYTES = 4096
# What a new set of keys holds: the meter's own password belongs to the meter, a group's to all.
NEW = ("read_password", "write_password", "admin_password", "line_key")
_PASSWORD_CHARS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_NEW_PASSWORD_CHARS = 16


def password(source: str | None, level: str) -> bytes | None:
    """Return a password of the programming port.

    Parameters
    ----------
    source : str or None
        A file, or ``prompt``; None takes the environment variable if it is set.
    level : str
        Which one of a keys file is meant: ``read``, ``write`` or ``admin``.

    Returns
    -------
    bytes or None
        None: none was given.

    Raises
    ------
    WattlineError
        With a sentence that does not show the password.
    """
    if source is None:
        text = os.environ.get(VARIABLE)
        return None if text is None else _bounded(text.encode(), f"${VARIABLE}")
    if source == PROMPT:
        return _bounded(getpass.getpass(f"Password ({level}): ").encode(), "the password")
    path = Path(source)
    data = _contents(path)
    keys = _fields(path, data)
    if keys is None:
        return _bounded(data.splitlines()[0].strip() if data.strip() else b"", str(path))
    return _checked(path, keys)[f"{level}_password"] or None


def read_keys(path: Path) -> dict[str, str]:
    """Return a module's secrets by name, hexadecimal, from a TOML or JSON file.

    Raises
    ------
    WattlineError
        The file cannot be read or a key is refused; the sentence names the key only.
    """
    keys = _fields(path, _contents(path))
    if not keys:
        raise WattlineError(
            f'{path} holds no keys; write lines such as read_password = "<hexadecimal digits>"'
        )
    _checked(path, keys)
    if not keys.get("admin_password"):
        raise WattlineError(
            f"{path} has no admin_password; without one nobody could change the keys again"
        )
    return keys


def make_keys(path: Path) -> dict[str, str]:
    """Write new random secrets into a new file that only its owner can read, and return them.

    Raises
    ------
    WattlineError
        The file is there already, or cannot be written.
    """
    keys = {}
    for name in NEW:
        if name.endswith("password"):
            chars = (secrets.choice(_PASSWORD_CHARS) for _ in range(_NEW_PASSWORD_CHARS))
            keys[name] = "".join(chars).encode().hex()
        else:
            keys[name] = secrets.token_hex(KEYS[name][0])
    lines = [f'{name} = "{keys[name]}"  # {KEYS[name][2]}' for name in keys]
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WattlineError(
            f"{path} is there already; keys are never overwritten, name a new file"
        ) from None
    except OSError as error:
        raise WattlineError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())  # before a module depends on them
    return keys


def _contents(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_MAX_BYTES + 1)
    except OSError as error:
        raise WattlineError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_MAX_BYTES:
        raise WattlineError(f"{path} is too long for a password or keys")
    return data


def _fields(path: Path, data: bytes) -> dict[str, Any] | None:
    """Return what a keys file says, None if it is a plain password."""
    try:
        text = data.decode()
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError:
        return None
    return found if set(found) & set(KEYS) else None


def _checked(path: Path, keys: dict[str, Any]) -> dict[str, bytes]:
    try:
        return check_keys(keys)
    except KeyRefused as error:
        raise WattlineError(f"{path}: {error}") from None


def _bounded(secret: bytes, where: str) -> bytes:
    if not 1 <= len(secret) <= PASSWORD_MAX_BYTES:
        raise WattlineError(
            f"{where} holds no password: it has 1 to {PASSWORD_MAX_BYTES} characters"
        )
    return secret
