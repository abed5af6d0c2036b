"""The UART with real time on the simulated clock, in both directions.

Every frame lasts its start, data, parity and stop bits at the programmed divisor. What the
other end does is told through `send`, `on_byte`, `on_error` and `fault`.

Source: RP2040 datasheet 4.2; Arm PrimeCell UART (PL011) technical reference manual, DDI 0183.
"""

from collections import deque

from rp2040py.peripherals.peripheral import BasePeripheral

from wattline.emulator.faults import FaultList
from wattline.emulator.wire import Format, Rate, Receiver, Wire

_DR, _RSR, _FR, _IBRD, _FBRD, _LCR_H, _CR = 0x00, 0x04, 0x18, 0x24, 0x28, 0x2C, 0x30
_IFLS, _IMSC, _RIS, _MIS, _ICR, _DMACR = 0x34, 0x38, 0x3C, 0x40, 0x44, 0x48
_PERIPHERAL_ID = {
    0xFE0: 0x11, 0xFE4: 0x10, 0xFE8: 0x34, 0xFEC: 0x00,
    0xFF0: 0x0D, 0xFF4: 0xF0, 0xFF8: 0x05, 0xFFC: 0xB1,
}  # fmt: skip

_FR_BUSY, _FR_RXFE, _FR_TXFF, _FR_RXFF, _FR_TXFE = 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
_LCR_BRK, _LCR_PEN, _LCR_EPS, _LCR_STP2, _LCR_FEN = 1, 2, 4, 8, 16
_CR_UARTEN, _CR_LBE, _CR_TXE, _CR_RXE = 1 << 0, 1 << 7, 1 << 8, 1 << 9
_INT_RX, _INT_TX, _INT_RT = 1 << 4, 1 << 5, 1 << 6
_INT_FE, _INT_PE, _INT_BE, _INT_OE = 1 << 7, 1 << 8, 1 << 9, 1 << 10
_DR_FE, _DR_PE, _DR_BE, _DR_OE = 1 << 8, 1 << 9, 1 << 10, 1 << 11
_DMA_RX, _DMA_TX = 1, 2

_FIFO_DEPTH = 32
_LEVELS = (4, 8, 16, 24, 28)  # IFLS 0 to 4: eighths of the FIFO
_IFLS_RESET = 0x12
_TIMEOUT_HALF_BITS = 64  # receive time-out: 32 bit periods
_BREAK_FRAMES = 2

_HZ_SYS, _HZ_USB, _HZ_ROSC, _HZ_XOSC = 125_000_000, 48_000_000, 6_500_000, 12_000_000
_PERI_SOURCES_HZ = (_HZ_SYS, _HZ_SYS, _HZ_USB, _HZ_ROSC, _HZ_XOSC, _HZ_SYS, _HZ_SYS, _HZ_SYS)


class Pl011(BasePeripheral):
    """One UART and the line it is wired to.

    Attributes
    ----------
    line_baud : int
        Speed of the other end, bits per second; both directions.
    line_format : Format
        Character format of the other end.
    on_byte : callable or None
        Called with ``(value, t_ns)`` when a byte from the chip has passed its stop bit.
    on_error : callable or None
        Called with ``(name, t_ns)``; name is "framing", "parity" or "break".
    """

    def __init__(self, rp2040, name, irq, dreq):
        super().__init__(rp2040, name)
        self.irq = irq
        self.dreq = dreq
        self.line_baud = 9600
        self.line_format = Format()
        self.on_byte = None
        self.on_error = None
        self._clock = rp2040.clock
        self._to_chip = Wire()
        self._from_chip = Wire()
        self._faults = {"to_chip": FaultList(), "from_chip": FaultList()}
        self._line_free_ns = 0
        self._receiver = Receiver(
            self._clock, self._to_chip, self._setting, self._received, at_end=False
        )
        self._peer = Receiver(
            self._clock, self._from_chip, self._peer_setting, self._arrived, at_end=True
        )
        self._sent_alarm = self._clock.create_alarm(self._on_sent)
        self._timeout_alarm = self._clock.create_alarm(self._on_timeout)
        self._power_on()

    def _power_on(self):
        self._ibrd = self._fbrd = 0
        self._lcr = 0
        self._cr = _CR_TXE | _CR_RXE
        self._ifls = _IFLS_RESET
        self._mask = 0
        self._raw = 0
        self._rsr = 0
        self._dmacr = 0
        self._overrun = False
        self._rx = deque()
        self._tx = deque()
        self._shifting = False
        self._burst = None  # (start, Rate, half bits sent) of frames sent back to back

    def reset(self):
        """Put registers and FIFOs back to power-on; the line and its other end stay."""
        self._sent_alarm.cancel()
        self._timeout_alarm.cancel()
        self._power_on()
        now_ns = int(self._clock.nanos)
        self._from_chip.cut(now_ns)
        self._receiver.restart(now_ns, self._to_chip)
        self._update()

    # The other end of the line

    def send(self, data, at_ns=None):
        """Put bytes on the wire towards the chip, back to back.

        Parameters
        ----------
        data : bytes
        at_ns : int, optional
            When the first start bit begins; at once, or after what is already queued, if later.

        Returns
        -------
        int
            Nanosecond at which the last stop bit ends.
        """
        rate, form = Rate.baud(self.line_baud), self.line_format
        t_ns = max(self._line_free_ns, int(self._clock.nanos), at_ns or 0)
        start_ns, bits = t_ns, 0
        for value in data:
            for levels, pause_ns in self._frames(value, form):
                start_ns += pause_ns
                for level in levels:
                    self._to_chip.put(start_ns + rate.bits_ns(2 * bits), level)
                    bits += 1
        self._line_free_ns = start_ns + rate.bits_ns(2 * bits)
        self._receiver.poke()
        return self._line_free_ns

    def _frames(self, value, form):
        """Return the frames, as (levels, pause before in ns), that stand for one byte."""
        fault = self._faults["to_chip"].next()
        levels = form.levels(value)
        if fault is None:
            return [(levels, 0)]
        if fault.kind == "drop":
            return [([1] * form.length, 0)]
        if fault.kind == "flip":
            return [(form.levels(value ^ (1 << fault.value)), 0)]
        if fault.kind == "double":
            return [(levels, 0), (levels, 0)]
        if fault.kind == "delay":
            return [(levels, fault.value)]
        if fault.kind == "break":
            return [([0] * (_BREAK_FRAMES * form.length) + [1] * form.stop, 0)]
        return [(levels[: -form.stop] + [0] + [1] * form.stop, 0)]

    def fault(self, kind, direction="to_chip", nth=1, value=0):
        """Let a named fault befall the `nth` byte from now in a direction.

        Parameters
        ----------
        kind : str
            "drop", "flip", "double", "delay", "break" or "framing".
        direction : str
            "to_chip" or "from_chip".
        nth : int
            1 is the next byte.
        value : int
            Number of the bit for "flip", nanoseconds for "delay".
        """
        self._faults[direction].add(kind, nth, value)

    def serve_pty(self, link):
        """Offer the other end of the line as a pseudo terminal at path `link`.

        Returns
        -------
        wattline.emulator.pty.Port
            To be given to `wattline.emulator.pty.serve`.
        """
        from wattline.emulator.pty import Port

        port = Port(link, self.send)
        self.on_byte = lambda value, t_ns: port.put(bytes((value,)))
        return port

    def _arrived(self, character):
        fault = self._faults["from_chip"].next()
        value, t_ns = character.value, character.t_ns
        error = "break" if character.is_break else "framing" if character.framing else None
        if error is None and character.parity:
            error = "parity"
        kind = fault.kind if fault else None
        if kind in ("break", "framing"):
            error = kind
        elif kind == "flip":
            value ^= 1 << fault.value
        if kind == "drop":
            return
        if error is not None:
            if self.on_error:
                self.on_error(error, t_ns)
        elif kind == "delay":
            self._deliver_later(value, fault.value)
        else:
            self._deliver(value, t_ns)
            if kind == "double":
                self._deliver_later(
                    value, Rate.baud(self.line_baud).bits_ns(2 * self.line_format.length)
                )

    def _deliver(self, value, t_ns):
        if self.on_byte:
            self.on_byte(value, t_ns)

    def _deliver_later(self, value, wait_ns):
        alarm = self._clock.create_alarm(lambda: self._deliver(value, int(self._clock.nanos)))
        alarm.schedule(wait_ns)

    def _peer_setting(self):
        return Rate.baud(self.line_baud), self.line_format

    # Speed and format of the chip's end

    @property
    def baud_rate(self):
        """Programmed speed in bits per second; 0 while no divisor is set."""
        rate = self._rate()
        return 1_000_000_000 * rate.per / rate.ns_x if rate else 0

    def _rate(self):
        divisor_x64 = self._ibrd * 64 + self._fbrd
        if not divisor_x64:
            return None
        source = (self.rp2040.clocks.peri_ctrl >> 5) & 7
        return Rate(divisor_x64 * 1_000_000_000, 4 * _PERI_SOURCES_HZ[source])

    def _format(self):
        parity = None
        if self._lcr & _LCR_PEN:
            parity = 0 if self._lcr & _LCR_EPS else 1
        return Format(5 + ((self._lcr >> 5) & 3), parity, 2 if self._lcr & _LCR_STP2 else 1)

    def _setting(self):
        rate = self._rate()
        if rate is None or self._cr & (_CR_UARTEN | _CR_RXE) != _CR_UARTEN | _CR_RXE:
            return None
        return rate, self._format()

    @property
    def _depth(self):
        return _FIFO_DEPTH if self._lcr & _LCR_FEN else 1

    def _level(self, select):
        return _LEVELS[min(select, 4)] if self._lcr & _LCR_FEN else 1

    # Receiving

    def _received(self, character):
        flags = 0
        if character.framing:
            flags |= _DR_FE
            self._raw |= _INT_FE
        if character.parity:
            flags |= _DR_PE
            self._raw |= _INT_PE
        if character.is_break:
            flags |= _DR_BE
            self._raw |= _INT_BE
        if len(self._rx) >= self._depth:
            self._overrun = True
            self._rsr |= _DR_OE >> 8
            self._raw |= _INT_OE
        else:
            self._overrun = False
            self._rx.append(flags | character.value)
            if len(self._rx) >= self._level(self._ifls >> 3 & 7):
                self._raw |= _INT_RX
        self._restart_timeout()
        self._update()

    def _read(self):
        if not self._rx:
            return 0
        word = self._rx.popleft()
        self._rsr = (self._rsr & (_DR_OE >> 8)) | (word >> 8 & 7)
        if len(self._rx) < self._level(self._ifls >> 3 & 7):
            self._raw &= ~_INT_RX
        if not self._rx:
            self._raw &= ~_INT_RT
        self._restart_timeout()
        self._update()
        return word | (_DR_OE if self._overrun else 0)

    def _restart_timeout(self):
        rate = self._rate()
        if self._rx and rate:
            self._timeout_alarm.schedule(rate.bits_ns(_TIMEOUT_HALF_BITS))
        else:
            self._timeout_alarm.cancel()

    def _on_timeout(self):
        if self._rx:
            self._raw |= _INT_RT
            self._update()

    # Sending

    def _write(self, value):
        if len(self._tx) >= self._depth:
            return
        self._tx.append(value & 0xFF)
        if self._lcr & _LCR_FEN and len(self._tx) > self._level(self._ifls & 7):
            self._raw &= ~_INT_TX
        elif not self._lcr & _LCR_FEN:
            self._raw &= ~_INT_TX
        self._start()
        self._update()

    def _start(self):
        """Move the next character into the shift register, if it is free and may send."""
        rate = self._rate()
        enabled = self._cr & (_CR_UARTEN | _CR_TXE) == _CR_UARTEN | _CR_TXE
        if self._shifting or not self._tx or not enabled or not rate or self._lcr & _LCR_BRK:
            return
        value = self._tx.popleft()
        level = self._level(self._ifls & 7) if self._lcr & _LCR_FEN else 0
        if len(self._tx) == level:
            self._raw |= _INT_TX
        self._shifting = True
        form = self._format()
        if self._burst is None or self._burst[1] != rate:
            self._burst = (int(self._clock.nanos), rate, 0)
        start_ns, _, halves = self._burst
        for bit, line_level in enumerate(form.levels(value & ((1 << form.bits) - 1))):
            self._from_chip.put(start_ns + rate.bits_ns(halves + 2 * bit), line_level)
        halves += 2 * form.length
        self._burst = (start_ns, rate, halves)
        end_ns = start_ns + rate.bits_ns(halves)
        self._sent_alarm.schedule(max(0, end_ns - self._clock.nanos))
        self._listeners_look()

    def _on_sent(self):
        self._shifting = False
        if not self._tx:
            self._burst = None
        self._apply_break()
        self._start()
        self._update()

    def _listeners_look(self):
        self._peer.poke()
        self._receiver.poke()

    def _apply_break(self):
        if self._shifting:
            return
        low = self._lcr & _LCR_BRK
        if low:
            self._burst = None
        self._from_chip.put(int(self._clock.nanos), 0 if low else 1)
        self._listeners_look()

    # Registers

    def _flags(self):
        flags = _FR_BUSY if self._tx or self._shifting else 0
        flags |= 0 if self._rx else _FR_RXFE
        flags |= _FR_RXFF if len(self._rx) >= self._depth else 0
        flags |= 0 if self._tx else _FR_TXFE
        flags |= _FR_TXFF if len(self._tx) >= self._depth else 0
        return flags

    def _update(self):
        rp2040 = self.rp2040
        rp2040.set_interrupt(self.irq, bool(self._raw & self._mask))
        dma = rp2040.dma
        wants_tx = self._dmacr & _DMA_TX and self._cr & _CR_UARTEN
        if wants_tx and len(self._tx) < self._depth:
            dma.set_dreq(self.dreq.tx)
        else:
            dma.clear_dreq(self.dreq.tx)
        if self._dmacr & _DMA_RX and self._rx:
            dma.set_dreq(self.dreq.rx)
        else:
            dma.clear_dreq(self.dreq.rx)

    def read_uint32(self, offset):
        """Read a register."""
        if offset == _DR:
            return self._read()
        if offset == _FR:
            return self._flags()
        if offset == _MIS:
            return self._raw & self._mask
        if offset == _RIS:
            return self._raw
        registers = {
            _RSR: self._rsr, _IBRD: self._ibrd, _FBRD: self._fbrd, _LCR_H: self._lcr,
            _CR: self._cr, _IFLS: self._ifls, _IMSC: self._mask, _DMACR: self._dmacr,
        }  # fmt: skip
        if offset in registers:
            return registers[offset]
        return _PERIPHERAL_ID.get(offset, 0)

    def write_uint32_atomic(self, offset, value, atomic_type):
        """Write through an alias; clearing interrupts must not depend on what ICR reads as."""
        if offset in (_ICR, _DR):
            self.write_uint32(offset, value)
        else:
            super().write_uint32_atomic(offset, value, atomic_type)

    def write_uint32(self, offset, value):
        """Write a register."""
        if offset == _DR:
            self._write(value)
        elif offset == _ICR:
            self._raw &= ~value
            self._update()
        elif offset == _IMSC:
            self._mask = value & 0x7FF
            self._update()
        elif offset == _RSR:
            self._rsr = 0
        elif offset == _IBRD:
            self._ibrd = value & 0xFFFF
        elif offset == _FBRD:
            self._fbrd = value & 0x3F
        elif offset == _IFLS:
            self._ifls = value & 0x3F
        elif offset == _DMACR:
            self._dmacr = value & 7
            self._update()
        elif offset == _LCR_H:
            self._lcr = value & 0xFF
            self._apply_break()
            self._start()
        elif offset == _CR:
            self._control(value)

    def _control(self, value):
        before, self._cr = self._cr, value & 0xFFFF
        if (before ^ self._cr) & (_CR_UARTEN | _CR_RXE | _CR_LBE):
            wire = self._from_chip if self._cr & _CR_LBE else self._to_chip
            self._receiver.restart(int(self._clock.nanos), wire)
        self._start()
        self._update()
