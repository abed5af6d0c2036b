"""The compiled reference loop against the module's own."""

from array import array

import numpy as np
import pytest

from endpoint.line.loop import Loop
from wattline.line.mains import Mains
from wattline.line.reference import Reference


@pytest.mark.parametrize("bandwidth_mhz", [300, 1000])
def test_reference_follows_the_modules_loop(bandwidth_mhz):
    crossings = Mains(3).crossings(1, jitter_s=10e-6)
    edges = [next(crossings) for _ in range(2400)]
    loop, reference = Loop(bandwidth_mhz), Reference(bandwidth_mhz)
    stamp, steps, level, theirs = array("I", [0]), 0, 1, []
    for t_ns, rising in edges:
        if rising != level:
            continue
        level = 1 - level
        stamp[0] = t_ns // 1000
        loop.feed(stamp, 1)
        if loop.running and loop.steps != steps:
            cycles = loop.cycle + loop.phase_q28 / (1 << 28)
            theirs.append(((t_ns // 1000 + loop.grid_sixths / 6) * 1e-6, cycles))
        steps = loop.steps
    t_s = np.array([t for t, _ in edges]) * 1e-9
    rising = np.array([r for _, r in edges])
    for i in range(0, len(t_s), 60):
        reference.edges(t_s[i : i + 60], rising[i : i + 60])
    times_s, cycles = np.array(theirs[-400:]).T
    off = reference.phase(times_s) - cycles
    # A constant lag is nobody's business; what varies becomes carrier phase times 16.
    assert abs(off.mean()) < 1e-3
    assert np.abs(off - off.mean()).max() < 3e-4
    assert reference.locked and reference.frequency_hz == pytest.approx(60.0, abs=0.1)


def test_reference_starts_again_after_a_pause():
    reference = Reference(300)
    halves = np.arange(1, 400)
    rising = (halves % 2 == 0).astype(np.int64)
    reference.edges(halves / 120.0, rising)
    assert reference.starts == 1 and reference.until_s == pytest.approx(399 / 120, abs=0.02)
    reference.edges(10 + halves / 120.0, rising)
    assert reference.starts == 2 and reference.since_s > 10
