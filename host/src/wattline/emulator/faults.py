"""Faults on a serial line, named, for chosen bytes."""

from dataclasses import dataclass

KINDS = ("drop", "flip", "double", "delay", "break", "framing")


@dataclass(frozen=True)
class Fault:
    """What happens to one byte. `value` is the bit for a flip, nanoseconds for a delay."""

    kind: str
    value: int = 0


class FaultList:
    """The faults still to come in one direction."""

    def __init__(self):
        self._count = 0
        self._faults = {}

    def add(self, kind, nth, value):
        """Let `kind` befall the `nth` byte from now (1 is the next).

        Raises
        ------
        ValueError
            When there is no fault of that name, or `nth` lies in the past.
        """
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}: choose one of {', '.join(KINDS)}")
        if nth < 1:
            raise ValueError(f"byte {nth} has passed: count from 1, the next byte")
        self._faults[self._count + nth] = Fault(kind, value)

    def next(self):
        """Count one byte and return its fault, or None."""
        self._count += 1
        return self._faults.pop(self._count, None)
