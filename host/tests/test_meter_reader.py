"""The module's reader against the simulated FOCUS AL: every kind of meter, every kind of line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_wire import NS_PER_S, Rig

from endpoint.meter import errors
from endpoint.meter.focus import NO_CLOCK, NO_VOLTAGE, FocusReader
from endpoint.optical import formats, services
from wattline.meter.faults import NAMES, Faults
from wattline.meter.focus_al import FocusAL
from wattline.meter.forms import FORMS
from wattline.meter.load import Load

MINUTE_NS = 60 * NS_PER_S
READABLE = (
    formats.FLOAT64,
    formats.TEXT12,
    formats.DECIMAL4,
    formats.BCD12,
    formats.BCD8,
    formats.INT32,
    formats.INT40,
    formats.INT48,
    formats.INT64,
    formats.BCD16,
)
LARGEST_WH = {formats.DECIMAL4: 200_000}


def read(meter, polls=2, **options):
    """Poll a meter and check every reading against the meter's own log."""
    reader = FocusReader(**options)
    rig = Rig(meter, reader)
    for i in range(polls):
        rig.poll(i * MINUTE_NS)
        assert errors.NAMES[reader.error] == "OK"
        assert_true(reader.reading, meter)
    return reader


def assert_true(reading, meter):
    at_ns, forward_wh, reverse_wh = meter.reads[-1]
    assert (reading.forward_wh, reading.reverse_wh) == (forward_wh, reverse_wh)
    assert meter.register_wh(at_ns) == (forward_wh, reverse_wh)


@pytest.mark.parametrize("most_first", [False, True])
@pytest.mark.parametrize("ni_format", READABLE)
def test_R8_every_format_in_both_byte_orders(ni_format, most_first):
    start_wh = LARGEST_WH.get(ni_format, 98_765_432)
    meter = FocusAL(
        ni_format=ni_format, most_first=most_first, forward_wh=start_wh, reverse_wh=1234
    )
    reader = read(meter)
    assert reader.reading.voltage_dv[0] == pytest.approx(2400, abs=60)


@pytest.mark.parametrize("ni_format", [formats.FLOAT64, formats.TEXT12, formats.DECIMAL4])
def test_E1_kilowatt_hours_with_decimals_lose_no_watt_hour(ni_format):
    read(FocusAL(ni_format=ni_format, kilo=True, forward_wh=99_876_543), polls=3)


def test_registers_in_whole_kilowatt_hours():
    meter = FocusAL(kilo=True, forward_wh=55_555_999)
    reader = FocusReader()
    Rig(meter, reader).poll()
    assert reader.reading.forward_wh == 55_556_000 - 1000


def test_float32_is_as_good_as_24_bits_are():
    meter = FocusAL(ni_format=formats.FLOAT32, forward_wh=16_777_217)
    reader = FocusReader()
    Rig(meter, reader).poll()
    assert reader.reading.forward_wh == 16_777_216


def test_meter_without_offset_access():
    for packets in (1, 255):
        read(FocusAL(offset_access=False, packets=packets, packet_bytes=64), polls=3)


def test_meter_without_negotiation_is_read_in_pieces():
    read(FocusAL(packet_bytes=64, packets=1, form="12S"))


def test_bcd_identifiers():
    reader = read(FocusAL(bcd_ids=True, serial="0000123456789012"))
    assert reader.reading.serial == b"0000123456789012"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}-{form.volts}")
def test_F1_every_form_shows_its_voltages(form):
    meter = FocusAL(form=form.name, volts=form.volts)
    reader = read(meter)
    expected = meter.voltages_dv(meter.now_ns)
    for shown, true in zip(reader.reading.voltage_dv, expected, strict=False):
        assert abs(shown - true) <= 1
        assert abs(shown - 10 * form.volts) < 100


def test_pulse_registers_with_a_constant():
    meter = FocusAL(pulse_wh=12, forward_wh=1200)
    reader = FocusReader()
    Rig(meter, reader).poll()
    assert reader.reading.forward_wh == 1200


def test_E3_rollover_of_the_meter():
    meter = FocusAL(load=Load("commercial"), forward_wh=99_999_900)
    reader = FocusReader()
    rig = Rig(meter, reader)
    shown = []
    for i in range(5):
        rig.poll(i * MINUTE_NS)
        shown.append(reader.reading.forward_wh)
        assert_true(reader.reading, meter)
    assert shown[0] > 99_999_000 > 5000 > shown[-1]


def test_E8_display_multiplier():
    meter = FocusAL(display_multiplier=10, forward_wh=1_234_567)
    reader = read(meter)
    assert reader.reading.forward_wh // 1_000 % 100_000 == 12345


def test_reverse_energy_of_a_solar_roof():
    meter = FocusAL(load=Load("solar"))
    reader = FocusReader()
    rig = Rig(meter, reader)
    for i in range(20):
        rig.poll(i * MINUTE_NS)
        assert_true(reader.reading, meter)
    assert reader.reading.reverse_wh > 500


def test_R18_meter_swap_between_polls():
    reader = FocusReader()
    rig = Rig(FocusAL(serial="SIMA", forward_wh=44_100_000), reader)
    rig.poll()
    rig.swap(FocusAL(serial="SIMB", forward_wh=3_000, most_first=True, ni_format=formats.INT48))
    rig.poll(MINUTE_NS)
    assert reader.reading.serial == b"SIMB"
    assert_true(reader.reading, rig.meter)


def test_R18_swap_to_a_meter_of_another_kind_under_all_formats():
    for ni_format in READABLE:
        reader = FocusReader()
        rig = Rig(FocusAL(serial="SIMA", forward_wh=100_000), reader)
        rig.poll()
        rig.swap(FocusAL(serial="SIMB", forward_wh=2_000, ni_format=ni_format, bcd_ids=False))
        rig.poll(MINUTE_NS)
        assert reader.reading.serial == b"SIMB"
        assert_true(reader.reading, rig.meter)


def test_reprogrammed_meter_is_learned_again_when_a_read_fails():
    reader = FocusReader()
    rig = Rig(FocusAL(serial="SIMA"), reader)
    rig.poll()
    rig.swap(FocusAL(serial="SIMA", offset_access=False, forward_wh=77))
    rig.poll(MINUTE_NS)
    assert reader.error == errors.OK
    assert_true(reader.reading, rig.meter)


def test_read_password():
    meter = FocusAL(read_password=b"FAKE-READ")
    reader = FocusReader()
    Rig(meter, reader).poll()
    assert reader.error == errors.REFUSED
    read(FocusAL(read_password=b"FAKE-READ"), password=b"FAKE-READ")
    read(FocusAL(read_password=b"FAKE-READ"), password=b"FAKE-READ", password_pad=b" ")
    reader = FocusReader(password=b"WRONG")
    Rig(FocusAL(read_password=b"FAKE-READ"), reader).poll()
    assert reader.error == errors.REFUSED


@pytest.mark.parametrize("code", [services.ISC, services.IAR, services.DLK])
@pytest.mark.parametrize("table", [1, 11, 12, 16, 21, 22, 23])
def test_denied_tables_end_in_a_named_error(table, code):
    meter = FocusAL()
    meter.refuse[table] = code
    reader = FocusReader()
    Rig(meter, reader).poll()
    assert reader.error == errors.REFUSED
    assert reader.detail == table << 16 | code


@pytest.mark.parametrize("table", [27, 28])
def test_denied_voltage_leaves_the_energy(table):
    meter = FocusAL()
    meter.refuse[table] = services.DLK
    reader = read(meter)
    assert reader.reading.status == NO_VOLTAGE | NO_CLOCK


def test_F3_patch_missing_or_wrong():
    for patch in (None, b"WLP\x07", bytes(4)):
        reader = FocusReader()
        Rig(FocusAL(patch=patch), reader).poll()
        assert reader.error == errors.NOT_LOGGING


def test_R8_other_model():
    reader = FocusReader()
    Rig(FocusAL(model="I-210+C"), reader).poll()
    assert reader.error == errors.UNSUPPORTED_METER


@pytest.mark.parametrize("table", [0, 1, 11, 12, 16, 21, 22, 23, 27, 28])
@pytest.mark.parametrize(
    "spoil",
    [lambda data: b"\xff" * len(data), lambda data: bytes(len(data))],
    ids=["ones", "zeros"],
)
def test_X3_a_spoilt_table_never_becomes_energy(table, spoil):
    meter = FocusAL(forward_wh=5_000_000)
    meter.spoil[table] = spoil
    reader = FocusReader()
    Rig(meter, reader).poll()
    if reader.error == errors.OK:
        # Zeros in ST-23 are numbers: to doubt them takes the last reading. Zeros in ST-22
        # name the forward source twice, and its first register is the right one.
        assert reader.reading.forward_wh == (0 if table == 23 else 5_000_000)
        assert table in (22, 23, 27, 28)
    else:
        assert reader.error in (
            errors.BAD_FORMAT,
            errors.UNSUPPORTED_METER,
            errors.NOT_LOGGING,
            errors.REFUSED,
        )


def test_dark_meter_is_no_answer_and_counts_nothing():
    meter = FocusAL()
    reader = FocusReader()
    rig = Rig(meter, reader)
    rig.poll()
    before = reader.reading.forward_wh
    meter.set_lit(MINUTE_NS, False)
    rig.poll(MINUTE_NS)
    assert reader.error == errors.NO_ANSWER
    meter.set_lit(61 * MINUTE_NS, True)
    rig.poll(61 * MINUTE_NS)
    assert reader.error == errors.OK
    assert reader.reading.forward_wh - before < 100


def test_power_cut_in_mid_session_is_recovered():
    for cut_ms in range(5, 240, 9):
        meter = FocusAL()
        reader = FocusReader()
        rig = Rig(meter, reader)
        rig.poll()
        cut_ns = MINUTE_NS + cut_ms * 1_000_000
        rig._at(cut_ns, lambda now_ns, meter=meter: meter.set_lit(now_ns, False))
        rig._at(cut_ns + NS_PER_S, lambda now_ns, meter=meter: meter.set_lit(now_ns, True))
        rig.poll(MINUTE_NS)
        assert reader.error == errors.OK, cut_ms
        assert_true(reader.reading, meter)


def test_R11_a_steady_poll_is_230_bytes_and_nothing_but_wire():
    reader = FocusReader()
    rig = Rig(FocusAL(), reader)
    rig.poll()
    first = dict(rig.bytes)
    rig.bytes.update(C=0, M=0)
    took_ms = rig.poll(MINUTE_NS)
    assert sum(first.values()) < 800
    assert rig.bytes == {"C": 110, "M": 120}
    assert took_ms < 230 * 1.0417 * 1.02


@settings(max_examples=150, deadline=None)
@given(
    fault=st.sampled_from(NAMES),
    rate=st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.5]),
    seed=st.integers(0, 2**32),
    learned=st.booleans(),
)
def test_bad_line_gives_the_right_reading_or_a_named_error(fault, rate, seed, learned):
    meter = FocusAL(serial="SIMFAULT", forward_wh=7_654_321, reverse_wh=11)
    reader = FocusReader()
    rig = Rig(meter, reader)
    if learned:
        rig.poll()
    rig.port._faults = Faults(fault, rate, seed)
    for i in range(1, 4):
        rig.poll(rig.now_ns + i * MINUTE_NS)
        if reader.error == errors.OK:
            assert reader.reading.serial == b"SIMFAULT"
            assert_true(reader.reading, meter)
        else:
            assert reader.error in (errors.NO_ANSWER, errors.BAD_FORMAT, errors.REFUSED)
    rig.port._faults = Faults()
    rig.poll(rig.now_ns + MINUTE_NS)
    assert reader.error == errors.OK, "a clean line is read again"
    assert_true(reader.reading, meter)


def test_G3_a_display_that_somebody_changes_is_noticed_within_the_hour():
    """What the reader looks at once an hour costs less than a twentieth of all bytes."""
    meter = FocusAL(display=(7,) * 4)
    reader = FocusReader()
    rig = Rig(meter, reader)
    rig.poll()
    before = reader.display
    meter.display.set_items((7, 0))
    first = sum(rig.bytes.values())
    for minute in range(1, 60):
        rig.poll(minute * MINUTE_NS)
        assert_true(reader.reading, meter)
        assert reader.display is before
    steady = (sum(rig.bytes.values()) - first) / 59
    rig.poll(61 * MINUTE_NS)
    assert_true(reader.reading, meter)
    assert reader.display.items[:2] == [7, 0] != before.items[:2]
    assert first - steady < 60 * steady / 20
