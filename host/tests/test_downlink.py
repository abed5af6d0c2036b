"""The collector's downlink against the module's ears: frames, waveform, counters, keys."""

import hashlib
import hmac as reference_hmac
import json

import numpy as np
import pytest
from downlink_line import codes, heard, lost, random_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.line.authority import BEACON, BROADCAST, Authority
from endpoint.line.command import (
    DEMAND_RESET,
    SCHEDULE,
    SET_DETENT,
    SET_STREAM,
    SET_TIME,
    filled,
    pack,
    unpack,
)
from endpoint.line.detector import BENCH_TONES, FIELD_TONES
from endpoint.line.downlink import Downlink
from endpoint.line.mac import hmac
from wattline.downlink import frames
from wattline.downlink.budget import check_stream
from wattline.downlink.keys import ReleasedKeys, working_key
from wattline.downlink.registry import Registry
from wattline.downlink.waveform import DownlinkSignal, tones_for
from wattline.errors import WattlineError

EID = 0x0028A1C3
ROOT = bytes(range(16))
KEY = working_key(ROOT, 0)


@given(st.binary(min_size=0, max_size=64), st.binary(max_size=300))
def test_hmac_agrees_with_the_library(key, message):
    assert hmac(key, message) == reference_hmac.new(key, message, hashlib.sha256).digest()


@pytest.mark.parametrize("tones", [BENCH_TONES, FIELD_TONES], ids=["bench", "field"])
def test_frames_follow_each_other_through_samples(tones):
    rng = np.random.default_rng(1)
    sent = [random_frame(rng) for _ in range(2)]
    found = heard(tones, codes(tones, sent, rng, ebn0_db=15))
    assert found == [(True, frame) for frame in sent]


@pytest.mark.parametrize(
    ("tones", "ebn0_db", "most"), [(BENCH_TONES, 8.5, 0.08), (FIELD_TONES, 9.0, 0.2)]
)
def test_frame_errors_near_the_threshold(tones, ebn0_db, most):
    count = 25 if tones is BENCH_TONES else 8
    assert lost(tones, count, 3, ebn0_db=ebn0_db) <= most


def test_weak_tones_are_heard_beside_the_mains():
    # 0.05 % of the mains in `field`, 0.15 % in `bench`: converter noise only.
    assert lost(FIELD_TONES, 3, 5, amplitude=0.0005 * 0.6) == 0
    assert lost(BENCH_TONES, 6, 5, amplitude=0.0015 * 0.6) == 0


def test_other_phases_of_the_feeder_are_heard():
    for misaligned in (1 / 3, -1 / 3, 0.5):
        assert lost(FIELD_TONES, 1, 6, ebn0_db=12, misaligned=misaligned) == 0
        assert lost(BENCH_TONES, 2, 6, ebn0_db=14, misaligned=misaligned) == 0


def test_one_divider_step_of_rate_error_is_harmless():
    for rate_error in (3.1e-5, -3.1e-5):
        assert lost(FIELD_TONES, 2, 7, ebn0_db=11, rate_error=rate_error) == 0


def test_command_reaches_the_module_through_the_line():
    rng = np.random.default_rng(2)
    frame = frames.individual(KEY, EID, 1, pack(DEMAND_RESET, (31,)))
    samples = codes(BENCH_TONES, [frame], rng, ebn0_db=15)
    downlink = Downlink(BENCH_TONES, Authority(EID, ROOT))
    done = 0
    cycles = samples.size // 64
    while done < cycles:
        done += downlink.feed(samples[64 * done :], min(8, cycles - done), 0)
    accepted = downlink.next()
    assert unpack(accepted.command) == (DEMAND_RESET, {"reset": 31})
    assert downlink.age_cycles(accepted) == cycles - 40
    assert downlink.next() is None


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=504), st.randoms(use_true_random=False))
def test_transfer_survives_loss_repetition_and_any_order(body, random):
    downlink = Downlink(BENCH_TONES, Authority(EID, ROOT))
    counter = 0
    commands = frames.transfer(5, SCHEDULE, body)
    finished = []
    report = None
    while not finished:
        for command in commands[:1] + random.sample(commands[1:], len(commands) - 1):
            counter += 1
            if report is not None or random.random() > 0.2 or command is commands[0]:
                frame = frames.individual(KEY, EID, counter, command)
                accepted = downlink.assembled(downlink.authority.receive(frame[:22], 0))
                assert not accepted.fault
                if accepted.command[0] == SCHEDULE:
                    finished.append(accepted.command)
        if finished:
            break
        report = downlink.transfer.report(5)
        missing = frames.missing_parts(report, len(body))
        assert missing
        commands = frames.transfer(5, SCHEDULE, body, missing)
    assert finished == [bytes((SCHEDULE,)) + body]
    assert frames.missing_parts(downlink.transfer.report(5), len(body)) == []


def test_group_of_50_under_released_keys_and_a_beacon():
    keys = ReleasedKeys(b"secret of the chain", 100, 500, slot_s=30)
    anchor = keys.element(100)
    modules = [
        Authority(EID + i, hashlib.sha256(bytes((i,))).digest()[:16], 100, anchor, 30)
        for i in range(50)
    ]
    for module in modules:
        module.groups[1] = 9
    slot = 130
    now = keys.start_of(slot) - 20
    command = pack(SET_STREAM, (2, 0))
    frame = frames.released(keys.element(slot), frames.group_address(9), slot, command)
    beacon = frames.beacon(keys.element(slot), slot, 4711, 20)
    for module in modules:
        module.receive(frame[:22], 0, now, 2)
        module.receive(beacon[:22], 0, keys.start_of(slot) + 8, 2, 8)
        found = []
        while module.busy:
            accepted = module.work()
            if accepted:
                found.append(accepted)
        assert [a.command[0] for a in found] == [SET_TIME, SET_STREAM]
        assert unpack(found[0].command)[1] == {
            "unix_s": keys.start_of(slot),
            "fraction_q8": 20,
            "cycle": 4711,
        }


def test_chain_elements_are_consistent_and_bounded():
    keys = ReleasedKeys(b"0123456789abcdef", 1000, 5000)
    assert keys.element(6000) != keys.element(5999)
    module = Authority(EID, ROOT, 1000, keys.element(1000), 900)
    beacon = frames.beacon(keys.element(5555), 5555, 1, 0)
    assert beacon[0] == BEACON
    module.receive(beacon[:22], 0)
    while module.busy:
        module.work()
    assert module.chain.slot == 5555
    for slot in (999, 6001):
        with pytest.raises(WattlineError, match="outside the chain"):
            keys.element(slot)
    assert next(iter(keys.beacons_from(keys.start_of(2000) - 5))) == 2000
    assert keys.slot_at(keys.start_of(2000) + 899) == 2000
    body = keys.anchor(1200)
    module.anchor(body)
    assert module.chain.element == keys.element(1200)


def test_refusals_name_cause_and_cure(tmp_path):
    with pytest.raises(WattlineError, match="one endpoint only"):
        frames.released(bytes(12), BROADCAST, 5, pack(SET_DETENT, (1,)))
    with pytest.raises(WattlineError, match="transfer"):
        frames.individual(KEY, EID, 1, bytes(11))
    with pytest.raises(WattlineError, match="1 to 255"):
        frames.group_address(0)
    with pytest.raises(WattlineError, match="next one"):
        frames.beacon(bytes(12), 5, 0, 256)
    with pytest.raises(WattlineError, match="begin it again"):
        frames.missing_parts(0xFE0000, 10)
    with pytest.raises(WattlineError, match="no downlink"):
        tones_for("fast")
    with pytest.raises(WattlineError, match="16 bytes"):
        ReleasedKeys(b"short", 0, 10)
    with pytest.raises(WattlineError, match="slots"):
        ReleasedKeys(bytes(16), 0, 1 << 24)
    signal = DownlinkSignal(BENCH_TONES, 1.0)
    signal.send(frames.individual(KEY, EID, 1, pack(DEMAND_RESET, (1,))), 3)
    with pytest.raises(WattlineError, match="busy"):
        signal.send(frames.individual(KEY, EID, 2, pack(DEMAND_RESET, (1,))), 100)
    bad = tmp_path / "counters.json"
    for text in ("", "[]", '{"counters": 5}', '{"counters": {"x": 1}, "generations": {}}'):
        bad.write_text(text)
        with pytest.raises(WattlineError, match="backup"):
            Registry(bad)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=300))
@settings(max_examples=25, deadline=None)
def test_no_counter_is_used_twice_whenever_the_head_end_stops(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("registry") / "counters.json"
    registry = Registry(path)
    last = {}
    for eid, stops in steps:
        if stops:
            registry = Registry(path)
        counter = registry.counter(eid)
        assert last.get(eid, 0) < counter <= last.get(eid, 0) + 70
        last[eid] = counter


def test_generations_are_kept(tmp_path):
    registry = Registry(tmp_path / "counters.json")
    registry.changed(EID, 3)
    assert Registry(tmp_path / "counters.json").generation(EID) == 3
    assert json.loads((tmp_path / "counters.json").read_text())["generations"] == {str(EID): 3}


def test_counters_end_with_a_reason(tmp_path):
    path = tmp_path / "counters.json"
    path.write_text(json.dumps({"counters": {"7": 0xFFFFFFFF}, "generations": {}}))
    with pytest.raises(WattlineError, match="change its key"):
        Registry(path).counter(7)


@pytest.mark.parametrize(
    ("profile", "extra", "duty_permille", "numbers"),
    [("field", 19, 1000, "24.1 frames a day and this needs 25"), ("field", 0, 900, "21.7 frames")],
)
def test_what_does_not_fit_is_said_with_numbers(profile, extra, duty_permille, numbers):
    with pytest.raises(WattlineError, match=numbers):
        check_stream(profile, 2, extra, duty_permille)


def test_what_fits_is_not_complained_about():
    check_stream("field", 2, 18)
    check_stream("express", 1, 100)
    check_stream("field", 0, 24)
    with pytest.raises(WattlineError, match="does not exist"):
        check_stream("fast", 1)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("tones", "count", "points"),
    [
        (BENCH_TONES, 300, ((6.5, 0.35), (7.0, 0.15), (7.5, 0.06), (8.0, 0.03), (9.0, 0.004))),
        (FIELD_TONES, 100, ((7.0, 0.25), (8.0, 0.06), (9.0, 0.02))),
    ],
    ids=["bench", "field"],
)
def test_frame_error_table(tones, count, points):
    """1,800 frames."""
    for ebn0_db, most in points:
        assert lost(tones, count, 11, ebn0_db=ebn0_db) <= most, ebn0_db


def test_filled_commands_have_ten_bytes():
    assert len(filled(pack(DEMAND_RESET, (1,)))) == 10
