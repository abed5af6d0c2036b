"""What a module is, from what it says of itself: its board's voltage and forms, its firmware."""

from typing import Any

from endpoint.metering import MeteringError, forms
from endpoint.metering.calendar import Site
from wattline.errors import RunError, WattlineError
from wattline.image import boards
from wattline.programmer.roads import Road

_MANUFACTURER_TABLE = 1
_VERSION_AT = 14  # after manufacturer, model and hardware
_DV_PER_V = 10


def firmware_of(road: Road) -> int:
    """Return the firmware version, which everybody may read."""
    return road.read(_MANUFACTURER_TABLE, _VERSION_AT, 1)[0]


def volts_of(board: str) -> int:
    """Return the nominal service voltage of a board.

    Raises
    ------
    WattlineError
        This program does not know the board.
    """
    if board not in boards.names():
        raise WattlineError(f"the module says it is a {board}, which this program does not know")
    return boards.data(board).NOMINAL_DV // _DV_PER_V


def forms_of(board: str) -> list[str]:
    """Return the names of the forms that a board serves; raises as `volts_of`."""
    volts_of(board)
    return forms.names(boards.data(board).PART_NUMBER)


def site_of(settings: dict[str, Any]) -> Site:
    """Return the wall clock that a module was programmed with; UTC for one that was not.

    Raises
    ------
    RunError
    """
    try:
        return Site(settings.get("offset_min", 0), settings.get("daylight", False))
    except (MeteringError, TypeError):
        raise RunError(
            "the module's time zone is none that this program knows; program offset_min again"
        ) from None
