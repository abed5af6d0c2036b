"""The emulated module: the real image on an RP2040, driven step by step in simulated time.

Nothing here runs by itself: time passes only inside `run_until_ns` and its relatives, so the
same calls give the same cycles and the same edges every time.
"""

from pathlib import Path

from rp2040py.peripherals.vreg_and_chip_reset import HAD_POR, HAD_RUN

from wattline.emulator.chip import build_chip, reset_pads
from wattline.emulator.console import UsbConsole
from wattline.emulator.gpio import Gpio
from wattline.emulator.native import RunLoop
from wattline.emulator.repl import RawRepl
from wattline.errors import WattlineError
from wattline.image import uf2

CLOCK_HZ = 125_000_000
_CYCLE_NS = 1_000_000_000 // CLOCK_HZ
_FLASH_BYTES = 2 * 1024 * 1024
_PINS = 30
_DECAYED = 0xA5  # what memory holds after a power cut: nothing that anybody stored


class Module:
    """One emulated module, powered from the start.

    Parameters
    ----------
    image : path
        UF2 file with the firmware.
    flash : bytes, optional
        What the flash chip held before, 2 MB; the image is written over it. Blank when absent.

    Raises
    ------
    WattlineError
        When the image or the flash contents do not fit an RP2040 with 2 MB of flash.

    Attributes
    ----------
    console : UsbConsole
        The USB serial port.
    powered : bool
    on_reset : callable or None
        Called with the cause, "watchdog", "run" or "power", when the chip was reset.
    on_flash_operation : callable or None
        Called with each `FlashOperation` as it begins.
    """

    def __init__(self, image, flash=None):
        self._chip = build_chip(self._wait)
        self._clock = self._chip.clock
        self._chip.simulator = self._loop = RunLoop(self._chip)
        self._stop_alarm = self._clock.create_alarm(self._stop_now)
        self._stop_ns = 0
        self._stopped = False
        self._past_cycles = 0
        self._waited_ns = 0
        self._cut = None
        self.on_reset = None
        self.on_flash_operation = None
        self.console = UsbConsole(self._chip)
        self._repl = RawRepl(self)
        self._gpios = [Gpio(self._chip, index) for index in range(_PINS)]
        self._chip.ssi.on_operation = self._flash_operation_begun
        self._chip.watchdog.on_watchdog_trigger = self._watchdog_reset
        if flash is not None:
            self.flash = flash
        self._write_image(Path(image))
        self._start()
        self.powered = True

    # Time

    @property
    def now_ns(self):
        """Simulated time since the module was made, over all resets and power cuts."""
        return int(self._clock.nanos)

    @property
    def cycles(self):
        """Clock cycles in which the core was busy; waiting for the flash chip counts."""
        return self._past_cycles + self._chip.core.cycles + self._waited_ns // _CYCLE_NS

    @property
    def idle(self):
        """True while nothing happens before the next alarm: the core waits, or is off."""
        return not self.powered or bool(self._chip.core.waiting)

    @property
    def next_event_ns(self):
        """When the next alarm is due, or None."""
        if not self._clock.has_scheduled_alarm:
            return None
        return self.now_ns + int(self._clock.nanos_to_next_alarm)

    def run_until_ns(self, t_ns):
        """Let time pass until `t_ns` or until `stop`.

        Ends at the end of the instruction that reaches `t_ns`, a few clocks later at most.
        """
        self._stop_ns = t_ns
        self._stopped = False
        self._stop_alarm.schedule(max(0, t_ns - self._clock.nanos))
        while not self._stopped:
            if self.powered:
                self._loop.run()
            else:
                self._clock.tick(self._clock.nanos_to_next_alarm)
        self._stop_alarm.cancel()

    def run_for_ns(self, dt_ns):
        """Let `dt_ns` pass; see `run_until_ns`."""
        self.run_until_ns(self.now_ns + dt_ns)

    def stop(self):
        """End the run under way; for callbacks."""
        self._stopped = True
        self._loop.stopped = True

    def schedule(self, t_ns, function):
        """Call ``function()`` when simulated time reaches `t_ns` (at once, if it has)."""
        self._clock.create_alarm(function).schedule(max(0, t_ns - self._clock.nanos))

    def _stop_now(self):
        self.stop()

    def _wait(self, until_ns):
        """Let time pass in the middle of an instruction, up to the end of the run under way."""
        wait_ns = min(until_ns, self._stop_ns) - self._clock.nanos
        if wait_ns > 0:
            self._waited_ns += int(wait_ns)
            self._clock.tick(wait_ns)

    # Power and resets

    def _start(self):
        self._chip.leave_reset()

    def _enter_reset(self, cause):
        chip = self._chip
        self._past_cycles += chip.core.cycles
        chip.enter_reset(from_watchdog=cause == "watchdog")
        reset_pads(chip)
        chip.watchdog.disarm()
        if cause != "watchdog":
            chip.watchdog.reset()
            chip.vreg_and_chip_reset.record_reset_cause(HAD_RUN if cause == "run" else HAD_POR)
        for gpio in self._gpios:
            gpio.refresh()
        if self.on_reset:
            self.on_reset(cause)

    def _watchdog_reset(self):
        self._enter_reset("watchdog")
        self._start()

    def reset(self):
        """Pull the RUN pin low for an instant: everything but flash and RAM starts over."""
        self._enter_reset("run")
        self._start()

    def power_cut(self):
        """Take the power away: an operation of the flash chip is torn, the RAM is lost."""
        if not self.powered:
            return
        self._chip.ssi.cut_power()
        self._enter_reset("power")
        for memory in (self._chip.sram, self._chip.usb_dpram):
            memory[:] = bytes((_DECAYED,)) * len(memory)
        self.powered = False
        self._loop.stopped = True

    def power_on(self):
        """Give the power back; the module boots."""
        if self.powered:
            return
        self._enter_reset("power")
        self._start()
        self.powered = True

    # Flash

    @property
    def flash(self):
        """The 2 MB of the flash chip."""
        return bytes(self._chip.flash[:_FLASH_BYTES])

    @flash.setter
    def flash(self, content):
        if len(content) != _FLASH_BYTES:
            raise WattlineError(
                f"flash contents of {len(content)} bytes do not fit a chip of {_FLASH_BYTES}: "
                "take a file that the emulator has saved"
            )
        self._chip.flash[:_FLASH_BYTES] = content

    def _write_image(self, image):
        base, content = uf2.unpack(image.read_bytes())
        start = base - uf2.FLASH_BASE
        if start < 0 or start + len(content) > _FLASH_BYTES:
            raise WattlineError(f"{image} does not fit 2 MB of flash: choose a wattline image")
        self._chip.flash[start : start + len(content)] = content

    @property
    def flash_operations(self):
        """How many programs and erases the flash chip has begun."""
        return self._chip.ssi.operations

    def cut_at_operation(self, n, fraction, kind=None):
        """Cut the power within the `n`-th flash operation from now (1 is the next).

        Parameters
        ----------
        n : int
        fraction : float
            How much of the operation is over when the power goes, from 0 to 1.
        kind : str, optional
            Count only operations of this kind, ``program`` or ``erase``.
        """
        self._cut = (n, fraction, kind)

    def _flash_operation_begun(self, operation):
        if self._cut and self._cut[2] in (None, operation.kind):
            left, fraction, kind = self._cut
            self._cut = (left - 1, fraction, kind) if left > 1 else None
            if self._cut is None:
                lasts_ns = operation.end_ns - operation.start_ns
                self.schedule(operation.start_ns + int(fraction * lasts_ns), self.power_cut)
        if self.on_flash_operation:
            self.on_flash_operation(operation)

    # Devices

    @property
    def uart(self):
        """The two UARTs, each a `Pl011`."""
        return self._chip.uart

    def gpio(self, index):
        """Return pin `index` (0 to 29) as a `Gpio`."""
        return self._gpios[index]

    def adc(self, channel):
        """Return input `channel` (0 is GP26) of the converter as an `AdcChannel`."""
        return self._chip.adc.channels[channel]

    # Python on the module

    def exec(self, code, timeout_sim_s=10.0):
        """Interrupt what runs, execute Python on the module and return what it printed.

        Raises
        ------
        wattline.emulator.DeviceError
            With the module's traceback.
        TimeoutError
            When the module has not answered within `timeout_sim_s` of simulated time.
        """
        self.start(code, timeout_sim_s)
        return self.finish(timeout_sim_s)

    def start(self, code, timeout_sim_s=10.0):
        """Let the module begin to execute Python, and return when it has taken the code."""
        self._repl.start(code, int(timeout_sim_s * 1e9))

    def finish(self, timeout_sim_s=10.0):
        """Wait for what `start` began and return what it printed; raises as `exec` does."""
        return self._repl.finish(int(timeout_sim_s * 1e9))
