"""The whole line, streaming: edges in as they happen, voltage and current samples out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endpoint.line.profile import BENCH, Profile
from wattline.line.bank import Bank
from wattline.line.channel import Impulses, LoadCurrent, noise_rms
from wattline.line.mains import NOMINAL_HZ, Mains
from wattline.line.modelled import ModelledEndpoint
from wattline.line.reference import Reference
from wattline.line.transmitter import Circuit, Transmitter

RATE_SPS = 4800
# Modelled endpoints know the line's phase this far beyond a block, for their loop's delay.
_LOOK_AHEAD_S = 0.1
# Quarter of a second: blocks are cut to this, so that results do not depend on the caller.
_BLOCK = 1200


class Gate:
    """A transmitter whose gate edges are given.

    Parameters
    ----------
    channel
        Channel on which it sends.
    attenuation_db
        From transmitter to collector.
    circuit
        Component values; None for a resonator tuned to the channel.
    profile
        Profile of the channel number.
    """

    def __init__(
        self,
        channel: int,
        attenuation_db: float = 20.0,
        circuit: Circuit | None = None,
        profile: Profile = BENCH,
    ) -> None:
        self.carrier_hz = NOMINAL_HZ * channel / profile.cycles_per_symbol
        self.circuit = circuit or Circuit.tuned(self.carrier_hz)
        self.gain = 10 ** (-attenuation_db / 20)

    def amplitude_a(self) -> float:
        """Return the amplitude of its carrier at the collector."""
        return self.gain * self.circuit.amplitude_a(self.carrier_hz)


class Scene:
    """One bus: mains, transmitters with real gates, modelled endpoints, load, noise, sampling.

    Parameters
    ----------
    mains
        Voltage and line phase.
    gates
        Every transmitter whose gate edges will be given.
    modelled
        Endpoints without a gate.
    ebn0_db
        Eb/N0 of the reference endpoint (the first gate, else the first modelled one); None
        for no noise.
    profile
        Symbol time that Eb/N0 refers to.
    load_a
        Amplitude of the load's fundamental; 0 for no load.
    seed
        Seed of load and noise.
    bank
        Endpoints of long symbols.
    impulses_db
        Mean power of impulses over that of the white noise; None for none.
    reference_a
        Amplitude that Eb/N0 refers to, if there is neither gate nor modelled endpoint.

    Notes
    -----
    Samples are taken at i / `RATE_SPS` from time 0 and delivered in multiples of 0.25 s.
    """

    def __init__(
        self,
        mains: Mains,
        gates: Sequence[Gate] = (),
        modelled: Sequence[ModelledEndpoint] = (),
        ebn0_db: float | None = 8.0,
        profile: Profile = BENCH,
        load_a: float = 5.0,
        seed: int = 0,
        bank: Bank | None = None,
        impulses_db: float | None = None,
        reference_a: float = 1e-3,
    ) -> None:
        self.mains = mains
        self._bank = bank
        self._gates = [(g, Transmitter(g.circuit, RATE_SPS)) for g in gates]
        self._modelled = list(modelled)
        self._load = LoadCurrent(load_a, seed) if load_a else None
        self._rng = np.random.default_rng([seed, 5])
        amplitudes = [g.amplitude_a() for g in gates]
        amplitudes += [m.amplitude_a for m in modelled]
        self.noise_a = 0.0
        if ebn0_db is not None:
            symbol_s = profile.cycles_per_symbol / NOMINAL_HZ
            reference_a = amplitudes[0] if amplitudes else reference_a
            self.noise_a = noise_rms(reference_a, ebn0_db, symbol_s, RATE_SPS)
        self._impulses = None
        if impulses_db is not None and self.noise_a:
            power_a2 = self.noise_a**2 * 10 ** (impulses_db / 10)
            self._impulses = Impulses(power_a2, RATE_SPS, seed)
        self._crossings = mains.crossings(seed, jitter_s=1e-6)
        self._reference = Reference(profile.bandwidth_mhz)
        self._whole: int | None = None
        self._next = 0

    def edge(self, t_ns: int, level: int, gate: int = 0) -> None:
        """Tell of one edge of a gate, in order of time, before its block is taken."""
        self._gates[gate][1].edge(t_ns, level)

    def block(self, until_ns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return ``(voltage_v, current_a)`` of all whole blocks before `until_ns`."""
        blocks = until_ns * RATE_SPS // 1_000_000_000 // _BLOCK - self._next // _BLOCK
        parts = [self._one_block() for _ in range(blocks)]
        if not parts:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        voltage, current = zip(*parts, strict=True)
        return np.concatenate(voltage), np.concatenate(current)

    def _one_block(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        t_s = np.arange(self._next, self._next + _BLOCK) / RATE_SPS
        self._next += _BLOCK
        current = self._rng.normal(0.0, 1.0, _BLOCK) * self.noise_a
        for gate, transmitter in self._gates:
            current += gate.gain * transmitter.block(_BLOCK)
        theta = self.mains.phase(t_s)
        if self._load:
            current += self._load.current(theta, _BLOCK / RATE_SPS)
        if self._impulses:
            current += self._impulses.current(theta)
        if self._modelled or self._bank:
            phi = self._carrier_phase(t_s)
            if phi is not None:
                for endpoint in self._modelled:
                    current += endpoint.current(phi, t_s)
                if self._bank:
                    current += self._bank.current(phi)
        return self.mains.voltage(t_s).astype(np.float32), current.astype(np.float32)

    def _carrier_phase(self, t_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the modelled endpoints' loop output, or None before it has settled."""
        until_s = t_s[-1] + _LOOK_AHEAD_S
        edges = []
        for t_ns, level in self._crossings:
            edges.append((t_ns * 1e-9, level))
            if edges[-1][0] > until_s:
                break
        times, levels = zip(*edges, strict=True)
        self._reference.edges(np.array(times), np.array(levels))
        if not self._reference.locked or self._reference.since_s > t_s[0]:
            return None
        phi = self._reference.phase(t_s)
        if self._whole is None:
            # The loop counts from where it began; the bus counts from time 0.
            self._whole = round(float(self.mains.phase(t_s[:1])[0] - phi[0]))
        return phi + self._whole
