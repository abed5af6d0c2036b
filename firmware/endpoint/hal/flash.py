"""The raw flash area that the journal lives in."""

from rp2 import Flash


def journal_device(journal_bytes):
    """Return the block device of the journal: the first `journal_bytes` of the storage area."""
    return Flash(start=0, len=journal_bytes)
