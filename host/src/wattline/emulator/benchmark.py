"""How fast the emulator is when it has nothing to do.

Seconds of the host are CPU seconds of this process; compare numbers of one run only.
"""

import time
from pathlib import Path

from wattline.emulator.module import Module


def idle_speed(image, simulated_s=2000.0):
    """Return simulated seconds per host second, idle at the prompt with USB attached."""
    module = Module(Path(image))
    module.exec("1")
    before_s = time.process_time()
    module.run_for_ns(int(simulated_s * 1e9))
    return simulated_s / (time.process_time() - before_s)
