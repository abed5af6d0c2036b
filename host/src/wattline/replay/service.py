"""The meter behind a scenario: registers that follow the load while the service is lit."""

from bisect import bisect_right

_WH_W_MS = 3_600_000


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
        self._darks = _merged(darks)
        edges = sorted({edge for load in loads for edge in load[:2]})
        self._edges = edges
        self._powers = [
            (
                sum(load[2] for load in loads if load[0] <= edge < load[1]),
                sum(load[3] for load in loads if load[0] <= edge < load[1]),
            )
            for edge in edges
        ]
        self._at_ms: int | None = None
        self._sums = [0, 0]
        self._bases = [0, 0]

    def is_dark(self, at_ms: int) -> bool:
        """Tell whether the service is off strictly between two edges."""
        i = bisect_right(self._darks, (at_ms, 0)) - 1
        return i >= 0 and self._darks[i][0] < at_ms < self._darks[i][1]

    def lit_ms(self, from_ms: int, to_ms: int) -> int:
        """Return the time with power between two instants."""
        dark = sum(max(0, min(to_ms, end) - max(from_ms, start)) for start, end in self._darks)
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
