"""The meter's display list: what it shows, and the module's own items at its end.

The meter's own records are never removed, moved or changed: items are written into free places
behind them and the count is raised last, so that a session that breaks off leaves the list as
it was. How many of the records are the meter's own is the caller's to keep (`base`), because
the meter does not tell who put a record there.

Context: any. Allocates: small objects; runs at most once per start and per change.
Source: metering rules G-3, D-8; ANSI C12.19 decade 3 (ST-31, ST-32, ST-33).
"""

from micropython import const

from endpoint.meter.layout import is_net
from endpoint.optical.formats import FormatError, unsigned
from endpoint.optical.tables import need

ST_ACTUAL_DISPLAY = const(31)
ST_DISPLAY_SOURCES = const(32)
ST_PRIMARY_LIST = const(33)
ACTUAL_DISPLAY_BYTES = const(10)

MOST_ITEMS = const(16)  # places in a FOCUS AL's list

# What the list shows, as bits.
SHOWS_DELIVERED = const(1)
SHOWS_RECEIVED = const(2)
SHOWS_TOTAL = const(4)
SHOWS_NET = const(8)

_HEAD_BYTES = const(3)
_ITEM_BYTES = const(2)
_COUNT_AT = const(2)
_DELIVERED = const(0b1001)
_RECEIVED = const(0b0110)
_BOTH = const(0b1111)


class DisplayList:
    """One meter's primary list, from the data of ST-31 and ST-33.

    Parameters
    ----------
    config : tables.Config
    actual, primary : bytes-like
        Data of ST-31 and ST-33.

    Attributes
    ----------
    places : int
        Records that the list can hold, all lists together.
    used : int
        Records in use, duplicates for scroll timing included.
    items : list of int
        The used records: numbers of entries in ST-32.
    can_grow : bool
        Whether records can be added behind the last one without moving any.

    Raises
    ------
    FormatError
        The tables contradict each other.
    """

    def __init__(self, config, actual, primary):
        most_first = config.most_first
        self.sources, self.source_bytes, self.places, lists = dimensions(config, actual)
        need(primary, list_bytes(self.places, lists))
        self._items_at = lists * _HEAD_BYTES
        self._last_head_at = (lists - 1) * _HEAD_BYTES
        self.used = 0
        for i in range(lists):
            self.used += primary[i * _HEAD_BYTES + _COUNT_AT]
        if self.used > self.places:
            raise FormatError
        self._most_first = most_first
        self._last_count = primary[self._last_head_at + _COUNT_AT] if lists else 0
        self.can_grow = lists > 0
        self.items = [
            unsigned(primary, self._items_at + _ITEM_BYTES * i, _ITEM_BYTES, most_first)
            for i in range(self.used)
        ]

    def base(self, known_base, own):
        """Return how many records are the meter's own.

        Parameters
        ----------
        known_base : int
            How many there were when the module last wrote.
        own : sequence of int
            What the module wrote behind them then. If that is no longer there, somebody has
            programmed the list anew and all of it is the meter's.
        """
        return known_base if own and self.items[known_base:] == list(own) else self.used

    def room(self, base):
        """Return how many records fit behind the first `base`."""
        return max(0, min(self.places, MOST_ITEMS) - base) if self.can_grow else 0

    def change(self, base, wanted):
        """Return the writes that leave `wanted` behind the first `base` records.

        Parameters
        ----------
        base : int
            Records that are the meter's own.
        wanted : sequence of int
            ST-32 entries to add, the most important first; those without a place are left out.

        Returns
        -------
        list of (int, bytes)
            Offsets in ST-33 and what to write there, in order; empty when all is as wanted.
        """
        added = list(wanted[: self.room(base)])
        own = self.items[base:]
        if own == added:
            return []
        writes = []
        if own != added[: len(own)]:
            # Own items that change are hidden first: nobody sees a half-written list.
            writes.append(self._count_to(base))
        data = b"".join([self._item(item) for item in added])
        if data:
            writes.append((self._items_at + _ITEM_BYTES * base, data))
        writes.append(self._count_to(base + len(added)))
        return writes

    def _count_to(self, used):
        return self._last_head_at + _COUNT_AT, bytes([self._last_count + used - self.used])

    def _item(self, item):
        return item.to_bytes(_ITEM_BYTES, "big" if self._most_first else "little")


def list_bytes(places, lists):
    """Return the length of ST-33."""
    return lists * _HEAD_BYTES + places * _ITEM_BYTES


def dimensions(config, actual):
    """Return number and width of sources, places and lists, from the data of ST-31."""
    need(actual, ACTUAL_DISPLAY_BYTES)
    most_first = config.most_first
    return (
        unsigned(actual, 1, 2, most_first),
        actual[3],
        unsigned(actual, 4, 2, most_first),
        actual[6],
    )


def shown(items, entries, entry_bytes, sources):
    """Return which energies the list shows, as SHOWS_ bits.

    Parameters
    ----------
    items : sequence of int
        Entries of ST-32 that are in the list.
    entries : bytes-like
        Data of ST-32. Its content is the manufacturer's; that the first byte of an entry
        names the source is this project's convention with its simulator.
    entry_bytes : int
        Width of an entry.
    sources : list of tables.Source or None
    """
    bits = 0
    for item in items:
        at = item * entry_bytes
        if at >= len(entries) or entries[at] >= len(sources) or not sources[entries[at]]:
            continue
        unit = sources[entries[at]].unit
        if unit.is_energy(_DELIVERED):
            bits |= SHOWS_DELIVERED
        elif unit.is_energy(_RECEIVED):
            bits |= SHOWS_RECEIVED
        elif unit.is_energy(_BOTH):
            bits |= SHOWS_TOTAL
        elif is_net(unit):
            bits |= SHOWS_NET
    return bits
