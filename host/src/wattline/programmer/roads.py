"""Two roads to a module's own tables: its programming port (C12.18) and its USB console.

Both read the same tables of `endpoint.programming` through the module's own guard. Only the
programming port changes anything.
"""

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

import serial

from endpoint import programming
from endpoint.line import command
from endpoint.optical import access, services
from endpoint.optical.client import TOO_LONG
from endpoint.optical.tables import MT
from wattline.errors import RunError, WattlineError
from wattline.optical.port import OpticalPort
from wattline.optical.session import Refused, Session, is_dead

PROCEDURE_TABLE = 7
RESPONSE_TABLE = 8
_PORT_PART_BYTES = 960
_USB_PART_BYTES = 512
_TABLE_MAX_BYTES = 16_384  # far beyond any table of a module that is read whole
_ANSWER_S = 8.0  # a board that has just been reset needs a few seconds
_MAX_LINES, _MAX_LINE_BYTES = 40, 8192


class Road(Protocol):
    """What both roads can do."""

    part_bytes: int

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Return at most `count` bytes of a table: fewer where it ends, none behind its end.

        Raises
        ------
        NotShown
            The module does not show this table.
        """
        ...

    def whole(self, table: int) -> bytes:
        """Return all of a table that is no ring."""
        ...

    def text(self, table: int) -> dict[str, Any]:
        """Return what a table that holds JSON says."""
        ...


class NotShown(WattlineError):
    """The module does not show a table, or not to whoever asks."""


def table_name(table: int) -> str:
    """Return ``MT-2`` or ``ST-1``."""
    return f"MT-{table - MT}" if table >= MT else f"ST-{table}"


def _not_shown(table: int, error: int) -> NotShown:
    name = table_name(table)
    if error == services.ISC:
        return NotShown(
            f"the module does not show {name} without a password that may read it; give "
            "--password-file"
        )
    if table >= programming.RINGS:
        return NotShown("the module keeps no records yet; is it programmed?")
    return NotShown(f"the module has no table {name}; is its firmware older than this program?")


def _parsed(table: int, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RunError(
            f"{table_name(table)} of the module is no text that this program knows; use the "
            "program of the same version"
        )
    return found


def _pieces(road: Road, table: int) -> bytes:
    data = b""
    while len(data) < _TABLE_MAX_BYTES:
        part = road.read(table, len(data), road.part_bytes)
        if not part:
            break
        data += part
    return data


class PortRoad:
    """A session on the programming port, for as long as the `with` block lasts.

    Parameters
    ----------
    device : str
        Serial device of the probe, or a pseudo terminal.
    password : bytes or None
        None reads what everybody may.
    echo : bool
        The head echoes what is sent.
    """

    part_bytes = _PORT_PART_BYTES

    def __init__(self, device: str, password: bytes | None = None, echo: bool = False):
        self._port = OpticalPort(device)
        self._session = Session(self._port, None, echo)
        self._password = password
        self._sequence = 0

    def __enter__(self) -> "PortRoad":
        try:
            self._session.open(password=self._password)
        except Refused as error:
            self._port.close()
            if error.error == services.BSY:
                raise RunError(
                    "the port is locked after too many wrong passwords; try again in a minute"
                ) from None
            raise
        except BaseException:
            self._port.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not (isinstance(error, Refused) and is_dead(error.error)):
                self._session.close()
        finally:
            self._port.close()

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Return part of a table."""
        while count:
            error = self._session.patient(services.read_offset_request(table, offset, count))
            if error == services.OK:
                return self._data()
            if error in (services.ISC, services.IAR):
                raise _not_shown(table, error)
            if error not in (services.ONP, TOO_LONG):
                raise Refused("The link broke", error)
            count //= 2  # the packets that were agreed on are smaller, or the table ends
        return b""

    def _data(self) -> bytes:
        client = self._session.client
        return bytes(client.message[client.data_at : client.data_at + client.data_count])

    def whole(self, table: int) -> bytes:
        """Return all of a table."""
        error = self._session.patient(services.read_request(table))
        return self._data() if error == services.OK else _pieces(self, table)

    def text(self, table: int) -> dict[str, Any]:
        """Return what a table that holds JSON says."""
        return _parsed(table, self.whole(table))

    def write(self, table: int, data: bytes) -> int:
        """Write a whole table; return OK or the reply code that refuses it.

        Raises
        ------
        Refused
            The link broke: whether the table was written has to be read back.
        """
        error = self._session.patient(services.write_request(table, data))
        if is_dead(error):
            raise Refused("The link broke", error)
        return error

    def tries(self, password: bytes) -> bool:
        """Give another password; return whether the module took it."""
        error = self._session.patient(services.security_request(password))
        if is_dead(error):
            raise Refused("The link broke", error)
        return error == services.OK

    def procedure(self, number: int, parameters: bytes = b"") -> tuple[int, bytes]:
        """Run a manufacturer procedure; return its result and what it answers.

        Raises
        ------
        Refused
            The link broke: whether it ran is not known.
        """
        self._sequence = (self._sequence + 1) & 0xFF
        head = bytes((number, MT >> 8, self._sequence))
        error = self.write(PROCEDURE_TABLE, head + parameters)
        if error:
            raise Refused("The module refuses the procedure", error)
        data = self.whole(RESPONSE_TABLE)
        if data[:3] != head or len(data) < 4:
            raise RunError("the module answered another procedure; run the command again")
        return data[3], data[4:]

    def run(self, code: int, arguments: bytes = b"") -> int:
        """Give a command; return its result as `endpoint.line.command` names it.

        Raises
        ------
        WattlineError
            The password may not give commands, or the module knows no such command.
        """
        result, data = self.procedure(code, arguments)
        if result == access.NO_RIGHT:
            raise WattlineError(
                "this password may not do that; give the write password (the admin password for "
                "keys and the service window) with --password-file"
            )
        if data:
            return data[0]
        if result == access.DONE:
            return command.DONE
        return command.NOT_SUPPORTED if result == access.UNKNOWN else command.BAD_ARGUMENT


class UsbRoad:
    """The console of a module on USB; the application goes on meanwhile.

    Parameters
    ----------
    port : str
        Serial port of the module.

    Raises
    ------
    WattlineError
        The port cannot be opened, or nothing on it answers like a module.
    """

    part_bytes = _USB_PART_BYTES

    def __init__(self, port: str):
        self._name = port
        try:
            self._line = serial.Serial(port, 115_200, timeout=_ANSWER_S, write_timeout=_ANSWER_S)
            self._line.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise WattlineError(
                f"cannot use {port} ({error}); check the cable and the name"
            ) from None

    def __enter__(self) -> "UsbRoad":
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def _ask(self, text: str, is_answer: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        try:
            self._line.write(f"\r{text}\r".encode())
            end_s = time.monotonic() + _ANSWER_S
            for _ in range(_MAX_LINES):
                line = self._line.readline(_MAX_LINE_BYTES)
                if line.startswith(b"{"):
                    found = json.loads(line)
                    if is_answer(found):
                        return found
                if not line or time.monotonic() > end_s:
                    break
        except (serial.SerialException, OSError) as error:
            raise RunError(f"{self._name} went away ({error}); plug it in again") from None
        except ValueError:
            raise WattlineError(
                f"{self._name} answers, but not like a module; is it the right port?"
            ) from None
        raise WattlineError(
            f"{self._name} does not answer; is it a module, and does its application run? After "
            "work at the MicroPython prompt, reset it"
        )

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Return part of a table."""
        found = self._ask(
            f"table {table} {offset} {min(count, self.part_bytes)}",
            lambda line: (line.get("table"), line.get("offset")) == (table, offset),
        )
        if "hex" not in found:
            raise _not_shown(table, -found["bytes"])
        return bytes.fromhex(found["hex"])

    def whole(self, table: int) -> bytes:
        """Return all of a table."""
        return _pieces(self, table)

    def text(self, table: int) -> dict[str, Any]:
        """Return what a table that holds JSON says."""
        return _parsed(table, self.whole(table))
