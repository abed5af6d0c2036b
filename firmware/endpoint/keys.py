"""A module's secrets: passwords of the programming port and of the meter, keys of the line.

They live in a file of their own, apart from the settings: settings are shown to whoever asks,
these are never shown. There is no default for any of them: what is not given stays closed.

Pure: a dictionary in, checked bytes out. The host checks with the same code before it writes.
"""

from binascii import unhexlify

# name: (least bytes, most bytes, what it is for)
KEYS = {
    "read_password": (8, 20, "reads the tables of the programming port"),
    "write_password": (8, 20, "changes settings and gives commands on the programming port"),
    "admin_password": (8, 20, "changes keys and opens the service window"),
    "meter_password": (1, 20, "is sent to the meter by the module"),
    "line_key": (16, 16, "seals this endpoint's commands and readings on the line"),
    # Slot 3 bytes, element 12, seconds of a slot 2: what the line's authority calls an anchor.
    "anchor": (17, 17, "ties this endpoint to the collector's released keys"),
}


class KeyRefused(Exception):
    """A secret was refused; the text names it and never shows it."""


def check_keys(fields):
    """Return the secrets as bytes, b"" for each that is not given.

    Parameters
    ----------
    fields : dict of str to str
        Hexadecimal digits by name.

    Raises
    ------
    KeyRefused
        With one sentence that names the field and not its content.
    """
    if not isinstance(fields, dict):
        raise KeyRefused("keys must be one object of names and hexadecimal texts")
    for name in fields:
        if name not in KEYS:
            raise KeyRefused("%s is not a key" % name)
    checked = {}
    for name in KEYS:
        least, most, _ = KEYS[name]
        checked[name] = _secret(name, fields.get(name, ""), least, most)
    passwords = [checked[name] for name in KEYS if name[-8:] == "password" and checked[name]]
    for i, password in enumerate(passwords):
        if password in passwords[:i]:
            raise KeyRefused("two passwords are the same; give each level its own")
    return checked


def _secret(name, text, least, most):
    if text == "":
        return b""
    try:
        secret = unhexlify(text)
    except (ValueError, TypeError):
        raise KeyRefused("%s must be hexadecimal digits, two for each byte" % name) from None
    if not least <= len(secret) <= most:
        raise KeyRefused("%s must have %d to %d bytes" % (name, least, most))
    if len(set(secret)) < 2 <= least:
        raise KeyRefused("%s must not be one byte repeated" % name)
    return secret
