"""The meter behind a scenario: registers that follow the load while the service is lit."""

from bisect import bisect_right
from itertools import islice

_WH_W_MS = 3_600_000
_LATE_MS = 1 << 62


class Spans:
    """Times from (included) to (excluded), asked quickly however many they are."""

    def __init__(self, spans: list[tuple[int, int]]):
        self.merged = _merged(spans)

    def holds(self, at_ms: int) -> bool:
        """Tell whether an instant lies in one of them."""
        i = bisect_right(self.merged, (at_ms, _LATE_MS)) - 1
        return i >= 0 and at_ms < self.merged[i][1]

    def holds_inside(self, at_ms: int) -> bool:
        """Tell whether an instant lies strictly between the edges of one of them."""
        i = bisect_right(self.merged, (at_ms, 0)) - 1
        return i >= 0 and self.merged[i][0] < at_ms < self.merged[i][1]


class Service:
    """Power, darkness and what they make of two registers; exact integers.

    Parameters
    ----------
    loads : list of (int, int, int, int)
        From, to (ms), forward and reverse power in W; several at a time add up.
    darks : list of (int, int)
        From, to (ms).
    """

    def __init__(self, loads: list[tuple[int, int, int, int]], darks: list[tuple[int, int]]):
        self._spans = Spans(darks)
        self._darks = self._spans.merged
        changes: dict[int, list[int]] = {}
        for start, end, forward_w, reverse_w in loads:
            for edge, sign in ((start, 1), (end, -1)):
                change = changes.setdefault(edge, [0, 0])
                change[0] += sign * forward_w
                change[1] += sign * reverse_w
        self._edges = sorted(changes)
        self._powers: list[tuple[int, int]] = []
        power = [0, 0]
        for edge in self._edges:
            power = [a + b for a, b in zip(power, changes[edge], strict=True)]
            self._powers.append((power[0], power[1]))
        self._at_ms: int | None = None
        self._sums = [0, 0]
        self._bases = [0, 0]

    def is_dark(self, at_ms: int) -> bool:
        """Tell whether the service is off strictly between two edges."""
        return self._spans.holds_inside(at_ms)

    def lit_ms(self, from_ms: int, to_ms: int) -> int:
        """Return the time with power between two instants."""
        first = max(bisect_right(self._darks, (from_ms, 0)) - 1, 0)
        dark = 0
        for start, end in islice(self._darks, first, None):
            if start >= to_ms:
                break
            dark += max(0, min(to_ms, end) - max(from_ms, start))
        return to_ms - from_ms - dark

    def set(self, forward_wh: int | None, reverse_wh: int | None) -> None:
        """Let registers stand at a value now."""
        for i, wh in enumerate((forward_wh, reverse_wh)):
            if wh is not None:
                self._bases[i] = wh
                self._sums[i] = 0

    def go_on(self, at_ms: int) -> tuple[int, int]:
        """Return both registers at an instant that is not before the last one, Wh."""
        if self._at_ms is not None and self._edges:
            self._integrate(self._at_ms, at_ms)
        self._at_ms = at_ms
        return (
            self._bases[0] + self._sums[0] // _WH_W_MS,
            self._bases[1] + self._sums[1] // _WH_W_MS,
        )

    def _integrate(self, from_ms: int, to_ms: int) -> None:
        while from_ms < to_ms:
            i = bisect_right(self._edges, from_ms)
            until_ms = min(to_ms, self._edges[i]) if i < len(self._edges) else to_ms
            if i:
                forward_w, reverse_w = self._powers[i - 1]
                if forward_w or reverse_w:
                    lit_ms = self.lit_ms(from_ms, until_ms)
                    self._sums[0] += forward_w * lit_ms
                    self._sums[1] += reverse_w * lit_ms
            from_ms = until_ms


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
