"""A module with its meter and mains, without line model: cheaper than the bench's rig."""

import json
from itertools import count, pairwise

from wattline.emulator import MainsInput, Module
from wattline.image import boards
from wattline.meter.focus_al import FocusAL
from wattline.meter.load import Load
from wattline.meter.port import MeterPort

BOARD = "FASY_0624_0004"
EID = 0x00C0FFEE
NS_PER_S = 1_000_000_000
MAINS_HZ = 60
WATCH = b"\rwatch\r"
# 1 Wh a second: what is lost in a second shows.
STEADY_1_WH_PER_S = {"profile": "steady", "scale": 3.0}


def meter(serial="SIM0000000000042", forward_wh=1_000_000, reverse_wh=50_000, load=None):
    """Return a 2S meter of 240 V that counts 1 Wh a second, or another load."""
    return FocusAL(
        serial=serial,
        form="2S",
        load=Load(**(load or STEADY_1_WH_PER_S)),
        forward_wh=forward_wh,
        reverse_wh=reverse_wh,
    )


class Station:
    """One module on its meter.

    Parameters
    ----------
    board : str
    image : path
    flash : bytes or None
        What the flash holds before.
    meter : FocusAL or None
        None leaves the optical port dark.
    mains_on : bool
        Whether zero crossings arrive, 60 Hz exactly.

    Attributes
    ----------
    events : list of dict
        What the console told while watched, with the simulated time in s as `t_s`.
    resets : list of (str, float)
        Cause and time in s of every reset.
    edges : list of (int, int)
        Edges of the carrier gate, ns and level.
    """

    def __init__(self, board, image, flash=None, meter=None, mains_on=False):
        wiring = boards.data(board)
        module = Module(image, flash)
        self.resets, self.edges = [], []
        self.mains_on = mains_on
        MainsInput(module, wiring.ZERO_CROSSING_PIN, self._crossings())
        module.gpio(wiring.CARRIER_GATE_PIN).on_edge(
            lambda t, level: self.edges.append((t, level))
        )
        self._connect(module, wiring, meter)

    def _connect(self, module, wiring, meter):
        self.module = module
        self.events = []
        module.on_reset = lambda cause: self.resets.append((cause, self.now_s))
        self._uart = module.uart[wiring.OPTICAL_UART]
        self.plug(meter)
        module.console.on_data = self._received
        module.console.on_connect = self._connected
        self._line = b""
        self._awaited = None

    @property
    def now_s(self):
        """Simulated seconds since the first power-on."""
        return self.module.now_ns / NS_PER_S

    def plug(self, meter):
        """Put another meter before the optical port, or none."""
        self.meter = meter
        if meter is None:
            self._uart.on_byte = lambda value, t_ns: None
            return
        module, uart = self.module, self._uart
        port = MeterPort(
            meter,
            send=lambda data, at_ns: uart.send(data, at_ns=at_ns),
            schedule=lambda at_ns, call: module.schedule(at_ns, lambda: call(module.now_ns)),
        )
        uart.on_byte = port.on_byte

    def run(self, seconds):
        """Let time pass."""
        self.module.run_for_ns(int(seconds * NS_PER_S))

    def until(self, name, limit_s):
        """Let time pass until the console tells of an event of that name, and return it.

        Raises
        ------
        TimeoutError
            After `limit_s` simulated seconds without one.
        """
        deadline_ns = self.module.now_ns + int(limit_s * NS_PER_S)
        self._awaited, found = name, len(self.events)
        while self._awaited and self.module.now_ns < deadline_ns:
            self.module.run_until_ns(deadline_ns)
        if not self._awaited:
            return self.events[-1]
        self._awaited = None
        raise TimeoutError(f"no {name!r} within {limit_s} s; events: {self.events[found:]}")

    def status(self):
        """Ask the console how the module is, as a person would."""
        self.module.console.write(b"\rjson\r")
        return self.until("status", 2)

    def stop_application(self):
        """Press Ctrl-C and give the prompt time to come."""
        self.module.console.write(b"\x03")
        self.run(0.05)

    def busy_cycles(self):
        """Return the cycles of the chip so far, those of waiting for the flash chip too."""
        return self.module.cycles

    def served_wh(self):
        """Return the meter's forward and reverse register as it served them last."""
        return self.meter.reads[-1][1:]

    def _crossings(self):
        for half in count(1):
            yield half * NS_PER_S // (2 * MAINS_HZ), half % 2 if self.mains_on else 0

    def _connected(self):
        self._line = b""
        self.module.console.write(WATCH)

    def _received(self, data):
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if not line.startswith(b"{"):
                continue
            event = json.loads(line)
            event.setdefault("event", "status")
            event["t_s"] = self.now_s
            self.events.append(event)
            if event["event"] == self._awaited:
                self._awaited = None
                self.module.stop()
                break


LABEL = """
from machine import unique_id
from endpoint.module import label
print(label(unique_id()).decode(), end='')
"""


def pulses(edges):
    """Return ``(rise_ns, width_ns)`` of every pulse that is complete."""
    return [
        (rise_ns, fall_ns - rise_ns) for (rise_ns, level), (fall_ns, _) in pairwise(edges) if level
    ]


def carrier(edges):
    """Return the pulses that are more than the microsecond with which silence is marked."""
    return [pulse for pulse in pulses(edges) if pulse[1] > 1000]
