"""The speed of plain rp2040py, for comparison: ``python -m wattline.emulator.stock idle IMAGE``.

Prints simulated seconds (idle) or chip cycles (busy) per CPU second of the host.
"""

import sys
import time
from pathlib import Path

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from wattline.image import uf2

_IDLE_NS = 20_000_000
_BUSY_CYCLES = 2_000_000


def _attached(image):
    """Return a simulator that has booted the image and been enumerated on USB."""
    simulator = Simulator()
    chip = simulator.rp2040
    chip.logger = ConsoleLogger(LogLevel.ERROR)
    chip.load_bootrom(BOOTROM_B1)
    _, content = uf2.unpack(Path(image).read_bytes())
    chip.flash[: len(content)] = content
    chip.core.pc = FLASH_START_ADDRESS
    simulator.stopped = False
    connected = []
    USBCDC(chip.usb_ctrl).on_device_connected = lambda: connected.append(True)
    while not connected:
        execute_batch(simulator, 1)
    return simulator


def idle_speed(image):
    """Return simulated seconds per CPU second while the image has nothing to do."""
    simulator = _attached(image)
    start_ns, start_s = simulator.clock.nanos, time.process_time()
    while simulator.clock.nanos - start_ns < _IDLE_NS:
        execute_batch(simulator, 1)
    return (simulator.clock.nanos - start_ns) / 1e9 / (time.process_time() - start_s)


def busy_speed(image):
    """Return chip cycles per CPU second; empty USB transfers keep the core busy."""
    simulator = _attached(image)
    start, start_s = simulator.rp2040.core.cycles, time.process_time()
    while simulator.rp2040.core.cycles - start < _BUSY_CYCLES:
        execute_batch(simulator, 1)
    return (simulator.rp2040.core.cycles - start) / (time.process_time() - start_s)


if __name__ == "__main__":
    measure = idle_speed if sys.argv[1] == "idle" else busy_speed
    sys.stdout.write(f"{measure(sys.argv[2])}\n")
