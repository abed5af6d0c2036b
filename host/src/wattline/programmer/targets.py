"""A module that is to be programmed, on USB or at its programming port."""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from endpoint.keys import check_keys
from endpoint.optical import services
from endpoint.programming import KEYS, RESTART, SETTINGS, STATUS, TEXT_MAX_BYTES
from wattline.board import program as usb
from wattline.board.session import Executor
from wattline.errors import RunError, WattlineError
from wattline.programmer.parts import firmware_of, forms_of
from wattline.programmer.roads import PortRoad


@dataclass
class Facts:
    """What a module is before it is programmed."""

    board: str
    chip: str
    firmware: int
    forms: list[str]
    is_virgin: bool
    settings: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)


class Target(Protocol):
    """What both kinds can do; `road` names the way for the record."""

    road: str

    def facts(self) -> Facts:
        """Return what the module is."""
        ...

    def write(self, settings: dict[str, Any], keys: dict[str, str] | None) -> dict[str, Any]:
        """Write checked settings and keys, restart the module; return what reads back.

        Raises
        ------
        WattlineError
            Refused; nothing was written.
        RunError
            It does not read back as written.
        """
        ...


class UsbTarget:
    """A module at its MicroPython prompt; it restarts when its session ends.

    Parameters
    ----------
    status : dict
        What its console said before the application was stopped; {} if it did not answer.
    """

    road = "usb"

    def __init__(self, executor: Executor, status: dict[str, Any]):
        self._executor = executor
        self._status = status

    def facts(self) -> Facts:
        """Return what the module is."""
        found = usb.facts(self._executor)
        settings = found.pop("settings")
        return Facts(
            **found, is_virgin=settings is None, settings=settings or {}, status=self._status
        )

    def write(self, settings: dict[str, Any], keys: dict[str, str] | None) -> dict[str, Any]:
        """Write, read back."""
        return usb.program(self._executor, settings, keys)


class PortTarget:
    """A module in a session of its programming port."""

    road = "port"

    def __init__(self, opened: PortRoad):
        self._road = opened

    def facts(self) -> Facts:
        """Return what the module is."""
        status = self._road.text(STATUS)
        settings = self._road.text(SETTINGS)
        board = str(status.get("board"))
        return Facts(
            board,
            str(status.get("chip")),
            firmware_of(self._road),
            forms_of(board),
            str(status.get("state", "")).startswith("not programmed"),
            settings,
            status,
        )

    def write(self, settings: dict[str, Any], keys: dict[str, str] | None) -> dict[str, Any]:
        """Write keys, then settings; read back; ask for a restart when the session ends."""
        text = json.dumps(settings, separators=(",", ":")).encode()
        if len(text) > TEXT_MAX_BYTES:
            raise WattlineError("the settings are too long for a module; nothing was written")
        # Keys first: whoever may change keys may change settings, not the other way round.
        if keys:
            self._write_keys(keys)
        self._refuse(self._road.write(SETTINGS, text), "settings", "write")
        if self._road.text(SETTINGS) != settings:
            raise RunError("the module's settings do not read back as written; program it again")
        self._road.procedure(RESTART)
        return settings

    def _write_keys(self, keys: dict[str, str]) -> None:
        text = json.dumps(keys, separators=(",", ":")).encode()
        self._refuse(self._road.write(KEYS, text), "keys", "admin")
        for name, secret in check_keys(keys).items():
            # They are never shown, so each password is tried instead, the strongest last.
            if secret and name in ("read_password", "write_password", "admin_password"):
                if not self._road.tries(secret):
                    raise RunError(
                        f"the module does not know its new {name}; write the keys again"
                    )

    def _refuse(self, error: int, what: str, level: str) -> None:
        if error == services.ISC:
            raise WattlineError(
                f"this password may not change {what}; give the {level} password with "
                "--password-file (for a new module the digits of its label); nothing was written"
            )
        if error:
            raise WattlineError(f"the module refuses these {what}; nothing was written")
