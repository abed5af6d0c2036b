"""A table of a scenario file, read key by key; what nobody asked for is an error with a place."""

import difflib
from collections.abc import Sequence
from typing import Any

from wattline.errors import WattlineError


class ScenarioError(WattlineError):
    """A scenario says something that cannot be run."""


class Table:
    """One table of the file.

    Parameters
    ----------
    data : dict
    place : str
        How a person finds it: ``[meter]``, ``[[reads]] number 3``.
    """

    def __init__(self, data: Any, place: str):
        if not isinstance(data, dict):
            raise ScenarioError(f"{place} must be a table with keys, not {_shown(data)}.")
        self._data = data
        self.place = place
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def error(self, key: str, must: str) -> ScenarioError:
        """Return the error for a value: what it must be, and what it is."""
        return ScenarioError(
            f"{key} in {self.place} must be {must}, not {_shown(self._data.get(key))}."
        )

    def take(self, key: str, default: Any = None) -> Any:
        """Return a value as it stands."""
        self._known.append(key)
        return self._data.get(key, default)

    def integer(
        self, key: str, default: Any = None, least: int | None = None, most: int | None = None
    ) -> Any:
        """Return a whole number."""
        value = self.take(key, default)
        if value is default:
            return value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, "a whole number")
        if most is not None and not (least or 0) <= value <= most:
            raise self.error(key, f"a whole number from {least or 0} to {most}")
        if least is not None and value < least:
            raise self.error(key, f"a whole number from {least}")
        return value

    def among(self, key: str, choices: Sequence[int], default: int) -> int:
        """Return one of some whole numbers."""
        value = self.integer(key, default)
        if value not in choices:
            raise self.error(key, f"one of {', '.join(str(choice) for choice in choices)}")
        return value

    def number(self, key: str, default: Any = None) -> Any:
        """Return a number."""
        value = self.take(key, default)
        if value is not default and (
            isinstance(value, bool) or not isinstance(value, int | float)
        ):
            raise self.error(key, "a number")
        return value

    def flag(self, key: str, default: bool | None = None) -> Any:
        """Return true or false; "yes" and "no" will do."""
        value = self.take(key, default)
        if isinstance(value, str) and value.lower() in ("yes", "no"):
            return value.lower() == "yes"
        if value is not None and not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> Any:
        """Return a string."""
        value = self.take(key, default)
        if value is not default and not isinstance(value, str):
            raise self.error(key, "a text in quotes")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> Any:
        """Return one of some words, whatever their case."""
        value = self.text(key, default)
        if value is default:
            return value
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        must = f"{key} in {self.place} must be one of {', '.join(choices)}, not {value!r}"
        raise ScenarioError(f"{must}{_nearest(value, choices)}.")

    def sub(self, key: str) -> "Table":
        """Return a table inside this one; an empty one if it is not there."""
        inner = f"{self.place.strip('[]')}.{key}" if self.place != "the file" else key
        return Table(self.take(key, {}), f"[{inner}]")

    def many(self, *keys: str) -> list["Table"]:
        """Return the tables of a list, under any of its names; one table stands for a list."""
        found = []
        for key in keys:
            value = self.take(key, [])
            if isinstance(value, dict):
                value = [value]
            if not isinstance(value, list):
                raise self.error(key, f"a list of tables, [[{key}]]")
            found += [Table(item, f"[[{key}]] number {i}") for i, item in enumerate(value, 1)]
        return found

    def keys(self) -> list[str]:
        """Return all keys, for tables whose keys are names."""
        return list(self._data)

    def done(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._data:
            if key not in self._known:
                raise ScenarioError(
                    f"{key} in {self.place} is not known"
                    f"{_nearest(key, self._known) or '; known are ' + ', '.join(self._known)}."
                )


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, 1, 0.5)
    return f'; did you mean "{close[0]}"' if close else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
