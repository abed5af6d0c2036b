"""Section 8 of the rules, P-2 and N9: extremes, ranges, evidence."""

import struct

from endpoint.metering.rows import VOLTAGE_DAY_LAYOUT
from endpoint.metering.voltage import (
    ABOVE_B,
    B_HIGH,
    B_LOW,
    BELOW_B,
    DAY_ROW_BYTES,
    NO_DATA,
    RANGE_A,
    STATE_BYTES,
    WORST,
    Extremes,
    Voltage,
    classify,
)

T0 = 1_800_000_000 // 3600 * 3600
HOUR_END = T0 + 3600


def at(text):
    """Return milliseconds after 10:00 of a wall time."""
    hour, minute, second = text.split(":")
    whole, _, tenths = second.partition(".")
    return ((int(hour) - 10) * 3600 + int(minute) * 60 + int(whole)) * 1000 + int(
        tenths or "0"
    ) * 100


def feed(voltage, *samples):
    for time, dv in samples:
        ms = at(time)
        voltage.on_sample(ms, dv, T0 + ms // 1000)


def day_of(voltage, ms):
    voltage.settle(ms)
    row = bytearray(DAY_ROW_BYTES)
    voltage.close_day(T0, row)
    return struct.unpack(VOLTAGE_DAY_LAYOUT, row)


def test_V1_switching_artefacts_do_not_count():
    voltage = Voltage(120)
    feed(voltage, ("10:05:00", 1184), ("10:20:00", 1137), ("10:29:59.6", 710))
    voltage.on_dark(at("10:30:00"))
    voltage.on_lit(at("10:50:00"))
    feed(voltage, ("10:50:01", 952), ("10:51:00", 1206))
    voltage.settle(at("11:00:01"))
    assert voltage.hours.take(HOUR_END)[:2] == (1137, 1206)
    assert voltage.day.minimum_s == T0 + 20 * 60 and voltage.day.maximum_s == T0 + 51 * 60


def test_V1_limits_of_the_exclusion():
    voltage = Voltage(120)
    feed(voltage, ("10:00:00", 1150), ("10:00:10", 1151))
    voltage.on_dark(at("10:00:11"))  # one second after the sample: within it
    voltage.on_lit(at("10:00:20"))
    feed(voltage, ("10:00:22", 1100), ("10:00:22.1", 1160))
    voltage.settle(at("10:00:30"))
    assert voltage.hours.take(HOUR_END) == (1150, 1160, 1155)


def test_V1_samples_while_dark_do_not_count():
    voltage = Voltage(120)
    voltage.on_dark(at("10:00:00"))
    feed(voltage, ("10:00:30", 800))
    voltage.on_lit(at("10:01:00"))
    voltage.settle(at("10:02:00"))
    assert voltage.hours.take(HOUR_END) == (NO_DATA, NO_DATA, NO_DATA)


def test_V2_no_sample_no_number():
    voltage = Voltage(240)
    assert voltage.hours.take(HOUR_END) == (NO_DATA, NO_DATA, NO_DATA)
    assert voltage.day.average_dv() == NO_DATA
    feed(voltage, ("10:10:00", 2402))
    voltage.settle(at("10:10:02"))
    assert voltage.hours.take(HOUR_END) == (2402, 2402, 2402)


def test_V3_ranges():
    for dv, nominal_v, expected in (
        (1140, 120, RANGE_A),
        (1139, 120, B_LOW),
        (1100, 120, B_LOW),
        (1099, 120, BELOW_B),
        (1260, 120, RANGE_A),
        (1261, 120, B_HIGH),
        (1270, 120, B_HIGH),
        (1271, 120, ABOVE_B),
        (2280, 240, RANGE_A),
        (2279, 240, B_LOW),
        (2199, 240, BELOW_B),
        (2541, 240, ABOVE_B),
    ):
        assert classify(dv, nominal_v) == expected


def test_V4_average_rounds_half_up():
    extremes = Extremes()
    for dv in (1184, 1137, 1206):
        extremes.add(dv, T0)
    assert extremes.average_dv() == 1176
    extremes.clear()
    for dv in (1184, 1185):
        extremes.add(dv, T0)
    assert extremes.average_dv() == 1185


def test_hours_wait_for_their_energy():
    voltage = Voltage(120)
    feed(voltage, ("10:30:00", 1180), ("11:30:00", 1190), ("12:00:00", 1200))
    voltage.settle(at("12:00:05"))
    assert voltage.hours.take(HOUR_END)[0] == 1180
    assert voltage.hours.take(HOUR_END + 3600)[0] == 1190
    assert voltage.hours.take(HOUR_END + 7200)[0] == 1200


def test_M13_coincident_average_is_that_of_the_interval():
    voltage = Voltage(120)
    feed(voltage, ("10:05:00", 1180), ("10:14:59", 1184), ("10:15:00", 1150))
    voltage.settle(at("10:16:00"))
    assert voltage.intervals.take(T0 + 900)[2] == 1182


def test_P2_a_programming_supply_is_no_service():
    voltage = Voltage(240)
    feed(voltage, ("10:01:00", 1196), ("10:02:00", 1440))
    voltage.settle(at("10:03:00"))
    assert voltage.hours.take(HOUR_END) == (NO_DATA, NO_DATA, NO_DATA)
    feed(voltage, ("10:04:00", 1920))
    voltage.settle(at("10:05:00"))
    assert voltage.hours.take(HOUR_END)[0] == 1920


def test_P1_outside_the_limits_is_kept():
    voltage = Voltage(120)
    feed(voltage, ("10:01:00", 940))
    voltage.settle(at("10:02:00"))
    assert voltage.hours.take(HOUR_END)[0] == 940


def test_N9_minutes_outside_and_excursions():
    voltage = Voltage(120)
    samples = []
    for minute in range(60):
        dv = 1200
        if 10 <= minute < 25:
            dv = 1120  # outside A, inside B
        elif 40 <= minute < 45:
            dv = 1085 if minute == 42 else 1099
        samples.append(("10:%02d:00" % minute, dv))
    feed(voltage, *samples)
    row = day_of(voltage, at("11:00:00"))
    assert row == (
        T0,
        1085,
        1200,
        T0 + 42 * 60,
        T0,
        (2 * (40 * 1200 + 15 * 1120 + 4 * 1099 + 1085) + 60) // 120,
        20,
        5,
        2,
        60,
    )
    assert len(voltage.excursions) == 2
    assert voltage.excursions.entry(0) == (T0 + 40 * 60, 300, 1085)
    assert voltage.excursions.entry(1) == (T0 + 10 * 60, 900, 1120)
    assert day_of(voltage, at("11:00:00"))[1:3] == (NO_DATA, NO_DATA)


def test_N9_a_sample_speaks_for_two_poll_periods_and_never_for_the_dark():
    voltage = Voltage(120)
    feed(voltage, ("10:00:00", 1080))
    assert day_of(voltage, at("10:30:00"))[6] == 2
    voltage = Voltage(120)
    feed(voltage, ("10:00:00", 1080))
    voltage.on_dark(at("10:01:00"))
    assert day_of(voltage, at("10:30:00"))[6:8] == (1, 1)
    assert voltage.excursions.entry(0) == (T0, 60, 1080)


def test_N9_ten_worst_remain():
    voltage = Voltage(120)
    for i in range(15):
        ms = i * 120_000
        voltage.on_sample(ms, 1139 - i * 7 % 15, T0 + ms // 1000)
        voltage.on_sample(ms + 60_000, 1200, T0 + ms // 1000 + 60)
    voltage.settle(10_000_000)
    values = [voltage.excursions.entry(i)[2] for i in range(len(voltage.excursions))]
    assert len(values) == WORST and values == list(range(1125, 1135))


def test_state_comes_back():
    voltage = Voltage(120)
    feed(voltage, ("10:30:00", 1080), ("11:30:00", 1190), ("12:00:00", 1300))
    voltage.settle(at("12:00:05"))
    state = bytearray(STATE_BYTES + 1)
    voltage.pack_into(state, 1)
    other = Voltage(120)
    other.unpack_from(state, 1)
    again = bytearray(STATE_BYTES + 1)
    other.pack_into(again, 1)
    assert state == again
    assert other.hours.take(HOUR_END) == voltage.hours.take(HOUR_END)
    assert other.excursions.entry(0) == voltage.excursions.entry(0)
