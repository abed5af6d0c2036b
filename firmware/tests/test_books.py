"""The books: engine, journal, rings and input log behind one commit (E-10, O-6)."""

import struct

from flash_model import TEARS, FlashModel, PowerCut
from metering_world import Dice
from world_house import POLL_S, House, Stored, copy_flash

from endpoint.books import OPEN_ROW_HEAD
from endpoint.line import command
from endpoint.metering import rows, tou
from endpoint.metering.engine import CRASH, POWER, PROGRAMMED, RECORD_BYTES, WATCHDOG
from endpoint.store import WornOut, inputlog
from endpoint.store.layout import INPUT

_DAY_S = 86_400


def _house(polls=3):
    """Return a house that knows the time and has been read."""
    house = House()
    house.start()
    house.read()
    house.sync()
    for _ in range(polls):
        house.poll()
    return house


def _packed(engine):
    record = bytearray(RECORD_BYTES)
    return bytes(record[: engine.pack_into(record)])


def _kinds(entries):
    return [entry.kind for entry in entries]


def _go_on(house, cause=POWER):
    """Start after a cut, read, and let everybody agree; then once more for what comes later."""
    house.start(cause)
    house.read()
    house.assert_nothing_lost()
    house.poll()
    house.assert_nothing_lost()
    assert _packed(house.engine) == Stored(house.flash).record


def _cut_everywhere(house, act, tears, every=1):
    """Do `act(house)` and cut in each of its flash operations; return the number of cuts."""
    done = [0, 0]
    spare = FlashModel(house.flash.blocks)

    def watch(block, offset, new):
        done[0] += 1
        if done[0] % every:
            return
        for kind, tear in enumerate(tears):
            copy_flash(house.flash, spare)
            spare.tear(block, offset, new, tear, done[0] * 7 + kind)
            _go_on(house.fork(spare))
            done[1] += 1

    house.flash.watcher = watch
    act(house)
    house.flash.watcher = None
    return done[1]


def test_first_start_begins_a_log_with_a_keyframe():
    house = _house(0)
    assert not house.found
    kinds = _kinds(Stored(house.flash).entries())
    assert kinds[0] == inputlog.KEYFRAME
    assert kinds[1] == inputlog.NOTE
    assert kinds[2:4] == [inputlog.SERIAL, inputlog.READ]
    again = house.fork(house.flash)
    again.start()
    again.read()
    kinds = _kinds(Stored(house.flash).entries())
    assert kinds[-5:-2] == [inputlog.KEYFRAME, inputlog.NOTE, inputlog.RESTART]


def test_N4_the_open_row_is_the_end_of_the_log():
    house = _house(20)
    number, count = struct.unpack_from(OPEN_ROW_HEAD, house.books.open_row())
    stored_number, stored_count, stored_row = Stored(house.flash).log[-1]
    assert (number, count) == (stored_number, stored_count)
    head_bytes = struct.calcsize(OPEN_ROW_HEAD)
    assert house.books.open_row()[head_bytes:] == bytes(stored_row[:count])
    assert Stored(house.flash).entries()[-1].at_ms == house.now_ms


def test_E10_a_start_finds_the_state_of_the_newest_commit():
    house = _house(20)
    before = _packed(house.engine)
    again = house.fork(house.flash)
    again.start(WATCHDOG)
    assert again.found
    assert again.engine.total_wh == house.engine.total_wh
    assert before != _packed(again.engine)  # it knows of the restart
    again.use(POLL_S, 4_000)
    again.read()
    again.assert_nothing_lost()


def test_E10_O6_cut_at_every_operation_of_polls():
    """Across the end of a quarter hour, so that rows of three rings are being written."""
    house = _house(3)
    while house.utc_s % 900 < 780:
        house.poll()

    def polls(house):
        for _ in range(3):
            house.poll()

    assert _cut_everywhere(house, polls, ("none", "bits", "all"), every=2) >= 30


def test_O6_cut_at_every_operation_of_a_warning():
    house = _house(2)

    def fail(house):
        house.use(7, 4_000)
        house.books.dark(house.now_ms)

    def there_and_back(house):
        fail(house)
        house.use(20, 0)
        house.books.lit(house.now_ms)

    assert _cut_everywhere(house, there_and_back, TEARS) >= 36


def test_E10_cut_at_every_operation_of_a_start():
    house = _house(4)
    again = house.fork(house.flash)
    assert _cut_everywhere(again, lambda house: house.start(), ("first", "few")) >= 20


def test_E10_random_cuts():
    dice = Dice(5)
    house = _house(2)
    for cut in range(16):
        house.flash.cut("%d:%s:%d" % (1 + dice.below(30), TEARS[cut % 6], cut))
        try:
            while True:
                if dice.below(9) == 0:
                    house.sync()
                house.poll(dice.below(20_000))
        except PowerCut:
            house.use(dice.below(400), 0)
        house.start((POWER, WATCHDOG, CRASH)[cut % 3])
        house.read()
        house.assert_nothing_lost()
        Stored(house.flash).entries()


def test_A4_O4_restart_causes_are_counted():
    house = _house(1)
    for cause in (WATCHDOG, CRASH, CRASH, PROGRAMMED, POWER):
        house.start(cause)
        house.read()
    # Watchdog, re-flash, crash, programmed; the power's are outages.
    assert list(house.engine.outages.restarts) == [1, 0, 2, 1]


def test_O6_dark_is_committed_at_once_and_nothing_is_erased():
    house = _house(4)
    erases = sum(house.flash.erases)
    number = house.books.sequence
    house.books.dark(house.now_ms)
    assert house.books.sequence == number + 1
    assert sum(house.flash.erases) == erases
    entries = Stored(house.flash).entries()
    assert entries[-1].kind == inputlog.DARK
    assert Stored(house.flash).record == _packed(house.engine)


def test_O1_a_dark_module_that_lost_power_tells_its_outage():
    house = _house(4)
    house.books.dark(house.now_ms)
    house.use(700, 0)
    house.start(POWER)
    house.read()
    house.sync()
    house.poll()
    house.assert_nothing_lost()
    assert house.engine.outages.sustained == 1
    assert house.engine.placement.sequences[rows.OUTAGE] == 1


def test_worn_out_flash_is_counted_and_stops_nothing():
    house = _house(3)
    flash = house.flash
    for block in range(flash.blocks):
        for page in range(16):
            flash.bad.add((block, page))
    for _ in range(4):
        house.poll()
    assert house.books.commit_failures >= 4
    assert house.engine.is_good
    assert house.engine.total_wh == house.register_wh()
    while house.utc_s % 900 < 860:
        house.use(60, 4_000)
        house.read()
    house.poll()
    house.poll()
    assert house.books.lost_rows >= 1


def _refuse(row):
    raise WornOut


def test_lost_log_entries_are_counted_and_the_log_begins_anew():
    house = _house(3)
    ring = house.rings[INPUT]
    good = ring.append
    ring.append = _refuse
    while not house.books.lost_entries:
        house.poll()
    ring.append = good
    for _ in range(3):
        house.poll()
    kinds = []
    decoder = inputlog.Decoder()
    for number, count, row in Stored(house.flash).log:
        kinds += _kinds(decoder.feed(number, row, count))
    assert inputlog.LOST in kinds
    gap = kinds.index(inputlog.LOST)
    assert inputlog.KEYFRAME in kinds[gap:], "a replay can go on"


def test_keyframe_once_a_day():
    house = _house(1)
    kinds = _kinds(Stored(house.flash).entries())
    assert kinds.count(inputlog.KEYFRAME) == 1
    house.use(_DAY_S - 700, 1_000)
    house.read()
    assert _kinds(Stored(house.flash).entries()).count(inputlog.KEYFRAME) == 1
    house.use(700, 1_000)
    house.read()
    house.poll()
    entries = Stored(house.flash).entries()
    assert _kinds(entries).count(inputlog.KEYFRAME) == 2
    assert entries[-1].kind == inputlog.READ


def _schedule(identity):
    return tou.pack(
        identity, 4, 0, tou.EVER_DAY, [(1, 1, 0, 0, 0, 0)], [[(0, 0), (420, 1), (1260, 2)]]
    )


def test_T10_schedules_survive_and_a_command_brings_what_it_needs():
    house = _house(1)
    house.module.stage(_schedule(7))
    assert house.do(command.SCHEDULE_ACTIVATE, (7, 0)) == command.DONE
    entries = Stored(house.flash).entries()
    codes = [entry.fields[0] for entry in entries if entry.kind == inputlog.COMMAND]
    assert codes == [command.SCHEDULE, command.SCHEDULE_ACTIVATE]
    again = house.fork(house.flash)
    again.start(POWER)
    again.read()
    again.sync()
    for _ in range(20):
        again.poll()
    assert again.engine.tariff.schedule_at(again.utc_s).identity == 7
    again.assert_nothing_lost()
    assert sum(again.engine.rates_wh) > 0


def test_E10_cut_at_every_operation_of_a_schedule_command():
    """Whatever stands there afterwards, old schedule or new, no watt-hour is missing."""
    house = _house(1)
    house.module.stage(_schedule(8))

    def activate(house):
        assert house.do(command.SCHEDULE_ACTIVATE, (8, 0)) == command.DONE

    assert _cut_everywhere(house, activate, ("none", "first", "all")) >= 20


def test_settings_changed_between_starts_are_told_in_the_log():
    house = _house(2)
    house.start(PROGRAMMED)
    notes = [e.fields[0] for e in Stored(house.flash).entries() if e.kind == inputlog.NOTE]
    assert notes == [1, 1], "a restart alone is no change"
    house.module.settings["interval_min"] = 5
    house.start(PROGRAMMED)
    notes = [e.fields[0] for e in Stored(house.flash).entries() if e.kind == inputlog.NOTE]
    assert notes == [1, 1, 2, 1]


def test_T4_zone_is_in_force_at_once():
    house = _house(1)
    assert house.do(command.SET_ZONE, (64 - 4 * 8, 1)) == command.DONE
    assert house.engine.site.offset_min == -480
    assert house.module.settings["offset_min"] == -480
    assert house.do(command.SET_ZONE, (0, 1)) == command.BAD_ARGUMENT
    assert house.module.settings["offset_min"] == -480
