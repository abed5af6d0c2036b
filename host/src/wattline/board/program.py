"""Settings and keys of a module at the MicroPython prompt: written whole, read back."""

import json
from typing import Any

from endpoint.keys import KeyRefused, check_keys
from endpoint.line.profile import PROFILES
from endpoint.settings import SettingsError, check
from wattline.board.session import Executor
from wattline.errors import RunError, WattlineError

# Replaced by a rename each: a power cut leaves the old file or the new one. Keys are compared on
# the module and never printed.
_WRITE = """
import json
from endpoint.hal import files
keys = {keys!r}
settings = {settings!r}
if keys:
    old = files.read('/keys.json', 4096)
    try:
        all_keys = json.loads(old) if old else {{}}
    except ValueError:
        all_keys = {{}}
    all_keys.update(keys)
    text = json.dumps(all_keys).encode()
    files.replace('/keys.json', text)
    assert files.read('/keys.json', 4096) == text
files.replace('/settings.json', settings)
print(files.read('/settings.json', 4096).decode(), end='')
"""
_FACTS = """
import json, board, build_info
from binascii import crc32
from machine import unique_id
from endpoint.hal import files
from endpoint.metering import forms
from endpoint.version import FIRMWARE_VERSION
text = files.read('/settings.json', 4096)
print(json.dumps({
    'board': build_info.BOARD,
    'chip': '%08x' % crc32(unique_id()),
    'firmware': FIRMWARE_VERSION,
    'forms': forms.names(board.PART_NUMBER),
    'settings': None if text is None else text.decode(),
}))
"""
_LABEL = """
from machine import unique_id
from endpoint.module import label
print(label(unique_id()).decode(), end='')
"""


def facts(executor: Executor) -> dict[str, Any]:
    """Return `board`, `chip`, `firmware`, `forms` and `settings` of a module.

    `settings` is None for a module that nobody has programmed, and {} when they are damaged.
    """
    found = json.loads(executor.exec(_FACTS))
    if found["settings"] is not None:
        try:
            settings = json.loads(found["settings"])
        except ValueError:
            settings = {}
        found["settings"] = settings if isinstance(settings, dict) else {}
    return found


def label(executor: Executor) -> str:
    """Return the first password of a module that has no keys yet."""
    return executor.exec(_LABEL)


def program(
    executor: Executor, fields: dict[str, Any], keys: dict[str, str] | None = None
) -> dict[str, Any]:
    """Check `fields` against the board's forms, write them, verify; return what was written.

    Parameters
    ----------
    keys : dict of str to str, optional
        Secrets by name, hexadecimal; those that are not named stay as they are.

    Raises
    ------
    WattlineError
        A field or a key is refused; nothing was written.
    RunError
        The module did not keep what was written.
    """
    try:
        settings = check(fields, facts(executor)["forms"], PROFILES)
        check_keys(keys or {})
    except (SettingsError, KeyRefused) as error:
        raise WattlineError(f"{error}; nothing was written") from error
    text = json.dumps(settings, sort_keys=True)
    if executor.exec(_WRITE.format(keys=keys or {}, settings=text.encode())) != text:
        raise RunError("the module's settings do not read back as written; program it again")
    return settings
