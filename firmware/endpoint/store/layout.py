"""What lies where in the 320 KiB of the rings: blocks, row sizes, what fits.

A row per ring, in the order of the engine's ring numbers (docs/engine.md), then the input log;
behind them two small journals for what changes by command only.
"""

from micropython import const

from endpoint.store.journal import Journal
from endpoint.store.nor import PAGE_BYTES
from endpoint.store.ring import ROWS_AHEAD, Ring, rows_per_block

REGION_BLOCKS = const(80)

# Numbers of the rings: the engine's, and the input log's.
INTERVAL = const(0)
HOUR = const(1)
EVENT = const(2)
OUTAGE = const(3)
PERIOD = const(4)
VOLTAGE_DAY = const(5)
DEMAND = const(6)
INPUT = const(7)

# Name, blocks, bytes of a row, rows a day that wear is reckoned with.
RINGS = (
    ("interval", 16, 32, 96),  # a quarter of an hour each
    ("hour", 14, 40, 24),
    ("event", 3, 28, 20),
    ("outage", 2, 16, 5),
    ("period", 2, 128, 1),
    ("voltage_day", 2, 28, 1),
    ("demand", 3, 12, 96),
    ("input", 34, 56, 144),  # 7.7 KiB: a poll a minute of 4.5 bytes and a keyframe
)
# Settings and schedules: a journal of two blocks each.
SETTINGS_BLOCK = const(76)
SCHEDULES_BLOCK = const(78)
RECORD_BLOCKS = const(2)


def capacity(blocks, row_bytes):
    """Return the rows that a ring always keeps, less one or two for each start of the module."""
    return (blocks - 1) * rows_per_block(row_bytes) - ROWS_AHEAD


class Rings:
    """All rings of one region; the engine's sink.

    Parameters
    ----------
    device : rp2.Flash or alike
        The region: 80 blocks of 4096 bytes.

    Attributes
    ----------
    rings : list of Ring
        By number.

    Raises
    ------
    TooSmall
        The region is smaller.
    """

    def __init__(self, device):
        page = bytearray(PAGE_BYTES)
        self.rings = []
        first = 0
        for _, blocks, row_bytes, _ in RINGS:
            rows = capacity(blocks, row_bytes)
            number = len(self.rings)
            self.rings.append(Ring(device, first, blocks, row_bytes, rows, page, number))
            first += blocks

    def mount(self, next_rows=None):
        """Find the rows of every ring.

        Parameters
        ----------
        next_rows : sequence of int or None
            The `next_sequence` of every ring as the state record has it; None without a record.
        """
        for number, ring in enumerate(self.rings):
            ring.mount(None if next_rows is None else next_rows[number])

    def put(self, ring, sequence, row):
        """Write one row: `Engine`'s sink.

        A number below the ring's `next` takes back the rows from there on, as a start with an
        older state record does.

        Raises
        ------
        WornOut
            The ring takes no rows at the moment.
        """
        target = self.rings[ring]
        if sequence != target.next:
            target.mount(sequence)
        target.append(row)

    def prepare(self):
        """Erase at most one block that will be needed soon; return whether there was one."""
        for ring in self.rings:
            if ring.prepare():
                return True
        return False


def settings_journal(device):
    """Return the journal of the settings: a change leaves the old ones or the new ones."""
    return Journal(device, SETTINGS_BLOCK, RECORD_BLOCKS)


def schedules_journal(device):
    """Return the journal of the rate schedules."""
    return Journal(device, SCHEDULES_BLOCK, RECORD_BLOCKS)
