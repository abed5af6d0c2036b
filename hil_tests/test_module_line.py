"""The carrier at the pin, from the mains that lead it to the receiver that reads it."""

import pytest
from station import EID, MAINS_HZ, NS_PER_S, carrier, meter, pulses

from endpoint.line.profile import BENCH
from wattline.collector.receiver import Receiver
from wattline.line.mains import Mains
from wattline.line.scene import RATE_SPS, Gate, Scene

CHANNEL = BENCH.first_channel(EID)
FRAME_S = BENCH.frame_cycles / MAINS_HZ
# Longest hold-over of the loop, and what is already in the ring.
HOLD_OVER_S = 110 / MAINS_HZ + 0.5


@pytest.fixture(scope="module")
def line(station):
    """Two whole frames of a module on steady mains, then mains that fail and come back."""
    made = station(meter(), mains_on=True)
    made.frames = []
    made.until("read", 5)
    made.frames.append(made.until("frame", 25))
    made.run(1)
    made.before_frame = [edge for edge in made.edges if edge[0] < made.frames[0]["t_s"] * NS_PER_S]
    made.frames.append(made.until("frame", 25))
    made.served = made.served_wh()
    made.run(FRAME_S + 3)
    made.steady = list(made.edges)
    made.steady_s = made.now_s
    made.mains_on = False
    made.lost_ns = made.module.now_ns
    made.run(HOLD_OVER_S + 1)
    made.dark = made.status()
    made.mains_on = True
    made.regained_ns = made.module.now_ns
    made.frames.append(made.until("frame", 2 * FRAME_S))
    made.run(1)
    return made


def rises(edges, since_ns, until_ns):
    """Return when the carrier rises within a span, where nothing is omitted or silent."""
    return [t_ns for t_ns, _ in carrier(edges) if since_ns <= t_ns < until_ns]


def test_nothing_is_sent_before_the_first_frame(line):
    assert pulses(line.before_frame)
    assert carrier(line.before_frame) == []


def test_carrier_follows_the_line_to_a_millionth(line):
    """Changes of bit omit an edge; both ends of the span lie whole carrier periods apart."""
    period_ns = BENCH.cycles_per_symbol * NS_PER_S / (MAINS_HZ * CHANNEL)
    start_ns = int(line.frames[0]["t_s"] * NS_PER_S) + NS_PER_S
    found = rises(line.steady, start_ns, start_ns + 17 * NS_PER_S)
    # The carrier's phase is turned by half a period at every other bit.
    halves = [(t_ns - found[0]) / (period_ns / 2) for t_ns in found]
    off_ns = [(half - round(half)) * period_ns / 2 for half in halves]
    assert len(found) > 16 * NS_PER_S / period_ns / 2
    span_ns = found[-1] - found[0]
    first, last = (sum(part) / len(part) for part in (off_ns[:500], off_ns[-500:]))
    assert abs(last - first) / span_ns < 1e-6
    # Whole microseconds, and the loop's own jitter.
    assert max(map(abs, off_ns)) < 5_000


def test_collector_decodes_join_and_register(line):
    """Noise off: what the edges make on a line is one JOIN and one REGISTER, the meter's own."""
    scene = Scene(Mains(1, MAINS_HZ, wander=False), [Gate(CHANNEL)], ebn0_db=None, seed=1)
    for t_ns, level in line.steady:
        scene.edge(t_ns, level)
    heard = Receiver(RATE_SPS, BENCH).feed(*scene.block(int(line.steady_s * NS_PER_S)))
    assert [(frame.kind, frame.eid) for frame in heard] == [("JOIN", EID), ("REGISTER", EID)]
    reading = heard[1]
    shown = {line.meter.register_wh(int((reading.named_s + d) * NS_PER_S))[0] for d in (-1, 0, 1)}
    assert reading.register_dkwh in {wh // 100 % 1_000_000 for wh in shown}
    assert reading.corrected_bits == 0


def test_R105_carrier_ends_soon_after_the_crossings_do(line):
    after = [t_ns for t_ns, _ in carrier(line.edges) if line.lost_ns < t_ns < line.regained_ns]
    assert after[-1] - line.lost_ns < HOLD_OVER_S * NS_PER_S
    assert line.dark["line_locked"] is False
    assert line.dark["sending"] is False


def test_carrier_comes_back_with_the_crossings(line):
    again = [t_ns for t_ns, _ in carrier(line.edges) if t_ns > line.regained_ns]
    assert len(again) > 100
    assert line.status()["line_locked"] is True
    assert line.resets == []


def test_R105_without_crossings_the_pin_stays_silent(station):
    made = station(meter())
    made.run(6)
    assert pulses(made.edges)
    assert carrier(made.edges) == []
