"""The receiver on modelled endpoints: many, none, in blocks of any size."""

import itertools

import numpy as np
from line_bus import Chip, by_endpoint, complete, run_bus

from endpoint.line.profile import BENCH
from wattline.collector.receiver import Receiver
from wattline.line.mains import Mains
from wattline.line.scene import RATE_SPS, Gate, Scene
from wattline.line.synth import make_bus


def _listen(scene, receiver, duration_s):
    frames = []
    for s in range(duration_s):
        frames += receiver.feed(*scene.block((s + 1) * 1_000_000_000))
    return frames


def test_noise_alone_gives_no_readings():
    scene = Scene(Mains(5), ebn0_db=8.0, seed=5)
    receiver = Receiver(RATE_SPS, eids=range(0x20000000, 0x20000020))
    assert _listen(scene, receiver, 100) == []
    assert receiver.locked and receiver.progress() == []


def test_many_neighbours_of_unequal_level_are_told_apart():
    scene, modelled = make_bus(24, 12.0, 7, spread_db=6.0)
    frames = _listen(scene, Receiver(RATE_SPS), 62)
    heard = by_endpoint(frames)
    for endpoint in modelled:
        due = complete(endpoint.sent, 62)
        assert len(due) >= 2
        assert heard[endpoint.eid][: len(due)] == due


def test_progress_follows_the_frame_on_the_air():
    scene, (endpoint,) = make_bus(1, 8.0, 3)
    receiver = Receiver(RATE_SPS)
    seen = []
    while len(seen) < 8:
        seconds = len(seen) + 44
        _listen_until(scene, receiver, seconds)
        (progress,) = receiver.progress()
        seen.append(progress.symbols)
        assert progress.eid == endpoint.eid and progress.of == 280
    assert all(14 <= b - a <= 16 for a, b in itertools.pairwise(seen))


def _listen_until(scene, receiver, seconds):
    receiver.feed(*scene.block(seconds * 1_000_000_000))


def test_result_does_not_depend_on_the_size_of_blocks():
    heard = []
    for size in (600, 5000, 300_000):
        scene, _ = make_bus(2, 8.0, 6)
        voltage, current = scene.block(62 * 1_000_000_000)
        receiver = Receiver(RATE_SPS)
        frames = []
        for i in range(0, len(voltage), size):
            frames += receiver.feed(voltage[i : i + size], current[i : i + size])
        heard.append([(f.eid, f.payload) for f in frames])
    assert heard[0] == heard[1] and len(heard[0]) >= 4


def test_memory_stays_bounded():
    scene, _ = make_bus(1, 8.0, 8)
    receiver = Receiver(RATE_SPS)
    for s in range(1, 61):
        receiver.feed(*scene.block(s * 1_000_000_000))
        assert len(receiver._history._rows) < 4.5 * receiver._history.frame
        assert len(receiver._canceller._history) < 130
        assert len(receiver._resampler._buffer) < 2 * RATE_SPS
        assert len(receiver._line.reference._times_s) < 3000
        assert len(receiver._clock) < 100


def test_silence_on_the_voltage_input_gives_nothing():
    receiver = Receiver(RATE_SPS)
    rng = np.random.default_rng(1)
    for _ in range(5):
        noise = rng.normal(0, 1, (2, RATE_SPS)).astype(np.float32)
        assert receiver.feed(0 * noise[0], noise[1]) == []
    assert not receiver.locked


def test_24_modelled_and_3_chips_up_to_12_db_apart_are_all_heard_and_none_invented():
    """One bus, symbols of nobody aligned with anybody else's; the weakest has 8 dB Eb/N0."""
    modelled_scene, modelled = make_bus(24, 14.0, 2, spread_db=12.0)
    free = sorted(set(BENCH.channels()) - {m.channel for m in modelled})
    mains = modelled_scene.mains
    chips = [Chip(mains, free[3 * i], 0x0A000000 + i, 2 + 10 * i) for i in range(3)]
    gates = [Gate(chip.channel, attenuation_db=14.0 + 6 * i) for i, chip in enumerate(chips)]
    ebn0_db = 14.0 + 20 * np.log10(gates[0].amplitude_a() / 0.015)
    scene = Scene(mains, gates, modelled, ebn0_db=ebn0_db, seed=2)
    frames = run_bus(chips, scene, Receiver(RATE_SPS), 62)
    heard = by_endpoint(frames)
    endpoints = modelled + chips
    assert sorted(heard) == sorted(e.eid for e in endpoints)
    for endpoint in endpoints:
        due = complete(endpoint.sent, 62)
        assert len(due) >= 2 and heard[endpoint.eid][: len(due)] == due
        assert set(heard[endpoint.eid]) <= {payload for _, payload in endpoint.sent}
