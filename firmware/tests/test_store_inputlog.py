"""The input log gives back what was put in, wherever it was cut, wrapped or lost."""

import micropython
from flash_model import FlashModel

from endpoint.store import BadEntry, TooLong, WornOut
from endpoint.store import inputlog as log_of
from endpoint.store.inputlog import Decoder, InputLog
from endpoint.store.ring import ROWS_AHEAD, Ring, rows_per_block

_ROW_BYTES = 56


def opened(flash, next_row=None, row_bytes=_ROW_BYTES):
    capacity = (flash.blocks - 1) * rows_per_block(row_bytes) - ROWS_AHEAD
    ring = Ring(flash, 0, flash.blocks, row_bytes, capacity, bytearray(256))
    ring.mount(next_row)
    return ring, InputLog(ring)


def rows_of(ring, log):
    """Return (number, row, count) of all rows, the unfinished one last."""
    rows = []
    for number in range(ring.first, ring.next):
        row = bytearray(ring.row_bytes)
        assert ring.read(number, row)
        rows.append((number, row, None))
    state = bytearray(log.state_bytes)
    log.pack_into(state, 0)
    return rows + [(ring.next, state[1:], state[0])]


def decoded(rows):
    decoder = Decoder()
    entries = []
    for number, row, count in rows:
        entries += decoder.feed(number, row, count)
    return [(entry.kind, entry.at_ms, entry.fields, entry.data) for entry in entries]


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


class Dice:
    """Small repeatable randomness for both Pythons."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = self.state * 48271 % 0x7FFFFFFF
        return (self.state >> 7) % count


def day_of_polls(log, polls=1440, seed=1):
    """Put a day as it is: a keyframe, then a poll a minute; return what was put."""
    dice = Dice(seed)
    put = []
    forward_wh, at_ms, stamp = 12345678, 0, 0
    record = bytearray(index & 0xFF for index in range(1024))
    log.put(log_of.KEYFRAME, at_ms, data=record, count=1024)
    put.append((log_of.KEYFRAME, at_ms, (0, 0, 0, 0), bytes(record)))
    for _ in range(polls):
        at_ms += 60000 + dice.below(9) - 4
        forward_wh += dice.below(100)
        fields = (forward_wh, 4711, stamp, 2400 + dice.below(20))
        log.put(log_of.READ, at_ms, *fields)
        put.append((log_of.READ, at_ms, fields, b""))
    return put


def test_entries_of_every_kind_come_back():
    ring, log = opened(FlashModel(3))
    put = [(log_of.KEYFRAME, 5, (0, 0, 0, 0), b"state")]
    for kind in (1, 2, 3, 4, 5, 7, 8, 9, 10, 14):
        for numbers in ((0, 0, 0, 0), (1, 2, 3, 4), (0xFFFFFFFF, 0, 0xFFFFFFFF, 7), (3, 9, 0, 0)):
            put.append((kind, 60000 * len(put) - kind, numbers, b"note" if kind == 14 else b""))
    put.append((log_of.COMMAND, 1 << 31, (9, 0, 0, 0), bytes(range(200))))
    put.append((log_of.SERIAL, 1 << 31, (0, 0, 0, 0), b""))
    put.append((log_of.RESTART, 3, (2, 1800000000, 1, 0), b""))
    put.append((log_of.READ, 4, (5, 6, 7, 8), b""))
    for kind, at_ms, fields, data in put:
        log.put(kind, at_ms, *fields, data=data, count=len(data))
    assert decoded(rows_of(ring, log)) == put


def test_N4_a_day_of_polls_is_small_and_complete():
    ring, log = opened(FlashModel(8))
    put = day_of_polls(log)
    assert decoded(rows_of(ring, log)) == put
    # docs/journal.md: 144 rows a day, the keyframe among them.
    assert 120 < ring.next <= 144


def test_N4_a_log_whose_beginning_was_overwritten_starts_at_a_keyframe():
    ring, log = opened(FlashModel(3))
    put = []
    for day in range(3):
        put += day_of_polls(log, 600, day + 1)
    assert ring.first > 0
    found = decoded(rows_of(ring, log))
    assert found[0][0] == log_of.KEYFRAME
    assert found == put[-len(found) :]
    assert len(found) > 600


def test_a_missing_row_is_told_and_the_log_goes_on_at_the_next_keyframe():
    ring, log = opened(FlashModel(8))
    first = day_of_polls(log, 300, 1)
    second = day_of_polls(log, 300, 2)
    rows = rows_of(ring, log)
    for missing in range(25, 40):
        found = decoded(rows[:missing] + rows[missing + 1 :])
        kinds = [entry[0] for entry in found]
        assert kinds.count(log_of.LOST) == 1
        gap = kinds.index(log_of.LOST)
        assert found[:gap] == first[:gap]
        assert found[gap + 1 :] == second


def test_a_restart_goes_on_where_the_record_stands():
    flash = FlashModel(3)
    ring, log = opened(flash)
    put = day_of_polls(log, 50)
    state = bytearray(log.state_bytes)
    log.pack_into(state, 0)
    next_row = ring.next
    day_of_polls(log, 100, 5)  # noted after the last commit: never was
    ring, log = opened(flash, next_row)
    log.unpack_from(state, 0)
    for fields in ((1, 2, 3, 0), (2, 0, 0, 0)):
        log.put(log_of.RESTART, 17, *fields)
        put.append((log_of.RESTART, 17, fields, b""))
    log.put(log_of.READ, 900, 1, 2, 3, 4)
    put.append((log_of.READ, 900, (1, 2, 3, 4), b""))
    assert decoded(rows_of(ring, log)) == put


def test_a_log_that_was_taken_up_without_restart_resets_itself():
    flash = FlashModel(3)
    ring, log = opened(flash)
    put = day_of_polls(log, 20)
    state = bytearray(log.state_bytes)
    log.pack_into(state, 0)
    ring, log = opened(flash, ring.next)
    log.unpack_from(state, 0)
    log.put(log_of.TICK, 5)
    assert decoded(rows_of(ring, log)) == put + [(log_of.TICK, 5, (0, 0, 0, 0), b"")]


def test_a_worn_out_ring_costs_entries_but_never_the_order():
    flash = FlashModel(2)
    ring, log = opened(flash)
    put = day_of_polls(log, 20)
    whole = ring.append

    def refuse(row):
        raise WornOut

    ring.append = refuse
    assert raises(WornOut, day_of_polls, log, 100, 2)
    assert log.rows_since_keyframe == log_of.ROWS_MAX
    ring.append = whole
    log.put(log_of.TICK, 5)  # cannot be understood without a keyframe
    again = day_of_polls(log, 30, 3)
    found = decoded(rows_of(ring, log))
    gap = [entry[0] for entry in found].index(log_of.LOST)
    assert found[:gap] == put[:gap]
    assert found[gap + 1 :] == again


def test_nothing_but_a_log_is_decoded():
    dice = Dice(77)
    refused = 0
    for _ in range(200):
        decoder = Decoder()
        for number in range(4):
            row = bytearray(dice.below(256) for _ in range(_ROW_BYTES))
            row[0] = 1
            try:
                assert len(decoder.feed(number, row)) < _ROW_BYTES * 4
            except BadEntry:
                refused += 1
    assert refused > 200


def test_an_unfinished_row_that_cannot_be_is_refused():
    _, log = opened(FlashModel(2))
    state = bytearray(log.state_bytes)
    for count in (0, _ROW_BYTES, 255):
        state[0] = count
        assert raises(BadEntry, log.unpack_from, state, 0)
    assert raises(TooLong, lambda: log.put(log_of.NOTE, 0, data=bytearray(5000), count=4097))


def test_putting_allocates_nothing():
    _, log = opened(FlashModel(2))
    day_of_polls(log, 3)
    micropython.heap_lock()
    for number in range(8):  # a row is not full yet
        log.put(log_of.READ, 200000 + number, 12345678 + number, 4711, 0, 2400)
    micropython.heap_unlock()
    assert log.rows_since_keyframe < log_of.ROWS_MAX
