"""Frames through one kind of line, decoded: how many are lost, how many wrong.

Phase and level are unknown to the decoder, the noise is known; energy counts all 280 symbols
per 64 payload bits. Near-far scenarios simulate a neighbourhood of channels with
the phase moving inside every symbol; everything in front of the channelizer is left to
whole recordings (`waveform`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endpoint.line.frame import encode_into, frame_crc
from endpoint.line.payload import REGISTER, pack_into
from endpoint.line.profile import FIELD, FRAME_SYMBOLS
from wattline.collector.decoder import THOROUGH, decode
from wattline.collector.forecast import forecast
from wattline.collector.neighbours import REACH, Neighbours
from wattline.collector.symbols import scrambler, signs_of
from wattline.line.drift import MOTIONS, Drift

_GAP = 11
_PARTS = 4
_FINE = 16


@dataclass(frozen=True)
class Tally:
    """Outcome of some frames."""

    frames: int
    lost: int
    wrong: int


@dataclass(frozen=True)
class Scenario:
    """One curve.

    Parameters
    ----------
    title
        What the legend says.
    run
        ``run(ebn0_db, frames, seed)`` returns a `Tally`.
    ebn0_db
        Where it is measured.
    """

    title: str
    run: Callable[[float, int, int], Tally]
    ebn0_db: tuple[float, ...]


def _register(rng: np.random.Generator) -> tuple[bytes, tuple[int, ...]]:
    """Return a REGISTER with fields of any value."""
    payload = bytearray(8)
    fields = (
        0,
        1,
        0,
        int(rng.integers(0, 1_000_000)),
        int(rng.integers(400, 600)),
        int(rng.integers(0, 2000)),
        int(rng.integers(0, 60)),
    )
    pack_into(payload, REGISTER, fields)
    return bytes(payload), fields


def _phases(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the phases of 280 symbols."""
    walk, steps = {"static": (0.0, 0.0), "typical": (0.05, 0.4), "heavy": (0.15, 0.4)}[kind]
    phase = rng.uniform(-np.pi, np.pi) + np.cumsum(rng.normal(0, 1, FRAME_SYMBOLS)) * walk
    return phase + steps * (np.cumsum(rng.random(FRAME_SYMBOLS) < 0.01) % 2)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], variance: float) -> NDArray:
    both = rng.normal(0, np.sqrt(variance / 2), (2, *shape))
    return both[0] + 1j * both[1]


def variance_of(ebn0_db: float) -> float:
    """Return the noise variance per complex symbol of unit amplitude."""
    return FRAME_SYMBOLS / 64 / 10 ** (ebn0_db / 10)


def phase_only(
    kind: str, sizes: tuple[int, ...] = THOROUGH, history: bool = False
) -> Callable[[float, int, int], Tally]:
    """Return a trial of single frames whose phase moves from symbol to symbol."""

    def run(ebn0_db: float, frames: int, seed: int) -> Tally:
        rng = np.random.default_rng([seed, 11])
        variance = variance_of(ebn0_db)
        lost = wrong = 0
        sent = bytearray(FRAME_SYMBOLS)
        for _ in range(frames):
            payload, fields = _register(rng)
            eid, channel = int(rng.integers(1, 1 << 32)), int(rng.choice(_CHANNELS))
            encode_into(sent, payload, eid, channel)
            signs = 1 - 2 * np.frombuffer(sent, np.int8)
            y = signs * np.exp(1j * _phases(kind, rng)) + _noise(rng, (FRAME_SYMBOLS,), variance)
            expected = _forecast(fields, rng) if history else None
            decoded = decode(y.astype(np.complex64), variance, channel, [eid], sizes, expected)
            lost += decoded is None or decoded.payload != payload
            wrong += decoded is not None and decoded.payload != payload
        return Tally(frames, lost, wrong)

    return run


_CHANNELS = np.array(FIELD.channels())


# The last reading is an hour old.
_HISTORY_S = 3600.0


def _forecast(fields: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what a collector expects that heard this endpoint an hour ago."""
    _, valid, flags, register, voltage, demand, age = fields
    steps = int(rng.exponential(12.0))
    before = {
        "selector": 0,
        "time_valid": valid,
        "flags": flags,
        "register": (register - steps) % 1_000_000,
        "voltage": int(np.clip(voltage + rng.normal(0, 6), 0, 1022)),
        "demand": demand,
        "request": age,
    }
    return forecast(REGISTER, before, _HISTORY_S)


def near_far(
    strong_db: float, every: int, clean: bool = True, motion: str = "typical"
) -> Callable[[float, int, int], Tally]:
    """Return a trial of a neighbourhood in which every so-manieth channel is stronger."""
    count = 2 * REACH + 9

    def run(ebn0_db: float, frames: int, seed: int) -> Tally:
        rng = np.random.default_rng([seed, 12])
        variance = variance_of(ebn0_db)
        tallies = Tally(0, 0, 0)
        while tallies.frames < frames:
            tallies = _one_neighbourhood(rng, variance, tallies, frames)
        return tallies

    def _one_neighbourhood(rng, variance, tally, frames):
        first = FIELD.channel(_GAP, int(rng.integers(120, 600)))
        channels = first + np.arange(count)
        strong = np.arange(count) % every == 0
        amplitude = np.where(strong, 10 ** (strong_db / 20), 1.0)
        payloads = [_register(rng)[0] for _ in range(count)]
        eids = [int(rng.integers(1, 1 << 32)) for _ in range(count)]
        signs = np.array(
            [_signs(p, e, int(n)) for p, e, n in zip(payloads, eids, channels, strict=True)]
        )
        rows = _rows(channels, amplitude[:, None] * signs, motion, rng)
        rows += _noise(rng, rows.shape, variance / _PARTS)
        rows = rows.astype(np.complex64)
        if clean:
            cleaner = Neighbours(channels, _PARTS)
            noise = np.full(count, variance)
            for s in range(1, FRAME_SYMBOLS - 1):
                cleaner.clean(rows[s - 1 : s + 2], noise)
        lost, wrong, done = 0, 0, 0
        for i in range(REACH, count - REACH):
            if strong[i] or tally.frames + done >= frames:
                continue
            done += 1
            symbols = rows[:, :, i].sum(axis=1)
            decoded = decode(symbols, variance, int(channels[i]), [eids[i]], THOROUGH)
            lost += decoded is None or decoded.payload != payloads[i]
            wrong += decoded is not None and decoded.payload != payloads[i]
        return Tally(tally.frames + done, tally.lost + lost, tally.wrong + wrong)

    return run


def _signs(payload: bytes, eid: int, channel: int) -> NDArray[np.int8]:
    word = payload + frame_crc(eid, payload).to_bytes(2, "big")
    return signs_of(np.frombuffer(word, np.uint8)) * scrambler(channel)


def _rows(
    channels: NDArray[np.int64],
    sent: NDArray[np.float64],
    motion: str,
    rng: np.random.Generator,
) -> NDArray[np.complex128]:
    """Return the parts, shape (280, parts, channels), of carriers that move inside symbols."""
    length = FIELD.cycles_per_symbol
    symbol_s = length / 60
    drift = Drift(MOTIONS[motion], channels / length, symbol_s / _FINE, rng)
    count = len(channels)
    distance = np.arange(count)[:, None] - np.arange(count)[None, :]
    rows = np.zeros((FRAME_SYMBOLS, _PARTS, count), complex)
    turns = [
        np.exp(2j * np.pi * distance * (k + 0.5) / _FINE) * np.sinc(distance / _FINE) / _FINE
        for k in range(_FINE)
    ]
    for s in range(FRAME_SYMBOLS):
        for k in range(_FINE):
            begin, end = drift.step()
            rows[s, k * _PARTS // _FINE] += ((begin + end) / 2 * sent[:, s]) @ turns[k]
    return rows


SCENARIOS = {
    "static": Scenario("static phase", phase_only("static"), (0.5, 1.0, 1.5, 2.0, 2.25)),
    "typical": Scenario("typical phase", phase_only("typical"), (0.5, 1.0, 1.5, 2.0, 2.5)),
    "heavy": Scenario("heavy phase", phase_only("heavy"), (1.5, 2.0, 2.5, 3.0, 3.5)),
    "quick list": Scenario(
        "static phase, list 32", phase_only("static", (8, 32)), (1.0, 1.5, 2.0, 2.5)
    ),
    "history": Scenario(
        "static, last reading known", phase_only("static", history=True), (-1.5, -1.0, -0.5, 0.0)
    ),
    "history typical": Scenario(
        "typical, last reading known", phase_only("typical", history=True), (-1.0, -0.5, 0.0, 0.5)
    ),
    "alternate +20": Scenario("every 2nd +20 dB", near_far(20.0, 2), (1.5, 2.0, 2.5)),
    "alternate +30": Scenario("every 2nd +30 dB", near_far(30.0, 2), (1.5, 2.0, 2.5, 3.0)),
    "eighth +40": Scenario("every 8th +40 dB", near_far(40.0, 8), (1.5, 2.0, 2.5, 3.0)),
    "alternate +40": Scenario("every 2nd +40 dB", near_far(40.0, 2), (2.0, 3.0, 4.0, 5.0)),
}
