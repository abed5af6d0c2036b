"""Start-up: a blank flash, a foreign one, and everything that may be wrong with what it holds."""

import pytest
from areas import Area
from station import BOARD, NS_PER_S, Station, carrier, meter

from endpoint.store.journal import RECORD_MAX_BYTES, Journal
from wattline.image import boards

WIRING = boards.data(BOARD)
FLASH_BYTES = 2 * 1024 * 1024
STORAGE_AT = FLASH_BYTES - WIRING.STORAGE_BYTES
FILES_AT = STORAGE_AT + WIRING.FILES_AT
BOOT_S = 0.6


@pytest.fixture(scope="module")
def blank(image):
    """A station on a blank flash, booted; tests only look."""
    made = Station(BOARD, image, meter=meter(), mains_on=True)
    made.operations = []
    made.module.on_flash_operation = made.operations.append
    made.run(BOOT_S)
    return made


@pytest.fixture(scope="module")
def told(blank):
    """What the blank module says of itself, asked after half a minute."""
    blank.run(30)
    return blank.status()


def with_version(flash, step):
    """Return a flash whose newest record is written once more, its version changed by `step`."""
    flash = bytearray(flash)
    journal = Journal(Area(flash, STORAGE_AT + WIRING.JOURNAL_AT, WIRING.JOURNAL_BYTES))
    record = bytearray(RECORD_MAX_BYTES)
    assert journal.mount()
    length = journal.load(record)
    record[0] += step
    journal.commit(record, length)
    return bytes(flash)


def put(flash, at, content):
    return flash[:at] + content + flash[at + len(content) :]


def storage(flash):
    return flash[STORAGE_AT:]


def test_blank_flash_is_formatted_once(blank, told):
    assert told["file_system"] == "formatted"
    # Nothing is erased a second time, and nothing below the file system is touched.
    assert {operation.address for operation in blank.operations} <= set(
        range(FILES_AT, FLASH_BYTES)
    )
    assert max(operation.end_ns for operation in blank.operations) < BOOT_S * NS_PER_S


def test_blank_module_says_not_programmed_and_lives(blank, told):
    assert told["state"] == "not programmed; run wattline program"
    assert told["uptime_s"] >= 30
    assert told["fault"] == ""
    assert blank.resets == []


def test_blank_module_leaves_line_and_meter_alone(blank, told):
    assert blank.edges == []
    assert not blank.meter.reads


def test_identity_on_the_console_is_that_of_the_build(built, told):
    names = ("version", "board", "git", "build_id", "micropython")
    assert [told[name] for name in names] == [built.report[name] for name in names]


def test_second_start_mounts_what_the_first_one_made(image, blank, told):
    again = Station(BOARD, image, blank.module.flash)
    again.run(BOOT_S)
    assert again.status()["file_system"] == "mounted"
    assert storage(again.module.flash) == storage(blank.module.flash)


@pytest.mark.parametrize(
    "at",
    [STORAGE_AT, STORAGE_AT + WIRING.RINGS_AT + 65536, FILES_AT, FLASH_BYTES - 1],
    ids=["journal", "files of an earlier layout", "first byte of the files", "last byte"],
)
def test_foreign_flash_is_left_as_it_is(image, at):
    flash = put(b"\xff" * FLASH_BYTES, at, b"\x00")
    made = Station(BOARD, image, flash, meter())
    made.run(BOOT_S)
    status = made.status()
    assert status["file_system"] == "refused"
    assert status["state"] == "not programmed; run wattline program"
    made.run(10)
    assert made.resets == []
    assert made.module.flash_operations == 0
    assert storage(made.module.flash) == storage(flash)


@pytest.fixture(scope="module")
def spoiled(station):
    """A programmed station whose settings file each test replaces."""
    return station(meter(), mains_on=True)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"eid": 1, "form": "2S"', "settings.json is damaged; program again"),
        ("\x00\x01}", "settings.json is damaged; program again"),
        (" " * 1025, "settings.json is too long; program again"),
        ('{"form": "2S"}', "eid must be a whole number from 1 to 4278190079; program again"),
        ('{"eid": 1, "form": "2S", "kh": 7}',
         "kh belongs in the meter, not in the module; program again"),
        ('{"eid": 1, "form": ["2S"]}', "form must be one of "),
    ],
    ids=["cut short", "no text", "long", "no identity", "multiplier", "type"],
)  # fmt: skip
def test_bad_settings_are_one_sentence_and_no_crash(spoiled, text, state):
    listener = spoiled.module.console.on_data
    spoiled.module.exec(f"f = open('/settings.json', 'w'); f.write({text!r}); f.close()")
    spoiled.module.console.on_data = listener
    spoiled.module.reset()
    spoiled.run(BOOT_S)
    spoiled.resets.clear()
    spoiled.edges.clear()
    reads = len(spoiled.meter.reads)
    spoiled.run(5)
    status = spoiled.status()
    assert status["state"].startswith(state) and "\n" not in status["state"]
    assert spoiled.resets == [] and spoiled.edges == []
    assert len(spoiled.meter.reads) == reads


@pytest.fixture(scope="module")
def known(station):
    """The flash of a module that has read its meter, and what it said of that."""
    made = station(meter())
    event = made.until("read", 5)
    made.module.power_cut()
    return made.module.flash, event


def test_journal_of_another_version_is_named_and_untouched(image, known):
    flash = with_version(known[0], 1)
    made = Station(BOARD, image, flash, meter(), mains_on=True)
    made.run(BOOT_S)
    status = made.status()
    assert status["state"] == "the journal was written by another version; update the firmware"
    made.run(15)
    assert made.resets == []
    assert not made.meter.reads
    assert carrier(made.edges) == []
    assert storage(made.module.flash) == storage(flash)


def test_journal_written_by_the_tests_is_taken_up(image, known):
    """Proves that the test above shows a journal, not rubbish that anybody would skip."""
    flash, before = known
    another = meter(serial="SIM0000000000043", forward_wh=3_000)
    made = Station(BOARD, image, with_version(flash, 0), another)
    event = made.until("read", 5)
    assert event["commits"] > before["commits"] + 1
    # A module without a record would begin at this meter's register.
    assert event["forward_wh"] < before["total_wh"] == event["total_wh"]
    assert made.status()["state"] == "running"
