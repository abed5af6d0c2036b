"""A task that hangs or ends restarts the board, and the next start says which one it was."""

import pytest
from station import meter

BOOT_S = 0.6
WATCHDOG_S = 8
TRANSMIT_LIMIT_S = 5
# Starts the application again with one method replaced.
START = """
from endpoint import app
from endpoint.tasks import {module}
import asyncio
{body}
{module}.{method} = fault
app.main()
"""
WAITS = "async def fault(self, *given):\n    await asyncio.Event().wait()"
# A real one, not planted: there is no megabyte.
FAILS = "async def fault(self, *given):\n    bytearray(1 << 20)"
# Asleep for the emulator's sake: for the other tasks it is as bad as a loop without end.
BLOCKS = "import time\nasync def fault(self, *given):\n    time.sleep(100)"


def broken(station, method, body):
    """Return a station whose application runs with a planted fault."""
    made = station(meter())
    made.run(BOOT_S)
    listener = made.module.console.on_data
    module, method = method.split(".", 1)
    made.module.start(START.format(module=module, method=method, body=body))
    made.module.console.on_data = listener
    made.started_s = made.now_s
    return made


@pytest.mark.parametrize(
    ("method", "body", "fault", "limit_s"),
    [
        ("transmit.Transmit.run", WAITS, "transmit", TRANSMIT_LIMIT_S),
        ("poll.Poll._once", BLOCKS, "blocked", WATCHDOG_S),
    ],
    ids=["waits", "blocks"],
)
def test_hung_task_restarts_the_board_and_is_named(station, method, body, fault, limit_s):
    made = broken(station, method, body)
    made.run(limit_s + 3)
    ((cause, t_s),) = made.resets
    assert cause == "watchdog"
    assert limit_s - 1 <= t_s - made.started_s <= limit_s + 3
    assert made.status()["fault"] == fault


def test_failed_task_restarts_the_board_at_once_and_is_named_once(station):
    made = broken(station, "console.Console.run", FAILS)
    made.until("read", 8)
    ((cause, t_s),) = made.resets
    assert cause == "watchdog" and t_s - made.started_s < 3
    assert made.status()["fault"] == "console"
    made.module.reset()
    made.until("read", 5)
    assert made.status()["fault"] == ""
