"""What a programmer may set in a module, and the limits of each field.

Pure: a dictionary in, a checked dictionary out. The host checks with the same code before it
writes, the module checks again when it reads.
"""

# Fields that belong in the meter, never in the module (R21, rule E-6).
_MULTIPLIERS = ("ct", "pt", "vt", "kh", "ke", "kt", "multiplier", "ratio")

# name: (least, most, default); None as a default means the field must be given.
_INTEGERS = {
    "eid": (1, 0xFEFFFFFF, None),
    "poll_s": (10, 3600, 60),
    "channel": (0, 13000, 0),
    # Largest believable power where ratios in the meter make the form's own too small; 0: the
    # form's.
    "largest_kw": (0, 100000, 0),
    "offset_min": (-720, 840, 0),  # local standard time minus UTC
    "sub_min": (0, 60, 0),  # subinterval of rolling demand; 0: block demand
    "clpu_min": (0, 255, 0),  # cold-load pickup left out of demand; 0: off
    "clpu_outage_s": (0, 65535, 300),  # shortest outage that opens it
    "lockout_s": (0, 2_592_000, 86_400),  # between two different demand resets; 0: off
    # Year and month in which the meter was bought, 200709; 0: unknown (G-4).
    "bought": (0, 999912, 0),
}
_ZONE_MIN = 15  # as the zones of the world do
_CHOICES = {"interval_min": (15, 5, 30, 60), "demand_min": (15, 5, 30, 60)}
_SWITCHES = {
    "detent": True,
    "net": False,
    "net_register": False,
    "daylight": False,
    "seal": False,  # frames carry a MAC instead of the CRC, once key and cycle count are known
    "encrypt": False,  # and their content is encrypted
}
_NAMES = {"form": None, "profile": "bench"}

# Entries of the meter's ST-32 that the module adds to its display, the most important first.
_MOST_ITEMS = 16
_ITEM_MAX = 0xFFFF


NAMES = tuple(_INTEGERS) + tuple(_CHOICES) + tuple(_SWITCHES) + tuple(_NAMES) + ("display",)


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
        if name not in NAMES and _is_multiplier(name):
            raise SettingsError("%s belongs in the meter, not in the module" % name)
        if name not in NAMES:
            raise SettingsError("%s is not a setting" % name)
    checked = {}
    for name in _INTEGERS:
        least, most, default = _INTEGERS[name]
        value = fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise SettingsError("%s must be a whole number from %d to %d" % (name, least, most))
        checked[name] = value
    for name in _CHOICES:
        value = fields.get(name, _CHOICES[name][0])
        if isinstance(value, bool) or value not in _CHOICES[name]:
            choices = ", ".join([str(choice) for choice in sorted(_CHOICES[name])])
            raise SettingsError("%s must be one of %s" % (name, choices))
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
    if checked["net_register"] and not checked["detent"]:
        raise SettingsError("net_register needs detent to be true")
    if checked["encrypt"] and not checked["seal"]:
        raise SettingsError("encrypt needs seal to be true")
    if checked["offset_min"] % _ZONE_MIN:
        raise SettingsError("offset_min must be a multiple of %d" % _ZONE_MIN)
    sub_min = checked["sub_min"]
    if sub_min and checked["demand_min"] % sub_min:
        raise SettingsError("sub_min must divide demand_min")
    checked["display"] = _items(fields.get("display", []))
    return checked


def _is_multiplier(name):
    for word in str(name).lower().replace("-", "_").split("_"):
        if word in _MULTIPLIERS:
            return True
    return False


def _items(items):
    if not isinstance(items, (list, tuple)) or len(items) > _MOST_ITEMS:
        raise SettingsError("display must be a list of at most %d numbers" % _MOST_ITEMS)
    for item in items:
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= _ITEM_MAX:
            raise SettingsError("display must hold whole numbers from 0 to %d" % _ITEM_MAX)
    return list(items)
