"""Releases: what one says of itself, who signed it, where it goes and which one starts. Pure."""


class UpdateError(Exception):
    """Base of everything this room refuses."""


class Truncated(UpdateError):
    """There is less than the manifest announces."""


class Oversized(UpdateError):
    """It does not fit a slot, or goes on after its announced end."""


class NotARelease(UpdateError):
    """It is no manifest, or one of a layout that is not known here."""


class Unsigned(UpdateError):
    """No key that this module holds has signed the manifest."""


class WrongBoard(UpdateError):
    """It was made for another board."""


class WrongInterpreter(UpdateError):
    """Its compiled files are not for this interpreter, or it needs a newer start-up."""


class TooOld(UpdateError):
    """It is older than what this module has confirmed allows."""


class Mixed(UpdateError):
    """The files are not those that the manifest was signed with."""


class BadPath(UpdateError):
    """A file lies outside the application, or has a name that no file of it has."""


class NotStarted(UpdateError):
    """Data came before a manifest was accepted."""


class NothingThere(UpdateError):
    """There is no other application to go back to, or no such slot."""


class FlashFailed(UpdateError):
    """The flash does not keep what is written."""
