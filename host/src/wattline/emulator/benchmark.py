"""How fast the emulator is, beside plain rp2040py on the same image.

Seconds of the host are CPU seconds of this process; compare numbers of one run only.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from wattline.emulator.compiled import CHOICE
from wattline.emulator.module import Module

_BUSY = """
n = 0
for i in range(4000):
    n = (n * 31 + i) & 0xFFFF
"""


def idle_speed(image, simulated_s=2000.0):
    """Return simulated seconds per host second, idle at the prompt with USB attached."""
    module = Module(Path(image))
    module.exec("1")
    before_s = time.process_time()
    module.run_for_ns(int(simulated_s * 1e9))
    return simulated_s / (time.process_time() - before_s)


def stock_idle_speed(image):
    """Return the same for rp2040py as it is."""
    return _in_plain_process("idle", image)


def busy_speed(image):
    """Return chip cycles per host second while Python on the module computes."""
    module = Module(Path(image))
    module.exec("1")
    module.start(_BUSY)
    before, before_s = module.cycles, time.process_time()
    module.finish()
    return (module.cycles - before) / (time.process_time() - before_s)


def stock_busy_speed(image):
    """Return the same for rp2040py as it is, kept busy by its own USB polling."""
    return _in_plain_process("busy", image)


def _in_plain_process(what, image):
    """Measure in a process of its own, which takes rp2040py as the wheel has it."""
    command = [sys.executable, "-m", "wattline.emulator.stock", what, str(image)]
    environment = {**os.environ, CHOICE: ""}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout)
