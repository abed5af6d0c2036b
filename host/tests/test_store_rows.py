"""The engine's rows and the rings that keep them agree in number, order and size."""

import struct

import pytest

from endpoint.metering import rows, voltage
from endpoint.metering.engine import RECORD_BYTES, Engine
from endpoint.store import layout
from endpoint.store.journal import RECORD_MAX_BYTES
from endpoint.store.ring import ROW_MAX_BYTES

SIZES = {
    name: struct.calcsize(getattr(rows, f"{name}_LAYOUT"))
    for name in ("INTERVAL", "HOUR", "EVENT", "OUTAGE", "PERIOD", "DEMAND")
} | {"VOLTAGE_DAY": voltage.DAY_ROW_BYTES}


@pytest.mark.parametrize("name", SIZES)
def test_a_ring_takes_the_engine_s_rows(name):
    number = getattr(rows, name)
    assert number == getattr(layout, name)
    assert layout.RINGS[number][0] == name.lower()
    assert layout.RINGS[number][2] == SIZES[name] <= ROW_MAX_BYTES


def test_every_ring_of_the_engine_has_a_place():
    assert sorted(getattr(rows, name) for name in SIZES) == list(range(rows.RINGS))
    assert layout.INPUT == rows.RINGS == len(layout.RINGS) - 1


def test_the_record_and_the_log_s_unfinished_row_fit():
    assert RECORD_BYTES + layout.RINGS[layout.INPUT][2] + 1 <= RECORD_MAX_BYTES


@pytest.mark.parametrize("demand", [(15, 15), (60, 5)])
def test_the_usual_record_lasts_more_than_twenty_years(demand):
    """Two records to a block of 16 pages: 128 commits to an erase of each of 64 blocks."""
    engine = Engine(72_000, True, False, 20)
    engine.configure_demand(*demand, 0, 300, 86_400)
    engine.on_time(1_800_000_000, 0)
    record = bytearray(RECORD_BYTES)
    largest = 0
    for poll in range(200):
        engine.on_read(b"SIM1", 1000 + 30 * poll, 0, 60 * poll)
        engine.on_voltage(60_000 * poll, 2400)
        engine.on_tick(60 * poll)
        largest = max(largest, engine.pack_into(record))
    frame = 8 + layout.RINGS[layout.INPUT][2] + 1
    in_a_block = 16 // -(-(largest + frame) // 240)
    years = 100_000 * 64 * in_a_block / 1440 / 365.25
    assert years > 20
