"""The sixteen places of a meter's display: what is there, and what a wish would make of it."""

from dataclasses import dataclass
from typing import Any

from endpoint.metering import gates
from wattline.errors import RunError, WattlineError

METER, MODULE, FREE = "meter", "module", "free"


@dataclass(frozen=True)
class Display:
    """What a meter's display shows.

    Attributes
    ----------
    records : tuple of int
        Used places in order: entries of ST-32. Those that only repeat an item to show it longer
        are used places too.
    meters : int
        How many of them, from the first on, are the meter's own; the module's are behind them.
    """

    records: tuple[int, ...]
    meters: int

    def places(self) -> list[tuple[int | None, str]]:
        """Return item and owner of all sixteen places; None where nothing is shown."""
        owners = [METER] * self.meters + [MODULE] * (len(self.records) - self.meters)
        used: list[tuple[int | None, str]] = list(zip(self.records, owners, strict=True))
        return used + [(None, FREE)] * (gates.DISPLAY_SLOTS - len(used))

    def with_items(self, wanted: list[int]) -> tuple["Display", list[int]]:
        """Return the display with other items of the module, and those that have no place.

        The meter's own are never touched (G-3).
        """
        room = max(0, gates.DISPLAY_SLOTS - self.meters)
        records = self.records[: self.meters] + tuple(wanted[:room])
        return Display(records, self.meters), wanted[room:]


def of_status(status: dict[str, Any]) -> Display:
    """Return what a module's status says of its meter's display.

    Raises
    ------
    WattlineError
        It has not read a display list.
    RunError
        The status contradicts itself.
    """
    if "display_records" not in status:
        raise WattlineError("the module is not programmed, or is older than this command")
    records = tuple(status["display_records"])
    if not records:
        raise WattlineError(
            "the module knows of no display list: its meter has not been read yet, or shows none; "
            f"meter_state is {status.get('meter_state', 'not known')}"
        )
    meters = status["display_meters"]
    if not 0 <= meters <= len(records) <= gates.DISPLAY_SLOTS:
        raise RunError("the module's display makes no sense; use the program of its version")
    return Display(records, meters)


def sentences(display: Display, dropped: list[int]) -> list[str]:
    """Return what has to be said of a display: too many records, and items without a place."""
    said = []
    if display.meters > gates.DISPLAY_ADVISED:
        said.append(
            f"The meter shows {display.meters} records of its own; for items to be added it should"
            f" show no more than {gates.DISPLAY_ADVISED}. Records that repeat an item to show it "
            "longer count; only the meter's own configuration tool removes any."
        )
    if dropped:
        said.append(
            "Maximum number of display records reached: no place for "
            + ", ".join(map(str, dropped))
            + "."
        )
    return said
