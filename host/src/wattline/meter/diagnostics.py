"""The meter's own troubles: flags of ST-3 and the six-digit word on the display."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One trouble.

    Attributes
    ----------
    flag : int
        Bit of ED_STD_STATUS1, or None.
    digit : int
        Place in the six-digit word from the right, 0 to 5.
    event : int
        Standard event code.
    """

    flag: int
    digit: int
    event: int


# That there are these troubles and one word of six digits is known; their places are invented.
TROUBLES = {
    "configuration": Trouble(1, 0, 37),
    "self-check": Trouble(2, 1, 38),
    "ram": Trouble(3, 2, 39),
    "nonvolatile": Trouble(5, 3, 41),
    "measurement": Trouble(7, 4, 43),
    "reverse-rotation": Trouble(13, 5, 48),
}


class Diagnostics:
    """The troubles that the meter has noticed since they were last cleared."""

    def __init__(self):
        self._found = set()

    def find(self, name):
        """Note a trouble.

        Raises
        ------
        ValueError
            If there is no trouble of this name.
        """
        if name not in TROUBLES:
            raise ValueError(f"There is no trouble {name!r}; choose {', '.join(TROUBLES)}.")
        self._found.add(name)
        return TROUBLES[name].event

    def clear(self):
        """Forget all."""
        self._found.clear()

    @property
    def flags(self):
        """ED_STD_STATUS1 of ST-3."""
        return sum(1 << TROUBLES[name].flag for name in self._found)

    @property
    def word(self):
        """The six digits, each 0 or 1."""
        return sum(10 ** TROUBLES[name].digit for name in self._found)
