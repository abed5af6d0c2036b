"""Which programming system the user speaks for, and what its version may do. Rules G-2, R43, R44.

MAS works at the meter, EAS is the administration that also reaches modules from afar.
"""

import re

from wattline.errors import WattlineError

ROLES = ("mas", "eas")
# Re-flashing for streaming needs this version of either system. Source: data sheet
# PUBS-0624-0001 Rev G, hourly streaming; rule G-2.
REFLASH_VERSION = (3, 2)


def check_reflash(role: str, version: str) -> None:
    """Refuse a role that may not re-flash a module.

    Parameters
    ----------
    role : str
        ``mas`` or ``eas``.
    version : str
        Of that system, such as ``3.2``; compared field by field as numbers.

    Raises
    ------
    WattlineError
        Unknown role, version that is none, or one that is too old.
    """
    if role.lower() not in ROLES:
        raise WattlineError(f"there is no role {role!r}: choose one of {', '.join(ROLES)}")
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", version):
        raise WattlineError(f"{version!r} is no version: write numbers such as 3.2")
    fields = tuple(map(int, version.split(".")))
    if fields + (0,) * (len(REFLASH_VERSION) - len(fields)) < REFLASH_VERSION:
        needed = ".".join(map(str, REFLASH_VERSION))
        raise WattlineError(
            f"{role.upper()} {version} may not re-flash modules: use {role.upper()} {needed} or "
            "later"
        )
