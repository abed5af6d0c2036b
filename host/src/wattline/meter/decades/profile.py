"""Decade 6: load profile set 1, delivered and received watt-hours each quarter of an hour."""

from wattline.meter.accounts import BLOCK_MINUTES

CHANNELS = 2
INTERVALS = 96  # of one block: a day
_U16 = 2
_SIMPLE_STATUS = 1 << 11
_EXTENDED_STATUS = 1 << 10
_CIRCULAR = 0x04
_ACTIVE = 0x20
_POWER_FAILED = 0x20  # common part of an extended status
_LARGEST = 0xFFFF


class Profile:
    """ST-61 to ST-64. With the oldest block first; the last one is being filled.

    Parameters
    ----------
    meter : FocusAL
    blocks : int
        1 to 60.
    """

    def __init__(self, meter, blocks):
        if not 1 <= blocks <= 60:
            raise ValueError("A load profile has 1 to 60 blocks of a day.")
        self._meter = meter
        self.blocks = blocks

    def tables(self):
        """Return the functions that make the tables' contents."""
        return {61: self._limits, 62: self._control, 63: self._status, 64: self._data}

    @property
    def _block_bytes(self):
        stamp = len(self._meter.encoder.short_time(None))
        entry = CHANNELS // 2 + 1 + CHANNELS * 2
        return stamp + (INTERVALS + 7) // 8 + INTERVALS * entry

    def _limits(self):
        u = self._meter.encoder.u
        return (
            u(self.blocks * self._block_bytes, 4)
            + u(_SIMPLE_STATUS | _EXTENDED_STATUS, 2)
            + bytes([2])
            + u(self.blocks, 2)
            + u(INTERVALS, 2)
            + bytes([CHANNELS, BLOCK_MINUTES])
        )

    def _control(self):
        sums = self._meter.sources.at.sums
        sources = (sums * CHANNELS)[:CHANNELS]
        return b"".join(bytes([0, source, 0xFF]) for source in sources) + bytes([_U16])

    def _filled(self):
        """Return the blocks in use, each a list of intervals."""
        accounts = self._meter.accounts
        first = accounts.recorded - len(accounts.intervals)
        blocks = {}
        for i, interval in enumerate(accounts.intervals):
            blocks.setdefault((first + i) // INTERVALS, []).append(interval)
        kept = sorted(blocks)[-self.blocks :]
        return [blocks[number] for number in kept]

    def _status(self):
        u = self._meter.encoder.u
        accounts = self._meter.accounts
        filled = self._filled()
        valid = len(filled)
        flags = _CIRCULAR | (_ACTIVE if accounts.recording else 0)
        sequence = max((accounts.recorded - 1) // INTERVALS, 0)
        return (
            bytes([flags])
            + u(valid, 2)
            + u(max(valid - 1, 0), 2)
            + u(sequence, 4)
            + u(valid, 2)
            + u(len(filled[-1]) if filled else 0, 2)
        )

    def _data(self):
        filled = self._filled()
        used = b"".join(self._block(intervals) for intervals in filled)
        return used + bytes(self._block_bytes * (self.blocks - len(filled)))

    def _block(self, intervals):
        encoder, meter = self._meter.encoder, self._meter
        valid = ((1 << len(intervals)) - 1).to_bytes((INTERVALS + 7) // 8, "little")
        rows = []
        for interval in intervals:
            rows.append(bytes([_POWER_FAILED if interval.dark else 0, 0]))
            for energy_wh in (interval.forward_wh, interval.reverse_wh):
                rows.append(encoder.u(min(energy_wh, _LARGEST), 2))
        blank = bytes((CHANNELS // 2 + 1 + CHANNELS * 2) * (INTERVALS - len(intervals)))
        end = encoder.short_time(meter.time_at(intervals[-1].end_ns))
        return end + valid + b"".join(rows) + blank
