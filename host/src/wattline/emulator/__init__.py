"""An RP2040 with exact UART, PIO and flash, for running the real image."""

from wattline.emulator import compiled

compiled.use()

from wattline.emulator.flash import FlashOperation  # noqa: E402 - after the choice of rp2040py
from wattline.emulator.gpio import MainsInput  # noqa: E402
from wattline.emulator.module import CLOCK_HZ, Module  # noqa: E402
from wattline.emulator.repl import DeviceError  # noqa: E402

__all__ = ["CLOCK_HZ", "DeviceError", "FlashOperation", "MainsInput", "Module"]
