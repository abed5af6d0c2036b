"""Registers become steps, totals and records. Pure."""


class MeteringError(Exception):
    """Base of everything this room refuses."""


class UnsupportedForm(MeteringError):
    """No module exists for this meter form at this voltage."""


class VoltageNeeded(MeteringError):
    """The meter form exists for more than one voltage."""


class NotADetent(MeteringError):
    """Detent and net are each yes or no."""


class NetNeedsDetent(MeteringError):
    """Net metering needs detent = Yes."""


class NetNeedsFirmware(MeteringError):
    """Net metering needs firmware version 17 or later."""


class OneRegisterOnly(MeteringError):
    """A meter that shows only a net register cannot be read with detent = No."""


class BadReading(MeteringError):
    """A register value, identity or time that no meter can have sent."""


class NotStarted(MeteringError):
    """Nothing has been read from the meter yet."""


class UnknownFormat(MeteringError):
    """The stored record was not written by this version of the engine."""


class BadDemand(MeteringError):
    """Intervals are 5, 15, 30 or 60 minutes; subintervals are whole minutes that divide them."""


class BadSetting(MeteringError):
    """A setting outside its limits."""
