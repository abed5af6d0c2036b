"""Strong carriers of short symbols, predicted symbol by symbol and taken away.

Endpoints of short symbols do not count line cycles together: their symbols end at any
half-cycle, and a change of bit in the middle of a neighbour's symbol spills into it, up to 4 dB
below the carrier itself. What a carrier leaves in every half-cycle of every channel is known
exactly from its complex amplitude. Carriers are taken away in order of strength, each as it is
heard once all stronger ones are gone, and given back when their own frame is to be decoded.

Source: docs/phy.md, "Strong neighbours".
"""

import numpy as np
from numpy.typing import NDArray

from wattline.collector.channelizer import Channelizer
from wattline.collector.frontend import SAMPLES
from wattline.collector.history import History

# A carrier is taken away from this energy over noise per symbol: its bits are then seldom wrong.
_STRONG = 3.0
# Share of a new symbol in the running mean that says level and phase.
_FOLLOW = 1 / 12


class Carrier:
    """One carrier that is being taken away.

    Parameters
    ----------
    column
        Its column.
    start
        Part at which one of its symbols begins.
    mean
        Complex amplitude without bits.

    Attributes
    ----------
    since, done
        Parts between which it is taken away.
    """

    def __init__(self, column: int, start: int, mean: complex) -> None:
        self.column = column
        self.mean = mean
        self.since = self.done = start
        self.taken = np.zeros(0, np.complex64)


class StrongCarriers:
    """All carriers that are being taken away from a history.

    Parameters
    ----------
    channelizer, history
        What a column is, and where its parts are.
    """

    def __init__(self, channelizer: Channelizer, history: History) -> None:
        self._history = history
        self._step = channelizer.parts
        self._carriers: dict[int, Carrier] = {}
        channels = channelizer.channels
        half = SAMPLES // 2
        size = half * self._step
        q = np.arange(self._step)
        used = channels[: channelizer.count]

        def pattern(away: NDArray[np.int64]) -> NDArray[np.complex64]:
            """Return shape (used, parts, columns) for a difference of channel numbers."""
            within = np.exp(2j * np.pi * away[..., None] * np.arange(half) / size).sum(axis=-1)
            turns = np.exp(2j * np.pi * q[None, :, None] * away[:, None, :] / self._step)
            return (within[:, None, :] * turns / size).astype(np.complex64)

        self._direct = pattern(used[:, None] - channels[None, :])
        self._image = pattern(-used[:, None] - channels[None, :])

    def restart(self) -> None:
        """Forget all carriers."""
        self._carriers.clear()

    def release(self, eid: int) -> None:
        """Put an endpoint's carrier back into the history."""
        carrier = self._carriers.pop(eid, None)
        if carrier is not None:
            self._forget(carrier)
            self._add(carrier, carrier.since, carrier.taken, 1)

    def take(
        self,
        eid: int,
        column: int,
        start: int,
        signs: NDArray[np.int8],
        phase_rad: NDArray[np.float32],
        amplitude: float,
    ) -> bool:
        """Take a frame away that was decoded and what follows it; return whether it is strong."""
        self.release(eid)
        if amplitude**2 < _STRONG * self._history.noise[column]:
            return False
        turned = amplitude * np.exp(1j * phase_rad)
        carrier = Carrier(column, start, complex(turned[-1]))
        self._carriers[eid] = carrier
        whole = min(len(signs), (self._history.end - start) // self._step)
        carrier.taken = (turned * signs)[:whole].astype(np.complex64)
        carrier.done = start + whole * self._step
        self._forget(carrier)
        self._add(carrier, carrier.since, carrier.taken, -1)
        return True

    def follow(self) -> None:
        """Take the newest symbols of all carriers away, the strongest first."""
        limit = self._history.end
        for carrier in sorted(self._carriers.values(), key=lambda c: -abs(c.mean)):
            self._forget(carrier)
            new = []
            while carrier.done + self._step <= limit:
                new.append(self._next(carrier))
            if new:
                carrier.taken = np.concatenate([carrier.taken, np.array(new, np.complex64)])
            limit = min(limit, carrier.done)

    def _next(self, carrier: Carrier) -> complex:
        heard = complex(self._history.block(carrier.done, self._step)[:, carrier.column].sum())
        noise = max(float(self._history.noise[carrier.column]), 1e-30)
        lean = float(np.tanh(2 * (heard * carrier.mean.conjugate()).real / noise))
        taken = carrier.mean * lean
        self._add(carrier, carrier.done, np.array([taken], np.complex64), -1)
        carrier.done += self._step
        carrier.mean += _FOLLOW * abs(lean) * (heard * np.sign(lean) - carrier.mean)
        return taken

    def _forget(self, carrier: Carrier) -> None:
        """Drop the symbols that the history has dropped."""
        behind = -(-(self._history.first - carrier.since) // self._step)
        if behind > 0:
            carrier.taken = carrier.taken[behind:]
            carrier.since += behind * self._step

    def _add(
        self, carrier: Carrier, start: int, amplitudes: NDArray[np.complex64], sign: int
    ) -> None:
        if len(amplitudes) == 0:
            return
        turn = (start + np.arange(self._step)) % self._step
        rows = self._history.block(start, len(amplitudes) * self._step)
        symbols = rows.reshape(len(amplitudes), self._step, -1)
        a = sign * amplitudes[:, None, None]
        symbols += a * self._direct[carrier.column, turn]
        symbols += a.conj() * self._image[carrier.column, turn]
