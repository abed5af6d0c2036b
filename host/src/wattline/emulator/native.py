"""The compiled parts of rp2040py, made as fast as they can be from outside.

Their cross calls look each method up by name first, in case somebody overrode it, and each
look-up builds a bound method. A bound method that lies ready in the object's own dictionary is
found at once; this nearly doubles the speed of the core.
"""

from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.cortex_m0_core import CortexM0Core
from rp2040py.execute_batch import execute_batch
from rp2040py.rp2040 import RP2040


def _keep_bound(owner, *names):
    for name in names:
        setattr(owner, name, getattr(owner, name))


class Clock(SimulationClock):
    """The simulated clock; `before_run` is called by the run loop as it starts."""

    def __init__(self):
        super().__init__()
        self.before_run = None
        _keep_bound(self, "tick")

    @property
    def has_scheduled_alarm(self):
        """Whether any alarm is scheduled; the run loop asks once, before all instructions."""
        if self.before_run:
            self.before_run()
        return super().has_scheduled_alarm


class Core(CortexM0Core):
    """The processor core."""

    def __init__(self, chip):
        super().__init__(chip)
        _keep_bound(self, "execute_instruction", "set_interrupt")


def bare_chip():
    """Return an RP2040 of rp2040py with these parts."""
    chip = RP2040(Clock())
    chip.core = Core(chip)
    widths = (8, 16, 32)
    _keep_bound(chip, *(f"{verb}_uint{bits}" for verb in ("read", "write") for bits in widths))
    return chip


class RunLoop:
    """What the native run loop of rp2040py wants to see of a simulator.

    The loop fetches `rp2040.pio` once and would step those blocks after every instruction. Ours
    run from alarms, so it shall find none; pins need them back before the first instruction.
    """

    __slots__ = ("_blocks", "clock", "rp2040", "stopped")

    def __init__(self, chip):
        self.rp2040 = chip
        self.clock = chip.clock
        self.clock.before_run = self._give_back
        self.stopped = False
        self._blocks = chip.pio

    def _give_back(self):
        self.rp2040.pio = self._blocks

    def run(self):
        """Run a stretch: until `stopped` is set, or a few milliseconds of the host's time."""
        self.stopped = False
        self.rp2040.pio = ()
        try:
            execute_batch(self, 1)
        finally:
            self._give_back()
