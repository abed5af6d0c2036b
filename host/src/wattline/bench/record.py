"""What a bench run saw: the one record from which view, table, report and JSON are made."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

# The spectrum in the report is taken from this much of the line's end.
TAIL_S = 60


@dataclass(frozen=True)
class Truth:
    """What the simulated meter showed at one simulated second."""

    t_s: float
    billing_wh: int
    power_w: float
    voltage_v: float


@dataclass(frozen=True)
class Poll:
    """One read of the meter, as the module told its console."""

    t_s: float
    forward_wh: int
    reverse_wh: int
    total_wh: int
    voltage_dv: int
    session_ms: int
    commits: int


@dataclass(frozen=True)
class Verdict:
    """One frame at the collector, and whether it tells the truth.

    `reading_dkwh` is the reading in 0.1 kWh as transmitted (modulo 10^6), None for a JOIN;
    `meter_dkwh` the values that the meter's own register took around the second that the
    reading names.
    """

    kind: str
    t_start_s: float
    t_named_s: float | None
    eid: int
    channel: int
    reading_dkwh: int | None
    meter_dkwh: tuple[int, ...]
    agrees: bool
    ebn0_db: float
    corrected_bits: int
    symbols: np.ndarray | None = None


@dataclass(frozen=True)
class Claim:
    """One thing that the downlink is to show, and whether it did."""

    t_s: float
    text: str
    holds: bool
    detail: str = ""


@dataclass
class Record:
    """A whole run."""

    options: dict[str, Any]
    identity: dict[str, Any] = field(default_factory=dict)
    truths: list[Truth] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    current: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    rate_sps: int = 0
    simulated_s: float = 0.0
    host_s: float = 0.0
    frames_lost: int = 0
    problems: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    interrupted: bool = False

    @property
    def disagreements(self) -> list[Verdict]:
        """Frames whose reading is not what the meter showed."""
        return [v for v in self.verdicts if not v.agrees]

    @property
    def passed(self) -> bool:
        """True when every reading agrees and nothing else went wrong."""
        return not self.disagreements and not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return plain values; arrays are left out."""
        return {
            "passed": self.passed,
            "interrupted": self.interrupted,
            "options": self.options,
            "identity": self.identity,
            "simulated_s": round(self.simulated_s, 3),
            "host_s": round(self.host_s, 1),
            "polls": [asdict(p) for p in self.polls],
            "frames": [
                {k: v for k, v in asdict(f).items() if k != "symbols"} for f in self.verdicts
            ],
            "frames_lost": self.frames_lost,
            "problems": self.problems,
            "claims": [asdict(c) for c in self.claims],
        }
