"""The options that many commands share, spelt and explained once."""

from typing import Annotated

from cyclopts import Parameter

# A switch that is off unless it is given; it has no --no- form.
Switch = Annotated[bool, Parameter(negative=())]
Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="Print JSON instead of text and tables.")
]
Echo = Annotated[
    bool,
    Parameter(name="--echo", negative=(), help="The optical head echoes what is sent."),
]


def examples(*commands: str, after: str = "") -> str:
    """Return commands, one to a line, as the end of a `--help` text; then the sentence `after`."""
    return "\n".join(("Examples:", "", "```", *commands, "```", "", after)).rstrip()
