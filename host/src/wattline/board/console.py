"""The module's console for people, used by a program: one command, one JSON line back."""

import json
from typing import Any

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from wattline.board.session import unusable
from wattline.errors import WattlineError

_BAUD_BPS = 115200  # a USB console ignores it; a real UART does not
# A board that has just been reset needs a few seconds until its application listens.
_ANSWER_S = 8.0
# The longest answer of the console, a status line, is below 1 KiB.
_MAX_LINES, _MAX_LINE_BYTES = 20, 4096
# What the prompt answers where no application listens. The code then asks start-up itself, and
# changes nothing: the module has to be able to say why it is in safe mode.
_PROMPT = b">>>"
ASK = """
import json, board, build_info, slots, storage
if slots.running is None:
    slots.load()
fields = slots.report()
if slots.running is None:
    fields['application'] = 'none'
fields['board'] = board.NAME
fields['build_id'] = build_info.BUILD_ID
fields['image'] = build_info.VERSION
fields['file_system'] = storage.state
print(json.dumps(fields))
"""


def read_status(port: str) -> dict[str, Any]:
    """Return the status of the module on `port` without stopping its application.

    At the MicroPython prompt, in safe mode too, it is what start-up knows.

    Raises
    ------
    WattlineError
        The port cannot be opened, or nothing on it answers like a module.
    """
    try:
        with serial.Serial(
            port, _BAUD_BPS, timeout=_ANSWER_S, write_timeout=_ANSWER_S, exclusive=True
        ) as line:
            line.reset_input_buffer()
            line.write(b"\rjson\r")
            for _ in range(_MAX_LINES):
                text = line.readline(_MAX_LINE_BYTES)
                if _PROMPT in text:
                    break
                if text.startswith(b"{"):
                    status = json.loads(text)
                    if "product" in status:  # an event is a JSON line too
                        return status
                if not text:
                    break
        if _PROMPT in text:
            return _at_prompt(port)
    except (serial.SerialException, OSError) as error:
        raise WattlineError(
            unusable(port) or f"{port} went away ({error}); check the cable and run it again"
        ) from None
    except ValueError as error:
        raise WattlineError(
            f"{port} answers, but not like a module; is it the right port?"
        ) from error
    raise WattlineError(
        f"{port} does not answer; is it a module, and does its application run? "
        "After work at the MicroPython prompt, reset it"
    )


def _at_prompt(port: str) -> dict[str, Any]:
    """Return what start-up knows; no application runs, and none is stopped."""
    try:
        transport = SerialTransport(port, baudrate=_BAUD_BPS)
        try:
            transport.enter_raw_repl(soft_reset=False)
            answer, complaint = transport.exec_raw(ASK, timeout=_ANSWER_S)
            transport.exit_raw_repl()
        finally:
            transport.close()
    except TransportError as error:
        raise WattlineError(f"{port} is at its prompt and does not answer ({error})") from None
    if complaint:
        raise WattlineError(
            f"{port} is at a MicroPython prompt, but is no wattline module; run wattline flash"
        )
    status = json.loads(answer)
    status["state"] = (
        "safe mode: no application starts; install a release with wattline update"
        if status["application"] == "safe mode"
        else "stopped: at the MicroPython prompt; reset it to start its application"
    )
    return status
