"""Payloads, coding, line phase and carrier arithmetic. Pure."""


class LineError(Exception):
    """Base of all errors of this room."""


class ChannelError(LineError):
    """The channel number does not exist in the profile."""


class PayloadError(LineError):
    """A payload field is out of range or the frame type is unknown."""
