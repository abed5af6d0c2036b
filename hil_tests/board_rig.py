"""A real module on a bench, with the interface that the tests use of the emulated one.

Time is the host's. What the rig has no wire for skips the test and says which wire that is.
"""

import heapq
import itertools
import select
import shlex
import subprocess
import time
import tomllib
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from unittest.mock import ANY

import pytest
import serial
from station import WATCH, Station

from wattline.emulator.repl import RawRepl
from wattline.errors import WattlineError
from wattline.image import boards
from wattline.meter.serve import SerialWire

_NS_PER_S = 1_000_000_000
_MOST_BYTES = 4096  # of one read
_LOOK_AGAIN_S = 0.1
_SHOW_UP_S = 15.0
_RESTART_S = 1.0  # a chip that restarts is gone for less than this
_WIPE_S = 60.0
_ASK_AGAIN_S = 4.0

# All of the storage becomes as blank as on a new chip; blank blocks are not worn.
_WIPE = """
import rp2
flash = rp2.Flash()
block, blank = bytearray(4096), b"\\xff" * 4096
for number in range(flash.ioctl(4, 0)):
    flash.readblocks(number, block)
    if block != blank:
        flash.ioctl(6, number)
"""
_RESTART = "import machine; machine.reset()"


@dataclass(frozen=True)
class Wiring:
    """What a rig file says; every field but `usb` may be missing, and tests that need it skip.

    Attributes
    ----------
    usb : str
        Port of the module's USB console; a name from /dev/serial/by-id outlives its resets.
    optical, programming : str
        Ports wired to the module's two UARTs, 3.3 V.
    power_off, power_on : str
        Commands that take the module's power away and give it back.
    run : str
        Command that pulls the RUN pin low for an instant.
    zero_crossings : bool
        Whether a 60 Hz square wave is on the zero-crossing input, always.
    patience : int
        Factor on how long an event may take to come, for what is slower than a board.
    """

    usb: str
    optical: str = ""
    programming: str = ""
    power_off: str = ""
    power_on: str = ""
    run: str = ""
    zero_crossings: bool = False
    patience: int = 1


def read_wiring(path):
    """Read a rig file.

    Raises
    ------
    WattlineError
        One sentence that names the file, what is wrong in it and what belongs there.
    """
    known = {field.name: field.type for field in fields(Wiring)}
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise WattlineError(f"{path} cannot be read ({error.strerror}): see docs/rig.md") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WattlineError(f"{path} is no TOML file ({error}): see docs/rig.md") from None
    for name, value in found.items():
        if name not in known:
            raise WattlineError(f"{path}: {name} is unknown; known are {', '.join(known)}")
        if not isinstance(value, known[name]):
            raise WattlineError(f"{path}: {name} must be a {known[name].__name__}")
    if not found.get("usb"):
        raise WattlineError(f"{path}: usb is missing; it names the port of the module's console")
    if bool(found.get("power_off")) != bool(found.get("power_on")):
        raise WattlineError(f"{path}: power_off and power_on belong together; give both or none")
    return Wiring(**found)


class Lacking:
    """Skips the test that asks for what is not there, by the name it asked for."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        pytest.skip(f"needs the emulated module: a board has no {type(self).__name__}.{name}")


class BoardConsole(Lacking):
    """The USB console; see `wattline.emulator.console.UsbConsole`.

    Attributes
    ----------
    connected : bool
    on_data, on_connect : callable or None
    """

    def __init__(self, name, on_gone):
        self._name = name
        self._on_gone = on_gone
        self._port = None
        self._look_ns = 0
        self.on_data = self.on_connect = None

    @property
    def connected(self):
        return self._port is not None

    def fileno(self):
        return self._port.fileno()

    def write(self, data):
        """Send bytes; what is said to a module that restarts is lost."""
        with suppress(serial.SerialException, OSError):
            if self._port is not None:
                self._port.write(data)

    def look(self):
        """Open the port if the module is there again."""
        if self._port is not None or time.monotonic_ns() < self._look_ns:
            return
        self._look_ns = time.monotonic_ns() + int(_LOOK_AGAIN_S * _NS_PER_S)
        try:
            self._port = serial.Serial(self._name, 115200, timeout=0, exclusive=True)
        except (serial.SerialException, OSError):
            return
        if self.on_connect:
            self.on_connect()

    def pump(self):
        """Hand over what has come; notice that the module is gone."""
        try:
            data = self._port.read(_MOST_BYTES)
        except (serial.SerialException, OSError):
            self.close()
            self._on_gone()
            return
        if data and self.on_data:
            self.on_data(data)

    def close(self):
        """Let the port go."""
        if self._port is not None:
            with suppress(serial.SerialException, OSError):
                self._port.close()
        self._port = None


class BoardUart(Lacking):
    """The other end of one of the module's UARTs; see `wattline.emulator.pl011.Pl011`."""

    def __init__(self, module, name):
        self._module = module
        self._wire = SerialWire(name)
        self.on_byte = lambda value, t_ns: None

    @property
    def line_baud(self):
        return self._wire.baud

    @line_baud.setter
    def line_baud(self, baud):
        self._wire.set_baud(baud)

    def fileno(self):
        return self._wire.fileno()

    def send(self, data, at_ns=None):
        """Send bytes, now or at `at_ns`."""
        if at_ns is None:
            self._wire.write(data)
        else:
            self._module.schedule(at_ns, lambda: self._wire.write(data))

    def pump(self):
        """Hand over what has come."""
        for value in self._wire.read():
            self.on_byte(value, self._module.now_ns)

    def close(self):
        """Let the port go."""
        self._wire.close()


class Uarts:
    """The UARTs that the rig has a wire for, by number."""

    def __init__(self, wires):
        self._wires = wires

    def __getitem__(self, number):
        if number not in self._wires:
            pytest.skip(f"needs a serial port wired to UART {number}: name it in the rig file")
        return self._wires[number]


class BoardModule(Lacking):
    """One module on the bench; see `wattline.emulator.Module`.

    A restart shows as a console that goes away. Nothing tells why: `on_reset` is called with a
    cause that equals whatever it is compared with.

    Parameters
    ----------
    wiring : Wiring
    board : str
        Its name; says which UART is which.

    Raises
    ------
    WattlineError
        One sentence, when a port cannot be had.
    """

    flash = property(lambda self: self._no_flash(), lambda self, _: self._no_flash())

    def __init__(self, wiring, board):
        self.wiring = wiring
        self._start_ns = time.monotonic_ns()
        self._stopped = False
        self._due, self._order = [], itertools.count()
        self.powered = True
        self.on_reset = self.on_flash_operation = None
        self.console = BoardConsole(wiring.usb, self._has_gone)
        self._repl = RawRepl(self)
        data = boards.data(board)
        numbers = {data.OPTICAL_UART: wiring.optical, data.PROGRAM_UART: wiring.programming}
        self._wires = {number: BoardUart(self, name) for number, name in numbers.items() if name}
        self.uart = Uarts(self._wires)
        self.wait_until_connected()

    # Time

    @property
    def now_ns(self):
        """The host's time since the rig was taken."""
        return time.monotonic_ns() - self._start_ns

    def schedule(self, t_ns, function):
        """Call ``function()`` at `t_ns`, or as soon after it as the host can."""
        heapq.heappush(self._due, (t_ns, next(self._order), function))

    def stop(self):
        """End the run under way; for callbacks."""
        self._stopped = True

    def run_for_ns(self, dt_ns):
        """Let `dt_ns` pass."""
        self.run_until_ns(self.now_ns + dt_ns)

    def run_until_ns(self, t_ns):
        """Carry bytes until `t_ns` or until `stop`."""
        self._stopped = False
        while not self._stopped and self.now_ns < t_ns:
            while self._due and self._due[0][0] <= self.now_ns:
                heapq.heappop(self._due)[2]()
            self.console.look()
            wires = [*self._wires.values()]
            if self.console.connected:
                wires.append(self.console)
            next_ns = min(t_ns, self._due[0][0] if self._due else t_ns)
            wait_s = min(_LOOK_AGAIN_S, max(0, next_ns - self.now_ns) / _NS_PER_S)
            for wire in select.select(wires, [], [], wait_s)[0]:
                wire.pump()

    def wait_until_connected(self):
        """Wait for the console to be there."""
        deadline_ns = self.now_ns + int(_SHOW_UP_S * _NS_PER_S)
        while not self.console.connected:
            if self.now_ns > deadline_ns:
                raise WattlineError(
                    f"{self.wiring.usb} cannot be opened: check the cable, the name in the rig "
                    "file, and that no other program uses it"
                )
            self.console.look()
            self.run_for_ns(_NS_PER_S // 100)

    # Power and resets

    def reset(self):
        """Restart the module: by its RUN pin if that is wired, else at its prompt."""
        if self.wiring.run:
            _command(self.wiring.run)
        else:
            listener = self.console.on_data
            self.start(_RESTART)
            self.console.on_data = listener
        self._gone()
        self.wait_until_connected()

    def power_cut(self):
        """Take the power away."""
        if not self.wiring.power_off:
            pytest.skip("needs a switched supply: give power_off and power_on in the rig file")
        _command(self.wiring.power_off)
        self.powered = False
        self._gone()

    def power_on(self):
        """Give the power back; the module boots."""
        _command(self.wiring.power_on)
        self.powered = True
        self._gone()
        self.wait_until_connected()

    def _has_gone(self):
        if self.on_reset:
            self.on_reset(ANY)

    def _gone(self):
        self.console.close()
        self._has_gone()
        self.run_for_ns(int(_RESTART_S * _NS_PER_S) * self.wiring.patience)

    # Python on the module

    def exec(self, code, timeout_sim_s=10.0):
        """Interrupt what runs, execute Python on the module and return what it printed."""
        self.start(code, timeout_sim_s)
        return self.finish(timeout_sim_s)

    def start(self, code, timeout_sim_s=10.0):
        """Let the module begin to execute Python, and return when it has taken the code."""
        self._repl.start(code, int(timeout_sim_s * _NS_PER_S))

    def finish(self, timeout_sim_s=10.0):
        """Wait for what `start` began and return what it printed."""
        return self._repl.finish(int(timeout_sim_s * _NS_PER_S))

    def wipe(self):
        """Make settings, keys, journal, slots and files as blank as on a new chip, and restart."""
        self.exec(_WIPE, _WIPE_S)
        self.reset()
        self.run_for_ns(_NS_PER_S * self.wiring.patience)  # it formats its file system

    def _no_flash(self):
        pytest.skip("needs the emulated module: a rig does not reach into the flash chip")

    def close(self):
        """Let all ports go."""
        self.console.close()
        for wire in self._wires.values():
            wire.close()


class BoardStation(Station):
    """A real module on its simulated meter; a `Station` whose line is what the rig has.

    Parameters
    ----------
    module : BoardModule
        At its prompt; the application starts with the reset that has to follow.
    """

    def __init__(self, module, board, meter=None, mains_on=False):
        if mains_on and not module.wiring.zero_crossings:
            pytest.skip("needs zero crossings: feed them and say zero_crossings in the rig file")
        self._mains_on = mains_on
        self.resets = []
        self._connect(module, boards.data(board), meter)

    def until(self, name, limit_s):
        """Let time pass until the console tells of an event; see `Station.until`."""
        deadline_s = self.now_s + limit_s * self.module.wiring.patience
        while True:
            try:
                return super().until(name, min(_ASK_AGAIN_S, deadline_s - self.now_s))
            except TimeoutError:
                if self.now_s >= deadline_s:
                    raise
            # What was said to a module in the middle of its start may be lost.
            self.module.console.write(WATCH)

    @property
    def mains_on(self):
        return self._mains_on

    @mains_on.setter
    def mains_on(self, is_on):
        pytest.skip("needs the emulated module: a rig cannot switch its zero crossings")

    @property
    def edges(self):
        pytest.skip("needs the emulated module: a rig does not time the carrier gate's edges")

    def busy_cycles(self):
        """Return 0: a rig does not count."""
        return 0


def _command(text):
    done = subprocess.run(shlex.split(text), capture_output=True, text=True, check=False)
    if done.returncode:
        raise WattlineError(
            f"the rig's command {text!r} failed with exit code {done.returncode}: {done.stderr}"
        )
