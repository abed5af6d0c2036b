"""What whoever programs a module has to know first, and what is worth a warning afterwards."""

from dataclasses import dataclass
from typing import Any

from endpoint.meter import errors
from endpoint.metering import gates
from endpoint.module import DISPLAY_DIFFERS, DISPLAY_FULL
from wattline.errors import WattlineError

# Rules R22 to R27: a retrofit is work for those who have all of this.
CHECK_LIST = (
    "Customers should not put the module into a meter themselves; the distributor does.",
    "The maker's Application Notes for the retrofit are at hand and have been read.",
    "The items that the distributor has to supply for the retrofit are at hand.",
    "The meter's patch is installed; without it the module does not log properly.",
    "The meter's date of manufacture is known; early FOCUS AL meters differ physically, ask the "
    "distributor whether the module fits.",
)
_RATIO_FORMS = ("3S", "4S")
_HIGH_V = 240
_MOST_ITEMS = 16
_MOST_ITEM = 255
_FIRST_MONTH, _LAST_MONTH = 1, 12


@dataclass
class Advice:
    """One sentence, and the short name under which the record keeps it."""

    name: str
    text: str


def bought(text: str) -> int:
    """Return a purchase date, "2007-09" or "2007-09-01", as year and month: 200709; 0 for unknown.

    Raises
    ------
    WattlineError
    """
    if text.lower() in ("", "unknown"):
        return 0
    parts = text.split("-")
    if len(parts) in (2, 3) and all(part.isdecimal() and len(part) <= 4 for part in parts):
        year, month = int(parts[0]), int(parts[1])
        if 1990 <= year <= 9999 and _FIRST_MONTH <= month <= _LAST_MONTH:
            return year * 100 + month
    raise WattlineError(
        f'{text!r} is no date of purchase; write year and month such as 2008-03, or "unknown"'
    )


def display_items(text: str) -> list[int]:
    """Return items from "40,41"; an empty list for "none"."""
    if text.lower() == "none":
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) <= _MOST_ITEM for part in parts):
        raise WattlineError(
            f"{text!r} are no display items; write numbers up to {_MOST_ITEM} such as 40,41, or "
            '"none"'
        )
    if len(parts) > _MOST_ITEMS:
        raise WattlineError(f"a meter has {_MOST_ITEMS} places; name fewer items")
    return [int(part) for part in parts]


def check_display(settings: dict[str, Any], firmware: int) -> None:
    """Refuse display items that the meter or the module does not take (G-1, G-4).

    Raises
    ------
    WattlineError
        With the reason; nothing was written.
    """
    if not settings.get("display"):
        return
    month = settings.get("bought", 0)
    if not gates.can_add_items(firmware):
        raise WattlineError(
            f"firmware {firmware} cannot add display items; {gates.DISPLAY_FIRMWARE} or later can"
        )
    try:
        takes = gates.takes_items((month // 100, month % 100, 1) if month else None)
    except gates.DateNeeded:
        raise WattlineError(
            "display items depend on when the meter was bought; give --bought, such as 2008-03"
        ) from None
    if not takes:
        raise WattlineError(
            "a meter bought before September 2007 takes no display items; leave --display out"
        )


def before(settings: dict[str, Any]) -> list[Advice]:
    """Return warnings that follow from the settings alone."""
    found = []
    if settings["form"] in _RATIO_FORMS:
        found.append(
            Advice(
                "ratios",
                f"form {settings['form']} is transformer-rated: CT and PT ratios belong in the "
                "meter, never in the module; --largest-kw only sizes its plausibility limit",
            )
        )
    month = settings.get("bought", 0)
    if not month:
        found.append(
            Advice(
                "date unknown",
                "the meter's date of purchase is unknown: early FOCUS AL meters differ "
                "physically, ask the distributor whether the module fits",
            )
        )
    elif not gates.takes_items((month // 100, month % 100, 1)):
        found.append(
            Advice(
                "early meter",
                "the meter is an early one: it may differ physically, ask the distributor whether "
                "the module fits; it takes no display items",
            )
        )
    return found


def from_status(
    status: dict[str, Any], nominal_v: int, counts_change: bool = False
) -> list[Advice]:
    """Return warnings that follow from what the module says of its meter and supply.

    Parameters
    ----------
    status : dict
        Taken before anything was written.
    nominal_v : int
        What the module is for.
    counts_change : bool
        Detent or net is being changed: whether the display agrees is not known yet.
    """
    found = []
    dv = status.get("voltage_dv") or 0
    if dv and gates.is_programming_supply(dv, nominal_v):
        found.append(
            Advice(
                "programming only",
                f"programming only: the module is for {_HIGH_V} V and its supply is "
                f"{dv / 10:.1f} V; the meter does not work correctly there, believe no reading",
            )
        )
    bits = status.get("interface_bits") or 0
    if counts_change:
        found.append(
            Advice(
                "display to check",
                "what the module counts changes: the meter should display the same; after its "
                "next read `wattline read status` tells in interface_bits (16) if it does not",
            )
        )
    elif bits & DISPLAY_DIFFERS:
        found.append(
            Advice(
                "display differs",
                "what the meter displays is not what the module counts with this detent and net; "
                "have the meter's display list changed, or set --detent as it displays",
            )
        )
    if bits & DISPLAY_FULL:
        found.append(
            Advice(
                "display full",
                "maximum number of display records reached: the meter should show no more than 5 "
                "items, duplicates counted; only the meter's own configuration tool removes any",
            )
        )
    if status.get("meter_state") == errors.NAMES[errors.NOT_LOGGING]:
        found.append(
            Advice(
                "patch missing",
                "the meter's patch is missing or is not the right one: nothing is logged and "
                "nothing is counted until it is installed",
            )
        )
    return found
