"""The single-cycle I/O block with its busiest registers first, and an integer divider.

Source: RP2040 datasheet 2.3.1 (spinlocks 2.3.1.3, divider 2.3.1.5).
"""

from rp2040py.sio import (
    DIV_CSR,
    DIV_QUOTIENT,
    DIV_REMAINDER,
    RPSIO,
    SPINLOCK0,
    SPINLOCK31,
)

_WORD = 0xFFFFFFFF
_SIGN = 0x80000000


def _signed(word):
    return (word & _WORD) - ((word & _SIGN) << 1)


class Sio(RPSIO):
    """Quotients are integers, and a division costs the core only what the core executes."""

    def read_uint32(self, offset):
        """Read a register."""
        if offset == DIV_QUOTIENT:
            self.div_csr &= ~0b10
            return self.div_quotient
        if offset == DIV_REMAINDER:
            return self.div_remainder
        if offset == DIV_CSR:
            return self.div_csr
        return super().read_uint32(offset)

    def write_uint32(self, offset, value):
        """Write a register."""
        if SPINLOCK0 <= offset <= SPINLOCK31:
            self.spin_lock &= ~(1 << ((offset - SPINLOCK0) >> 2))
            return
        super().write_uint32(offset, value)

    def update_hardware_divider(self, signed):
        """Divide at once; the core itself waits the eight clocks that the hardware needs."""
        dividend, divisor = self.div_dividend & _WORD, self.div_divisor & _WORD
        if signed:
            dividend, divisor = _signed(dividend), _signed(divisor)
        if not divisor:
            quotient, remainder = (1 if dividend < 0 else -1), dividend
        else:
            quotient, remainder = divmod(abs(dividend), abs(divisor))
            if (dividend < 0) != (divisor < 0):
                quotient = -quotient
            if dividend < 0:
                remainder = -remainder
        self.div_quotient = quotient & _WORD
        self.div_remainder = remainder & _WORD
        self.div_csr = 0b11
