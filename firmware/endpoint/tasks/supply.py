"""Watches the supply's warning: the record is committed before the lights go out (O-6)."""


class Supply:
    """The task of the power-fail pin. Context: task only.

    Parameters
    ----------
    pin : PowerFail
        `changed`, a flag to wait for; `is_failing()`.
    books : Books
    clock : Monotonic
    say : callable
        Told of every change.
    """

    def __init__(self, pin, books, clock, say):
        self._pin = pin
        self._books = books
        self._clock = clock
        self._say = say
        self.is_dark = False

    async def run(self, beat):
        """Watch for ever."""
        while True:
            beat()
            await self._pin.changed.wait()
            is_dark = self._pin.is_failing()
            if is_dark == self.is_dark:
                continue
            self.is_dark = is_dark
            now_ms = self._clock.ms()
            if is_dark:
                self._books.dark(now_ms)
            else:
                self._books.lit(now_ms)
            self._say("dark" if is_dark else "lit", ms=now_ms)
