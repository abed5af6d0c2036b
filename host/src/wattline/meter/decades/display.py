"""Decade 3: the display's list of sixteen places."""

from endpoint.optical import services
from wattline.meter.own_tables import GUEST_ITEMS

SLOTS = 16
OWN_ITEMS = 10  # display sources of the meter
_ITEM_BYTES = 4
_DIGITS = 5
_HEAD_BYTES = 3
_ON_OFF_S, _NORMAL_LIST = 0x15, 0x10
_NONE = 0xFF  # in the place of a source number


class Display:
    """ST-31 to ST-33.

    Parameters
    ----------
    meter : FocusAL
    items : list of int
        Items in use, indexes into ST-32; the same one may come more than once.
    """

    def __init__(self, meter, items):
        if len(items) > SLOTS or any(not 0 <= i < OWN_ITEMS + GUEST_ITEMS for i in items):
            raise ValueError(
                f"A display list has at most {SLOTS} places for items from 0 to "
                f"{OWN_ITEMS + GUEST_ITEMS - 1}."
            )
        self._meter = meter
        self._u = meter.encoder.u
        self.set_items(items)

    def set_items(self, items):
        """Write the whole list, as the maker's configuration tool does."""
        filled = [*items, *[0] * (SLOTS - len(items))]
        self._list = bytearray([_ON_OFF_S, _NORMAL_LIST, len(items)])
        self._list += b"".join(self._u(item, 2) for item in filled)

    @property
    def items(self):
        """The items in use, in order."""
        order = "big" if self._meter.encoder.most_first else "little"
        used = min(self._list[2], SLOTS)
        return [
            int.from_bytes(self._list[_HEAD_BYTES + 2 * i : _HEAD_BYTES + 2 * i + 2], order)
            for i in range(used)
        ]

    def tables(self):
        """Return the functions that make the tables' contents."""
        return {31: self._limits, 32: self._sources, 33: lambda: bytes(self._list)}

    def writers(self):
        """Return the functions that take what is written."""
        return {33: self._write}

    def _limits(self):
        u = self._u
        return (
            bytes([7])
            + u(OWN_ITEMS + GUEST_ITEMS, 2)
            + bytes([_ITEM_BYTES])
            + u(SLOTS, 2)
            + bytes([1])
            + u(0, 2)
            + bytes([0])
        )

    def _sources(self):
        count = self._meter.sources.count
        own = [bytes([i if i < count else _NONE, _DIGITS, 0, 0]) for i in range(OWN_ITEMS)]
        guests = [bytes([_NONE, _DIGITS, 0, 1 + i]) for i in range(GUEST_ITEMS)]
        return b"".join([*own, *guests])

    def _write(self, offset, data):
        stored = bytearray(self._list)
        stored[offset : offset + len(data)] = data
        if stored[2] > SLOTS:
            return services.ONP
        self._list = stored
        return services.OK
