"""The module's console for people, used by a program: one command, one JSON line back."""

import json
from typing import Any

import serial

from wattline.errors import WattlineError

_BAUD_BPS = 115200  # a USB console ignores it; a real UART does not
# A board that has just been reset needs a few seconds until its application listens.
_ANSWER_S = 8.0
# The longest answer of the console, a status line, is below 1 KiB.
_MAX_LINES, _MAX_LINE_BYTES = 20, 4096


def read_status(port: str) -> dict[str, Any]:
    """Return the status of the module on `port` without stopping its application.

    Raises
    ------
    WattlineError
        The port cannot be opened, or nothing on it answers like a module.
    """
    try:
        with serial.Serial(port, _BAUD_BPS, timeout=_ANSWER_S, write_timeout=_ANSWER_S) as line:
            line.reset_input_buffer()
            line.write(b"\rjson\r")
            for _ in range(_MAX_LINES):
                text = line.readline(_MAX_LINE_BYTES)
                if text.startswith(b"{"):
                    status = json.loads(text)
                    if "product" in status:  # an event is a JSON line too
                        return status
                if not text:
                    break
    except (serial.SerialException, OSError) as error:
        raise WattlineError(
            f"cannot use {port} ({error}); check the cable and the name"
        ) from error
    except ValueError as error:
        raise WattlineError(
            f"{port} answers, but not like a module; is it the right port?"
        ) from error
    raise WattlineError(
        f"{port} does not answer; is it a module, and does its application run? "
        "After work at the MicroPython prompt, reset it"
    )
