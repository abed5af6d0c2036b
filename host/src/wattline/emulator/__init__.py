"""An RP2040 with exact UART, PIO and flash, for running the real image."""

from wattline.emulator.flash import FlashOperation
from wattline.emulator.gpio import MainsInput
from wattline.emulator.module import CLOCK_HZ, Module
from wattline.emulator.repl import DeviceError

__all__ = ["CLOCK_HZ", "DeviceError", "FlashOperation", "MainsInput", "Module"]
