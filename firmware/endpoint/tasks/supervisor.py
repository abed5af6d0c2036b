"""Starts the tasks, hears from each of them, and feeds the watchdog only while all are well."""

import asyncio

from micropython import const

_FEED_MS = const(2000)


class Supervisor:
    """Feeds `watchdog` while every task has reported within its own limit.

    A task that ends, fails or falls silent is a fault: its number is noted where it survives
    a reset, and the board restarts.

    Parameters
    ----------
    watchdog
        Object with `feed()`, `note_fault(number)` and `restart()`.
    clock
        Object with `ms()`, monotonic milliseconds.
    complain : callable
        Called with a task's name and the exception that ended it.
    """

    def __init__(self, watchdog, clock, complain):
        self._complain = complain
        self._watchdog = watchdog
        self._clock = clock
        self._names = []
        self._tasks = []
        self._limits_ms = []
        self._heard_ms = []

    @property
    def names(self):
        """Task names in the order of their fault numbers (1-based)."""
        return self._names

    def start(self, name, make_coroutine, limit_ms):
        """Start a task; `make_coroutine(beat)` gets the function with which it reports.

        Without a limit the task is watched for ending only.
        """
        number = len(self._names)
        self._names.append(name)
        self._limits_ms.append(limit_ms)
        self._heard_ms.append(self._clock.ms())

        def beat():
            self._heard_ms[number] = self._clock.ms()

        self._tasks.append(asyncio.create_task(self._guard(number, make_coroutine(beat))))

    async def _guard(self, number, coroutine):
        try:
            await coroutine
        except Exception as error:
            self._watchdog.note_fault(number + 1)
            try:
                self._complain(self._names[number], error)
            except Exception:  # no memory left to say it with
                pass
        self._fault(number)

    def _fault(self, number):
        self._watchdog.note_fault(number + 1)
        self._watchdog.restart()

    async def run(self):
        """Feed for ever, or restart the board."""
        while True:
            now = self._clock.ms()
            for number, limit_ms in enumerate(self._limits_ms):
                if limit_ms is not None and now - self._heard_ms[number] > limit_ms:
                    self._fault(number)
                    return
            self._watchdog.feed()
            await asyncio.sleep_ms(_FEED_MS)
