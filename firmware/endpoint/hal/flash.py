"""The areas of raw flash, by the board's layout."""

from rp2 import Flash


def area(at, count):
    """Return the block device of `count` bytes from offset `at` of the storage area.

    Its bytes can also be read in place, through `memoryview`.
    """
    # The stubs do not know that a part of the storage area can be asked for.
    return Flash(start=at, len=count)  # pyright: ignore[reportCallIssue]


def journal_device(board):
    """Return the block device of the journal."""
    return area(board.JOURNAL_AT, board.JOURNAL_BYTES)


def ring_device(board):
    """Return the block device that the rings share."""
    return area(board.RINGS_AT, board.RINGS_BYTES)


def slot_device(board, number):
    """Return the block device of application slot 0 or 1."""
    return area(board.SLOTS_AT[number], board.SLOT_BYTES)


def start_device(board):
    """Return the block device of what start-up remembers."""
    return area(board.START_AT, board.START_BYTES)
