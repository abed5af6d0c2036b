"""Load profiles: exact energy, pure functions, dark time, presets."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.meter.focus_al import FocusAL
from wattline.meter.forms import FORMS, find_form
from wattline.meter.load import DAY_S, MW_NS_PER_WH, NS_PER_S, PROFILES, Lit, Load

HOUR_NS = 3600 * NS_PER_S


def test_steady_load_is_its_power_times_time():
    load = Load("steady")
    assert load.energy(HOUR_NS) == (1200 * MW_NS_PER_WH, 0)
    assert load.energy(1) == (1_200_000, 0)
    assert load.power_w(5) == 1200


@pytest.mark.parametrize("profile", PROFILES)
def test_energy_is_the_sum_of_power_over_time(profile):
    load = Load(profile, seed=3)
    forward = reverse = 0
    for at_s in range(7000):
        power = load.power_mw(at_s * NS_PER_S)
        forward += max(power, 0) * NS_PER_S
        reverse += max(-power, 0) * NS_PER_S
    assert load.energy(7000 * NS_PER_S) == (forward, reverse)


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(0, 3 * DAY_S * NS_PER_S), min_size=2, max_size=12),
    profile=st.sampled_from(PROFILES),
)
def test_energy_never_decreases_and_does_not_depend_on_the_order_of_questions(times, profile):
    one, two = Load(profile), Load(profile)
    asked = {t: one.energy(t) for t in times}
    for early, late in pairwise(sorted(times)):
        assert asked[early][0] <= asked[late][0]
        assert asked[early][1] <= asked[late][1]
    for t in sorted(times):
        assert two.energy(t) == asked[t]


def test_seeds_and_days_differ_and_repeat():
    day_ns = DAY_S * NS_PER_S
    assert Load(seed=1).energy(day_ns) == Load(seed=1).energy(day_ns)
    assert Load(seed=1).energy(day_ns) != Load(seed=2).energy(day_ns)
    load = Load()
    assert load.energy(2 * day_ns)[0] != 2 * load.energy(day_ns)[0]


def test_profiles_have_their_character():
    day_ns = DAY_S * NS_PER_S

    def day_wh(profile):
        return tuple(part // MW_NS_PER_WH for part in Load(profile, start_hour=0).energy(day_ns))

    assert 8_000 < day_wh("house")[0] < 40_000
    assert day_wh("house")[1] == 0
    assert day_wh("solar")[1] > 10_000
    assert day_wh("commercial")[0] > 120_000
    assert Load("solar").power_mw(0) < 0


def test_scale_scales():
    assert Load("steady", scale=2.5).power_w(0) == 3000
    for scale in (0, -1, 2000):
        with pytest.raises(ValueError, match="scale"):
            Load("steady", scale=scale)
    with pytest.raises(ValueError, match="choose steady"):
        Load("disco")


@pytest.mark.parametrize("profile", PROFILES)
def test_voltage_stays_within_service_range(profile):
    load = Load(profile)
    for at_s in range(0, DAY_S, 97):
        assert 2400 * 0.95 < load.voltage_dv(at_s) < 2400 * 1.05


def test_dark_time_counts_nothing():
    load, lit = Load("steady"), Lit()
    lit.set(HOUR_NS, False)
    lit.set(3 * HOUR_NS, True)
    hour = 1200 * MW_NS_PER_WH
    assert [lit.energy(load, h * HOUR_NS)[0] for h in (1, 2, 3, 4)] == [hour, hour, hour, 2 * hour]
    assert [lit.at(h * HOUR_NS) for h in (0, 1, 2, 3)] == [True, False, False, True]
    with pytest.raises(ValueError, match="past"):
        lit.set(0, False)


def test_meter_registers_are_a_pure_function_of_time():
    meter = FocusAL(load=Load("steady"), forward_wh=99_999_000)
    assert meter.register_wh(0) == (99_999_000, 0)
    assert meter.register_wh(HOUR_NS) == (200, 0)
    meter.set_lit(HOUR_NS, False)
    meter.set_lit(2 * HOUR_NS, True)
    assert meter.register_wh(3 * HOUR_NS) == (1400, 0)
    meter.preset(4 * HOUR_NS, 50, 7)
    assert meter.register_wh(5 * HOUR_NS) == (1250, 7)
    assert meter.register_wh(HOUR_NS) == (200, 0)
    assert meter.outages == 1


def test_F1_forms():
    assert find_form("3S", 120).volts == 120
    assert find_form("2S").class_amps == 200
    assert len(FORMS) == 9
    with pytest.raises(ValueError, match="say which voltage"):
        find_form("3S")
    for name, volts in (("12S", 240), ("5S", None), ("9S", None), ("16S", None), ("1S", 240)):
        with pytest.raises(ValueError, match="not supported"):
            find_form(name, volts)
