"""Rules E-3 to E-5, D-9 and X-2 to X-8 on one register: the numbers of the rules themselves."""

from micropython import const

from endpoint.metering import UnsupportedForm, VoltageNeeded
from endpoint.metering.forms import form, names, turn_gap_s
from endpoint.metering.register import (
    ACCEPTED,
    DISCONTINUITY,
    MODULUS_WH,
    STATE_BYTES,
    SUSPECT,
    Register,
    is_plausible,
    signed,
)

_CAP_2S_W = const(72_000)
_HOUR_S = const(3600)


def reads(register, values, every_s=60, cap_w=_CAP_2S_W):
    """Offer readings; return the Wh credited and the last outcome."""
    credited = 0
    outcome = None
    for wh in values:
        outcome = register.offer(wh, every_s, cap_w)
        credited += register.step_wh
    return credited, outcome


def started(wh, is_net=False):
    register = Register(is_net)
    register.start(wh)
    return register


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


def test_E3_rollover_is_an_ordinary_step():
    register = started(99_998_400)
    assert reads(register, (1_250,), _HOUR_S) == (2_850, ACCEPTED)
    assert register.baseline_wh == 1_250
    assert register.jumps == register.transients == 0


def test_E4_a_step_backwards_is_suspect():
    register = started(50_000_000)
    assert reads(register, (49_999_000,)) == (0, SUSPECT)
    assert register.baseline_wh == 50_000_000


# Form, volts, class, W, Wh a minute, hours after which a turn is believable, part number.
_E5 = (
    ("1S", 120, 100, 18_000, 300, 5_555, "FASY-0624-0003"),
    ("3S", 120, 20, 3_600, 60, 27_777, "FASY-0624-0003"),
    ("12S", 120, 200, 72_000, 1_200, 1_388, "FASY-0624-0003"),
    ("25S", 120, 200, 72_000, 1_200, 1_388, "FASY-0624-0003"),
    ("2S", 240, 200, 72_000, 1_200, 1_388, "FASY-0624-0004"),
    ("2SE", 240, 320, 115_200, 1_920, 868, "FASY-0624-0004"),
    ("2K", 240, 480, 172_800, 2_880, 578, "FASY-0624-0004"),
    ("3S", 240, 20, 7_200, 120, 13_888, "FASY-0624-0004"),
    ("4S", 240, 20, 7_200, 120, 13_888, "FASY-0624-0004"),
)


def test_E5_F1_table_of_meters():
    for name, voltage_v, class_a, cap_w, minute_wh, turn_h, part in _E5:
        meter = form(name, voltage_v)
        assert (meter.class_a, meter.part_number) == (class_a, part)
        assert meter.cap_w() == cap_w
        assert turn_gap_s(cap_w) // _HOUR_S == turn_h
        assert is_plausible(minute_wh + 10, 60, cap_w)
        assert not is_plausible(minute_wh + 11, 60, cap_w)


def test_F1_other_meters_are_refused():
    for name, voltage_v in (("12S", 240), ("5S", 120), ("9S", 120), ("16S", 240), ("1S", 240)):
        assert raises(UnsupportedForm, form, name, voltage_v)
    assert raises(UnsupportedForm, form, "")
    assert raises(VoltageNeeded, form, "3S")
    assert form("2S").voltage_v == 240
    assert form("1S").voltage_v == 120


def test_F1_forms_of_a_module():
    assert names("FASY-0624-0003") == ["1S", "3S", "12S", "25S"]
    assert names("FASY-0624-0004") == ["2S", "2SE", "2K", "3S", "4S"]
    assert names("FASY-0624-0005") == []


def test_F2_transformer_rated_forms():
    for name, voltage_v, _, _, _, _, _ in _E5:
        assert form(name, voltage_v).transformer_rated == (name in ("3S", "4S"))


def test_E5_after_a_long_gap_the_smallest_step_counts():
    register = started(40_000_000)
    assert reads(register, (39_000_000,), 60 * 24 * _HOUR_S) == (99_000_000, ACCEPTED)
    assert register.gap_s > turn_gap_s(_CAP_2S_W)


def test_E6_E7_a_multiplier_sizes_the_cap_only():
    meter = form("3S", 120)
    assert meter.cap_w(80) == 288_000
    register = started(0)
    assert reads(register, (250_000,), _HOUR_S, meter.cap_w()) == (0, SUSPECT)
    register = started(0)
    assert reads(register, (250_000,), _HOUR_S, meter.cap_w(80)) == (250_000, ACCEPTED)
    # 40 kWh on the meter are 40 kWh here, whatever the ratio.
    register = started(1_000_000)
    assert reads(register, (1_040_000,), _HOUR_S, meter.cap_w(40))[0] == 40_000


def test_X2_plausible_to_the_last_watt_hour():
    assert is_plausible(1_210, 60, _CAP_2S_W)
    assert not is_plausible(1_211, 60, _CAP_2S_W)
    assert is_plausible(10, 0, _CAP_2S_W)
    assert not is_plausible(11, 0, _CAP_2S_W)
    assert is_plausible(72_000 * 72 + 10, 3 * 24 * _HOUR_S, _CAP_2S_W)


def test_X3_one_outlier_never_moves_the_baseline():
    register = started(12_000_000)
    assert reads(register, (0,)) == (0, SUSPECT)
    assert register.baseline_wh == 12_000_000
    # Two minutes' cap: 2 410 Wh.
    assert reads(register, (12_000_900,)) == (900, ACCEPTED)
    assert (register.transients, register.jumps) == (1, 0)


def test_X3_two_minutes_of_cap_after_an_outlier():
    register = started(12_000_000)
    assert reads(register, (0, 12_002_410)) == (2_410, ACCEPTED)
    register = started(12_000_000)
    assert reads(register, (0, 12_002_411)) == (0, SUSPECT)


def test_X3_outliers_that_do_not_agree_never_confirm_each_other():
    register = started(12_000_000)
    assert reads(register, (0, 50_000_000, 7, 60_000_000, 0, 33)) == (0, SUSPECT)
    assert reads(register, (12_000_500,)) == (500, ACCEPTED)
    assert (register.transients, register.jumps) == (6, 0)


def test_X4_confirmed_reset():
    register = started(30_000_000)
    assert reads(register, (50, 250)) == (0, SUSPECT)
    assert reads(register, (450,)) == (400, DISCONTINUITY)
    assert (register.jumped_from_wh, register.jumped_to_wh) == (30_000_000, 50)
    assert (register.baseline_wh, register.jumps, register.transients) == (450, 1, 0)
    assert reads(register, (650,)) == (200, ACCEPTED)


def test_X4_agreeing_steps_are_bounded_by_the_cap():
    register = started(30_000_000)
    assert reads(register, (50, 1_260, 2_470)) == (2_420, DISCONTINUITY)
    register = started(30_000_000)
    assert reads(register, (50, 1_260, 2_471)) == (0, SUSPECT)


def test_X4_reset_just_before_a_turn():
    register = started(30_000_000)
    assert reads(register, (99_999_900, 100, 300)) == (400, DISCONTINUITY)


def test_X5_preset_upward():
    register = started(12_000_000)
    assert reads(register, (20_000_000, 20_000_300, 20_000_700)) == (700, DISCONTINUITY)
    assert register.jumps == 1


def test_D9_net_register_steps_are_signed():
    register = started(100, True)
    assert reads(register, (99_999_900,)) == (-200, ACCEPTED)
    assert reads(register, (100,)) == (200, ACCEPTED)
    assert reads(register, (60_000_000,)) == (0, SUSPECT)
    assert reads(register, (59_999_900, 59_999_700)) == (-300, DISCONTINUITY)


def test_D9_signed_image():
    for wh, image in ((0, 0), (1, 1), (50_000_000, 50_000_000), (50_000_001, -49_999_999)):
        assert signed(wh) == image
    assert signed(99_999_900) == -100


def test_readings_above_a_turn_are_taken_modulo():
    register = started(109_554_016)
    assert register.baseline_wh == 9_554_016
    assert reads(register, (109_562_072,), 2 * _HOUR_S) == (8_056, ACCEPTED)


def test_state_round_trip_at_every_stage():
    for is_net in (False, True):
        values = (30_000_000, 30_000_100, 99_000_500, 99_000_400 + 200 * (not is_net))
        values += (99_000_350 + 300 * (not is_net), 5, 99_000_700)
        kept = started(values[0], is_net)
        moved = started(values[0], is_net)
        buffer = bytearray(STATE_BYTES + 3)
        for wh in values[1:]:
            moved.pack_into(buffer, 3)
            moved = Register(is_net)
            moved.unpack_from(buffer, 3)
            kept.offer(wh, 60, _CAP_2S_W)
            moved.offer(wh, 60, _CAP_2S_W)
            for name in ("baseline_wh", "age_s", "step_wh", "gap_s", "transients", "jumps"):
                assert getattr(kept, name) == getattr(moved, name)
        assert kept.jumps == 1 and kept.transients == 1


def test_ages_stay_small_integers():
    register = started(0)
    for _ in range(3):
        reads(register, (MODULUS_WH // 2,), 0x3FFFFFFF, 1)
    assert register.age_s <= 0x3FFFFFFF
