"""The description of the tables against the simulated meter, whose decades are written apart."""

from datetime import datetime

import pytest

from endpoint.optical import schema, services
from endpoint.optical.fields import INVALID
from wattline.meter.focus_al import FocusAL

CLOCK = datetime(2008, 3, 1, 12, 0, 0)
PASSWORD = b"FAKE-WRITE"
NS_PER_HOUR = 3_600_000_000_000


def content(meter, number):
    """Return a table's bytes, or None if the meter does not let it be read."""
    size = meter.size(number)
    if size <= 0:
        return None
    data = bytearray(size)
    assert meter.read(number, 0, size, data, 0) == services.OK
    return bytes(data)


def invalid(value):
    """Return the fields that are no number or time, but for those never filled."""
    if isinstance(value, dict):
        if INVALID in value:
            return [value] if any(value[INVALID]) else []
        return [found for part in value.values() for found in invalid(part)]
    if isinstance(value, list):
        return [found for part in value for found in invalid(part)]
    return []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"most_first": True, "bcd_ids": True, "ni_format": 6},
        {"clock": CLOCK, "tm_format": 1, "demand": True, "tiers": 2, "logs": True},
        {"clock": CLOCK, "tm_format": 2, "demand": True, "profile_blocks": 3, "most_first": True},
        {"clock": CLOCK, "tm_format": 3, "profile_blocks": 2, "ni_format": 1, "ni_format2": 0},
        {"clock": CLOCK, "tm_format": 4, "demand": True, "logs": True, "int_format": 2},
        {"pulse_wh": 2, "ni_format": 7, "int_format": 1},
        {"kilo": True, "ni_format": 4, "registers": "net"},
        {"ni_format": 13, "ni_format2": 2, "demand": True, "clock": CLOCK},
    ],
    ids=str,
)
def test_every_table_of_the_simulated_meter_is_as_described(options):
    meter = FocusAL(forward_wh=1_234_567, **options)
    meter.now_ns = 30 * NS_PER_HOUR
    d = schema.Dimensions()
    config = d.learn(0, content(meter, 0))
    seen = 0
    for number in config["STD_TBLS_USED"]:
        assert schema.name(number), number
        data = content(meter, number)
        if data is None:
            continue
        if number in (7, 8):
            assert schema.size(number, d) <= len(data)
            continue
        assert schema.size(number, d) == len(data), number
        values = d.learn(number, data)
        assert invalid(values) == [], number
        again = schema.encode(number, values, d)
        assert schema.decode(number, again, d) == values
        seen += 1
    assert seen >= 14
    sums = d[23]["TOT_DATA_BLOCK"]["SUMMATIONS"]
    forward = meter.register_wh(meter.now_ns)[0]
    if not options.get("pulse_wh") and options.get("registers") != "net":
        assert float(sums[0]) == pytest.approx(forward / (1000 if options.get("kilo") else 1))
