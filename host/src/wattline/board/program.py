"""Write settings into a module: checked here, written whole, read back."""

import json
from typing import Any

from endpoint.line.profile import PROFILES
from endpoint.settings import SettingsError, check
from wattline.board.session import Executor
from wattline.errors import RunError, WattlineError

# Written beside and renamed: a power cut leaves the old settings or the new ones.
_WRITE = """
import os
with open('/settings.new', 'w') as f:
    f.write({text!r})
os.rename('/settings.new', '/settings.json')
print(open('/settings.json').read(), end='')
"""
_FORMS = """
import board
from endpoint.metering import forms
print(','.join(forms.names(board.PART_NUMBER)))
"""


def program(executor: Executor, fields: dict[str, Any]) -> dict[str, Any]:
    """Check `fields` against the board's forms, write them, verify; return what was written.

    Raises
    ------
    WattlineError
        A field is refused; nothing was written.
    RunError
        The module did not keep what was written.
    """
    forms = executor.exec(_FORMS).strip().split(",")
    try:
        settings = check(fields, forms, PROFILES)
    except SettingsError as error:
        raise WattlineError(f"{error}; nothing was written") from error
    text = json.dumps(settings, sort_keys=True)
    if executor.exec(_WRITE.format(text=text)) != text:
        raise RunError("the module's settings do not read back as written; program it again")
    return settings
