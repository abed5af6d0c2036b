"""What the meter shows instead of the truth while a fault lasts."""

from endpoint.optical import formats, tables

_MOVING = (tables.ST_CURRENT, tables.ST_PRESENT, 52, 55, 63, 64, tables.MT | 0)
_BAD_BCD = 0xFA


class Effects:
    """The faults of the data that are on at present.

    Parameters
    ----------
    meter : FocusAL
    """

    def __init__(self, meter):
        self._meter = meter
        self.serial = None  # shown instead of the meter's own
        self.frozen_ns = None
        self._frozen = {}
        self._fill = None  # function(data) -> data of the registers
        self._reads_left = None
        self.break_off = None  # (bytes of a packet, dark ns) of a brown-out to come

    def freeze(self, t_ns):
        """Show from now on what is shown now."""
        contents = self._meter.contents
        self._frozen = {table: contents[table]() for table in _MOVING if table in contents}
        self.frozen_ns = t_ns

    def thaw(self):
        """Show the truth again."""
        self.frozen_ns = None
        self._frozen = {}

    def fill(self, name, reads):
        """Have the registers read ``zero``, ``ones`` or ``bad-bcd``, for so many reads or on.

        Raises
        ------
        ValueError
            If the meter's registers are not of a format that has this error.
        """
        if name == "bad-bcd" and self._meter.encoder.ni1 not in (
            formats.BCD8,
            formats.BCD12,
            formats.BCD16,
        ):
            raise ValueError(
                "Wrong BCD digits need a meter with BCD registers: choose the format."
            )
        self._fill = {
            "zero": lambda data: self._zero(),
            "ones": lambda data: b"\xff" * len(data),
            "bad-bcd": lambda data: bytes([_BAD_BCD]) * len(data),
        }[name]
        self._reads_left = reads

    def clear_fill(self):
        """Show the registers again."""
        self._fill = self._reads_left = None

    def count_read(self):
        """Note that the registers have been read once."""
        if self._reads_left is not None:
            self._reads_left -= 1
            if self._reads_left <= 0:
                self.clear_fill()

    def content(self, table):
        """Return the data of `table` as it is shown."""
        data = self._frozen.get(table)
        if data is None:
            data = self._meter.contents[table]()
        if table == tables.ST_CURRENT and self._fill:
            data = self._fill(data)
        return data

    def _zero(self):
        meter = self._meter
        count = len(meter.contents[tables.ST_CURRENT]())
        width = formats.NI_BYTES[meter.encoder.ni1]
        zeros = meter.encoder.first(0) * (count // width + 1)
        return zeros[:count]
