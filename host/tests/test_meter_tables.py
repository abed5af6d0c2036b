"""The simulator's tables against the description of the standard, and as a person reads them."""

import functools
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.optical import formats, schema
from wattline.meter.accounts import BLOCK_NS
from wattline.meter.focus_al import FocusAL
from wattline.meter.forms import FORMS
from wattline.meter.load import NS_PER_S, Load
from wattline.optical.decode import Decoder

DAY_NS = 86_400 * NS_PER_S
START = datetime(2026, 3, 1, 7, 10)
FULL = {
    "clock": START,
    "demand": True,
    "tiers": 2,
    "profile_blocks": 2,
    "logs": True,
    "forward_wh": 12_345_678,
    "reverse_wh": 4_321,
}
MT = 0x0800


def full(**options):
    """Return a meter that has everything, after a day and a bit."""
    meter = FocusAL(**{**FULL, **options})
    meter.fault("trouble", what="measurement")
    meter.advance(DAY_NS + 5 * NS_PER_S)
    return meter


def contents(meter):
    return {table: build() for table, build in sorted(meter.contents.items())}


@functools.cache
def genuine():
    return contents(full())


METERS = (
    [{"form": form.name, "volts": form.volts} for form in FORMS]
    + [{"most_first": most, "tm_format": tm} for most in (False, True) for tm in (1, 2, 3, 4)]
    + [{"ni_format": n, "ni_format2": 9} for n in range(14) if n != formats.TEXT6]
    + [{"int_format": n, "load": Load("solar", start_hour=11)} for n in (0, 1, 2)]
    + [{"bcd_ids": True, "serial": "0000123456789012"}, {"pulse_wh": 6}, {"registers": "net"}]
    + [{"tiers": 0}, {"demand": False}, {"profile_blocks": 0}, {"logs": False}]
    + [{"clock": None, "tiers": 0, "profile_blocks": 0}, {"kilo": True}]
)


@pytest.mark.parametrize("options", METERS, ids=lambda options: "-".join(map(str, options)))
def test_every_table_has_the_size_that_its_dimensions_say(options):
    if options.get("ni_format") in (formats.INT24, formats.DECIMAL4, formats.FLOAT32):
        options = {**options, "forward_wh": 9_876, "reverse_wh": 5}
    meter = full(**options)
    found = contents(meter)
    dimensions, decoder = schema.Dimensions(), Decoder()
    for table, data in found.items():
        decoder.learn(table, data)
        if table < MT:
            dimensions.learn(table, data)
    for table, data in found.items():
        if table < MT and table not in (7, 8):
            assert schema.size(table, dimensions) == len(data), table
        fields, remark = decoder.fields(table, data)
        assert remark == "", table
        ends = [0, *(field.offset + field.size for field in fields)]
        assert ends == [*(field.offset for field in fields), len(data)], table
        if table not in (26, 74, 76):  # unused entries are blank
            unknown = [field.name for field in fields if field.value is None]
            assert unknown == [], table


def test_registers_are_shown_as_the_meter_has_them():
    meter = full(reverse_wh=99_999_000)
    decoder = Decoder()
    for table, data in contents(meter).items():
        decoder.learn(table, data)
    fields, _ = decoder.fields(23, decoder.data[23])
    sums = [field.value for field in fields if field.name.startswith("summation")]
    assert sums[:2] == list(meter.raw_wh(meter.now_ns))
    assert {field.unit for field in fields if "energy" in field.name} == {"Wh"}


@pytest.mark.parametrize("table", [23, 28, 52, 64])
def test_parts_of_a_table_name_the_fields_that_are_whole(table):
    meter = full()
    found = contents(meter)
    decoder = Decoder()
    for number, data in found.items():
        decoder.learn(number, data)
    whole, _ = decoder.fields(table, found[table])
    for offset in range(0, 40, 7):
        for count in (1, 4, 9, 30):
            part, _ = decoder.fields(table, found[table][offset : offset + count], offset)
            end = offset + len(found[table][offset : offset + count])
            expected = [f for f in whole if f.offset >= offset and f.offset + f.size <= end]
            assert part == expected


def test_T1_rates_add_up_to_the_total():
    meter = full()
    start = FocusAL(**FULL).raw_wh(0)
    now = meter.raw_wh(meter.now_ns)
    for direction in (0, 1):
        rates = [meter.accounts.tier_wh(tier, meter.now_ns)[direction] for tier in (0, 1)]
        assert sum(rates) == now[direction] - start[direction]
    assert all(meter.accounts.tier_wh(tier, meter.now_ns)[0] > 0 for tier in (0, 1))


def test_M1_peak_is_the_largest_block_of_the_profile():
    meter = full()
    best = max(meter.accounts.intervals, key=lambda interval: interval.forward_wh)
    assert meter.accounts.peaks[0].watts == 4 * best.forward_wh
    assert meter.accounts.peaks[0].end_ns == best.end_ns


def test_L2_profile_sums_to_the_registers_and_marks_outages():
    meter = FocusAL(**FULL)
    meter.fault("dark", at_s=3000, for_s=600)
    meter.advance(DAY_NS)
    intervals = meter.accounts.intervals
    closed_ns = intervals[-1].end_ns
    start, end = meter.raw_wh(0), meter.raw_wh(closed_ns)
    assert sum(i.forward_wh for i in intervals) == end[0] - start[0]
    dark = [i for i in intervals if i.dark]
    assert [i.end_ns // NS_PER_S for i in dark] == [3900]
    assert (closed_ns + 600 * NS_PER_S) % BLOCK_NS == 0  # on the clock's quarters: 7:10 + 5 min


def test_R19_display_multiplier_changes_the_display_alone():
    meter = FocusAL(display_multiplier=40, forward_wh=1000)
    assert meter.register_wh(0)[0] == 40_000
    assert meter.raw_wh(0)[0] == 1000
    for wrong in (0, 241):
        with pytest.raises(ValueError, match="1 to 240"):
            FocusAL(display_multiplier=wrong)


@pytest.mark.parametrize("registers", ["separate", "net"])
def test_E3_rollover_at_a_hundred_thousand_kilowatt_hours(registers):
    meter = FocusAL(load=Load("steady"), forward_wh=99_999_999, registers=registers)
    meter.advance(3600 * NS_PER_S)
    forward, reverse = meter.raw_wh(meter.now_ns)
    assert (forward, reverse) == (1199, 0)
    decoder = Decoder()
    for table, data in contents(meter).items():
        decoder.learn(table, data)
    fields, _ = decoder.fields(23, decoder.data[23])
    assert fields[0].value == 1199
    assert len(fields) == (1 if registers == "net" else 3)


def test_G4_day_of_purchase_and_diagnostics_are_shown():
    meter = FocusAL(purchased=date(2007, 8, 31))
    for what in ("ram", "configuration"):
        meter.fault("trouble", what=what)
    decoder = Decoder()
    for table, data in contents(meter).items():
        decoder.learn(table, data)
    facts, _ = decoder.fields(MT | 3, decoder.data[MT | 3])
    values = {field.name: field.value for field in facts}
    assert values["purchased"] == "2007-08-31"
    assert values["diagnostic word"] == 101
    status, _ = decoder.fields(3, decoder.data[3])
    assert status[1].value == ["configuration error", "RAM failure"]


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"tiers": 2}, "clock"),
        ({"profile_blocks": 3}, "clock"),
        ({"registers": "sideways"}, "separate or net"),
        ({"display": range(17)}, "16 places"),
        ({"display": [99]}, "16 places"),
        ({"clock": START, "profile_blocks": 99}, "1 to 60"),
        ({"clock": START, "tm_format": 7}, "time format"),
        ({"read_password": b"x" * 21}, "1 to 20"),
        ({"serial": ""}, "1 to 16"),
        ({"ni_format": 14}, "number format"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(options, cause):
    with pytest.raises(ValueError, match=cause):
        FocusAL(**options)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_decoder_survives_dimensions_that_make_no_sense(data):
    decoder = Decoder()
    decoder.learn(0, genuine()[0])
    decoder.learn(1, genuine()[1])
    dimensions = (11, 12, 16, 21, 22, 27, 31, 41, 51, 61, 62, 71)
    for table in dimensions:
        size = len(genuine()[table])
        decoder.learn(table, data.draw(st.binary(min_size=0, max_size=size + 3)))
    for table in data.draw(st.lists(st.sampled_from(sorted(genuine())), max_size=8)):
        part = data.draw(st.binary(max_size=60))
        fields, remark = decoder.fields(table, part, data.draw(st.integers(0, 3000)))
        assert isinstance(remark, str)
        assert all(field.size > 0 for field in fields)


def test_dimensions_without_end_come_to_one():
    decoder = Decoder()
    for table in (0, 11, 12, 16, 62):
        decoder.learn(table, genuine()[table])
    # 65535 blocks of 65535 intervals without any channel: nothing, four thousand million times.
    decoder.learn(61, bytes(4) + b"\x00\x00" + b"\x02" + b"\xff\xff\xff\xff" + b"\x00\x0f")
    decoder.learn(62, b"\x02")
    fields, remark = decoder.fields(64, bytes(40))
    assert len(fields) <= 40
    assert remark


@settings(max_examples=200, deadline=None)
@given(
    channels=st.integers(0, 2),
    blocks=st.integers(0, 2),
    intervals=st.integers(0, 4),
    options=st.sampled_from([0, 1 << 4, 1 << 5, 1 << 10, 1 << 11, 3 << 10]),
    code=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]),
)
def test_a_profile_is_short_only_if_bytes_are_missing(channels, blocks, intervals, options, code):
    """Also where the last fields have no length."""
    decoder = Decoder()
    decoder.learn(0, genuine()[0])
    limits = bytes([channels, 15])
    limits = blocks.to_bytes(2, "little") + intervals.to_bytes(2, "little") + limits
    decoder.learn(61, bytes(4) + options.to_bytes(2, "little") + b"\x02" + limits)
    decoder.learn(62, b"\x00\x00\xff" * channels + bytes([code]))
    size = schema.size(64, decoder.dimensions((0, 61, 62)))
    fields, remark = decoder.fields(64, bytes(size))
    assert remark == ""
    assert sum(field.size for field in fields) == size
    if size:
        assert "shorter" in decoder.fields(64, bytes(size - 1))[1]
