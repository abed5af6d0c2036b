"""The emulated rig: real image, simulated meter, line and collector, wired together.

The collector's receiver sees the line's samples and nothing else. What the rig knows beside
(the meter's true register, the module's console) serves only to judge the collector.
"""

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import BENCH
from wattline.bench.headend import HeadEnd
from wattline.bench.options import Options, volts
from wattline.board.program import program
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame
from wattline.emulator import MainsInput, Module
from wattline.errors import RunError
from wattline.image import boards
from wattline.image.build import Image
from wattline.line.mains import Mains
from wattline.line.scene import RATE_SPS, Gate, Scene
from wattline.meter.focus_al import FocusAL
from wattline.meter.load import Load
from wattline.meter.port import MeterPort

NS_PER_S = 1_000_000_000
# A module with a blank flash formats it before it answers.
_FIRST_BOOT_NS = 2 * NS_PER_S
_SERIAL = "SIM0000000000042"
_START_FORWARD_WH = 12_345_678
_START_REVERSE_WH = 234_567
_FIRST_ADC_PIN = 26
# Three and a half minutes before an hour, so that a short run sees one end.
START_UNIX_S = 1_780_325_790


class Rig:
    """Module, meter, line and collector, and the one clock they share.

    Parameters
    ----------
    options : Options
    image : Image
        The firmware under test.
    """

    def __init__(self, options: Options, image: Image) -> None:
        rng = random.Random(options.seed)
        nominal_v = volts(options.board)
        wiring = boards.data(options.board)
        self.profile = BENCH
        self.eid = rng.randrange(1, 0xFF000000)
        self.channel = self.profile.first_channel(self.eid)
        self._options = options
        self.poll_s = options.poll_s
        self._image = image
        self.module = Module(image.uf2)
        self.meter = FocusAL(
            serial=_SERIAL,
            form=options.form,
            volts=nominal_v,
            load=Load(options.load, options.scale, options.seed, nominal_dv=10 * nominal_v),
            forward_wh=_START_FORWARD_WH,
            reverse_wh=_START_REVERSE_WH,
        )
        module, uart = self.module, self.module.uart[wiring.OPTICAL_UART]
        self._port = MeterPort(
            self.meter,
            send=lambda data, at_ns: uart.send(data, at_ns=at_ns),
            schedule=lambda at_ns, call: module.schedule(at_ns, lambda: call(module.now_ns)),
        )
        uart.on_byte = self._port.on_byte
        mains = Mains(options.seed, voltage_v=nominal_v)
        MainsInput(module, wiring.ZERO_CROSSING_PIN, mains.crossings(options.seed))
        self._scene = Scene(
            mains, [Gate(self.channel)], ebn0_db=options.ebn0_db, seed=options.seed
        )
        module.gpio(wiring.CARRIER_GATE_PIN).on_edge(self._scene.edge)
        module.console.on_data = self._console_data
        module.console.on_connect = self._watch
        # Who commands an endpoint knows it before it has joined.
        known = (self.eid,) if options.downlink else ()
        self.receiver = Receiver(RATE_SPS, self.profile, known)
        self.headend: HeadEnd | None = None
        if options.downlink:
            self.headend = HeadEnd(mains, self.profile, self.eid, START_UNIX_S, options.seed)
            module.adc(wiring.LINE_SENSE_PIN - _FIRST_ADC_PIN).source = self.headend.code
        self.current: NDArray[np.float32] = np.zeros(0, np.float32)
        self._text = b""
        self._events: list[dict[str, Any]] = []

    @property
    def now_s(self) -> float:
        """Simulated seconds since power-on."""
        return self.module.now_ns / NS_PER_S

    def commission(self) -> dict[str, Any]:
        """Boot the blank module, check that it runs this very image, and program it.

        Raises
        ------
        RunError
            Another image runs.
        """
        self._listen(_FIRST_BOOT_NS)
        console, self.module.console.on_data = self.module.console.on_data, None
        identity = json.loads(self.module.exec(_IDENTITY))
        if identity["build_id"] != self._image.report["build_id"]:
            raise RunError(
                f"the module runs build {identity['build_id']}, not the image that was built "
                f"({self._image.report['build_id']}); build again"
            )
        program(
            self.module,
            {
                "eid": self.eid,
                "form": self._options.form,
                "detent": self._options.detent,
                "poll_s": self._options.poll_s,
                "profile": self.profile.name,
            },
        )
        if self.headend is not None:
            text = json.dumps(self.headend.secrets())
            self.module.exec(f"with open('/keys.json', 'w') as file: file.write({text!r})")
        self.module.console.on_data = console
        self.module.reset()
        return identity

    def step(self, seconds: float) -> tuple[list[Frame], list[dict[str, Any]]]:
        """Let time pass; return the frames heard and the events the module told of."""
        frames = self._listen(math.ceil(seconds * NS_PER_S))
        events, self._events = self._events, []
        return frames, events

    def truth_wh(self, t_s: float) -> int:
        """Return what the meter shows of the billing quantity at a simulated second."""
        forward_wh, reverse_wh = self.meter.register_wh(max(0, int(t_s * NS_PER_S)))
        return self.billing_wh(forward_wh, reverse_wh)

    def billing_wh(self, forward_wh: int, reverse_wh: int) -> int:
        """Return the billing quantity of two registers: rules D-1 and D-2."""
        return forward_wh if self._options.detent else forward_wh + reverse_wh

    def _listen(self, dt_ns: int) -> list[Frame]:
        if self.headend is not None:
            self.headend.place(self.now_s)
        self.module.run_for_ns(dt_ns)
        voltage, self.current = self._scene.block(self.module.now_ns)
        return self.receiver.feed(voltage, self.current)

    def _watch(self) -> None:
        self._text = b""
        self.module.console.write(b"\rwatch\r")

    def _console_data(self, data: bytes) -> None:
        *lines, self._text = (self._text + data).split(b"\n")
        self._events.extend(_events(lines))


_IDENTITY = """
import build_info, json
print(json.dumps({"version": build_info.VERSION, "board": build_info.BOARD,
    "git": build_info.GIT, "build_id": build_info.BUILD_ID,
    "micropython": build_info.MICROPYTHON}))
"""


def _events(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON events among console lines; a line cut by a reset is dropped."""
    for line in lines:
        if line.startswith(b"{"):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if "event" in event:
                yield event
