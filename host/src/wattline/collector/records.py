"""What the collector delivers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoint.line import payload as layout


@dataclass(frozen=True)
class Frame:
    """One accepted frame.

    Parameters
    ----------
    eid
        Who sent it.
    channel
        Where.
    start_s
        When its first symbol began, s from the first sample.
    payload
        8 bytes.
    fields
        The payload's fields by name.
    confidence
        Probability that the payload is what was sent.
    ebn0_db
        Estimated energy per payload bit, all overhead counted, over N0.
    corrected_bits
        Code bits of 256 that had been received wrong.
    sealed
        Whether the endpoint's key confirmed it.
    amplitude
        Carrier amplitude, in units of the current input.
    symbols
        280 received symbols, turned and scaled so that they lie around ±1.
    phase_rad
        280 phases that were removed.
    """

    eid: int
    channel: int
    start_s: float
    payload: bytes
    fields: dict[str, int]
    confidence: float
    ebn0_db: float
    corrected_bits: int
    sealed: bool
    amplitude: float
    symbols: NDArray[np.complex64] = field(repr=False, compare=False)
    phase_rad: NDArray[np.float32] = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """What a frame of this type is called."""
        return kind_of(self.payload[0] >> 4)

    @property
    def named_s(self) -> float | None:
        """The time that the content names, or None."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain values: codes as on the line, and numbers with units; no arrays."""
        return {
            **self.fields,
            **layout.read(self.fields),
            "kind": self.kind,
            "eid": f"{self.eid:08x}",
            "channel": self.channel,
            "start_s": round(self.start_s, 4),
            "payload": self.payload.hex(),
            "confidence": round(self.confidence, 6),
            "ebn0_db": round(self.ebn0_db, 2),
            "corrected_bits": self.corrected_bits,
            "sealed": self.sealed,
        }


class Join(Frame):
    """An endpoint says who it is."""


class Reading(Frame):
    """A register reading."""

    @property
    def register_dkwh(self) -> int:
        """Register in 0.1 kWh, modulo 10^6."""
        return self.fields["register"]

    @property
    def voltage_permille(self) -> int | None:
        """Voltage in 0.1 % of nominal."""
        value = self.fields["voltage"]
        if value == layout.VOLTAGE_MISSING:
            return None
        return value + layout.VOLTAGE_OFFSET_PERMILLE

    @property
    def power_w(self) -> int | None:
        """Power in W."""
        value = self.fields["demand"]
        return None if value == layout.DEMAND_MISSING else value * layout.DEMAND_STEP_W

    @property
    def age_s(self) -> int | None:
        """Whole seconds from the reading to the frame's first symbol; None when not said."""
        value = self.fields["request"]
        if self.fields["selector"] != layout.UNASKED or value == layout.AGE_OLDER:
            return None
        return value

    @property
    def named_s(self) -> float | None:
        """When the reading was taken, s from the first sample, to the second."""
        return None if self.age_s is None else self.start_s - self.age_s

    def to_json(self) -> dict[str, Any]:
        """Return plain values with units; arrays are left out."""
        return {
            **super().to_json(),
            "named_s": self.named_s,
            "register_kwh": self.register_dkwh / 10,
            "voltage_permille": self.voltage_permille,
            "power_w": self.power_w,
            "age_s": self.age_s,
        }


KINDS: dict[int, type[Frame]] = {layout.JOIN: Join, layout.REGISTER: Reading}


def kind_of(frame_type: int) -> str:
    """Return what a frame type is called."""
    return layout.NAMES.get(frame_type, f"FT{frame_type}").upper()


@dataclass(frozen=True)
class Progress:
    """The frame that a known endpoint is sending now."""

    eid: int
    channel: int
    symbols: int
    of: int
