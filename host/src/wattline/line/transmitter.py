"""The transmitter's circuit: gate edges in, line current as the collector's converter sees it.

A half-bridge puts 0 V or its bus voltage on a series R-L-C; the current flows on the line.
A Butterworth low-pass in front of the converter keeps the square wave's harmonics from
folding into the band. The drive is constant between edges, so the response is exact: each
mode of the linear circuit advances by an exponential, and each edge adds a step response.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter

_FILTER_ORDER = 4
_FILTER_HZ = 1700.0


@dataclass(frozen=True)
class Circuit:
    """Component values of one transmitter.

    Parameters
    ----------
    bus_v
        Rectified bus, V.
    resistance_ohm
        Winding, switches and coupling together.
    inductance_h, capacitance_f
        Series resonator.
    """

    bus_v: float
    resistance_ohm: float
    inductance_h: float
    capacitance_f: float

    @classmethod
    def tuned(
        cls, carrier_hz: float, bus_v: float = 24.0, resistance_ohm: float = 100.0, q: float = 3.0
    ) -> "Circuit":
        """Return a resonator for one carrier; `q` is at most 8, so that it settles in ms."""
        omega = 2 * np.pi * carrier_hz
        reactance = q * resistance_ohm
        return cls(bus_v, resistance_ohm, reactance / omega, 1 / (omega * reactance))

    def _matrices(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return A, B, C of resonator and filter in a row; the input is the drive in V."""
        _, denominator = butter(_FILTER_ORDER, 1.0, analog=True)
        size = 2 + _FILTER_ORDER
        a = np.zeros((size, size))
        b = np.zeros(size)
        c = np.zeros(size)
        # States 0 and 1: current and capacitor voltage.
        a[0, 0] = -self.resistance_ohm / self.inductance_h
        a[0, 1] = -1 / self.inductance_h
        a[1, 0] = 1 / self.capacitance_f
        b[0] = 1 / self.inductance_h
        # The filter in controllable form, driven by the current.
        omega = 2 * np.pi * _FILTER_HZ
        for i in range(2, size - 1):
            a[i, i + 1] = omega
        a[-1, 2:] = -omega * denominator[:0:-1]
        a[-1, 0] = omega
        c[2] = 1.0
        return a, b, c

    def gain_a_per_v(self, frequency_hz: float) -> complex:
        """Return the current at the converter per volt of drive."""
        a, b, c = self._matrices()
        return complex(c @ np.linalg.solve(2j * np.pi * frequency_hz * np.eye(len(b)) - a, b))

    def amplitude_a(self, carrier_hz: float) -> float:
        """Return the amplitude of the carrier's fundamental at the converter."""
        return 2 / np.pi * self.bus_v * abs(self.gain_a_per_v(carrier_hz))


class Transmitter:
    """One circuit with its history: edges in as they happen, samples out in blocks.

    Parameters
    ----------
    circuit
        Component values.
    rate_sps
        Sampling rate; sample i is taken at i / rate_sps.
    """

    def __init__(self, circuit: Circuit, rate_sps: int) -> None:
        self.circuit = circuit
        self._rate_sps = rate_sps
        a, b, c = circuit._matrices()
        poles, vectors = np.linalg.eig(a)
        weights = (c @ vectors) * np.linalg.solve(vectors, b.astype(complex)) * circuit.bus_v
        # Conjugate pairs count twice by their real part.
        upper = poles.imag > 0
        if np.count_nonzero(upper) * 2 != len(poles):
            raise ValueError("The resonator is overdamped; choose Q above 0.5.")
        self._poles = poles[upper]
        self._steps = 2 * weights[upper] / self._poles
        self._decay = np.exp(self._poles / rate_sps)
        self._modes = np.zeros(len(self._poles), complex)
        self._next = 0
        self._level = 0
        self._edges: list[tuple[int, int]] = []

    def edge(self, t_ns: int, level: int) -> None:
        """Tell of one edge of the gate, in order of time and before its block is taken."""
        self._edges.append((t_ns, level))

    def block(self, count: int) -> NDArray[np.float64]:
        """Return the next `count` samples of current in A."""
        first = self._next
        self._next += count
        end_ns = (self._next - 1) * 1_000_000_000 // self._rate_sps
        due = 0
        while due < len(self._edges) and self._edges[due][0] <= end_ns:
            due += 1
        # Change of drive per edge, the sample that first sees it, and its age there.
        times_ns = np.array([t for t, _ in self._edges[:due]], dtype=np.int64)
        levels = np.array([self._level, *(v for _, v in self._edges[:due])])
        del self._edges[:due]
        jumps = np.diff(levels)
        sample = -(-times_ns * self._rate_sps // 1_000_000_000)
        age_s = sample / self._rate_sps - times_ns * 1e-9
        sample -= first
        change = np.zeros(count)
        np.add.at(change, sample, jumps)
        # The level in force at the sample before.
        held = self._level + np.cumsum(change) - change
        out = np.zeros(count)
        for i, (pole, step) in enumerate(zip(self._poles, self._steps, strict=True)):
            pushed = held * (step * (self._decay[i] - 1))
            np.add.at(pushed, sample, jumps * (step * (np.exp(pole * age_s) - 1)))
            mode, self._modes[i : i + 1] = lfilter(
                [1.0], [1.0, -self._decay[i]], pushed, zi=self._modes[i : i + 1]
            )
            out += mode.real
        self._level = int(levels[-1])
        return out
