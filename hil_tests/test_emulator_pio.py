"""PIO, DMA and GPIO of the emulated chip: every edge on its nanosecond, asleep or busy."""

from itertools import pairwise

import pytest

from wattline.emulator import MainsInput, Module

CARRIER = """
import machine, rp2, uctypes
@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW, autopull=True, pull_thresh=32,
             out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def gate():
    out(x, 16).side(0)
    out(y, 16).side(0)
    label("low")
    jmp(x_dec, "low").side(0)
    label("high")
    jmp(y_dec, "high").side(1)
sm = rp2.StateMachine(0, gate, freq=1_000_000, sideset_base=machine.Pin(15))
pool = bytearray(4096)
base = (uctypes.addressof(pool) + 2047) & ~2047
ring = uctypes.bytearray_at(base, 2048)
for i in range(512):
    ring[4 * i:4 * i + 4] = (300 + i | (900 - i) << 16).to_bytes(4, "little")
dma = rp2.DMA()
dma.config(read=base, write=sm, count=1000, trigger=True,
           ctrl=dma.pack_ctrl(size=2, inc_write=False, ring_size=11, treq_sel=0))
sm.active(1)
"""
STAMPER = """
import machine, rp2, uctypes
@rp2.asm_pio()
def marks():
    wrap_target()
    wait(1, gpio, 14)
    push()
    wait(0, gpio, 14)
    push()
    wrap()
pool = bytearray(512)
base = (uctypes.addressof(pool) + 255) & ~255
dummy = bytearray(4)
a, b = rp2.DMA(), rp2.DMA()
sm = rp2.StateMachine(4, marks, freq=1_000_000)
a.config(read=0x50300020, write=dummy, count=1, ctrl=a.pack_ctrl(
    size=2, inc_read=False, inc_write=False, treq_sel=12, chain_to=b.channel))
b.config(read=0x40054028, write=base, count=1, ctrl=b.pack_ctrl(
    size=2, inc_read=False, ring_size=8, ring_sel=True, treq_sel=0x3F, chain_to=a.channel))
a.active(1)
machine.mem32[0x50300000 + 0x2000] = 1 << 8
sm.active(1)
"""
STAMPS = "print([machine.mem32[base + 4 * i] for i in range(64)])"
BUSY = """
import time
until = time.ticks_add(time.ticks_ms(), {ms})
n = 0
while time.ticks_diff(until, time.ticks_ms()) > 0:
    n += 1
"""
SLEEP = "import time; time.sleep_ms({ms})"
EMPTY_RING_WORDS = 64


def carrier_edges(first_ns, count):
    """Return the edges that the words of CARRIER make, the first rising one at `first_ns`."""
    edges, word, t_ns = [], 0, first_ns
    while len(edges) < count:
        high_us = 900 - word % 512 + 1
        word += 1
        low_us = 300 + word % 512 + 3
        edges += [(t_ns, 1), (t_ns + high_us * 1000, 0)]
        t_ns += (high_us + low_us) * 1000
    return edges[:count]


@pytest.mark.parametrize("load", [SLEEP, BUSY], ids=["asleep", "busy"])
def test_carrier_edges_fall_on_their_nanosecond(module, load):
    edges = []
    module.gpio(15).on_edge(lambda t_ns, level: edges.append((t_ns, level)))
    module.exec(CARRIER)
    module.exec(load.format(ms=25))
    assert len(edges) > 40
    assert edges == carrier_edges(edges[0][0], len(edges))


def test_carrier_plays_all_words_round_the_ring_and_then_rests_low(module):
    edges = []
    module.gpio(15).on_edge(lambda t_ns, level: edges.append((t_ns, level)))
    module.exec(CARRIER)
    module.run_for_ns(1_400_000_000)
    assert edges == carrier_edges(edges[0][0], 2000)
    assert module.gpio(15).level == 0
    assert module.exec("print(dma.count, dma.active())") == "0 False\n"


def test_dma_count_tells_how_far_it_is_and_stops_on_abort(module):
    module.exec(CARRIER)
    edges = []
    module.gpio(15).on_edge(lambda t_ns, level: edges.append(level))
    module.exec("before = dma.count")
    played = len(edges)
    module.run_for_ns(100_000_000)
    after = int(module.exec("dma.active(0); print(before - dma.count)"))
    assert abs(after - (len(edges) - played) // 2) <= 1
    module.run_for_ns(20_000_000)
    edges.clear()
    module.run_for_ns(20_000_000)
    assert edges == []


def test_fractional_divider_rounds_down_to_system_clocks_without_drift(module):
    edges = []
    module.gpio(15).on_edge(lambda t_ns, level: edges.append(t_ns))
    module.exec(CARRIER.replace("freq=1_000_000", "freq=900_000"))
    module.run_for_ns(100_000_000)
    divider_q8 = 125_000_000 * 256 // 900_000
    ticks = []
    for word in range(20):
        ticks += [300 + word + 3, 900 - word + 1]
    ticks = [sum(ticks[: n + 1]) for n in range(len(ticks))]
    gaps_ns = [t_ns - edges[0] for t_ns in edges[:40]]
    exact_ns = [(tick - ticks[0]) * divider_q8 * 8 / 256 for tick in ticks]
    assert all(abs(gap - exact) < 8 for gap, exact in zip(gaps_ns, exact_ns, strict=True))
    assert all(t_ns % 8 == 0 for t_ns in edges)


def test_delays_and_side_set_take_the_clocks_they_name(module):
    edges = []
    module.gpio(16).on_edge(lambda t_ns, level: edges.append((t_ns, level)))
    module.exec(
        """
import machine, rp2
@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW)
def pulses():
    set(x, 2)          .side(0) [3]
    label("again")
    jmp(x_dec, "again").side(1) [6]
    nop()              .side(0) [1]
sm = rp2.StateMachine(1, pulses, freq=12_500_000, sideset_base=machine.Pin(16))
sm.active(1)
"""
    )
    module.run_for_ns(50_000)
    start_ns = edges[0][0]
    period_ns, high_ns = (4 + 3 * 7 + 2) * 80, 3 * 7 * 80
    expected = []
    for turn in range(len(edges) // 2):
        expected += [
            (start_ns + turn * period_ns, 1),
            (start_ns + turn * period_ns + high_ns, 0),
        ]
    assert len(expected) > 20
    assert edges[: len(expected)] == expected


def test_machines_of_both_blocks_interleave(module):
    pins = {16: [], 17: [], 18: []}
    for pin, edges in pins.items():
        module.gpio(pin).on_edge(lambda t_ns, level, edges=edges: edges.append(t_ns))
    module.exec(
        """
import machine, rp2
@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW)
def square():
    set(pins, 1)[3]
    set(pins, 0)[3]
for number, freq, pin in ((0, 1_000_000, 16), (3, 500_000, 17), (5, 250_000, 18)):
    rp2.StateMachine(number, square, freq=freq, set_base=machine.Pin(pin)).active(1)
"""
    )
    module.run_for_ns(1_000_000)
    for edges, half_ns in zip(pins.values(), (4_000, 8_000, 16_000), strict=True):
        gaps = {b - a for a, b in pairwise(edges)}
        assert gaps == {half_ns}


def test_machines_wake_each_other_by_irq(module):
    edges = []
    module.gpio(16).on_edge(lambda t_ns, level: edges.append((t_ns, level)))
    module.exec(
        """
import machine, rp2
@rp2.asm_pio()
def beat():
    irq(4)[9]
@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW)
def follow():
    wait(1, irq, 4)
    set(pins, 1)
    wait(1, irq, 4)
    set(pins, 0)
rp2.StateMachine(1, follow, freq=1_000_000, set_base=machine.Pin(16)).active(1)
rp2.StateMachine(0, beat, freq=1_000_000).active(1)
"""
    )
    module.run_for_ns(1_000_000)
    assert len(edges) > 90
    assert {b[0] - a[0] for a, b in pairwise(edges)} == {10_000}


@pytest.mark.parametrize("load", [SLEEP, BUSY], ids=["asleep", "busy"])
def test_edges_are_time_stamped_by_pio_and_dma(module, load):
    module.exec(STAMPER)
    start_ns = module.now_ns + 5_000_000
    sent = [(start_ns + n * 456_789, 1 - n % 2) for n in range(40)]
    MainsInput(module, 14, iter(sent))
    module.exec(load.format(ms=25))
    stamps = eval(module.exec(STAMPS))
    late_us = [stamp - t_ns // 1000 for stamp, (t_ns, _) in zip(stamps, sent, strict=False)]
    assert stamps[40:] == [0] * (EMPTY_RING_WORDS - 40)
    # one tick until the pin is looked at, one for the push
    assert set(late_us) <= {1, 2}


def test_stamps_go_round_their_ring(module):
    module.exec(STAMPER)
    start_ns = module.now_ns + 5_000_000
    sent = [(start_ns + n * 1_000_000, 1 - n % 2) for n in range(100)]
    MainsInput(module, 14, iter(sent))
    module.run_for_ns(150_000_000)
    stamps = eval(module.exec(STAMPS))
    order = [n + 64 if n < 36 else n for n in range(64)]
    late_us = {stamp - sent[n][0] // 1000 for stamp, n in zip(stamps, order, strict=True)}
    assert late_us <= {1, 2}


def test_time_stamping_costs_no_cycles(module):
    module.exec(STAMPER)
    module.run_for_ns(10_000_000)
    start_ns = module.now_ns
    MainsInput(module, 14, ((start_ns + n * 4_000_000, 1 - n % 2) for n in range(1, 50)))
    before = module.cycles
    module.run_for_ns(300_000_000)
    assert module.cycles - before < 1000


def test_chip_sees_and_drives_pins(module):
    edges = []
    module.gpio(20).on_edge(lambda t_ns, level: edges.append(level))
    module.gpio(21).drive(1)
    assert (
        module.exec(
            """
from machine import Pin
out, into = Pin(20, Pin.OUT), Pin(21, Pin.IN)
for level in (1, 0, 1):
    out(level)
    print(out(), into())
"""
        )
        == "1 1\n0 1\n1 1\n"
    )
    assert edges == [1, 0, 1]
    module.gpio(21).drive(0)
    assert module.exec("print(into())") == "0\n"
    module.reset()
    assert edges[-1] == 0


def test_adc_samples_its_source_at_exact_times(module):
    times = []

    def source(t_ns):
        times.append(t_ns)
        return len(times)

    module.adc(1).source = source
    result = module.exec(
        """
import machine, rp2, array, time
print(machine.ADC(27).read_u16() >> 4)
machine.ADC(27)
buffer = array.array("H", [0] * 50)
dma = rp2.DMA()
dma.config(read=0x4004C00C, write=buffer, count=50, trigger=True,
           ctrl=dma.pack_ctrl(size=1, inc_read=False, treq_sel=36))
machine.mem32[0x4004C010] = (12000 - 1) << 8
machine.mem32[0x4004C008] = 1 << 24 | 1 << 3 | 1
machine.mem32[0x4004C000] = 1 << 12 | 1 << 3 | 1
while dma.active():
    time.sleep_ms(1)
machine.mem32[0x4004C000] = 1 << 12 | 1
print(list(buffer))
"""
    )
    assert result == f"1\n{list(range(2, 52))}\n"
    assert {b - a for a, b in pairwise(times[1:51])} == {250_000}


def test_same_inputs_give_the_same_cycles_and_edges(firmware):
    def run():
        module = Module(firmware)
        edges = []
        module.gpio(15).on_edge(lambda t_ns, level: edges.append((t_ns, level)))
        module.exec(CARRIER)
        module.exec(BUSY.format(ms=5))
        return edges, module.cycles, module.now_ns

    assert run() == run()
