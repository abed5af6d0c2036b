"""A PIO block that runs from clock alarms, so that its edges keep exact time.

The block of rp2040py is stepped once per executed processor instruction: it crawls while the
processor waits. This one asks the simulated clock to be called at the system clock of the next
due PIO instruction, whatever the processor does, and sleeps while every machine is stalled.

Source: RP2040 datasheet 3.4 (instructions), 3.5.4 (autopull), 3.5.5 (clock dividers).
"""

from rp2040py.peripherals.pio import RPPIO
from rp2040py.peripherals.pio_registers import (
    CTRL,
    INSTR_MEM0,
    INSTR_MEM31,
    SM0_CLKDIV,
    SM0_SHIFTCTRL,
    SM3_PINCTRL,
    TXF0,
    TXF3,
)
from rp2040py.utils.fifo import FIFO

CYCLE_NS = 8
_MACHINE_STRIDE = 0x18
_NEVER_FP = 1 << 62
_FRACTION = 0xFF
_WAIT_OUT = 5
_OP_JMP = 0
_OP_OUT = 3
_JMP_X_DEC = 2
_JMP_Y_DEC = 4
_AUTOPULL = 1 << 17
_JOIN_TX = 1 << 30
_JOIN_RX = 1 << 31
_FIFO_WORDS = 4


class PioBlock(RPPIO):
    """One PIO block. Times are system clocks in 1/256 (suffix ``_fp``), counted from power-on."""

    def __init__(self, rp2040, name, first_irq, index):
        self._nanos_clock = rp2040.clock
        self._alarm = rp2040.clock.create_alarm(self._on_due)
        self._running = False
        self._forget()

    def _forget(self):
        self._alarm.cancel()
        self._armed_fp = _NEVER_FP
        self._pins_due_fp = _NEVER_FP
        self._active = []
        self._countdown = [0] * 32  # per address: register of a one-instruction count-down loop
        self._skipped = {}  # machine -> (due of the first skipped turn, period, turns)
        self._stalled = {}  # machine -> tick at which the stalled instruction is tried next

    def reset(self):
        """Go back to power-on, with nothing left to do."""
        super().reset()
        self._forget()

    def _now_fp(self):
        return int(self._nanos_clock.nanos) // CYCLE_NS << 8

    # Registers

    def write_uint32(self, offset, value):
        """Write a register at the present instant; the schedule follows."""
        if TXF0 <= offset <= TXF3:
            super().write_uint32(offset, value)
            self._refill(self.machines[(offset - TXF0) >> 2])
            return
        self.cycle_fp = self._now_fp()
        if self._skipped:
            self._settle()
        super().write_uint32(offset, value)
        if INSTR_MEM0 <= offset <= INSTR_MEM31:
            self._note_countdown((offset - INSTR_MEM0) >> 2, value & 0xFFFF)
            return
        if offset == CTRL:
            self._active = [machine for machine in self.machines if machine.enabled]
        elif SM0_CLKDIV <= offset <= SM3_PINCTRL:
            index, register = divmod(offset - SM0_CLKDIV, _MACHINE_STRIDE)
            if register == SM0_SHIFTCTRL - SM0_CLKDIV:
                self._join_fifos(self.machines[index])
        for machine in self.machines:
            self._note_stall(machine)
        self._schedule()

    def _note_countdown(self, address, opcode):
        condition = (opcode >> 5) & 7
        loops = (
            opcode >> 13 == _OP_JMP
            and opcode & 0x1F == address
            and condition in (_JMP_X_DEC, _JMP_Y_DEC)
        )
        self._countdown[address] = condition if loops else 0

    def _join_fifos(self, machine):
        tx_words = rx_words = _FIFO_WORDS
        if machine.shift_ctrl & _JOIN_TX:
            tx_words, rx_words = 2 * _FIFO_WORDS, 0
        elif machine.shift_ctrl & _JOIN_RX:
            tx_words, rx_words = 0, 2 * _FIFO_WORDS
        if machine.tx_fifo.size != tx_words or machine.rx_fifo.size != rx_words:
            machine.tx_fifo = FIFO(tx_words)
            machine.rx_fifo = FIFO(rx_words)
            dma = self.rp2040.dma
            (dma.set_dreq if tx_words else dma.clear_dreq)(machine.dreq_tx)
            dma.clear_dreq(machine.dreq_rx)

    # Stalls

    def _note_stall(self, machine):
        if not machine.waiting:
            self._stalled.pop(machine.index, None)
        elif machine.index not in self._stalled:
            self._stalled[machine.index] = machine.next_due_fp

    def notify_due(self, due_fp):
        """Take up a machine that stops waiting, on the next tick of its own divider."""
        for index in tuple(self._stalled):
            machine = self.machines[index]
            if machine.waiting:
                continue
            tick_fp = self._stalled.pop(index)
            div_fp = machine.div_fp
            late_fp = self._now_fp() - tick_fp
            if late_fp > 0:
                tick_fp += -(-late_fp // div_fp) * div_fp
            if self.pin_values != self.old_pin_values:
                self._pins_due_fp = min(self._pins_due_fp, tick_fp)
            ticks = 1 + max(0, machine.wait_delay)
            if machine.wait_type == _WAIT_OUT:
                ticks += 1  # an empty OSR cannot be filled and shifted out in the same clock
            machine.next_due_fp = tick_fp + ticks * div_fp
        if not self._running:
            self._schedule()

    def _refill(self, machine):
        """Autopull into an empty OSR, as the hardware does beside the program."""
        if (
            machine.shift_ctrl & _AUTOPULL
            and machine.enabled
            and not machine.waiting
            and machine.output_shift_count >= machine.pull_threshold
            and not machine.tx_fifo.empty
        ):
            machine.output_shift_reg = machine.tx_fifo.pull()
            machine.output_shift_count = 0
            self.rp2040.dma.set_dreq(machine.dreq_tx)
            self.check_interrupts()

    # Time

    def _on_due(self):
        """Run every machine that is due at this system clock, then ask for the next one."""
        self._armed_fp = _NEVER_FP
        self._running = True
        limit_fp = self._now_fp() | _FRACTION
        self._pins_due_fp = _NEVER_FP
        for machine in self._active:
            if not machine.waiting and machine.next_due_fp <= limit_fp:
                self._step(machine)
        self.check_changed_pins()
        self._running = False
        self._schedule()

    def _step(self, machine):
        self.cycle_fp = machine.next_due_fp
        pc = machine.pc
        if machine.shift_ctrl & _AUTOPULL and self.instructions[pc] >> 13 == _OP_OUT:
            if machine.output_shift_count >= machine.pull_threshold and not machine.tx_fifo.empty:
                self._refill(machine)
                machine.next_due_fp += machine.div_fp
                return
            machine.step()
            self._refill(machine)
        else:
            machine.step()
        if machine.waiting:
            self._stalled[machine.index] = machine.next_due_fp
        elif self._countdown[pc]:
            self._skip(machine, pc)

    def _skip(self, machine, pc):
        """Jump over the remaining turns of a count-down loop that has run its first one."""
        self._skipped.pop(machine.index, None)
        if machine.pc != pc:
            return
        counts_x = self._countdown[pc] == _JMP_X_DEC
        turns = machine.x if counts_x else machine.y
        if not turns:
            return
        delay_bits = 5 - machine.sideset_count
        delay = (self.instructions[pc] >> 8) & ((1 << delay_bits) - 1)
        period_fp = (1 + delay) * machine.div_fp
        self._skipped[machine.index] = (machine.next_due_fp, period_fp, turns, counts_x)
        machine.next_due_fp += turns * period_fp
        self._set_counter(machine, counts_x, 0)

    @staticmethod
    def _set_counter(machine, counts_x, value):
        if counts_x:
            machine.x = value
        else:
            machine.y = value

    def _settle(self):
        """Make the skipped loops what they are at this instant, before a register changes."""
        for index, (first_fp, period_fp, turns, counts_x) in self._skipped.items():
            machine = self.machines[index]
            done = 0
            if self.cycle_fp >= first_fp:
                done = min(turns, (self.cycle_fp - first_fp) // period_fp + 1)
            self._set_counter(machine, counts_x, turns - done)
            machine.next_due_fp = first_fp + done * period_fp
        self._skipped.clear()

    def _schedule(self):
        self.recompute_due()
        due_fp = min(self.next_due_fp, self._pins_due_fp)
        if due_fp == self._armed_fp:
            return
        self._armed_fp = due_fp
        if due_fp == _NEVER_FP:
            self._alarm.cancel()
        else:
            wait_ns = (due_fp >> 8) * CYCLE_NS - self._nanos_clock.nanos
            self._alarm.schedule(wait_ns if wait_ns > 0 else 0.0)
