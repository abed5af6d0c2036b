"""The engine's rows and the rings that keep them agree in number, order and size."""

import struct

import pytest

from endpoint.metering import rows, voltage
from endpoint.metering.engine import RECORD_BYTES
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
