"""The downlink on the chip: samples by DMA, a command through the converter, what it costs."""

import math

import pytest

from endpoint.line.command import DEMAND_RESET, filled, pack
from endpoint.line.detector import BENCH_TONES
from wattline.downlink import frames
from wattline.downlink.keys import working_key
from wattline.downlink.waveform import DownlinkSignal
from wattline.emulator import MainsInput, Module
from wattline.line.mains import Mains

ZERO_CROSSING = 14
EID = 0x12345678
ROOT = bytes(range(16))
# Clocks per line cycle that the detector may take: 1.5 % of the chip.
DETECTOR_MOST = 31_250

SET_UP = """
from time import sleep_ms
from endpoint.hal.clock import timer_us
from endpoint.hal.mains import ZeroCrossings
from endpoint.hal.sampler import LineSampler
from endpoint.line.authority import Authority
from endpoint.line.detector import BENCH_TONES
from endpoint.line.downlink import Downlink
from endpoint.line.loop import Loop
from endpoint.line.pace import Pace
downlink = Downlink(BENCH_TONES, Authority({eid}, bytes(range(16))))
crossings = ZeroCrossings(14)
crossings.start()
loop = Loop(1000)
pace = Pace(loop, 125)
stamps = bytearray(256)
sampler = LineSampler(26)
samples = bytearray(128 * 32)
view = memoryview(samples)
got = []
def look():
    loop.feed(stamps, crossings.take(stamps, crossings.pending()))
def begin():
    sampler.start(pace.divider)
    sleep_ms(2)
    sampler.skip(pace.begin(timer_us(), sampler.skip_all()))
def step():
    look()
    divider = pace.steer(timer_us(), sampler.count())
    if divider:
        sampler.steer(divider)
    cycles = sampler.pending() // 64
    if cycles > 0:
        sampler.take(samples, 64 * cycles)
    done = 0
    while done < cycles:
        done += downlink.feed(view[128 * done:], cycles - done, 0)
        accepted = downlink.next()
        if accepted:
            got.append(accepted)
    return divider
for _ in range(18):
    sleep_ms(132)
    look()
begin()
"""


class Line:
    """The converter's input."""

    def __init__(self, hz):
        self.hz = hz
        self.signal = DownlinkSignal(BENCH_TONES, 0.005)
        self._placed = None

    def send(self, frame, at_cycle):
        self._placed = self.signal.send(frame, at_cycle), self.signal._frames[-1][1]

    def cycles(self, t_ns):
        return t_ns * 1e-9 * self.hz

    def code(self, t_ns):
        cycles = self.cycles(t_ns)
        turn = 2 * math.pi * cycles
        volts = 0.6 * (math.sin(turn) + 0.03 * math.sin(3 * turn))
        if self._placed:
            since = cycles - self._placed[0]
            if 0 <= since < BENCH_TONES.frame_cycles:
                ratio = self._placed[1][int(since // BENCH_TONES.cycles_per_symbol)]
                volts += self.signal.amplitude * math.cos(2 * math.pi * ratio * since)
        return round(2048 + 2048 * volts)


@pytest.fixture
def rig(request, image):
    """A module at the prompt on a line, its sampler running and steered."""
    module = Module(image)
    module.run_for_ns(1_000_000_000)
    hz = getattr(request, "param", 62.7)
    line = Line(hz)
    MainsInput(module, ZERO_CROSSING, Mains(1, frequency_hz=hz, wander=False).crossings(1))
    module.adc(0).source = line.code
    module.exec(SET_UP.format(eid=EID), timeout_sim_s=20)
    return module, line


@pytest.mark.parametrize("rig", [60.0, 57.3], indirect=True)
def test_command_through_the_converter(rig):
    module, line = rig
    frame = frames.individual(working_key(ROOT, 0), EID, 1, pack(DEMAND_RESET, (31,)))
    line.send(frame, int(line.cycles(module.now_ns)) + 30)
    code = "for _ in range(90):\n    sleep_ms(100)\n    assert step()\n"
    code += "print([bytes(a.command) for a in got], sampler.lost, downlink.broken)"
    answer = module.exec(code, timeout_sim_s=40)
    assert answer.strip() == f"{[filled(pack(DEMAND_RESET, (31,)))]} 0 0"


def test_no_sample_is_lost_in_450_ms_and_a_longer_absence_is_noticed(rig):
    module, _ = rig
    answer = module.exec("sleep_ms(450)\nprint(step() > 0, sampler.lost)\n", timeout_sim_s=10)
    assert answer.split() == ["True", "0"]
    answer = module.exec("sleep_ms(700)\nstep()\nprint(sampler.lost)\n", timeout_sim_s=10)
    assert answer.split() == ["1"]


def test_detector_stays_within_its_share_of_the_chip(rig):
    module, _ = rig
    module.exec("sleep_ms(200)\nstep()")
    cost = []
    for times in (0, 100):
        before = module.cycles
        module.exec(f"for _ in range({times}):\n    downlink.detector.feed(samples, 1)")
        cost.append(module.cycles - before)
    assert (cost[1] - cost[0]) / 100 < DETECTOR_MOST
