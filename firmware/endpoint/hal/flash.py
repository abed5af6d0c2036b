"""The raw flash area that the journal lives in."""

from rp2 import Flash


def journal_device(journal_bytes):
    """Return the block device of the journal: the first `journal_bytes` of the storage area."""
    # The stubs do not know that a part of the storage area can be asked for.
    return Flash(start=0, len=journal_bytes)  # pyright: ignore[reportCallIssue]
