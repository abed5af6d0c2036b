"""A whole `field` bus for an hour and a half: who is heard, and that nobody is invented."""

import resource

import pytest
from field_bus import FieldBus

_SECONDS = 5400
_FRAME_S = 3584


@pytest.mark.soak
def test_field_bus_of_6500_endpoints_is_attributed_rightly_and_nothing_is_invented():
    """One bus, levels log-normal with 8 dB around 12 dB; about two minutes of one core."""
    bus = FieldBus(6500, spread_db=8.0, ebn0_db=12.0, seed=5)
    frames = bus.hear(_SECONDS)
    sent = {m.eid: {p: t for t, p in m.sent} for m in bus.endpoints}
    for frame in frames:
        assert abs(frame.start_s - sent[frame.eid][frame.payload]) < 1.0
    heard = {frame.eid for frame in frames}
    # Those with 6 dB or more whose frame lay wholly inside.
    loud = [
        m
        for m in bus.endpoints
        if m.amplitude_a > 0.5e-3 and any(5 < t < _SECONDS - _FRAME_S - 30 for t, _ in m.sent)
    ]
    assert len(loud) > 1000
    assert sum(m.eid not in heard for m in loud) <= 0.01 * len(loud)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000
