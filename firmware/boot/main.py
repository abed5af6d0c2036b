"""Start an application: the newest that has proved itself, or one that still has to.

Ctrl-C or the application's end leads to the interactive prompt. A soft reset from the raw prompt,
which is what mpremote does, ends at the prompt without coming here: the frozen modules are then
the only ones, and no slot is in use.
"""

import sys

import slots
from machine import WDT

from endpoint.hal import window
from endpoint.hal.watchdog import TIMEOUT_MS, service_window
from endpoint.update.record import SAFE


def start(number):
    """Run an application under the watchdog; return when a person has stopped it."""
    service_window.close()
    window.take_back()
    # An import of `time` or `json` looks in every place of the path first, and files are slow: it
    # took a third of the start. Nobody misses them before there is a prompt.
    files = sys.path[1:]
    del sys.path[1:]
    # An application that hangs before it has a watchdog of its own ends here.
    WDT(timeout=TIMEOUT_MS)
    try:
        slots.hand_over(number)
        from endpoint import app

        app.main()
    except KeyboardInterrupt:
        service_window.open()
    except BaseException as error:  # whatever it is: it must not keep the module from starting
        sys.print_exception(error)
        slots.crashed(error)
    sys.path.extend(files)
    slots.leave()


chosen = slots.choose()
if chosen == SAFE:
    slots.running = chosen
    slots.leave()
    print("wattline: no application starts; safe mode. Install a release with wattline update.")
else:
    start(chosen)
