"""The flash chip behind the SSI: operations take their time and can be torn by a power cut.

Source: RP2040 datasheet 4.10; Winbond W25Q16JV data sheet, 9.6 (typical times).
"""

import random
from dataclasses import dataclass

from rp2040py.peripherals.ssi import (
    CMD_BLOCK_ERASE,
    CMD_PAGE_PROGRAM,
    CMD_READ_STATUS_1,
    CMD_SECTOR_ERASE,
    RPSSI,
    SSI_DR0,
    SSI_RXFLR,
    SSI_SR,
    SSI_SR_RFNE_BITS,
    SSI_SR_TFE_BITS,
    SSI_SR_TFNF_BITS,
    SSI_TXFLR,
)

PROGRAM_NS = 400_000
SECTOR_ERASE_NS = 45_000_000
BLOCK_ERASE_NS = 150_000_000
_PAGE_BYTES = 256
_BUSY = 0x01
_ERASES = {
    CMD_SECTOR_ERASE: (4096, SECTOR_ERASE_NS),
    CMD_BLOCK_ERASE: (65536, BLOCK_ERASE_NS),
}


@dataclass(frozen=True)
class FlashOperation:
    """One program or erase: `number` counts from 1, addresses are offsets into the chip."""

    number: int
    kind: str
    address: int
    before: bytes
    after: bytes
    start_ns: int
    end_ns: int

    def torn(self, fraction):
        """Return the bytes that a power cut leaves after `fraction` of the operation.

        A program has done a part of the page, the byte at the edge in part; an erase has
        raised that share of the bits, here and there.
        """
        chance = random.Random(self.number * 1_000_003 + self.address)
        if self.kind == "program":
            done = int(fraction * len(self.after))
            edge = self.after[done : done + 1]
            if edge:
                edge = bytes((self.before[done] & (edge[0] | chance.getrandbits(8)),))
            return self.after[:done] + edge + self.before[done + 1 :]
        return bytes(
            byte | sum((chance.random() < fraction) << bit for bit in range(8))
            for byte in self.before
        )


class FlashChip(RPSSI):
    """The SSI with the flash chip on it.

    Parameters
    ----------
    rp2040, name
        As for every peripheral.
    wait : callable
        ``wait(until_ns)`` lets simulated time pass while the core polls the busy flag.
    """

    def __init__(self, rp2040, name, wait):
        rp2040.qspi[1]._listeners.clear()  # of the block that this one replaces
        self._wait = wait
        self._lives = 0
        super().__init__(rp2040, name)
        self.operation = None
        self.operations = 0
        self.on_operation = None

    def reset(self):
        """Go back to power-on; an operation under way is over, as the chip itself goes on."""
        self._lives += 1
        self.operation = None
        super().reset()

    def cut_power(self):
        """Leave the bytes of an operation under way as far as it has come."""
        operation, now_ns = self.operation, self.rp2040.clock.nanos
        if operation is None or now_ns >= operation.end_ns:
            return
        fraction = (now_ns - operation.start_ns) / (operation.end_ns - operation.start_ns)
        self._store(operation.address, operation.torn(fraction))

    def _store(self, address, content):
        self.rp2040.flash[address : address + len(content)] = content

    def read_uint32(self, offset):
        """Read a register; the bootrom polls these three for every byte."""
        if offset == SSI_DR0:
            return self._rx_queue.popleft() if self._rx_queue else 0
        if offset == SSI_RXFLR:
            return len(self._rx_queue)
        if offset == SSI_TXFLR:
            return 0
        if offset == SSI_SR:
            ready = SSI_SR_RFNE_BITS if self._rx_queue else 0
            return ready | SSI_SR_TFE_BITS | SSI_SR_TFNF_BITS
        return super().read_uint32(offset)

    def write_uint32(self, offset, value):
        """Write a register; a byte that ends in a reset of the chip has no reply."""
        lives = self._lives
        super().write_uint32(offset, value)
        if lives != self._lives:
            self._rx_queue.clear()

    def _shift_byte(self, byte_out):
        if self._tx_buffer and self._tx_buffer[0] == CMD_READ_STATUS_1 and self.operation:
            self._wait(self.operation.end_ns)
            if self.operation and self.rp2040.clock.nanos < self.operation.end_ns:
                return super()._shift_byte(byte_out) | _BUSY
            self.operation = None
        return super()._shift_byte(byte_out)

    def _apply_command(self):
        buffer = bytes(self._tx_buffer)
        enabled = self._write_enabled
        if enabled and len(buffer) >= 4 and buffer[0] in _ERASES:
            size, lasts_ns = _ERASES[buffer[0]]
            self._begin("erase", self._address_from_buffer() & ~(size - 1), None, size, lasts_ns)
        elif enabled and len(buffer) > 4 and buffer[0] == CMD_PAGE_PROGRAM:
            data = buffer[4 : 4 + _PAGE_BYTES]
            self._begin("program", self._address_from_buffer(), data, len(data), PROGRAM_NS)
        else:
            super()._apply_command()
            return
        self._write_enabled = False
        self._tx_buffer = bytearray()

    def _begin(self, kind, address, data, size, lasts_ns):
        before = bytes(self.rp2040.flash[address : address + size])
        if data is None:
            after = b"\xff" * size
        else:
            after = bytes(old & new for old, new in zip(before, data, strict=True))
        self.operations += 1
        now_ns = int(self.rp2040.clock.nanos)
        self.operation = FlashOperation(
            self.operations, kind, address, before, after, now_ns, now_ns + lasts_ns
        )
        self._store(address, after)
        if self.on_operation:
            self.on_operation(self.operation)
