"""Scenario files: a line and its endpoints, described in TOML.

The file's keys and their meaning are in docs/collector.md, "Scenario files".
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from endpoint.line.profile import PROFILES, Profile
from wattline.errors import WattlineError
from wattline.line.bank import Bank, Member
from wattline.line.drift import MOTIONS
from wattline.line.mains import Mains
from wattline.line.modelled import ModelledEndpoint
from wattline.line.scene import Scene
from wattline.line.synth import Meter

_MAX_SECONDS = 6 * 3600
_REFERENCE_A = 0.001
_LINE_KEYS = {"frequency_hz", "wander", "voltage_v"}
_KEYS = {"profile", "seconds", "seed", "ebn0_db", "load_a", "impulses_db", "cycle", "motion"}
_GROUP_KEYS = {"count", "channels", "level_db", "spread_db", "first_eid", "join_every"}


@dataclass(frozen=True)
class Made:
    """A scene, its endpoints, and how long it is to be recorded."""

    scene: Scene
    endpoints: Sequence[Member | ModelledEndpoint]
    seconds: int


def load(path: Path) -> Made:
    """Read a scenario file; raise WattlineError in one sentence."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise WattlineError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WattlineError(f"{path}: not TOML ({error}).") from error
    try:
        return build(content)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise WattlineError(f"{path}: a value has the wrong kind ({error}).") from error


def _check(given: dict[str, Any], allowed: set[str], where: str) -> None:
    for key in given:
        if key not in allowed:
            raise WattlineError(
                f"{where} has no key {key}; it may have {', '.join(sorted(allowed))}."
            )


def build(content: dict[str, Any]) -> Made:
    """Return what a scenario describes."""
    _check(content, _KEYS | {"line", "endpoints"}, "the scenario")
    profile = PROFILES.get(content.get("profile", "field"))
    motion = MOTIONS.get(content.get("motion", "typical"))
    if profile is None or motion is None:
        raise WattlineError(
            f"choose profile from {', '.join(PROFILES)} and motion from {', '.join(MOTIONS)}."
        )
    seconds = int(content.get("seconds", 3900))
    if not 1 <= seconds <= _MAX_SECONDS:
        raise WattlineError(f"seconds is {seconds}; give 1 to {_MAX_SECONDS}.")
    seed = int(content.get("seed", 1))
    line = content.get("line", {})
    _check(line, _LINE_KEYS, "[line]")
    mains = Mains(seed, **line)
    rng = np.random.default_rng([seed, 9])
    members = _members(content.get("endpoints", []), profile, rng)
    options = {
        "ebn0_db": content.get("ebn0_db", 8.0),
        "profile": profile,
        "load_a": float(content.get("load_a", 5.0)),
        "seed": seed,
        "impulses_db": content.get("impulses_db"),
        "reference_a": _REFERENCE_A,
    }
    if options["ebn0_db"] == "none":
        options["ebn0_db"] = None
    if profile.cycles_per_symbol < 32:
        modelled = [
            ModelledEndpoint(
                m.eid, m.channel, m.amplitude_a, m.payload, profile, int(rng.integers(0, 8)), seed
            )
            for m in members
        ]
        return Made(Scene(mains, modelled=modelled, **options), modelled, seconds)
    bank = Bank(members, profile, motion, int(content.get("cycle", 0)), seed)
    return Made(Scene(mains, bank=bank, **options), members, seconds)


def _members(
    groups: list[dict[str, Any]], profile: Profile, rng: np.random.Generator
) -> list[Member]:
    free = {n for n in profile.channels() if not profile.is_guard(n)}
    joins = {n for n in free if profile.join_offsets and profile.is_join(n)}
    members: list[Member] = []
    for group in groups:
        _check(group, _GROUP_KEYS, "[[endpoints]]")
        count = int(group.get("count", 1))
        wanted = sorted(group["channels"]) if "channels" in group else sorted(free - joins)
        wanted = [n for n in wanted if n in free]
        if not 0 <= count <= len(wanted):
            raise WattlineError(f"{count} endpoints but {len(wanted)} free channels for them.")
        if "channels" not in group:
            wanted = sorted(int(n) for n in rng.permutation(wanted)[:count])
        first = int(str(group.get("first_eid", "20000000")), 16)
        level, spread = float(group.get("level_db", 0.0)), float(group.get("spread_db", 0.0))
        for i, channel in enumerate(wanted[:count]):
            free.discard(channel)
            # Log-normal: levels in dB are normal.
            db = level + spread * rng.normal()
            eid = (first + i) & 0xFFFFFFFF
            every = int(group.get("join_every", 16 if channel in joins else 0))
            meter = Meter(eid, rng, every)
            members.append(Member(eid, channel, _REFERENCE_A * 10 ** (db / 20), meter.payload))
    return members
