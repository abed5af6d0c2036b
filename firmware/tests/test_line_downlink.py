"""Tones to symbols to bytes to commands, and the pace of the converter."""

import binascii
from array import array

import micropython
from line_rig import cosine_q14

from endpoint.line.authority import INDIVIDUAL, Authority
from endpoint.line.command import (
    DEMAND_RESET,
    SCHEDULE,
    TRANSFER_BEGIN,
    TRANSFER_PART,
    filled,
    pack,
)
from endpoint.line.detector import BENCH_TONES, FIELD_TONES, Detector
from endpoint.line.downlink import Downlink
from endpoint.line.framing import SYNC, add_crc, decode_into, tones_of
from endpoint.line.loop import CYCLES_FOLD, Loop
from endpoint.line.mac import frame_mac, working_key
from endpoint.line.pace import Pace
from endpoint.line.transfer import check_of

EID = 0x12345678
ROOT = bytes(range(16))

# A published frame of the road's design and its tones.
FRAME = "10ffffffff00010101677485800012345678e41d9478a7a9"
TONES = (
    "03122013310023210333002300330000200032130003220003103023232001301312231300132233133220023123313"
    "01300131330101000013033032331031313301203132002230223122332333101200301103321103032320231002210"
    "212023213113102303300313"
)


class Line:
    """Converter codes, one cycle at a time: mains, harmonics, tones, noise."""

    def __init__(self, tones, amplitude=2, noise=3, seed=1):
        self.tones = tones
        self.amplitude = amplitude
        self.noise = noise
        self.seed = seed
        self.cycle = 0
        self._codes = array("H", [0] * 64)

    def _random(self):
        self.seed = (self.seed * 1103515245 + 12345) & 0x3FFFFFFF
        return (self.seed >> 12) % (2 * self.noise + 1) - self.noise

    def cycle_of(self, tone=None):
        """Return 64 codes; `tone` is a tone index or None."""
        m = self.tones.cycles_per_symbol
        for j in range(64):
            # Phase in 1/4096 turn; mains 60 % of full scale, third harmonic 3 % of that.
            value = 1229 * cosine_q14(64 * j + 300) + 37 * cosine_q14(192 * j)
            if tone is not None:
                at = (self.cycle % m * 64 + j) * self.tones.tones[tone] * 64 // m
                value += self.amplitude * cosine_q14(at)
            self._codes[j] = 2048 + (value >> 14) + self._random()
        self.cycle += 1
        return self._codes


def _frame(counter, command):
    body = filled(command)
    frame = bytearray(24)
    frame[0] = INDIVIDUAL
    frame[1:5] = EID.to_bytes(4, "big")
    frame[5:8] = counter.to_bytes(3, "big")
    frame[8:18] = body
    frame[18:22] = frame_mac(working_key(ROOT, 0), INDIVIDUAL, EID, counter, body)
    add_crc(frame)
    return frame


def _send(take, line, frame):
    """Play a frame from the next symbol boundary on; `take` gets each cycle's codes."""
    m = line.tones.cycles_per_symbol
    while line.cycle % m:
        take(line.cycle_of())
    for tone in tones_of(frame):
        for _ in range(m):
            take(line.cycle_of(tone))


def test_vector_tones():
    tones = tones_of(binascii.unhexlify(FRAME))
    text = "".join("%d" % t for t in tones)
    assert text[:16] == "".join("%d" % t for t in SYNC)
    assert text == TONES


def test_decoder_mends_hidden_symbols():
    frame = bytearray(binascii.unhexlify(FRAME))
    tones = tones_of(frame)
    soft = array("H", [1000] * (198 * 4))
    for i in range(198):
        # Every sixth symbol is lost.
        if i % 6:
            soft[4 * i + tones[16 + i]] = 3000
    out = bytearray(24)
    assert decode_into(out, soft) and out == frame
    for i in range(792):
        soft[i] = 1024
    assert not decode_into(out, soft)


def test_decoder_allocates_nothing():
    soft = array("H", [1024] * (198 * 4))
    out = bytearray(24)
    decode_into(out, soft)
    micropython.heap_lock()
    decode_into(out, soft)
    micropython.heap_unlock()


def test_frame_through_samples():
    for tones in (BENCH_TONES, FIELD_TONES):
        line = Line(tones)
        detector = Detector(tones)
        frame = _frame(1, pack(DEMAND_RESET, (31,)))
        ready = []

        def take(codes, detector=detector, ready=ready):
            detector.feed(codes, 1)
            if detector.complete:
                ready.append(detector.cycle)

        for _ in range(11):
            take(line.cycle_of())
        _send(take, line, frame)
        assert len(ready) == 1
        out = bytearray(24)
        assert decode_into(out, detector.soft) and out == frame
        m = tones.cycles_per_symbol
        assert detector.started == (11 + m - 1) // m * m
        assert detector.score_q12 > 40000


def test_detector_allocates_nothing():
    detector = Detector(BENCH_TONES)
    line = Line(BENCH_TONES)
    codes = line.cycle_of()
    for _ in range(40):
        detector.feed(codes, 1)
    micropython.heap_lock()
    for _ in range(40):
        detector.feed(codes, 1)
    micropython.heap_unlock()


def test_noise_and_mains_alone_are_no_frame():
    detector = Detector(BENCH_TONES)
    line = Line(BENCH_TONES, noise=5)
    for _ in range(400):
        detector.feed(line.cycle_of(), 1)
        assert not detector.complete
    assert not detector.receiving


def test_better_sync_takes_over():
    line = Line(BENCH_TONES, amplitude=2, noise=2)
    detector = Detector(BENCH_TONES)
    first = tones_of(_frame(1, pack(DEMAND_RESET, (1,))))
    second = _frame(2, pack(DEMAND_RESET, (2,)))
    # The first transmission breaks off after a quarter; a stronger one follows.
    for tone in first[:60]:
        for _ in range(2):
            detector.feed(line.cycle_of(tone), 1)
    assert detector.receiving
    line.amplitude = 20
    ready = []

    def take(codes):
        detector.feed(codes, 1)
        ready.append(detector.complete)

    _send(take, line, second)
    out = bytearray(24)
    assert ready[-1] and decode_into(out, detector.soft) and out == second


def test_downlink_delivers_commands_and_their_age():
    downlink = Downlink(BENCH_TONES, Authority(EID, ROOT))
    line = Line(BENCH_TONES)
    taken = []

    def take(codes):
        taken.append(downlink.feed(codes, 1, 0))

    _send(take, line, _frame(1, pack(DEMAND_RESET, (31,))))
    for _ in range(5):
        take(line.cycle_of())
    accepted = downlink.next()
    assert accepted.command == filled(pack(DEMAND_RESET, (31,)))
    assert downlink.age_cycles(accepted) == 2 * 214 + 5
    assert downlink.next() is None
    assert set(taken) == {1} and downlink.frames == 1


def test_downlink_puts_transfers_together():
    downlink = Downlink(BENCH_TONES, Authority(EID, ROOT))
    body = b"twelve bytes"
    commands = [
        pack(TRANSFER_BEGIN, (1, SCHEDULE, 12, check_of(SCHEDULE, body))),
        pack(TRANSFER_PART, (1, 1, int.from_bytes(body[7:] + b"\0\0", "big"))),
        pack(TRANSFER_PART, (1, 3, 0)),
        pack(TRANSFER_PART, (1, 0, int.from_bytes(body[:7], "big"))),
    ]
    found = []
    for i in range(4):
        authority = downlink.authority
        accepted = authority.receive(_frame(i + 1, commands[i])[:22], 0)
        found.append(downlink.assembled(accepted))
    assert [a.fault for a in found] == [False, False, True, False]
    assert found[3].command == bytes((SCHEDULE,)) + body


def _run_pace(frequency_hz, seconds, jitter_us=0):
    """Simulate converter and line; return the largest distance from the grid, in samples."""
    loop = Loop(1000)
    period_us = 1e6 / frequency_hz
    pace = Pace(loop, 125)
    k = 0
    taken = 0.0
    origin = None
    divider = 32552
    worst = 0.0
    now = 0
    while now < seconds * 1000000:
        now += 132000
        stamps = array("I")
        while k * period_us / 2 <= now:
            noise = (k * 7919 % (2 * jitter_us + 1)) - jitter_us
            stamps.append(int(k * period_us / 2) + noise & 0xFFFFFFFF if k else 0)
            k += 1
        loop.feed(stamps, len(stamps))
        taken += 132000 * 125 / divider
        if not loop.locked:
            continue
        if origin is None:
            origin = int(taken) + pace.begin(now, int(taken))
            divider = pace.divider
            continue
        divider = pace.steer(now, int(taken))
        assert divider
        # The sample at `origin` was the first of a line cycle.
        cycles = now / period_us
        error = taken - origin - 64 * (cycles - pace.cycle_of(0))
        error -= round(error / 64) * 64
        if now > 4000000:
            worst = max(worst, abs(error))
    return worst


def test_pace_follows_the_line():
    for frequency_hz in (57.0, 59.97, 60.0, 60.03, 63.0):
        assert _run_pace(frequency_hz, 30) < 2.5


def test_pace_with_jitter():
    assert _run_pace(60.01, 30, jitter_us=20) < 3


def test_pace_counts_cycles_over_the_fold():
    pace = Pace(Loop(1000), 125)
    pace._first = CYCLES_FOLD - 1
    assert pace.cycle_of(0) == CYCLES_FOLD - 1 and pace.cycle_of(1) == 0
