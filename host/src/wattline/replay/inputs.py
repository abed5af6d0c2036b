"""What happens to a module, in order."""

from dataclasses import dataclass, field
from typing import Any

# Order of things that happen at the same instant.
BACK = 0  # power or module comes back
CLOCK = 1
WORLD = 2  # meter, supply, test mode
COMMAND = 3
READ = 4
VOLTAGE = 5
GONE = 6  # power or module goes


@dataclass(order=True)
class Input:
    """One thing that happens.

    Attributes
    ----------
    at_ms : int
        True time, ms since 1970.
    order : int
        Among those of the same instant.
    number : int
        Where it stands in the file.
    kind : str
        Name of the method of `Runner` that does it.
    values : dict
        Its arguments.
    """

    at_ms: int
    order: int
    number: int
    kind: str = field(compare=False)
    values: dict[str, Any] = field(compare=False, default_factory=dict)
