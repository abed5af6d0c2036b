"""The reference loop: lock, tracking, hold-over, and what comparators do to edges."""

from array import array

import micropython

from endpoint.line.loop import CYCLES_FOLD, Loop
from endpoint.line.profile import BENCH, FIELD

HALF_US = 500000 / 60


def _feed(loop, times_us):
    for t in times_us:
        loop.feed(array("I", [int(t + 0.5) & 0xFFFFFFFF]), 1)


def _steady(first, count, frequency_hz=60.0, start_us=0.0):
    half_us = 500000 / frequency_hz
    return [start_us + k * half_us for k in range(first, first + count)]


def _phase_error(loop, t_us, frequency_hz=60.0, start_us=0.0):
    """Return loop minus line at the loop's last grid instant, in cycles, without whole ones."""
    at_us = t_us + loop.grid_sixths / 6
    true = (at_us - start_us) * frequency_hz / 1e6
    error = loop.phase_q28 / (1 << 28) - true
    return error - round(error)


def test_locks_over_the_whole_range_of_frequencies():
    for frequency_hz in (57.0, 58.5, 60.0, 61.7, 63.0):
        loop = Loop(BENCH.bandwidth_mhz)
        times = _steady(0, 400, frequency_hz, 1e6)
        locked_at = None
        for t in times:
            _feed(loop, [t])
            if locked_at is None and loop.locked:
                locked_at = t
        assert locked_at is not None
        assert locked_at - 1e6 < 1300000
        assert abs(loop.frequency_mhz - frequency_hz * 1000) <= 2
        assert abs(loop.period_x1024 / 1024 - 1e6 / frequency_hz) < 0.5
        assert abs(_phase_error(loop, times[-1], frequency_hz, 1e6)) < 3e-5


def test_refuses_what_is_no_line():
    for frequency_hz in (50.0, 54.0, 66.0, 120.0, 400.0):
        loop = Loop(BENCH.bandwidth_mhz)
        _feed(loop, _steady(0, 400, frequency_hz))
        assert not loop.running and not loop.locked


def test_timer_wraps_unnoticed():
    loop = Loop(BENCH.bandwidth_mhz)
    start_us = float((1 << 32) - 2500000)
    times = _steady(0, 600, 60.0, start_us)
    _feed(loop, times[:200])
    assert loop.locked and loop.epoch == 1
    cycle = loop.cycle
    _feed(loop, times[200:])
    assert loop.epoch == 1 and loop.locked and loop.cycle - cycle == 200
    assert abs(_phase_error(loop, times[-1], 60.0, start_us)) < 3e-5


def test_threshold_of_the_comparator_cancels():
    loop = Loop(BENCH.bandwidth_mhz)
    times = [t + (300 if k % 2 == 0 else -300) for k, t in enumerate(_steady(0, 400))]
    _feed(loop, times)
    at_us = HALF_US * 399
    error = loop.phase_q28 / (1 << 28) - (at_us - 300 + loop.grid_sixths / 6) * 6e-5
    assert abs(error - round(error)) < 3e-5


def test_jitter_is_filtered():
    loop = Loop(BENCH.bandwidth_mhz)
    # A sawtooth of ±50 us that no line frequency shares.
    times = [t + ((k * 37) % 101 - 50) for k, t in enumerate(_steady(0, 1200))]
    worst = 0.0
    for k, t in enumerate(times):
        _feed(loop, [t])
        if k > 400:
            worst = max(worst, abs(_phase_error(loop, t)))
    # 50 us are 3e-3 cycles.
    assert worst < 1e-3


def test_glitches_and_bounces_are_ignored():
    loop = Loop(BENCH.bandwidth_mhz)
    times = []
    for k, t in enumerate(_steady(0, 600)):
        times.append(t)
        if k > 200 and k % 7 == 0:
            times += [t + 60, t + 110]  # bounce
        if k > 200 and k % 11 == 0:
            times += [t + 3000, t + 3005]  # spike
    _feed(loop, times)
    assert loop.locked and loop.epoch == 1
    assert abs(_phase_error(loop, times[-1])) < 1e-4
    assert loop.cycle == int((times[-1] + loop.grid_sixths / 6) * 6e-5 + 1e-3) + _offset(600)


def _offset(count):
    """Return the loop's count minus the line's after a clean start."""
    loop = Loop(BENCH.bandwidth_mhz)
    times = _steady(0, count)
    _feed(loop, times)
    return loop.cycle - int((times[-1] + loop.grid_sixths / 6) * 6e-5 + 1e-3)


def test_holds_over_missing_edges_and_counts_on():
    loop = Loop(BENCH.bandwidth_mhz)
    times = _steady(0, 1000, 60.3)
    _feed(loop, times[:400])
    cycle = loop.cycle
    _feed(loop, times[560:700])  # 1.3 s missing
    assert loop.epoch == 1 and loop.locked
    assert loop.cycle - cycle == 150
    # Single missing edges; the others of the pair come as a spike would.
    _feed(loop, [t for k, t in enumerate(times[700:]) if k % 10 not in (4, 5)])
    assert loop.epoch == 1 and loop.locked
    assert abs(_phase_error(loop, times[-1], 60.3)) < 1e-4


def test_gives_up_after_hold_over_and_acquires_again():
    loop = Loop(BENCH.bandwidth_mhz)
    times = _steady(0, 1200)
    _feed(loop, times[:300])
    assert loop.locked
    _feed(loop, times[540:548])  # 2 s missing
    assert not loop.locked
    _feed(loop, times[548:900])
    assert loop.locked and loop.epoch == 2


def test_follows_a_phase_jump_after_at_most_hold_over():
    loop = Loop(BENCH.bandwidth_mhz)
    _feed(loop, _steady(0, 300))
    start_us = 300 * HALF_US + 4000
    times = _steady(0, 800, 60.0, start_us)
    _feed(loop, times)
    assert loop.locked and loop.epoch == 2
    assert abs(_phase_error(loop, times[-1], 60.0, start_us)) < 1e-4


def test_boundary_names_the_zero_crossing():
    for frequency_hz in (57.0, 60.0, 63.0):
        loop = Loop(BENCH.bandwidth_mhz)
        times = _steady(0, 400, frequency_hz)
        _feed(loop, times)
        for ahead in (0, 1, 7, 100):
            at_us = times[-1] + loop.boundary_x16(ahead) / 16
            phase = at_us * frequency_hz / 1e6
            assert abs(phase - round(phase)) < 2e-4
        step = loop.boundary_x16(5) - loop.boundary_x16(4)
        assert abs(step / 16 - 1e6 / frequency_hz) < 0.2


def test_cycle_count_folds():
    loop = Loop(BENCH.bandwidth_mhz)
    times = _steady(0, 800)
    _feed(loop, times[:300])
    loop._state[5] = CYCLES_FOLD - 20
    _feed(loop, times[300:])
    assert loop.locked and loop.epoch == 1
    assert 200 < loop.cycle < 250


def test_field_loop_is_slower_and_still_locks():
    loop = Loop(FIELD.bandwidth_mhz)
    times = _steady(0, 600, 59.4)
    _feed(loop, times[:380])
    assert not loop.locked
    _feed(loop, times[380:])
    assert loop.locked
    assert abs(_phase_error(loop, times[-1], 59.4)) < 2e-4


def test_feed_allocates_nothing():
    loop = Loop(BENCH.bandwidth_mhz)
    stamps = array("I", [int(t) for t in _steady(0, 64)])
    micropython.heap_lock()
    loop.feed(stamps, 64)
    loop.boundary_x16(3)
    micropython.heap_unlock()
    assert loop.running


def _track(phase, seconds, jitter_us=0, until_us=None):
    """Feed a `field` loop with crossings of a phase (cycles over seconds); return samples.

    Each sample is (time s, tracked minus true phase in cycles).
    """
    loop = Loop(300)
    found = []
    # The first edge rises.
    k = 2
    now_us = 0
    t = 1 / 120
    seed = 1
    while now_us < seconds * 1000000:
        now_us += 66000
        stamps = array("I")
        while True:
            # Newton: when the phase reaches k/2.
            at = t + 1 / 120
            for _ in range(3):
                at += (k / 2 - phase(at)) / 60
            if at * 1e6 > now_us:
                break
            t = at
            k += 1
            seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
            noise = (seed >> 12) % (2 * jitter_us + 1) - jitter_us
            if until_us is None or at * 1e6 < until_us:
                stamps.append(int(at * 1e6) + noise)
        loop.feed(stamps, len(stamps))
        if loop.locked:
            grid_s = (loop.now_us + loop.grid_sixths / 6) / 1e6
            error = loop.phase_q28 / (1 << 28) - phase(grid_s)
            found.append((grid_s, error - round(error)))
    return loop, found


def _after(found, since_s):
    return [error for t, error in found if t > since_s]


def test_field_loop_has_no_error_at_any_steady_frequency():
    for hz in (57.0, 58.5, 60.0, 61.5, 63.0):
        _, found = _track(lambda t, hz=hz: hz * t, 25)
        errors = _after(found, 15)
        # 3e-5 cycles are 3 mrad of the highest carrier; edges are stamped in whole us.
        assert max(errors) - min(errors) < 2e-4
        assert abs(sum(errors) / len(errors)) < 1e-4


def test_field_loop_filters_jitter():
    # 30 us of uniform jitter is 17 us rms, 1e-3 cycles per crossing.
    _, found = _track(lambda t: 60.01 * t, 60, jitter_us=30)
    errors = _after(found, 20)
    rms = (sum(e * e for e in errors) / len(errors)) ** 0.5
    # 0.02 rad of the highest carrier.
    assert rms < 2e-4


def test_field_loop_lags_a_ramp_by_what_its_bandwidth_says():
    # -0.12 Hz in 8 s: a type-2 loop lags by slope / wn^2 cycles, the same at both ends.
    def phase(t):
        x = min(max(t - 20, 0), 8)
        after = max(t - 28, 0)
        return 60 * t - 0.015 * x * x / 2 - 0.12 * after

    _, found = _track(phase, 45)
    lag = 0.015 / (1.6 * 0.3) ** 2
    during = [e for t, e in found if 27 < t < 28]
    assert 0.8 * lag < sum(during) / len(during) < 1.1 * lag
    assert abs(_after(found, 43)[-1]) < 0.02 * lag


def test_field_loop_holds_over_within_its_frequency_error():
    # Edges end at 25 s: the flywheel goes on for 110 steps and then gives up.
    loop, found = _track(lambda t: 60.03 * t, 26, until_us=25000000)
    assert loop.locked
    assert abs(found[-1][1]) < 1e-3
