"""The edge generator: phase, symbols, silence and robustness of what reaches the pin."""

import micropython
from line_rig import RING_WORDS, Rig, steady

from endpoint.line import ChannelError
from endpoint.line.carrier import Carrier
from endpoint.line.frame import encode_into
from endpoint.line.loop import Loop
from endpoint.line.profile import BENCH, FIELD

EID = 0x1234ABCD
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"


def _rig(crossing, profile=BENCH, channel=66, timer_us=0, frames=1000):
    starts = []

    def source(payload, start_us):
        if len(starts) == frames:
            return False
        starts.append((start_us - timer_us) & 0x3FFFFFFF)
        payload[:] = PAYLOAD
        return True

    rig = Rig(crossing, profile, channel, source, EID, timer_us)
    return rig, starts


def _expected(channel):
    symbols = bytearray(280)
    encode_into(symbols, PAYLOAD, EID, channel)
    return symbols


def _level_at(edges, at_us):
    """Return the pin's level; `edges` ascend."""
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        if edges[middle][0] <= at_us:
            low = middle + 1
        else:
            high = middle
    return edges[low - 1][1] if low else 0


def test_edges_lie_on_carrier_phase():
    for frequency_hz, channel in ((57.0, 67), (60.0, 25), (63.0, 66)):
        rig, starts = _rig(steady(frequency_hz), channel=channel)
        rig.run(24000000)
        start = starts[0]
        # Two edges per carrier period, symbols change on cycle boundaries of the line.
        half_us = 1e6 / frequency_hz * BENCH.cycles_per_symbol / channel / 2
        inside = [t for t, _ in rig.edges(start, start + 4000000)]
        worst = 0.0
        for t in inside:
            k = (t - inside[0]) / half_us
            worst = max(worst, abs(k - round(k)))
        # 1 us of rounding either side, and the loop's own.
        assert worst * half_us < 2.5
        assert len(inside) > 4000000 / half_us * 0.9
        phase = start * frequency_hz / 1e6
        assert abs(phase - round(phase)) < 2e-4


def test_symbols_are_those_of_the_encoder():
    for channel in (25, 42, 67):
        rig, starts = _rig(steady(60.0), channel=channel)
        rig.run(40000000)
        symbols = _expected(channel)
        symbol_us = 1e6 / 60 * BENCH.cycles_per_symbol
        period_us = symbol_us / channel
        edges = []
        for s in range(280):
            if s % 40 == 0:
                first = starts[0] + s * symbol_us
                edges = rig.edges(first - 5000, first + 40 * symbol_us)
            # A quarter of a carrier period into both halves of a period amid the symbol.
            at = starts[0] + s * symbol_us + (channel // 3 + 0.25) * period_us
            assert _level_at(edges, at) == 1 - symbols[s]
            assert _level_at(edges, at + period_us / 2) == symbols[s]


def test_frames_follow_each_other_without_a_gap():
    rig, starts = _rig(steady(60.0), timer_us=0xFFFFFFFF - 3000000)
    rig.run(60000000)
    assert len(starts) >= 2
    for i in range(1, len(starts)):
        assert abs(starts[i] - starts[i - 1] - BENCH.frame_cycles * 1e6 / 60) < 3
    assert max(high for _, high in rig.words()) < 1100


def test_no_click_even_when_the_loop_corrects():
    # Frequency steps by 1 Hz; a third of a degree of jitter on top.
    def crossing(k):
        t = k * 500000 / 60 if k < 2400 else 2400 * 500000 / 60 + (k - 2400) * 500000 / 61
        return t + (k * 29) % 31 - 15

    rig, starts = _rig(crossing, channel=66)
    rig.run(30000000)
    assert starts
    half_us = 1e6 / 60 * 4 / 66 / 2
    for low, high in rig.words():
        if high > 1:
            assert low > 0.9 * half_us
            assert 0.9 * half_us < high < 2.2 * half_us


def test_silence_keeps_time():
    rig, _ = _rig(steady(60.0), frames=0)
    rig.run(5000000)
    assert not rig.edges()
    for low, high in rig.words():
        assert high == 1 and 8000 < low < 26000
    behind = (rig.uplink.carrier.filled_us - rig.played_us) & 0x3FFFFFFF
    assert behind < 65000
    assert rig.played_us > 5000000


def test_no_line_no_carrier():
    rig, starts = _rig(steady(50.0))
    rig.run(5000000)
    assert not starts and not rig.edges()
    assert rig.played_us > 5000000


def test_carrier_stops_when_the_line_goes_and_returns_with_it():
    # The line is away from 22 s to 30 s.
    rig, starts = _rig(
        lambda k: None if 22e6 < k * 500000 / 60 < 30e6 else k * 500000 / 60, channel=25
    )
    rig.run(60000000)
    assert rig.edges(20e6, 21e6)
    assert not rig.edges(25e6, 30e6)
    assert starts[-1] > 30e6
    assert rig.edges(starts[-1])


def test_silent_frame_position_waits_for_the_next():
    rig, starts = _rig(steady(60.0), frames=1)
    rig.run(45000000)
    end = starts[0] + BENCH.frame_cycles * 1e6 / 60
    assert rig.edges(starts[0], end) and not rig.edges(end + 1000)
    assert rig.uplink.frames == 1


def test_field_profile_runs_on_the_same_kernel():
    channel = FIELD.channel(16, 88)
    rig, starts = _rig(steady(60.0), profile=FIELD, channel=channel)
    rig.uplink.carrier._frame_offset = 600
    rig.run(30000000)
    start = starts[0]
    half_us = 1e6 / 60 * 768 / channel / 2
    worst = 0.0
    for span in range(4):
        inside = [t for t, _ in rig.edges(start + span * 3000000, start + span * 3000000 + 500000)]
        assert len(inside) > 950
        for t in inside:
            k = (t - start) / half_us
            worst = max(worst, abs(k - round(k)))
    assert worst * half_us < 4


def test_tune_refuses_unknown_channels():
    loop = Loop(BENCH.bandwidth_mhz)
    try:
        Carrier(loop, BENCH, 24, None, bytearray(4 * RING_WORDS))
    except ChannelError:
        return
    raise AssertionError


def test_fill_respects_the_room_it_is_given():
    rig, _ = _rig(steady(60.0), channel=67)
    rig.run(20000000)
    carrier = rig.uplink.carrier
    assert carrier.sending
    until = (carrier.filled_us + 1000000) & 0x3FFFFFFF
    assert carrier.fill(70, until) == 0
    assert 0 < carrier.fill(150, until) <= 150


def test_fill_allocates_nothing_within_a_frame():
    rig, _ = _rig(steady(60.0))
    rig.run(20000000)
    carrier = rig.uplink.carrier
    assert carrier.sending and carrier.symbol < 200
    until = (carrier.filled_us + 300000) & 0x3FFFFFFF
    micropython.heap_lock()
    written = carrier.fill(400, until)
    micropython.heap_unlock()
    assert written > 200
