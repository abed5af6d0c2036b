"""Payloads, coding, line phase, carrier arithmetic, the downlink and command authority. Pure."""


class LineError(Exception):
    """Base of all errors of this room."""


class ChannelError(LineError):
    """The channel number does not exist in the profile."""


class PayloadError(LineError):
    """A payload field is out of range or the frame type is unknown."""


class CommandError(LineError):
    """A command is unknown, too long, or has an argument out of range."""


class AuthorityError(LineError):
    """Keys or saved counters are not what they should be."""


class BudgetError(LineError):
    """More was asked for than the profile's frames can carry."""
