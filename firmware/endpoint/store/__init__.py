"""Power-fail-safe records on a block device that is passed in. Pure."""


class StoreError(Exception):
    """Base of everything this room refuses."""


class TooLong(StoreError):
    """The record is empty, or longer than the journal or the caller's buffer can hold."""


class TooSmall(StoreError):
    """The device has fewer than two blocks, or blocks of another size than 4096 bytes."""


class WornOut(StoreError):
    """No block but the one that holds the newest record takes a record any more."""


class BadEntry(StoreError):
    """These bytes are no input log, or no unfinished row of one."""
