"""The carrier gate on the chip: what it plays when nobody feeds it any more (R105)."""

from itertools import pairwise

import pytest

from wattline.emulator import MainsInput, Module
from wattline.line.mains import Mains

CARRIER_GATE, ZERO_CROSSING = 15, 14

# The product's own drivers and carrier, without the application around them.
FEED = """
from time import sleep_ms
from endpoint.hal.clock import Monotonic
from endpoint.hal.gate import CarrierGate
from endpoint.hal.mains import ZeroCrossings
from endpoint.line.payload import pack_join
from endpoint.line.profile import BENCH
from endpoint.tasks.transmit import Transmit
class Contents:
    def write(self, into, starts_ms):
        pack_join(into, 18, {eid})
        return into[0] >> 4
transmit = Transmit({eid}, BENCH, {channel}, ZeroCrossings(14), CarrierGate(15), Monotonic(),
                    Contents(), lambda *a, **k: None)
transmit._crossings.start()
transmit._begin()
for _ in range({steps}):
    transmit._step()
    sleep_ms(132)
print(transmit.restarts, transmit.uplink.carrier.sending)
"""


@pytest.fixture
def module(image):
    """A module on a 60 Hz line, at the prompt."""
    made = Module(image)
    made.run_for_ns(1_000_000_000)
    MainsInput(made, ZERO_CROSSING, Mains(1, wander=False).crossings(1))
    return made


@pytest.mark.parametrize(("channel", "most_ms"), [(25, 1400), (67, 600)])
def test_R105_an_unfed_gate_falls_silent_and_stays_silent(module, channel, most_ms):
    """A stuck task ends the carrier within the ring's length; nothing is ever played twice."""
    rises = []
    module.gpio(CARRIER_GATE).on_edge(lambda t_ns, level: rises.append(t_ns) if level else None)
    # Frames of a channel start 8 symbols apart by channel number: at the latest after 18 s.
    answer = module.exec(FEED.format(eid=5, channel=channel, steps=170), timeout_sim_s=40)
    assert answer.split() == ["0", "True"]
    fed_ns = module.now_ns
    sent = len(rises)
    assert sent > 300
    module.run_for_ns(31_000_000_000)
    late = [(t - fed_ns) / 1e6 for t in rises if t > fed_ns]
    assert late, "the ring is filled ahead, so something must still be played"
    # The one microsecond that ends a silent word is no carrier: look at the spacing.
    period_ms = 4000 / 60 / channel
    carrier = [b for a, b in pairwise(late) if b - a < 1.5 * period_ms]
    assert max(carrier) < most_ms
    # 512 words of at most 60 ms, then DMA has stopped for good.
    assert late[-1] < 512 * 60
    module.run_for_ns(20_000_000_000)
    assert (rises[-1] - fed_ns) / 1e6 == late[-1]
