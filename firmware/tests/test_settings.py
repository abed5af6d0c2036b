"""Settings: what is accepted, what is refused and by which name."""

from endpoint.line.profile import PROFILES
from endpoint.settings import SettingsError, check

FORMS = ("2S", "2SE")
GOOD = {"eid": 305419896, "form": "2S"}


def _refused(**changes):
    fields = dict(GOOD)
    fields.update(changes)
    try:
        check(fields, FORMS, PROFILES)
    except SettingsError as error:
        return str(error)
    return None


def test_defaults_are_filled_in():
    settings = check(GOOD, FORMS, PROFILES)
    assert settings["poll_s"] == 60
    assert settings["detent"] is True and settings["net"] is False
    assert settings["profile"] == "bench" and settings["channel"] == 0


def test_R21_multipliers_are_refused_by_name():
    for name in (
        "ct",
        "pt",
        "kh",
        "multiplier",
        "ct_ratio",
        "CT",
        "Kh",
        "meter_multiplier",
        "vt-ratio",
    ):
        assert _refused(**{name: 40}) == name + " belongs in the meter, not in the module"


def test_E7_largest_believable_power_may_be_entered():
    assert check(GOOD, FORMS, PROFILES)["largest_kw"] == 0
    assert _refused(largest_kw=288) is None
    assert "largest_kw" in _refused(largest_kw=-1)


def test_unknown_names_are_refused():
    assert _refused(detnet=True) == "detnet is not a setting"


def test_limits_name_the_field():
    assert "eid" in _refused(eid=0)
    assert "eid" in _refused(eid=True)
    assert "poll_s" in _refused(poll_s=9)
    assert "poll_s" in _refused(poll_s="60")
    assert _refused(poll_s=10) is None


def test_R65_detent_has_two_values_only():
    assert "detent" in _refused(detent=2)


def test_R77_net_needs_detent():
    assert _refused(net=True, detent=False) == "net needs detent to be true"
    assert _refused(net=True, detent=True) is None


def test_R45_form_must_be_one_of_the_boards():
    assert _refused(form="9S") == "form must be one of 2S, 2SE"
    assert _refused(form=None) is not None


def test_anything_but_an_object_is_refused():
    try:
        check([1, 2], FORMS, PROFILES)
    except SettingsError:
        return
    raise AssertionError("a list was accepted")


def test_a_channel_must_exist_in_the_profile():
    assert _refused(channel=24) == "channel 24 does not exist in bench"
    assert _refused(channel=25) is None
    assert _refused(profile="bench3") is not None


def test_M3_subintervals_divide_the_interval():
    assert _refused(demand_min=15, sub_min=5) is None
    assert _refused(demand_min=15, sub_min=4) == "sub_min must divide demand_min"
    assert "demand_min" in _refused(demand_min=20)
    assert "interval_min" in _refused(interval_min=10)


def test_D9_net_register_needs_detent():
    assert _refused(net_register=True) is None
    assert _refused(net_register=True, detent=False) == "net_register needs detent to be true"


def test_R87_display_items_are_at_most_sixteen_numbers():
    assert check(GOOD, FORMS, PROFILES)["display"] == []
    assert _refused(display=[1, 2, 3]) is None
    for bad in ("12", [1] * 17, [-1], [65536], [True], [1.5], {"a": 1}, None):
        assert "display" in _refused(display=bad), bad
