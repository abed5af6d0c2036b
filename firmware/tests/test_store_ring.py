"""Rings keep their rows in order through wraps, cuts, bad pages and foreign flash."""

import micropython
from flash_model import TEARS, FlashModel, PowerCut

from endpoint.store import TooLong, TooSmall, WornOut
from endpoint.store.ring import ROWS_AHEAD, Ring, rows_per_block

_SIZES = (8, 16, 28, 32, 40, 56, 128, 136, 232)


def row(number, count, life=0):
    """Return a row that names its number, and the life it was written in, in every byte."""
    return bytearray((number * 5 + life * 91 + index * 3) & 0xFF for index in range(count))


def ring_on(flash, row_bytes, capacity=None, blocks=None, number=0):
    blocks = blocks or flash.blocks
    if capacity is None:
        capacity = (blocks - 1) * rows_per_block(row_bytes) - ROWS_AHEAD
    return Ring(flash, 0, blocks, row_bytes, capacity, bytearray(256), number)


def mounted(flash, row_bytes, next_row=None, **options):
    ring = ring_on(flash, row_bytes, **options)
    ring.mount(next_row)
    return ring


def rows_of(ring):
    """Return number and content of every row that reads."""
    buffer = bytearray(ring.row_bytes)
    return [
        (number, bytes(buffer))
        for number in range(ring.first, ring.next)
        if ring.read(number, buffer)
    ]


def expected(first, end, row_bytes, life=0):
    return [(number, bytes(row(number, row_bytes, life))) for number in range(first, end)]


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


def test_L5_the_oldest_is_overwritten_and_the_numbers_tell():
    flash = FlashModel(10)
    ring = mounted(flash, 16, capacity=1000)
    for number in range(1003):
        ring.append(row(number, 16))
    assert (ring.first, ring.next - 1, ring.next - ring.first) == (3, 1002, 1000)
    assert rows_of(ring) == expected(3, 1003, 16)
    assert rows_of(mounted(flash, 16, 1003, capacity=1000)) == expected(3, 1003, 16)


def test_rows_of_every_size_come_back():
    for row_bytes in _SIZES:
        flash = FlashModel(3)
        ring = mounted(flash, row_bytes)
        count = 4 * rows_per_block(row_bytes)
        for number in range(count):
            ring.append(row(number, row_bytes))
            ring.prepare()
            assert ring.next - ring.first == min(number + 1, ring.capacity)
        assert rows_of(ring) == expected(count - ring.capacity, count, row_bytes)
        again = mounted(flash, row_bytes)
        assert (again.first, again.next) == (ring.first, ring.next)
        assert rows_of(again) == rows_of(ring)


def test_rows_are_read_in_any_order():
    flash = FlashModel(3)
    ring = mounted(flash, 56)
    for number in range(150):
        ring.append(row(number, 56))
    buffer = bytearray(56)
    for step in range(150):
        number = step * 67 % 150
        assert ring.read(number, buffer) == (number >= ring.first)
        if number >= ring.first:
            assert buffer == row(number, 56)
    assert not ring.read(150, buffer)
    assert not ring.read(-1, buffer)


def test_a_blank_ring_is_empty_and_untouched():
    flash = FlashModel(2)
    ring = mounted(flash, 32)
    assert (ring.first, ring.next) == (0, 0)
    assert not ring.read(0, bytearray(32))
    assert not ring.prepare()
    assert flash.operations == 0


def test_operations_per_row():
    flash = FlashModel(4)
    ring = mounted(flash, 40)
    ring.append(row(0, 40))
    ring.prepare()
    for number in range(1, 1000):
        before = flash.operations
        ring.append(row(number, 40))
        assert flash.operations == before + 1
        ring.prepare()
        assert flash.operations <= before + 2
    assert flash.programs == 1000
    assert max(flash.erases) - min(flash.erases) <= 1


def test_rows_at_or_above_the_state_s_number_are_superseded():
    for row_bytes in (16, 56, 136):
        per_block = rows_per_block(row_bytes)
        for written in (1, 5, per_block - 1, per_block, per_block + 1, 2 * per_block):
            for back in range(min(written, 4) + 1):
                flash = FlashModel(4)
                ring = mounted(flash, row_bytes)
                for number in range(written):
                    ring.append(row(number, row_bytes))
                start = written - back
                ring = mounted(flash, row_bytes, start)
                assert rows_of(ring) == expected(0, start, row_bytes)
                for number in range(start, start + 3):
                    ring.append(row(number, row_bytes, 1))
                rows = expected(0, start, row_bytes) + expected(start, start + 3, row_bytes, 1)
                assert rows_of(ring) == rows
                assert rows_of(mounted(flash, row_bytes)) == rows
                assert rows_of(mounted(flash, row_bytes, start + 3)) == rows


def test_a_lost_state_record_takes_every_row():
    flash = FlashModel(2)
    ring = mounted(flash, 16)
    for number in range(40):
        ring.append(row(number, 16))
    ring = mounted(flash, 16, None)
    assert ring.next == 40
    ring.append(row(40, 16))
    assert rows_of(mounted(flash, 16)) == expected(0, 41, 16)


def test_a_ring_started_anew_forgets_its_rows_for_good():
    flash = FlashModel(3)
    ring = mounted(flash, 56)
    for number in range(140):
        ring.append(row(number, 56))
    ring = mounted(flash, 56, 0)
    assert (ring.first, ring.next) == (0, 0)
    for number in range(3):
        ring.append(row(number, 56, 1))
    assert rows_of(mounted(flash, 56)) == expected(0, 3, 56, 1)
    assert rows_of(mounted(flash, 56, 3)) == expected(0, 3, 56, 1)


def test_a_number_far_ahead_leaves_a_gap():
    flash = FlashModel(3)
    ring = mounted(flash, 56)
    for number in range(10):
        ring.append(row(number, 56))
    ring = mounted(flash, 56, 20)
    ring.append(row(20, 56))
    found = expected(0, 10, 56) + expected(20, 21, 56)
    assert rows_of(ring) == found
    assert rows_of(mounted(flash, 56)) == found


def test_restarting_for_ever_writes_nothing():
    flash = FlashModel(2)
    ring = mounted(flash, 16)
    for number in range(rows_per_block(16) - 1):
        ring.append(row(number, 16))
    before = flash.operations
    for _ in range(50):
        ring = mounted(flash, 16, ring.next)
        assert not ring.prepare()
    assert flash.operations == before


def test_another_ring_or_row_size_is_foreign():
    flash = FlashModel(2)
    ring = mounted(flash, 16)
    for number in range(5):
        ring.append(row(number, 16))
    assert mounted(flash, 16, number=1).next == 0
    assert mounted(flash, 17).next == 0
    other = mounted(flash, 17)
    other.append(row(0, 17))
    assert rows_of(mounted(flash, 17)) == expected(0, 1, 17)


def test_foreign_content_is_neither_taken_nor_in_the_way():
    for fill in (0x00, 0xA5, 0x57):
        flash = FlashModel(3, fill)
        ring = mounted(flash, 40)
        assert ring.next == 0
        for number in range(250):
            ring.append(row(number, 40))
        assert rows_of(mounted(flash, 40)) == expected(ring.first, 250, 40)


def test_a_damaged_row_is_told_and_its_neighbours_are_not_harmed():
    flash = FlashModel(2)
    ring = mounted(flash, 56)
    for number in range(20):
        ring.append(row(number, 56))
    flash.data[2 * 256 + 20] ^= 4
    damaged = [number for number, _ in rows_of(ring)]
    assert len(damaged) == 19
    assert [number for number, _ in rows_of(mounted(flash, 56, 20))] == damaged
    buffer = bytearray(b"\x11" * 56)
    for number in range(20):
        if number not in damaged:
            assert not ring.read(number, buffer)
    assert buffer == b"\x11" * 56


def test_bad_pages_are_passed_over():
    flash = FlashModel(4)
    for page in (0, 5, 15):
        flash.bad.add((1, page))
    flash.bad.add((2, 3))
    ring = mounted(flash, 56)
    for number in range(400):
        ring.append(row(number, 56))
        ring.prepare()
        if number % 17 == 0:
            ring = mounted(flash, 56, number + 1)
    # A page whose header did not stick costs its block.
    assert rows_of(ring) == expected(ring.first, 400, 56)
    assert ring.next - ring.first >= 100


def test_a_worn_out_ring_keeps_what_it_has_and_each_call_ends():
    flash = FlashModel(8)
    ring = mounted(flash, 136)
    for number in range(16):
        ring.append(row(number, 136))
    for block in range(1, 8):
        for page in range(16):
            flash.bad.add((block, page))
    for _ in range(5):
        before = sum(flash.erases)
        assert raises(WornOut, ring.append, row(16, 136))
        assert sum(flash.erases) - before <= 4
        assert rows_of(ring) == expected(0, 16, 136)
    assert flash.erases[0] == 1
    flash.bad.clear()
    ring.append(row(16, 136))
    assert rows_of(mounted(flash, 136)) == expected(0, 17, 136)


def test_what_cannot_be_is_refused():
    flash = FlashModel(2)
    page = bytearray(256)
    assert raises(TooSmall, Ring, flash, 1, 2, 16, 1, page)
    assert raises(TooSmall, Ring, flash, 0, 1, 16, 1, page)
    assert raises(TooLong, Ring, flash, 0, 2, 7, 1, page)
    assert raises(TooLong, Ring, flash, 0, 2, 233, 1, page)
    assert raises(TooLong, Ring, flash, 0, 2, 232, 15, page)
    ring = mounted(flash, 16)
    assert raises(TooLong, ring.append, bytearray(15))
    assert raises(TooLong, ring.read, 0, bytearray(15))


def live(flash, state, count, row_bytes):
    """Append `count` rows after a start; `state` holds what the record says, and what may be."""
    ring = ring_on(flash, row_bytes)
    try:
        ring.mount(state["next"])
        for _ in range(count):
            ring.append(row(state["next"], row_bytes, state["life"]))
            state["rows"].append(
                (state["next"], bytes(row(state["next"], row_bytes, state["life"])))
            )
            state["next"] += 1
            ring.prepare()
    except PowerCut:
        return False
    return True


def check(flash, state, row_bytes, schedule):
    flash.power_on()
    ring = mounted(flash, row_bytes, state["next"])
    assert ring.next == state["next"], schedule
    found = rows_of(ring)
    assert found == state["rows"][len(state["rows"]) - len(found) :], schedule
    # Starts cost a slot or two each; nothing else may be missing.
    assert len(found) >= min(len(state["rows"]), ring.capacity - 4), schedule


def test_every_cut_of_appends_and_wraps_and_a_second_one_after_it():
    row_bytes = 136  # one row to a page: a wrap every sixteen
    whole = FlashModel(3)
    live(whole, {"next": 0, "rows": [], "life": 0}, 50, row_bytes)
    cuts = 0
    for operation in range(1, whole.operations + 1):
        for kind, tear in enumerate(TEARS):
            flash = FlashModel(3)
            state = {"next": 0, "rows": [], "life": 0}
            schedule = "%d:%s:%d" % (operation, tear, operation)
            flash.cut(schedule)
            assert not live(flash, state, 50, row_bytes)
            check(flash, state, row_bytes, schedule)
            second = "%d:%s:%d" % (1 + operation % 4, TEARS[(kind + operation) % 6], operation)
            flash.cut(second)
            state["life"] = 1
            live(flash, state, 6, row_bytes)
            check(flash, state, row_bytes, schedule + " " + second)
            state["life"] = 2
            assert live(flash, state, 20, row_bytes)
            check(flash, state, row_bytes, schedule + " " + second)
            cuts += 2
    assert cuts >= 2 * 6 * 53


class RamDevice:
    """Flash without rules whose every call leaves the heap alone."""

    def __init__(self, blocks):
        self._blocks = blocks
        self._data = bytearray(b"\xff" * (4096 * blocks))

    def readblocks(self, block, buffer, offset):
        at = block * 4096 + offset
        for index in range(len(buffer)):
            buffer[index] = self._data[at + index]

    def writeblocks(self, block, buffer, offset):
        at = block * 4096 + offset
        for index in range(256):
            self._data[at + index] &= buffer[index]

    def ioctl(self, request, argument):
        if request == 6:
            at = argument * 4096
            for index in range(4096):
                self._data[at + index] = 0xFF
            return 0
        return self._blocks if request == 4 else 4096


def test_append_read_and_prepare_allocate_nothing():
    device = RamDevice(2)
    ring = Ring(device, 0, 2, 136, 14, bytearray(256))
    ring.mount()
    data = row(1, 136)
    buffer = bytearray(136)
    # The first time, an instance's attributes may still find their places.
    ring.append(data)
    ring.prepare()
    ring.read(0, buffer)
    micropython.heap_lock()
    for _ in range(40):
        ring.append(data)
        ring.prepare()
        ring.read(ring.next - 1, buffer)
        ring.read(ring.first, buffer)
    micropython.heap_unlock()
    assert buffer == data
    assert ring.next == 41
