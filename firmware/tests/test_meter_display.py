"""The meter's display list: own items behind the meter's records (R87-R93, G-3)."""

from optical_tables import meter
from optical_wire import Wire

from endpoint.meter import display, errors
from endpoint.meter.display import DisplayList
from endpoint.meter.focus import FocusReader
from endpoint.optical import services
from endpoint.optical.formats import FormatError

PLACES = 16
WANTED = (40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50)


class Config:
    most_first = False


def actual(places=PLACES, lists=1, sources=51, width=4):
    return bytes([0, sources, 0, width, places, 0, lists, 0, 0, 0])


def primary(items, places=PLACES):
    padded = list(items) + [0] * (places - len(items))
    return bytes([0x15, 0x10, len(items)]) + bytes(
        [byte for item in padded for byte in (item & 0xFF, item >> 8)]
    )


def listed(data):
    return DisplayList(Config, actual(), data)


def written(data, base, wanted):
    """Return the list's data after the change, and after each write on the way."""
    steps = []
    data = bytearray(data)
    for offset, part in listed(data).change(base, wanted):
        data[offset : offset + len(part)] = part
        steps.append(bytes(data))
    return bytes(data), steps


def test_G3_adds_what_fits_in_order_and_never_a_seventeenth():
    for used, wanted, added in (
        (5, 11, 11),
        (6, 11, 10),
        (6, 2, 2),
        (16, 3, 0),
        (4, 5, 5),
        (8, 11, 8),
    ):
        own = list(range(used))
        data, _ = written(primary(own), used, WANTED[:wanted])
        items = listed(data).items
        assert items == own + list(WANTED[:added]), (used, wanted)
        assert len(items) <= PLACES


def test_R87_full_list_is_not_written_at_all():
    assert listed(primary(range(16))).change(16, WANTED) == []


def test_R91_duplicates_for_scroll_times_are_used_records():
    assert listed(primary([0, 0, 0, 0, 1, 1, 1, 1])).used == 8


def test_R89_a_thousand_changes_leave_the_meters_own_records():
    own = [3, 1, 2, 1, 0, 9]
    data = primary(own)
    state = 1
    for _ in range(1000):
        state = (state * 1103515245 + 12345) & 0x3FFFFFFF
        wanted = WANTED[state >> 8 & 3 : (state >> 8 & 3) + (state >> 12) % 9]
        data, steps = written(data, len(own), wanted)
        for step in steps:
            assert step[3 : 3 + 2 * len(own)] == primary(own)[3 : 3 + 2 * len(own)]
            assert step[2] >= len(own)
    data, _ = written(data, len(own), ())
    assert listed(data).items == own


def test_a_session_that_breaks_off_never_shows_an_item_that_was_not_wanted():
    old, new = WANTED[:4], WANTED[5:8]
    data, _ = written(primary([1, 2]), 2, old)
    _, steps = written(data, 2, new)
    for step in steps:
        assert listed(step).items[2:] in ([], list(old), list(new))


def test_unchanged_list_is_not_written():
    data, _ = written(primary([1, 2]), 2, WANTED[:3])
    assert listed(data).change(2, WANTED[:3]) == []


def test_R93_list_that_somebody_programmed_anew_is_all_the_meters():
    data, _ = written(primary([1, 2]), 2, WANTED[:3])
    assert listed(data).base(2, WANTED[:3]) == 2
    assert listed(primary([7, 8, 9])).base(2, WANTED[:3]) == 3
    assert listed(primary([7])).base(2, WANTED[:3]) == 1
    assert listed(data).base(0, ()) == 5


def test_list_that_contradicts_itself_is_refused():
    for data in (primary(range(16))[:-1], bytes([0, 0, 17]) + bytes(32), b""):
        try:
            listed(data)
        except FormatError:
            continue
        raise AssertionError(data)


def test_no_list_has_no_room():
    without = DisplayList(Config, actual(lists=0, places=0), b"")
    assert (without.used, without.room(0), without.change(0, WANTED)) == (0, 0, [])


# -- through a session ----------------------------------------------------------------


def display_meter(items=(0, 1), refuse_writes=0):
    """Return a meter that shows its list and takes writes to it, and its tables."""
    device, tables = meter()
    tables.tables[31] = actual(sources=3, width=4)
    tables.tables[32] = bytes([0, 5, 0, 0, 1, 5, 0, 0, 2, 5, 0, 0])
    tables.tables[33] = bytearray(primary(items))
    config = bytearray(tables.tables[0])
    config[13] = 5
    used = config[19:22] + bytes([config[22] | 0x80, 0x03]) + config[23:24]
    tables.tables[0] = bytes(config[:19] + used) + bytes(6)

    def write(table, offset, count, source, source_at):
        if refuse_writes:
            return refuse_writes
        tables.tables[table][offset : offset + count] = source[source_at : source_at + count]
        return services.OK

    tables.write = write
    return device, tables


def poll(reader, device, at_ms=0):
    wire = Wire(reader, device)
    wire.now_ms = at_ms
    reader.start(at_ms)
    wire.run(lambda: reader.done)


def test_D8_reader_says_which_energies_the_display_shows():
    device, _ = display_meter((0, 2))
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.OK
    assert reader.display.used == 2
    assert reader.shows == display.SHOWS_DELIVERED
    device, _ = display_meter((1, 0))
    reader = FocusReader()
    poll(reader, device)
    assert reader.shows == display.SHOWS_DELIVERED | display.SHOWS_RECEIVED


def test_R97_items_appear_behind_the_meters_own_within_one_poll():
    device, tables = display_meter((0, 1, 2))
    reader = FocusReader()
    poll(reader, device)
    reader.show(3, (2, 0))
    poll(reader, device, 60000)
    assert (reader.error, reader.items_error) == (errors.OK, 0)
    assert bytes(tables.tables[33]) == primary([0, 1, 2, 2, 0])
    assert reader.display.items == [0, 1, 2, 2, 0]


def test_refused_display_does_not_harm_the_reading():
    device, tables = display_meter((0, 1, 2), refuse_writes=services.ISC)
    reader = FocusReader()
    poll(reader, device)
    reader.show(3, (2, 0))
    tables.set(123999, 789)
    poll(reader, device, 60000)
    assert reader.error == errors.OK
    assert reader.items_error == services.ISC
    assert reader.reading.forward_wh == 123999
    assert bytes(tables.tables[33]) == primary([0, 1, 2])


def test_meter_without_a_display_list_is_read_all_the_same():
    device, _ = meter()
    reader = FocusReader()
    poll(reader, device)
    assert (reader.error, reader.display, reader.shows) == (errors.OK, None, 0)
