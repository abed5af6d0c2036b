"""What the module's books keep is replayed on a PC and comes out the same (N4, N5).

A day of the application's logic lives in the MicroPython VM; its flash, which it leaves behind, is
all that is looked at. Lives cut by chance do the same in CPython: 12 by default, 300 as soak.
"""

import os
import random
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from endpoint.books import NOTE_SETTINGS
from endpoint.line import command
from endpoint.metering import events, rows
from endpoint.metering.engine import CRASH, POWER, PROGRAMMED, RECORD_BYTES, WATCHDOG
from endpoint.store.inputlog import NOTE
from endpoint.store.layout import REGION_BLOCKS
from wattline.replay import log
from wattline.replay.run import replay

_FIRMWARE = Path(__file__).parents[2] / "firmware"
sys.path.insert(0, str(_FIRMWARE / "tests"))

from flash_model import TEARS, FlashModel, PowerCut  # noqa: E402
from world_day import DAY_S, Day  # noqa: E402
from world_house import JOURNAL_BLOCKS, VERSION, House, Stored  # noqa: E402

_conftest = spec_from_file_location("vm_conftest", _FIRMWARE / "tests/conftest.py")
_vm = module_from_spec(_conftest)
_conftest.loader.exec_module(_vm)

_EXPORT = {"form": "2S", "voltage": 240, "firmware": VERSION, "poll_s": 60}
_DAY_POLLS = 1400


def live_in_vm(seconds, path):
    """Let a module live in the VM; return its flash."""
    run = subprocess.run(
        [_vm.find_vm(), "-X", "heapsize=4M", _FIRMWARE / "tests/world_day.py", str(seconds), path],
        env={**os.environ, "MICROPYPATH": f"{_FIRMWARE}:{_FIRMWARE / 'tests'}:.frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    flash = FlashModel(REGION_BLOCKS + JOURNAL_BLOCKS)
    flash.data[:] = path.read_bytes()
    return flash, int(run.stdout.split()[0])


def export(stored, path):
    """Write what the flash holds as a log."""
    log.write(path, _EXPORT, stored.schedules, stored.row_bytes, stored.log)
    return path


def state(engine):
    """Return the record of an engine in which nothing waits to be booked."""
    engine.placement.flush()
    record = bytearray(RECORD_BYTES)
    return bytes(record[: engine.pack_into(record)])


def assert_replay_is_equal(stored, path):
    """Live through the log again and compare every row, the state, and every keyframe."""
    found = log.load(export(stored, path))
    runner = log.live_through(found)
    assert found.warnings == []
    assert found.gaps == 0
    told = sum(entry.kind == NOTE and entry.fields[0] == NOTE_SETTINGS for entry in found.inputs)
    assert found.keyframes_equal == found.keyframes - 1 - told
    assert state(runner.engine) == state(stored.engine)
    for ring, (first, kept) in enumerate(zip(stored.firsts, stored.rings, strict=True)):
        for sequence, row in enumerate(kept, first):
            assert runner.kept.rings[ring][sequence] == row, (ring, sequence)
    return found, runner


def test_N4_a_day_of_the_application_is_replayed_from_its_flash(tmp_path):
    """1,420 polls in the VM: hour ends, TOU switches, three outages, DST, commands, two cuts."""
    flash, polls = live_in_vm(DAY_S, tmp_path / "flash")
    assert polls > _DAY_POLLS
    stored = Stored(flash)
    found, runner = assert_replay_is_equal(stored, tmp_path / "day.log")
    assert found.keyframes_equal >= 5
    assert runner.engine.ledger()[2] == 0
    flags = [rows.unpack(rows.HOUR, row)["flags"] for row in stored.rings[rows.HOUR]]
    assert any(each & rows.DST for each in flags)
    assert not all(each & rows.DST for each in flags)
    seen = {rows.unpack(rows.EVENT, row)["code"] for row in stored.rings[rows.EVENT]}
    wanted = {
        events.POWER_FAILED,
        events.RESTARTED,
        events.CLOCK_STEPPED,
        events.DEMAND_RESET,
        events.FROZEN,
        events.SCHEDULE_PLANNED,
        events.PEAK_PLANNED,
        events.SETTINGS_CHANGED,
        events.STREAMING_SET,
    }
    assert wanted <= seen
    assert sum(wh > 0 for wh in runner.engine.rates_wh) == 4
    assert len(stored.rings[rows.OUTAGE]) >= 3


def test_same_day_in_cpython_and_the_vm(tmp_path):
    """Records, rows and log are equal byte for byte; only what a cut left behind may differ."""
    flash, _ = live_in_vm(9000, tmp_path / "flash")
    in_vm, here = Stored(flash), Stored(Day(9000).live())
    assert in_vm.record == here.record
    assert in_vm.schedules == here.schedules
    assert in_vm.rings == here.rings
    assert in_vm.log == here.log


def test_replay_reads_what_the_export_says(tmp_path):
    """The same through the front door: `wattline replay FILE`."""
    house = House()
    house.start()
    house.read()
    house.sync()
    for _ in range(40):
        house.poll()
    report = replay(export(Stored(house.flash), tmp_path / "a.log")).report
    assert report["total"]["wh"] == house.engine.total_wh % 100_000_000
    assert report["sums"]["ledger_is_zero"]
    assert report["warnings"] == []


def test_settings_changed_while_off_do_not_end_the_replay(tmp_path):
    house = House()
    house.start()
    house.read()
    house.sync()
    for _ in range(10):
        house.poll()
    house.module.settings.update(interval_min=5, offset_min=-480)
    house.start(PROGRAMMED)
    house.read()
    house.sync()
    for _ in range(30):
        house.poll()
    stored = Stored(house.flash)
    found = log.load(export(stored, tmp_path / "a.log"))
    runner = log.live_through(found)
    assert found.warnings == []
    assert state(runner.engine) == state(stored.engine)


def test_a_log_that_lost_one_watt_hour_is_found(tmp_path):
    """The comparison can fail: one read in the log is a watt-hour short."""
    house = House()
    house.start()
    house.read()
    house.sync()
    for _ in range(10):
        house.poll()
    good = house.books._log.put

    def short(kind, now_ms, a=0, *others, **more):
        good(kind, now_ms, a - 1 if kind == 1 else a, *others, **more)

    house.books._log.put = short
    house.poll()
    house.start(POWER)
    found = log.load(export(Stored(house.flash), tmp_path / "a.log"))
    log.live_through(found)
    assert found.keyframes_equal < found.keyframes - 1


def live_and_cut(seed):
    """Live with cuts, commands and outages by chance; return the house after a last start."""
    chance = random.Random(seed)
    house = House(start_s=1_804_990_000 + chance.randrange(40_000_000))
    house.module.settings["sub_min"] = chance.choice((1, 5, 15))
    if chance.random() < 0.3:
        house.module.settings.update(detent=True, net=True)
    house.start()
    house.read()
    for step in range(chance.randrange(4, 10)):
        if chance.random() < 0.7:
            house.flash.cut(f"{chance.randrange(1, 150)}:{chance.choice(TEARS)}:{step}")
        try:
            for _ in range(chance.randrange(1, 60)):
                one_event(house, chance)
        except PowerCut:
            pass
        house.use(chance.choice((0, 3, 400, 9_000)), 0)
        house.start(chance.choice((POWER, POWER, WATCHDOG, CRASH)))
        house.read()
        house.assert_nothing_lost()
    return house


def one_event(house, chance):
    """Let something happen."""
    dice = chance.random()
    if dice < 0.85:
        house.poll(chance.randrange(0, 20_000))
    elif dice < 0.89:
        house.books.time(house.utc_s + chance.randrange(-40, 40), 2, house.now_ms, house.now_ms)
    elif dice < 0.92:
        house.books.dark(house.now_ms)
        house.use(chance.randrange(1, 4_000), 0)
        house.books.lit(house.now_ms)
    elif dice < 0.94:
        house.books.supply(chance.random() < 0.5, house.now_ms)
        house.books.no_table(house.now_ms)
    elif dice < 0.96:
        house.books.meter_clock(house.utc_s + chance.randrange(-90, 90), house.now_ms)
    else:
        code, values = chance.choice(
            (
                (command.DEMAND_RESET, (chance.randrange(4),)),
                (command.FREEZE, (1,)),
                (command.SET_DETENT, (1,)),
                (command.SET_ZONE, (64 - 4 * chance.randrange(5, 9), 1)),
                (command.CRITICAL_PEAK, (1, house.utc_s + 600, 30, 3)),
            )
        )
        house.do(code, values)


def replay_lives(seeds, tmp_path):
    for seed in seeds:
        house = live_and_cut(seed)
        try:
            assert_replay_is_equal(Stored(house.flash), tmp_path / "life.log")
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def test_E10_N4_lives_cut_by_chance_are_replayed(tmp_path):
    replay_lives(range(12), tmp_path)


@pytest.mark.soak
def test_E10_N4_three_hundred_lives_cut_by_chance_are_replayed(tmp_path):
    replay_lives(range(1000, 1300), tmp_path)
