"""How a session with the meter may end: codes, names, exceptions."""

from micropython import const

OK = const(0)
NO_ANSWER = const(1)  # nothing on the line, or the meter fell silent within the session
BAD_FORMAT = const(2)  # the meter answered, but a field or a table is no valid number
REFUSED = const(3)  # logon, password or a table that is needed was refused
BUSY = const(4)  # the meter asked to come back later until patience ended
UNSUPPORTED_METER = const(5)  # another model, or no forward energy register
NOT_LOGGING = const(6)  # the meter patch is missing or is not the right one

NAMES = (
    "OK",
    "NO_ANSWER",
    "BAD_FORMAT",
    "REFUSED",
    "BUSY",
    "UNSUPPORTED_METER",
    "NOT_LOGGING",
)


class MeterError(Exception):
    """Base of what ends a session; `code` is one of the codes above."""

    code = BAD_FORMAT


class NoAnswer(MeterError):
    """The link is dead."""

    code = NO_ANSWER


class Refused(MeterError):
    """A service that is needed was refused."""

    code = REFUSED


class Busy(MeterError):
    """The meter stayed busy."""

    code = BUSY


class UnsupportedMeter(MeterError):
    """The meter is none that this module can read."""

    code = UNSUPPORTED_METER


class NotLogging(MeterError):
    """The meter patch is missing or wrong."""

    code = NOT_LOGGING
