"""Run code on a board through MicroPython's raw REPL, with mpremote's own transport."""

import errno
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from wattline.errors import RunError, WattlineError

USB_BAUD_BPS = 115200  # USB ignores it
# The module's watchdog bites within 8 s; then it needs a moment to show up on USB again.
WATCHDOG_S = 9.0
_TOUCH_BAUD_BPS = 1200
_LOOK_S = 0.2
_FULL = re.compile(r"OSError: (28\b|.*ENOSPC)")
_SHOW_UP_S = 5.0
# Verifying a signature takes the chip a second, and an emulated one on a busy host a minute.
_ANSWER_S = 120.0


class Executor(Protocol):
    """Anything that runs MicroPython source and returns what it printed."""

    def exec(self, code: str) -> str:
        """Run `code`; raise `WattlineError` with the module's complaint if it fails."""
        ...


class BoardSession:
    """A board on a serial port, for as long as the `with` block lasts.

    The application is stopped on entry and the board is reset on exit, so that it comes back.
    A board that does not answer is recovered step by step; each step is reported.

    Parameters
    ----------
    port : str
        Any serial port: USB, or a UART that is MicroPython's console.
    baud_bps : int
    fresh : bool
        Restart the interpreter first, so that no module of the application is in use.
    say : callable
        Told of each step of a recovery in one sentence.
    """

    def __init__(
        self,
        port: str,
        baud_bps: int = USB_BAUD_BPS,
        *,
        fresh: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._port = port
        self._baud_bps = baud_bps
        self._fresh = fresh
        self._say = say
        self._transport: SerialTransport | None = None

    def __enter__(self) -> "BoardSession":
        steps = [
            ("Ctrl-C and the raw prompt", self._plain),
            ("Ctrl-C again, slowly, and a soft reset", self._soft_reset),
            (f"{WATCHDOG_S:.0f} s for the watchdog to restart it", self._watchdog),
        ]
        for number, (what, step) in enumerate(steps, 1):
            try:
                step()
            except (TransportError, OSError) as error:
                self._close()
                reason = unusable(self._port) if number == 1 else ""
                if reason:  # no board is behind this name, wedged or not, or it is not ours
                    raise WattlineError(reason) from None
                self._say(f"step {number} of {len(steps) + 1}, {what}: no answer ({error})")
            else:
                if number > 1:
                    self._say(f"step {number} of {len(steps) + 1}, {what}: it answers again")
                return self
        self._touch(len(steps) + 1)
        raise WattlineError(
            f"{self._port} does not answer like a MicroPython module; check the cable and the "
            "port's name, or take the module's power away and try again"
        )

    def _open(self) -> SerialTransport:
        self._transport = SerialTransport(self._port, baudrate=self._baud_bps, wait=0)
        return self._transport

    def _plain(self) -> None:
        self._open().enter_raw_repl(soft_reset=self._fresh)

    def _soft_reset(self) -> None:
        transport = self._open()
        for _ in range(3):
            transport.serial.write(b"\r\x03")
            time.sleep(_LOOK_S)
        transport.enter_raw_repl(soft_reset=True)

    def _watchdog(self) -> None:
        time.sleep(WATCHDOG_S)
        deadline_s = time.monotonic() + _SHOW_UP_S
        while unusable(self._port) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        self._open().enter_raw_repl(soft_reset=self._fresh)

    def _touch(self, number: int) -> None:
        """Ask for the boot loader, the way that needs nothing but the USB driver."""
        try:
            serial.Serial(self._port, _TOUCH_BAUD_BPS).close()
        except OSError as error:
            self._say(f"step {number} of {number}, asking for the boot loader: {error}")
            return
        self._say(
            f"step {number} of {number}, asking for the boot loader: if a drive RPI-RP2 appears "
            "now, run wattline flash; its data stay"
        )

    def _close(self) -> None:
        if self._transport is not None:
            try:
                self._transport.close()
            except OSError:
                pass
            self._transport = None

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
            self._close()

    def exec(self, code: str) -> str:
        """Run `code`, return its output; the board's own exception becomes a `RunError`."""
        assert self._transport is not None
        try:
            output, trace = self._transport.exec_raw(code, timeout=_ANSWER_S)
            text, complaint = output.decode(), trace.decode().strip()
        except (TransportError, OSError, UnicodeDecodeError) as error:
            raise RunError(
                f"{self._port} went away in the middle ({error}); run the same command again, it "
                "goes on where it stopped"
            ) from error
        if _FULL.search(complaint):
            raise RunError(
                "the module's file system is full and nothing was changed; look with `mpremote fs "
                "ls` and remove what does not belong there"
            )
        if complaint:
            raise RunError(f"the module refused: {complaint.splitlines()[-1]}")
        return text


def unusable(port: str) -> str:
    """Return why a port cannot be had for oneself, in a sentence; "" when it can."""
    try:
        serial.Serial(port, USB_BAUD_BPS, exclusive=True).close()
    except OSError as error:
        text = str(error)
        if "exclusively lock" in text or "PermissionError" in text:
            return f"{port} is in use by another program; close that and run the command again"
        if getattr(error, "errno", None) == errno.EACCES:
            return (
                f"you may not use {port}; join the group that owns it (often dialout) and log in "
                "again"
            )
        return f"{port} cannot be opened; check the cable and the name, and look whether it is on"
    return ""
