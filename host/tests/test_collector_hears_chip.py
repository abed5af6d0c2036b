"""From the pin's edges to readings: the device's carrier, the line model, the receiver."""

import numpy as np
import pytest
from line_bus import by_endpoint, make_chips, run_bus

from wattline.collector.receiver import Receiver
from wattline.collector.records import Join, Reading
from wattline.line.scene import RATE_SPS

# Three frames of every channel, whenever it starts.
_SECONDS = 94


@pytest.mark.parametrize(
    ("channels", "seed", "ebn0_db"),
    [((25, 42, 67), 1, 8.0), ((26, 51, 65), 2, 8.0), ((27, 66), 3, None)],
)
def test_all_frames_arrive_from_wandering_line_and_jittering_comparator(channels, seed, ebn0_db):
    chips, scene = make_chips(channels, seed, ebn0_db)
    frames = run_bus(chips, scene, Receiver(RATE_SPS), _SECONDS)
    heard = by_endpoint(frames)
    assert sorted(heard) == sorted(chip.eid for chip in chips)
    for chip in chips:
        due = chip.complete(_SECONDS)
        assert len(due) >= 3
        assert heard[chip.eid][: len(due)] == due
    for frame in frames:
        (chip,) = [c for c in chips if c.eid == frame.eid]
        assert frame.channel == chip.channel
        start_s = min((s for s, _ in chip.sent), key=lambda s: abs(s - frame.start_s))
        assert abs(frame.start_s - start_s) < 0.002
        if ebn0_db is not None:
            assert abs(frame.ebn0_db - ebn0_db) < 2.5
        if isinstance(frame, Reading):
            assert frame.age_s == 7
            assert abs(frame.named_s - (start_s - 7)) < 0.002
            assert frame.voltage_permille == 985 and frame.power_w == 1230
        else:
            assert isinstance(frame, Join)
        assert frame.symbols.shape == frame.phase_rad.shape == (280,)
        assert np.mean(np.abs(frame.symbols.real)) == pytest.approx(1.0, abs=0.15)


def test_reversed_connection_is_heard_as_well():
    chips, scene = make_chips((41,), 4, 8.0, first_half=1)
    frames = run_bus(chips, scene, Receiver(RATE_SPS), 60)
    due = chips[0].complete(60)
    assert len(due) == 2
    assert by_endpoint(frames)[chips[0].eid][:2] == due
