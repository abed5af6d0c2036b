"""Run code on a board through MicroPython's raw REPL, with mpremote's own transport."""

from types import TracebackType
from typing import Protocol

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from wattline.errors import RunError, WattlineError


class Executor(Protocol):
    """Anything that runs MicroPython source and returns what it printed."""

    def exec(self, code: str) -> str:
        """Run `code`; raise `WattlineError` with the module's complaint if it fails."""
        ...


class BoardSession:
    """A board on a serial port, for as long as the `with` block lasts.

    The application is stopped on entry and the board is reset on exit, so that it comes back.
    """

    def __init__(self, port: str) -> None:
        self._port = port
        self._transport: SerialTransport | None = None

    def __enter__(self) -> "BoardSession":
        try:
            self._transport = SerialTransport(self._port, wait=0)
            self._transport.enter_raw_repl(soft_reset=False)
        except (TransportError, OSError) as error:
            if self._transport is not None:
                self._transport.close()
            raise WattlineError(
                f"{self._port} does not answer like a MicroPython module ({error}); "
                "check the cable and the port's name"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            try:
                self._transport.exec_raw_no_follow("import machine; machine.reset()")
            except (TransportError, OSError):
                pass  # the port vanishes while the board resets
            self._transport.close()

    def exec(self, code: str) -> str:
        """Run `code`, return its output; the board's own exception becomes a `RunError`."""
        assert self._transport is not None
        try:
            return self._transport.exec(code).decode()
        except TransportExecError as error:
            last = error.error_output.strip().splitlines()[-1]
            raise RunError(f"the module refused: {last}") from error
