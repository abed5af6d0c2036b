"""One module programmed: checked, acknowledged, written, read back, recorded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endpoint.line.profile import PROFILES
from endpoint.settings import SettingsError, check
from wattline.board.role import ROLES
from wattline.errors import WattlineError
from wattline.programmer import advice, passwords, record
from wattline.programmer.advice import Advice
from wattline.programmer.parts import volts_of
from wattline.programmer.targets import Facts, Target


@dataclass
class Done:
    """What was written and read back: settings, names of keys, and what is worth a warning."""

    settings: dict[str, Any]
    keys: list[str]
    warnings: list[Advice] = field(default_factory=list)


@dataclass
class Job:
    """What one module is to be given.

    Parameters
    ----------
    given : dict
        Settings by name; what is not named stays as it is.
    keys, new_keys : Path or None
        File with keys to write; file in which new ones are put first. Not both.
    record_file : Path or None
        Programming record that grows by one entry.
    acknowledge : bool
        The check list for a retrofit is fulfilled.
    role, role_version : str or None
        Programming system that is spoken for.
    """

    given: dict[str, Any]
    keys: Path | None = None
    new_keys: Path | None = None
    record_file: Path | None = None
    acknowledge: bool = False
    role: str | None = None
    role_version: str | None = None

    def check(self) -> None:
        """Refuse what can be refused without the module.

        Raises
        ------
        WattlineError
        """
        self.check_role()
        if self.keys is not None and self.new_keys is not None:
            raise WattlineError("give either --keys or --new-keys, not both")
        if not self.given and self.keys is None and self.new_keys is None:
            raise WattlineError("nothing to program; name a setting, --keys or --new-keys")
        if self.keys is not None:
            passwords.read_keys(self.keys)
        if self.record_file is not None:
            record.load(self.record_file)

    def check_role(self) -> None:
        """Refuse a programming system that there is not.

        Raises
        ------
        WattlineError
        """
        if self.role is not None and self.role.lower() not in ROLES:
            raise WattlineError(
                f"there is no role {self.role!r}: choose one of {', '.join(ROLES)}"
            )
        if self.role_version is not None and self.role is None:
            raise WattlineError("--role-version says nothing without --role")

    def carry_out(self, target: Target) -> Done:
        """Write, read back and record.

        Raises
        ------
        WattlineError
            Refused; nothing was written.
        RunError
            It does not read back as written.
        """
        facts = target.facts()
        settings = _checked(facts, self.given)
        acknowledged = self._acknowledged(facts)
        warnings = advice.before(settings)
        changes = any(
            facts.settings.get(name, settings[name]) != settings[name]
            for name in ("detent", "net")
        )
        warnings += advice.from_status(facts.status, volts_of(facts.board), changes)
        secret_keys = None
        if self.new_keys is not None:
            secret_keys = passwords.make_keys(self.new_keys)
        elif self.keys is not None:
            secret_keys = passwords.read_keys(self.keys)
        written = target.write(settings, secret_keys)
        done = Done(written, sorted(secret_keys or {}), warnings)
        if self.record_file is not None:
            record.append(self.record_file, self._entry(facts, target.road, acknowledged, done))
        return done

    def _acknowledged(self, facts: Facts) -> bool:
        """Make sure that the first programming of a module is acknowledged and recorded (R22)."""
        if not facts.is_virgin:
            return self.acknowledge
        path = self.record_file
        if path is not None and record.is_acknowledged(record.load(path), facts.chip):
            return True
        if self.acknowledge and path is not None:
            return True
        items = "\n".join(f"  [ ] {line}" for line in advice.CHECK_LIST)
        raise WattlineError(
            f"before a module is put into a meter for the first time:\n{items}\n"
            "This module has never been programmed: give --acknowledge when all of this is true, "
            "and --record FILE for the programming record; nothing was written"
        )

    def _entry(self, facts: Facts, road: str, acknowledged: bool, done: Done) -> dict[str, Any]:
        return {
            "chip": facts.chip,
            "board": facts.board,
            "firmware": facts.firmware,
            "road": road,
            "role": self.role,
            "role_version": self.role_version,
            "settings": done.settings,
            "keys": done.keys,  # their names only
            "verified": True,
            "acknowledged": acknowledged,
            "check_list": list(advice.CHECK_LIST) if acknowledged else [],
            "meter_state": facts.status.get("meter_state"),
            "warnings": {warning.name: warning.text for warning in done.warnings},
        }


def _checked(facts: Facts, given: dict[str, Any]) -> dict[str, Any]:
    """Return the complete settings, or say in one sentence why there are none."""
    for name in ("eid", "form"):
        if name not in given and name not in facts.settings:
            raise WattlineError(
                f"the module has no {name} yet; give --{name}; nothing was written"
            )
    try:
        settings = check({**facts.settings, **given}, facts.forms, PROFILES)
    except SettingsError as error:
        raise WattlineError(f"{error}; nothing was written") from None
    if "display" in given:
        advice.check_display(settings, facts.firmware)
    return settings
