"""What a programmer may set in a module, and the limits of each field.

Pure: a dictionary in, a checked dictionary out. The host checks with the same code before it
writes, the module checks again when it reads.
"""

# Fields that belong in the meter, never in the module (R21, rule E-6).
_MULTIPLIERS = ("ct", "pt", "vt", "kh", "multiplier", "ratio", "ct_ratio", "pt_ratio")

# name: (least, most, default); None as a default means the field must be given.
_INTEGERS = {
    "eid": (1, 0xFEFFFFFF, None),
    "poll_s": (10, 3600, 60),
    "channel": (0, 13000, 0),
    # Largest believable power where ratios in the meter make the form's own too small; 0: the
    # form's.
    "largest_kw": (0, 100000, 0),
}
_SWITCHES = {"detent": True, "net": False}
_NAMES = {"form": None, "profile": "bench"}


class SettingsError(Exception):
    """A setting was refused; the text names the field and what it may be."""


def check(fields, forms, profiles):
    """Return a complete, checked copy of `fields`.

    Parameters
    ----------
    fields : dict
        Settings by name. `channel` 0 means "derived from the EID".
    forms : list of str
        Meter forms that this board serves.
    profiles : dict
        Line profiles by name, each with `has(channel)`.

    Raises
    ------
    SettingsError
        With one sentence that names the field.
    """
    if not isinstance(fields, dict):
        raise SettingsError("settings must be one object of names and values")
    for name in fields:
        if name in _MULTIPLIERS:
            raise SettingsError("%s belongs in the meter, not in the module" % name)
        if name not in _INTEGERS and name not in _SWITCHES and name not in _NAMES:
            raise SettingsError("%s is not a setting" % name)
    checked = {}
    for name in _INTEGERS:
        least, most, default = _INTEGERS[name]
        value = fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise SettingsError("%s must be a whole number from %d to %d" % (name, least, most))
        checked[name] = value
    for name in _SWITCHES:
        value = fields.get(name, _SWITCHES[name])
        if not isinstance(value, bool):
            raise SettingsError("%s must be true or false" % name)
        checked[name] = value
    for name, allowed in (("form", forms), ("profile", sorted(profiles))):
        value = fields.get(name, _NAMES[name])
        if value not in allowed:
            raise SettingsError("%s must be one of %s" % (name, ", ".join(allowed)))
        checked[name] = value
    channel = checked["channel"]
    if channel and not profiles[checked["profile"]].has(channel):
        raise SettingsError("channel %d does not exist in %s" % (channel, checked["profile"]))
    if checked["net"] and not checked["detent"]:
        raise SettingsError("net needs detent to be true")
    return checked
