"""What this module may do: by version, by its meter's display, and by where it works.

Context: any. Allocates: small tuples.
Source: PUBS-0624-0001 Rev G, streaming, net metering, display items, electrical and
environmental limits.
"""

from micropython import const

from endpoint.metering import MeteringError
from endpoint.metering.quantity import NET_FIRMWARE

# Lowest firmware versions. Display items came "after" 17, read literally.
STREAM_FIRMWARE = const(12)
DISPLAY_FIRMWARE = const(18)

REFLASH_TOOL = (3, 2)  # MAS and EAS versions that may re-flash for streaming

DISPLAY_SLOTS = const(16)
DISPLAY_ADVISED = const(5)  # used slots above which the data sheet reports the limit

_BOUGHT = (2007, 9, 1)  # meters bought earlier cannot take display items

# In tenths of a volt, hundredths of a hertz and degrees Celsius; inclusive.
_SUPPLY_120_DV = (960, 1440)
_SUPPLY_240_DV = (1920, 2880)
_FREQUENCY_CHZ = (5700, 6300)
_OPERATING_C = (-40, 75)
_STORAGE_C = (-40, 85)
_VERSION_MAX_CHARS = const(32)


class UnknownVersion(MeteringError):
    """A tool version is numbers with dots between them: 3.2."""


class DateNeeded(MeteringError):
    """Whether the meter takes display items depends on a purchase date that nobody entered."""


def can_stream(firmware_version):
    """Tell whether hourly data may be streamed."""
    return firmware_version >= STREAM_FIRMWARE


def can_net(firmware_version):
    """Tell whether net metering exists."""
    return firmware_version >= NET_FIRMWARE


def can_add_items(firmware_version):
    """Tell whether display items may be added to the meter."""
    return firmware_version >= DISPLAY_FIRMWARE


def tool_version(text):
    """Return a version as a tuple of numbers, without zeros at its end.

    Raises
    ------
    UnknownVersion
    """
    fields = text.split(".") if len(text) <= _VERSION_MAX_CHARS else ("",)
    version = []
    for field in fields:
        if not field.isdigit():
            raise UnknownVersion
        version.append(int(field))
    while version and not version[-1]:
        version.pop()
    return tuple(version)


def may_reflash(text):
    """Tell whether a MAS or EAS of this version may re-flash a module for streaming.

    Field by field and as numbers: 3.10 is newer than 3.2.
    """
    return tool_version(text) >= REFLASH_TOOL


def may_activate_streaming(collector_can, head_end_can):
    """Tell whether streaming may be switched on remotely: both ends have to be able to."""
    return collector_can is True and head_end_can is True


def display_plan(used, wanted):
    """Return what becomes of a wish for display items.

    Parameters
    ----------
    used : int
        Records in use, 0 to 16, counting those that only repeat an item to show it longer.
    wanted : int
        Items to add, at least 1.

    Returns
    -------
    tuple of (int, int, bool)
        Items added, items dropped, and "maximum display records reached".
    """
    added = min(wanted, DISPLAY_SLOTS - used)
    return added, wanted - added, used > DISPLAY_ADVISED or used + wanted > DISPLAY_SLOTS


def takes_items(bought):
    """Tell whether a meter bought at `bought` (year, month, day) takes display items.

    Raises
    ------
    DateNeeded
        `bought` is None: ask, do not guess.
    """
    if bought is None:
        raise DateNeeded
    return tuple(bought) >= _BOUGHT


def _is_within(value, limits):
    return limits[0] <= value <= limits[1]


def supply_is_fit(dv, voltage_v):
    """Tell whether a supply in tenths of a volt suits a module for 120 or 240 V."""
    return _is_within(dv, _SUPPLY_120_DV if voltage_v == 120 else _SUPPLY_240_DV)


def is_programming_supply(dv, voltage_v):
    """Tell whether a 240 V module has too little to work with: it can be programmed, no more."""
    return voltage_v == 240 and dv < _SUPPLY_240_DV[0]


def is_bench_supply(dv, voltage_v):
    """Tell whether a 240 V module hangs on a supply of 120 V: no reading of a 240 V service.

    What lies between that and the limits of the module is a sag, and real.
    """
    return voltage_v == 240 and dv <= _SUPPLY_120_DV[1]


def frequency_is_fit(chz):
    """Tell whether a frequency in hundredths of a hertz is within 60 Hz +- 5 %."""
    return _is_within(chz, _FREQUENCY_CHZ)


def operates_at(temperature_c):
    """Tell whether the module works at this ambient temperature."""
    return _is_within(temperature_c, _OPERATING_C)


def stores_at(temperature_c):
    """Tell whether the module may be kept at this ambient temperature."""
    return _is_within(temperature_c, _STORAGE_C)
