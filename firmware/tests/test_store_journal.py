"""The journal keeps the newest whole record through every cut, stain and worn page."""

import micropython
from flash_model import TEARS, FlashModel, PowerCut
from micropython import const

from endpoint.store import StoreError, TooLong, TooSmall, WornOut
from endpoint.store.journal import RECORD_MAX_BYTES, Journal

_PAGE_BYTES = const(256)


def record(number, count):
    """Return a record that names its number in every byte position."""
    return bytearray((number * 7 + index * 13 + (number >> 8)) & 0xFF for index in range(count))


def newest(flash, size=RECORD_MAX_BYTES):
    """Mount as after a restart and return what is there."""
    journal = Journal(flash)
    journal.mount()
    buffer = bytearray(size)
    return bytes(buffer[: journal.load(buffer)])


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


def commit_all(flash, count, records, prepare):
    """Commit records 0… until done or dark; return how many commits came back."""
    journal = Journal(flash)
    journal.mount()
    done = 0
    try:
        for number in range(records):
            journal.commit(record(number, count), count)
            done += 1
            if prepare:
                journal.prepare()
    except PowerCut:
        pass
    return done


def cut_everywhere(blocks, count, records, prepare):
    """Cut at every operation of `records` commits in every way; return the number of cuts."""
    on = 16 * 240 // count
    whole = FlashModel(blocks)
    commit_all(whole, count, records, prepare)
    cuts = 0
    for operation in range(1, whole.operations + 1):
        for tear in TEARS:
            schedule = "%d:%s:%d" % (operation, tear, operation)
            flash = FlashModel(blocks)
            flash.cut(schedule)
            done = commit_all(flash, count, records, prepare)
            flash.power_on()
            found = newest(flash)
            old = bytes(record(done - 1, count)) if done else b""
            new = bytes(record(done, count))
            assert found in (old, new), schedule
            # The next life goes on from there, into the next block at least.
            assert commit_all(flash, count, on, prepare) == on
            assert newest(flash) == bytes(record(on - 1, count)), schedule
            cuts += 1
    return cuts


def test_E10_every_cut_of_one_page_records():
    # More than a turn of two blocks: one to settle, 40 programs, 3 erases.
    assert cut_everywhere(2, 200, 40, True) == len(TEARS) * (1 + 40 + 3)


def test_E10_every_cut_of_three_page_records_without_prepare():
    # Five records to a block, more than a turn: one to settle, 36 programs, 3 erases.
    assert cut_everywhere(2, 700, 12, False) == len(TEARS) * (1 + 36 + 3)


def test_E10_second_cut_while_going_on_after_the_first():
    checked = 0
    for first in range(14, 20):
        for second in range(1, 6):
            for tear in TEARS:
                flash = FlashModel(2)
                flash.cut("%d:bits:%d" % (first, first))
                done = commit_all(flash, 300, 20, False)
                flash.power_on()
                before = newest(flash)
                assert before in (bytes(record(done - 1, 300)), bytes(record(done, 300)))
                flash.cut("%d:%s:%d" % (second, tear, first))
                done = commit_all(flash, 300, 9, False)
                flash.power_on()
                old = bytes(record(done - 1, 300)) if done else before
                assert newest(flash) in (old, bytes(record(done, 300)))
                checked += 1
    assert checked == 30 * len(TEARS)


def test_a_blank_chip_has_no_record():
    flash = FlashModel(16)
    journal = Journal(flash)
    assert journal.mount() == 0
    assert journal.load(bytearray(0)) == 0
    assert journal.sequence == 0
    assert flash.operations == 0


def test_what_is_committed_is_loaded():
    flash = FlashModel(2)
    journal = Journal(flash)
    journal.mount()
    for count in (1, 239, 240, 241, 480, 481, RECORD_MAX_BYTES):
        data = record(count, count)
        journal.commit(data, count)
        buffer = bytearray(count)
        assert journal.load(buffer) == count
        assert buffer == data
        assert newest(flash) == bytes(data)


def test_only_the_named_length_of_a_buffer_is_kept():
    flash = FlashModel(2)
    journal = Journal(flash)
    journal.mount()
    journal.commit(memoryview(record(3, 500)), 17)
    assert newest(flash) == bytes(record(3, 17))


def test_lengths_outside_the_range_are_refused():
    flash = FlashModel(2)
    journal = Journal(flash)
    journal.mount()
    for count in (0, -1, RECORD_MAX_BYTES + 1):
        assert raises(TooLong, journal.commit, bytearray(RECORD_MAX_BYTES + 1), count)
    journal.commit(record(1, 5), 5)
    assert raises(TooLong, journal.load, bytearray(4))
    assert raises(TooSmall, Journal, FlashModel(1))


def test_operations_per_commit():
    flash = FlashModel(16)
    journal = Journal(flash)
    journal.mount()
    journal.commit(record(0, 240), 240)
    journal.prepare()
    for number in range(1, 16 * 16 * 4):
        before = flash.operations
        journal.commit(record(number, 240), 240)
        assert flash.operations == before + 1  # a program and never an erase
        journal.prepare()
        assert flash.operations <= before + 2
    assert flash.programs == 1 + 16 * 16 * 4  # one to settle


def test_prepare_keeps_erases_out_of_commits_of_any_length():
    for parts in range(1, 17):
        flash = FlashModel(3)
        journal = Journal(flash)
        journal.mount()
        data = record(parts, parts * 240)
        journal.commit(data, len(data))
        for _ in range(40):
            journal.prepare()
            before = sum(flash.erases)
            journal.commit(data, len(data))
            assert sum(flash.erases) == before, parts


def test_a_restart_costs_one_page():
    flash = FlashModel(2)
    for _ in range(5):
        assert commit_all(flash, 100, 1, True) == 1
    programmed = [flash.data[page * _PAGE_BYTES] != 0xFF for page in range(16)]
    assert programmed == [page < 9 for page in range(16)]
    cleared = [flash.data[page * _PAGE_BYTES] == 0 for page in range(16)]
    assert cleared == [page in (1, 3, 5, 7) for page in range(16)]
    assert sum(flash.erases) == 1


def test_wear_is_even():
    flash = FlashModel(16)
    journal = Journal(flash)
    journal.mount()
    for number in range(16 * 16 * 10):
        journal.commit(record(number, 100), 100)
        journal.prepare()
    # prepare() is a block ahead of the 10 turns.
    assert max(flash.erases) == 11 and min(flash.erases) == 10


def test_restarting_for_ever_erases_nothing():
    flash = FlashModel(4)
    assert commit_all(flash, 100, 16, True) == 16
    before = flash.operations
    for _ in range(50):
        journal = Journal(flash)
        journal.mount()
        assert not journal.prepare()
    assert flash.operations == before


def test_foreign_content_is_neither_taken_nor_in_the_way():
    fillings = (0x00, 0xA5, 0x57)
    for fill in fillings:
        flash = FlashModel(3, fill)
        assert newest(flash) == b""
        assert commit_all(flash, 300, 40, True) == 40
        assert newest(flash) == bytes(record(39, 300))


def test_another_layout_version_is_foreign():
    flash = FlashModel(2)
    commit_all(flash, 100, 3, True)
    for page in range(3):
        flash.data[page * _PAGE_BYTES + 3] = ord("2")
    assert newest(flash) == b""
    commit_all(flash, 100, 1, True)
    assert newest(flash) == bytes(record(0, 100))


def test_a_record_with_an_impossible_header_is_foreign():
    flash = FlashModel(2)
    commit_all(flash, 100, 1, True)
    for at, value in ((7, 0x7F), (8, 0), (9, 0xFF), (10, 1), (12, 0)):
        kept = flash.data[at]
        flash.data[at] = value ^ (value == kept)
        assert newest(flash) == b""
        flash.data[at] = kept
    assert newest(flash) == bytes(record(0, 100))


def test_any_flipped_bit_falls_back_to_the_record_before():
    flash = FlashModel(2)
    commit_all(flash, 400, 2, True)
    for page in (2, 3):
        for byte in range(0, _PAGE_BYTES, 17):
            flash.data[page * _PAGE_BYTES + byte] ^= 1 << byte % 8
            assert newest(flash) == bytes(record(0, 400))
            flash.data[page * _PAGE_BYTES + byte] ^= 1 << byte % 8
    assert newest(flash) == bytes(record(1, 400))


def test_a_record_that_goes_bad_after_mount_is_not_handed_out():
    flash = FlashModel(2)
    commit_all(flash, 100, 2, True)
    journal = Journal(flash)
    journal.mount()
    flash.data[_PAGE_BYTES + 50] ^= 1
    buffer = bytearray(100)
    assert journal.load(buffer) == 100
    assert buffer == record(0, 100)


def test_bad_pages_are_passed_over():
    flash = FlashModel(3)
    for page in (0, 1, 5, 11, 15):
        flash.bad.add((1, page))
    for count in (100, 600):
        for number in range(60):
            journal = Journal(flash)
            journal.mount()
            journal.commit(record(number, count), count)
            assert newest(flash) == bytes(record(number, count))


def test_a_worn_out_chip_keeps_its_last_record():
    flash = FlashModel(3)
    journal = Journal(flash)
    journal.mount()
    for number in range(16):
        journal.commit(record(number, 100), 100)
    for page in range(16):
        flash.bad.add((1, page))
        flash.bad.add((2, page))
    for _ in range(3):
        assert raises(WornOut, journal.commit, record(99, 100), 100)
        assert newest(flash) == bytes(record(15, 100))
    assert flash.erases[0] == 1
    # It recovers when a block does.
    flash.bad.clear()
    journal.commit(record(17, 100), 100)
    assert newest(flash) == bytes(record(17, 100))


def test_errors_have_one_base():
    for error in (TooLong, TooSmall, WornOut):
        assert issubclass(error, StoreError)


def test_wear_of_the_state_record_in_its_region():
    # 256 KiB, a record of 1 KiB a minute: 36 years; of 1,536 bytes: 24 years.
    for count, years in ((1024, 36), (1536, 24)):
        flash = FlashModel(64)
        journal = Journal(flash)
        journal.mount()
        data = record(1, count)
        commits = 64 * (16 // -(-count // 240)) * 2
        for _ in range(commits):
            journal.commit(data, count)
            journal.prepare()
        days_per_erase = commits / 1440 / (max(flash.erases) - 1)
        assert int(days_per_erase * 100000 / 365.25) == years


def test_mount_reads_a_page_of_each_block_and_the_newest_block():
    flash = FlashModel(64)
    assert commit_all(flash, 1000, 400, True) == 400
    reads = []
    whole = flash.readblocks

    def counted(block, buffer, offset=0):
        reads.append(block)
        whole(block, buffer, offset)

    flash.readblocks = counted
    journal = Journal(flash)
    assert journal.mount() == 1000
    # 64 first pages, 16 of the newest block, 16 of the one that follows it.
    assert len(reads) <= 64 + 16 + 16 + 16


def test_a_record_that_reads_differently_each_time_is_settled():
    found = set()
    for seed in range(40):
        flash = FlashModel(2)
        commit_all(flash, 100, 2, True)
        flash.cut("3:shaky:%d" % seed)  # two settle
        assert commit_all(flash, 100, 1, True) == 0
        flash.power_on()
        journal = Journal(flash)
        journal.mount()
        buffer = bytearray(100)
        assert journal.load(buffer) == 100
        taken = bytes(buffer)
        journal.settle()
        if taken == bytes(record(1, 100)):
            assert not flash.weak
            for _ in range(5):
                assert newest(flash) == taken
        else:
            assert taken == bytes(record(0, 100))
        found.add(taken)
    assert len(found) == 2


def test_settling_costs_a_page_and_never_an_erase():
    flash = FlashModel(2)
    commit_all(flash, 100, 13, True)
    erases = sum(flash.erases)
    for _ in range(10):
        journal = Journal(flash)
        journal.mount()
        before = flash.operations
        journal.settle()
        journal.settle()
        assert flash.operations <= before + 2
    assert sum(flash.erases) == erases
    # Nothing is left to settle now.
    assert flash.operations == before
    assert newest(flash) == bytes(record(12, 100))


def test_two_journals_share_a_device():
    flash = FlashModel(6)
    first, second = Journal(flash, 0, 2), Journal(flash, 3, 2)
    for journal in (first, second):
        journal.mount()
    for number in range(50):
        first.commit(record(number, 500), 500)
        second.commit(record(number + 7, 100), 100)
    again = Journal(flash, 0, 2), Journal(flash, 3, 2)
    assert [journal.mount() for journal in again] == [500, 100]
    assert flash.erases[2] == flash.erases[5] == 0
    assert raises(TooSmall, Journal, flash, 5, 2)
    assert raises(TooSmall, Journal, flash, 0, 1)


class RamDevice:
    """Flash without rules whose every call leaves the heap alone."""

    def __init__(self, blocks):
        self._blocks = blocks
        self._data = bytearray(b"\xff" * (4096 * blocks))

    def readblocks(self, block, buffer, offset):
        at = block * 4096 + offset
        for index in range(256):
            buffer[index] = self._data[at + index]

    def writeblocks(self, block, buffer, offset):
        at = block * 4096 + offset
        for index in range(256):
            self._data[at + index] = buffer[index]

    def ioctl(self, request, argument):
        if request == 6:
            at = argument * 4096
            for index in range(4096):
                self._data[at + index] = 0xFF
            return 0
        return self._blocks if request == 4 else 4096


def test_commit_and_prepare_allocate_nothing():
    device = RamDevice(2)
    journal = Journal(device)
    journal.mount()
    data = record(1, 300)
    # The first time, an instance's attributes may still find their places.
    journal.commit(data, 300)
    journal.prepare()
    micropython.heap_lock()
    for _ in range(20):
        journal.commit(data, 300)
        journal.prepare()
    micropython.heap_unlock()
    assert newest(device) == bytes(data)
