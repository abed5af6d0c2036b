"""Mains, transmitter circuit and scene, each against an independent computation."""

import itertools

import numpy as np
import pytest
from scipy.signal import StateSpace, lsim

from wattline.line.channel import noise_rms
from wattline.line.mains import Mains
from wattline.line.modelled import ModelledEndpoint
from wattline.line.scene import RATE_SPS, Gate, Scene
from wattline.line.synth import make_bus
from wattline.line.transmitter import Circuit, Transmitter


def test_mains_phase_and_times_are_inverse():
    mains = Mains(1)
    phase = np.arange(1.0, 30000.0, 7.3)
    assert mains.phase(mains.times(phase)) == pytest.approx(phase, abs=1e-9)


def test_mains_wanders_within_limits_and_repeats():
    t_s = np.arange(0.0, 3600.0, 0.5)
    frequency = np.diff(Mains(2).phase(t_s)) / 0.5
    assert 59.925 < frequency.min() and frequency.max() < 60.075
    assert frequency.std() > 0.005
    assert np.array_equal(Mains(2).phase(t_s), Mains(2).phase(t_s))
    assert not np.array_equal(Mains(2).phase(t_s), Mains(3).phase(t_s))
    assert np.diff(Mains(2, wander=False).phase(t_s)) == pytest.approx(30.0)


def test_comparator_edges_alternate_at_the_voltage_zeros():
    mains = Mains(4, frequency_hz=59.0)
    edges = list(itertools.islice(mains.crossings(1, jitter_s=0.0), 400))
    levels = [level for _, level in edges]
    assert levels[:4] == [0, 1, 0, 1] and levels[::2] == [0] * 200
    t_s = np.array([t for t, _ in edges]) * 1e-9
    assert np.abs(mains.voltage(t_s)).max() < 0.01
    after = mains.voltage(t_s + 0.002)
    assert np.array_equal(after > 0, np.array(levels) == 1)
    assert np.sqrt(np.mean(mains.voltage(np.arange(0, 10, 1 / 4800)) ** 2)) == pytest.approx(
        240, rel=0.01
    )


def test_comparator_jitter_and_threshold():
    sharp = list(itertools.islice(Mains(4).crossings(1, jitter_s=0.0), 4000))
    rough = list(itertools.islice(Mains(4).crossings(1, jitter_s=2e-5, threshold_s=1e-4), 4000))
    late = np.array([b[0] - a[0] for a, b in zip(sharp, rough, strict=True)]) * 1e-9
    rising = np.array([level for _, level in sharp]) == 1
    assert late[rising].mean() == pytest.approx(1e-4, abs=2e-6)
    assert late[~rising].mean() == pytest.approx(-1e-4, abs=2e-6)
    assert late[rising].std() == pytest.approx(2e-5, rel=0.1)


def _gate_edges(carrier_hz, duration_s, seed):
    """A square wave with phase flips, in whole ns."""
    rng = np.random.default_rng(seed)
    half_s = 0.5 / carrier_hz
    t_s = 0.003
    level = 0
    edges = []
    while t_s < duration_s:
        level = 1 - level
        edges.append((int(t_s * 1e9), level))
        t_s += half_s * (2 if rng.random() < 0.02 else 1)
    return edges


def test_transmitter_matches_numerical_integration():
    circuit = Circuit.tuned(690.0)
    edges = [(t_ns // 1000 * 1000, level) for t_ns, level in _gate_edges(690.0, 0.1, 1)]
    transmitter = Transmitter(circuit, RATE_SPS)
    for edge in edges:
        transmitter.edge(*edge)
    sampled = transmitter.block(480)
    # 1 us steps, with the drive held between them.
    fine_s = np.arange(100_000) * 1e-6
    drive = np.zeros(len(fine_s))
    for t_ns, level in edges:
        drive[t_ns // 1000 :] = level * circuit.bus_v
    a, b, c = circuit._matrices()
    system = StateSpace(a, b[:, None], c[None, :], np.zeros((1, 1)))
    _, current, _ = lsim(system, drive, fine_s, interp=False)
    at = np.arange(480) / RATE_SPS
    expected = np.interp(at, fine_s, current)
    assert np.abs(sampled - expected).max() < 2e-3 * np.abs(expected).max()


def test_transmitter_blocks_of_any_size_agree():
    edges = _gate_edges(825.0, 0.5, 2)
    outputs = []
    for sizes in ([2400], [7, 1, 2000, 392]):
        transmitter = Transmitter(Circuit.tuned(825.0), RATE_SPS)
        for edge in edges:
            transmitter.edge(*edge)
        outputs.append(np.concatenate([transmitter.block(n) for n in sizes]))
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-12)


@pytest.mark.parametrize("carrier_hz", [375.0, 690.0, 1005.0])
def test_transmitter_amplitude_is_the_predicted_one_and_harmonics_do_not_fold(carrier_hz):
    circuit = Circuit.tuned(carrier_hz)
    transmitter = Transmitter(circuit, RATE_SPS)
    half_ns = 0.5e9 / carrier_hz
    for k in range(int(2.2 * 2 * carrier_hz)):
        transmitter.edge(int(k * half_ns), 1 - k % 2)
    transmitter.block(RATE_SPS)
    spectrum = np.abs(np.fft.rfft(transmitter.block(RATE_SPS))) * 2 / RATE_SPS
    line = round(carrier_hz)
    assert spectrum[line] == pytest.approx(circuit.amplitude_a(carrier_hz), rel=1e-3)
    band = spectrum[350:1030].copy()
    band[line - 351 : line - 348] = 0
    assert band.max() < spectrum[line] * 10 ** (-55 / 20)


def test_silent_gate_gives_no_current():
    transmitter = Transmitter(Circuit.tuned(690.0), RATE_SPS)
    assert np.array_equal(transmitter.block(100), np.zeros(100))


def test_noise_is_what_eb_over_n0_says():
    # Eb = 280 / 64 symbols of a²/2 · T; the converter's noise is N0/2 over half its rate.
    sigma = noise_rms(0.01, 8.0, 4 / 60, RATE_SPS)
    eb = 280 / 64 * 0.01**2 / 2 * 4 / 60
    assert 10 * np.log10(eb / (2 * sigma**2 / RATE_SPS)) == pytest.approx(8.0)
    scene = Scene(Mains(1), [Gate(42)], ebn0_db=8.0, load_a=0.0, seed=3)
    _, current = scene.block(20 * 1_000_000_000)
    expected = noise_rms(Gate(42).amplitude_a(), 8.0, 4 / 60, RATE_SPS)
    assert current.std() == pytest.approx(expected, rel=0.02)


def test_scene_repeats_whatever_the_steps_of_the_caller():
    whole = make_bus(3, 8.0, 5)[0].block(4_000_000_000)
    scene = make_bus(3, 8.0, 5)[0]
    steps = [scene.block(t) for t in (0, 100_000_000, 900_000_000, 900_000_001, 4_000_000_000)]
    for whole_part, parts in zip(whole, zip(*steps, strict=True), strict=True):
        assert np.array_equal(whole_part, np.concatenate(parts))
        assert whole_part.dtype == np.float32 and len(whole_part) == 4 * RATE_SPS
    other = make_bus(3, 8.0, 6)[0].block(4_000_000_000)
    assert not np.array_equal(whole[1], other[1])


def test_load_has_harmonics_and_nothing_between():
    scene = Scene(Mains(1, wander=False), ebn0_db=None, load_a=5.0, seed=1)
    _, current = scene.block(20 * 1_000_000_000)
    spectrum = np.abs(np.fft.rfft(current * np.hanning(len(current)))) * 4 / len(current)
    assert spectrum[60 * 20] == pytest.approx(5.0, rel=0.1)
    assert 0.05 < spectrum[300 * 20] < 1.0
    between = spectrum[[75 * 20, 375 * 20, 690 * 20, 825 * 20]]
    assert between.max() < 1e-3


def test_modelled_endpoint_refuses_a_channel_that_does_not_exist():
    from endpoint.line import ChannelError

    with pytest.raises(ChannelError):
        ModelledEndpoint(1, 24, 0.01, lambda k, t: bytes(8))
