"""The sums of the rings' region: what lies where, what fits, how long it lasts."""

from flash_model import FlashModel

from endpoint.store import layout
from endpoint.store.ring import rows_per_block

_ERASES = 100000


def by_name():
    return {name: (blocks, size, daily) for name, blocks, size, daily in layout.RINGS}


def test_every_block_has_one_owner():
    blocks = sum(row[1] for row in layout.RINGS)
    assert blocks == layout.SETTINGS_BLOCK
    assert layout.SETTINGS_BLOCK + layout.RECORD_BLOCKS == layout.SCHEDULES_BLOCK
    assert layout.SCHEDULES_BLOCK + layout.RECORD_BLOCKS == layout.REGION_BLOCKS
    assert layout.REGION_BLOCKS * 4096 == 320 * 1024


def test_what_must_fit_fits():
    kept = {name: layout.capacity(row[0], row[1]) for name, row in by_name().items()}
    assert kept["hour"] >= 40 * 24
    assert kept["event"] >= 100
    assert kept["outage"] >= 12  # O-5
    assert kept["period"] >= 3
    assert kept["voltage_day"] >= 40
    assert kept["interval"] >= 14 * 96
    assert kept["input"] >= 14 * by_name()["input"][2]
    # docs/journal.md says these.
    assert kept == {
        "interval": 1438,
        "hour": 1038,
        "event": 220,
        "outage": 158,
        "period": 14,
        "voltage_day": 109,
        "demand": 382,
        "input": 2077,
    }


def test_wear_in_years():
    for blocks, size, daily in by_name().values():
        erases_per_day = daily / rows_per_block(size) / blocks
        assert _ERASES / erases_per_day / 365.25 > 20


def test_all_rings_live_side_by_side():
    flash = FlashModel(layout.REGION_BLOCKS)
    rings = layout.Rings(flash)
    rings.mount()
    for number, ring in enumerate(rings.rings):
        for sequence in range(12):
            rings.put(number, sequence, bytearray([number * 16 + sequence] * ring.row_bytes))
    settings = layout.settings_journal(flash)
    schedules = layout.schedules_journal(flash)
    for journal, content in ((settings, b"settings"), (schedules, b"schedules")):
        journal.mount()
        journal.commit(content, len(content))
    again = layout.Rings(flash)
    again.mount([12, 11, 10, 9, 8, 7, 6, 5])
    for number, ring in enumerate(again.rings):
        assert (ring.first, ring.next) == (0, 12 - number)
        buffer = bytearray(ring.row_bytes)
        for sequence in range(ring.next):
            assert ring.read(sequence, buffer)
            assert buffer == bytearray([number * 16 + sequence] * ring.row_bytes)
    assert layout.settings_journal(flash).mount() == 8
    assert layout.schedules_journal(flash).mount() == 9


def test_a_number_taken_back_supersedes():
    flash = FlashModel(layout.REGION_BLOCKS)
    rings = layout.Rings(flash)
    rings.mount()
    size = rings.rings[layout.EVENT].row_bytes
    for sequence in (0, 1, 2, 1):
        rings.put(layout.EVENT, sequence, bytearray([sequence] * size))
    ring = rings.rings[layout.EVENT]
    assert (ring.first, ring.next) == (0, 2)


def test_prepare_erases_one_block_at_a_time():
    flash = FlashModel(layout.REGION_BLOCKS)
    rings = layout.Rings(flash)
    rings.mount()
    for number in (layout.PERIOD, layout.OUTAGE):
        ring = rings.rings[number]
        for _ in range(rows_per_block(ring.row_bytes)):
            ring.append(bytearray(ring.row_bytes))
    before = sum(flash.erases)
    assert rings.prepare()
    assert sum(flash.erases) == before + 1
    assert rings.prepare()
    assert not rings.prepare()
    assert sum(flash.erases) == before + 2
