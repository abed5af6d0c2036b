"""The reference loop as a function of time: what carriers are locked to.

Both the modelled endpoints and the collector use it. It is the loop of `endpoint.line.loop`
in floating point and compiled, for lines of hours; `test_line_reference.py` holds the two
together.

Source: docs/phy.md, "Reference loop".
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_T0_S = 1 / 60
# Knots that are kept at least, s: longer than a block, the loop's delay and hold-over.
_KEPT_S = 8.0
_MAX_COASTED = 110
_MAX_PAUSE_S = 1.8
_MAX_DEVIATION = 0.0586
# State.
_RUNNING, _LEVEL, _COUNT, _SUM, _EDGE, _HALF, _MID, _MID_HALF, _CHAINED = range(9)
_GRID, _PHASE, _DEVIATION, _GOOD, _COASTED, _EPOCH, _KP, _KI, _SINCE = range(9, 18)
_WORDS = 18


@njit(cache=True)
def _step(s, measured, known):
    """Pass one grid instant."""
    phase = s[_PHASE] + 1 + s[_DEVIATION]
    if known:
        error = min(max(measured - phase, -0.125), 0.125)
        phase += error * s[_KP]
        s[_DEVIATION] += error * s[_KI]
        s[_DEVIATION] = min(max(s[_DEVIATION], -_MAX_DEVIATION), _MAX_DEVIATION)
        s[_COASTED] = 0
        s[_GOOD] = s[_GOOD] + 1 if abs(error) <= 1 / 64 else 0
    else:
        s[_COASTED] += 1
        if s[_COASTED] > _MAX_COASTED:
            s[_RUNNING] = 0
            s[_GOOD] = 0
    s[_PHASE] = phase
    s[_GRID] += _T0_S


@njit(cache=True)
def _note(s, times, phases, count):
    """Note the grid instant just passed; return the new count."""
    if s[_RUNNING] and count < len(times):
        times[count] = s[_GRID] - _T0_S
        phases[count] = s[_PHASE]
        count += 1
    return count


@njit(cache=True)
def _start(s, t_s, interval_s, rising):
    """Begin to run at the midpoint between the last two edges."""
    s[_DEVIATION] = 8 * _T0_S / s[_SUM] - 1
    s[_MID] = t_s - interval_s / 2
    s[_GRID] = s[_MID] + _T0_S
    # The first phase is small and positive; half-cycles are counted from the same zero.
    s[_PHASE] = 0.25 + 0.5 * rising
    s[_HALF] = 1 + rising
    s[_MID_HALF] = rising
    s[_CHAINED] = 1
    s[_GOOD] = 0
    s[_COASTED] = 0
    s[_EPOCH] += 1
    s[_SINCE] = 0
    s[_RUNNING] = 1


@njit(cache=True)
def _feed(s, edges_s, rising, times, phases, count):
    """Take edges; append knots behind `count`; return the new count."""
    for e in range(len(edges_s)):
        t_s = edges_s[e]
        up = rising[e]
        if up != s[_LEVEL]:
            continue
        s[_LEVEL] = 1 - up
        interval = t_s - s[_SINCE] if s[_RUNNING] == 0 else t_s - s[_EDGE]
        if s[_RUNNING] == 0:
            s[_SINCE] = t_s
            s[_COUNT] += 1
            s[_SUM] += interval
            if interval < 0.007 or interval > 0.0097:
                s[_COUNT] = 0
                s[_SUM] = 0
            elif s[_COUNT] == 16:
                if 0.125 <= s[_SUM] <= 0.142857:
                    _start(s, t_s, interval, up)
                    s[_EDGE] = t_s
                    count = 0
                s[_COUNT] = 0
                s[_SUM] = 0
            continue
        if interval > _MAX_PAUSE_S:
            s[_RUNNING] = 0
            s[_GOOD] = 0
            s[_SINCE] = t_s
            continue
        while s[_GRID] < t_s - 0.025 and s[_RUNNING]:
            _step(s, 0.0, False)
            count = _note(s, times, phases, count)
        if not s[_RUNNING]:
            s[_SINCE] = t_s
            continue
        elapsed = (t_s - (s[_GRID] - _T0_S)) * 60 * (1 + s[_DEVIATION])
        expected = s[_PHASE] + elapsed - (0.0 if up else 0.5)
        whole = np.floor(expected + 0.5)
        if abs(expected - whole) >= 1 / 16:
            continue
        half = 2 * whole + (0 if up else 1)
        if half <= s[_HALF]:
            continue
        if half == s[_HALF] + 1:
            mid = (t_s + s[_EDGE]) / 2
            old = s[_MID]
            while s[_GRID] < mid and s[_RUNNING]:
                past = s[_GRID] - old
                if s[_CHAINED] and past >= 0:
                    measured = s[_MID_HALF] / 2 + 0.25 + 0.5 * past / (mid - old)
                    _step(s, measured, True)
                else:
                    _step(s, 0.0, False)
                count = _note(s, times, phases, count)
            s[_MID] = mid
            s[_MID_HALF] = s[_HALF]
            s[_CHAINED] = 1
        else:
            s[_CHAINED] = 0
        s[_EDGE] = t_s
        s[_HALF] = half
    return count


class Reference:
    """Loop output phi(t) in cycles, linear between the instants of the loop's grid.

    Parameters
    ----------
    bandwidth_mhz
        Noise bandwidth of the loop.
    """

    def __init__(self, bandwidth_mhz: int) -> None:
        step = 1.6 * bandwidth_mhz / 1000 * _T0_S
        self._state = np.zeros(_WORDS)
        self._state[_KP] = 2 * step
        self._state[_KI] = step * step
        self._state[_LEVEL] = 1
        self._settle_steps = 60000 // bandwidth_mhz
        self._times_s = np.zeros(1024)
        self._phases = np.zeros(1024)
        self._count = 0

    @property
    def starts(self) -> int:
        """How often the loop has begun anew; phi is continuous while this stays the same."""
        return int(self._state[_EPOCH])

    @property
    def locked(self) -> bool:
        """Whether the loop has settled."""
        return bool(self._state[_RUNNING] and self._state[_GOOD] >= self._settle_steps)

    @property
    def frequency_hz(self) -> float:
        """Line frequency."""
        return 60 * (1 + float(self._state[_DEVIATION]))

    @property
    def until_s(self) -> float:
        """Time up to which `phase` is known; 0 before the loop runs."""
        return float(self._times_s[self._count - 1]) if self._count else 0.0

    @property
    def since_s(self) -> float:
        """Time from which `phase` is known."""
        return float(self._times_s[0]) if self._count else 0.0

    @property
    def phase_until(self) -> float:
        """Return phi at `until_s`."""
        return float(self._phases[self._count - 1]) if self._count else 0.0

    @property
    def phase_since(self) -> float:
        """Return phi at `since_s`."""
        return float(self._phases[0]) if self._count else 0.0

    @property
    def knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times (s) and phases (cycles) between which phi is linear."""
        return self._times_s[: self._count], self._phases[: self._count]

    def edge(self, t_s: float, level: int) -> None:
        """Take one zero crossing; `level` is 1 for a rising one. Unpaired edges are dropped."""
        self.edges(np.array([t_s]), np.array([level], np.int64))

    def edges(self, t_s: NDArray[np.float64], rising: NDArray[np.int64]) -> None:
        """Take zero crossings in order of time."""
        most = self._count + len(t_s) + 2 * _MAX_COASTED + 16
        if most > len(self._times_s):
            kept = min(self._count, int(60 * _KEPT_S))
            size = max(len(self._times_s), 2 * (most - self._count + kept))
            for name in ("_times_s", "_phases"):
                old = getattr(self, name)
                new = np.zeros(size)
                new[:kept] = old[self._count - kept : self._count]
                setattr(self, name, new)
            self._count = kept
        self._count = _feed(self._state, t_s, rising, self._times_s, self._phases, self._count)

    def phase(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return phi in cycles at times between `since_s` and `until_s`."""
        return np.interp(t_s, *self.knots)

    def times(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when (s) phi has the given values (cycles)."""
        times_s, phases = self.knots
        return np.interp(phase, phases, times_s)
