"""Sections 12 and 13 of the rules: limits, versions and display slots."""

from endpoint.metering import gates


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


def test_G1_firmware_gates():
    for version, streaming, net, items in (
        (11, False, False, False),
        (12, True, False, False),
        (16, True, False, False),
        (17, True, True, False),
        (18, True, True, True),
    ):
        assert gates.can_stream(version) is streaming
        assert gates.can_net(version) is net
        assert gates.can_add_items(version) is items


def test_G2_versions_compare_as_numbers():
    for text, allowed in (("3.1", False), ("3.2", True), ("3.10", True), ("4.0", True)):
        assert gates.may_reflash(text) is allowed
    assert gates.may_reflash("3.2.0") and not gates.may_reflash("3") and gates.may_reflash("4")
    for text in ("", "3.", ".2", "3.x", "-3.2", "1." * 40 + "0"):
        assert raises(gates.UnknownVersion, gates.may_reflash, text)


def test_G2_both_ends_must_be_able():
    for collector, head_end in ((True, False), (False, True), (False, False)):
        assert not gates.may_activate_streaming(collector, head_end)
    assert gates.may_activate_streaming(True, True)


def test_G3_display_slots():
    for used, wanted, plan in (
        (5, 11, (11, 0, False)),
        (6, 11, (10, 1, True)),
        (6, 2, (2, 0, True)),
        (16, 3, (0, 3, True)),
        (4, 5, (5, 0, False)),
    ):
        assert gates.display_plan(used, wanted) == plan


def test_G4_purchase_date():
    assert not gates.takes_items((2007, 8, 31))
    assert gates.takes_items((2007, 9, 1))
    assert raises(gates.DateNeeded, gates.takes_items, None)


def test_P_supply_limits_are_inclusive():
    for dv, voltage_v, fit in (
        (959, 120, False),
        (960, 120, True),
        (1440, 120, True),
        (1441, 120, False),
        (1919, 240, False),
        (1920, 240, True),
        (2880, 240, True),
        (2881, 240, False),
    ):
        assert gates.supply_is_fit(dv, voltage_v) is fit


def test_P_frequency_and_temperature():
    for chz, fit in ((5699, False), (5700, True), (6300, True), (6301, False)):
        assert gates.frequency_is_fit(chz) is fit
    assert gates.operates_at(-40) and gates.operates_at(75) and not gates.operates_at(76)
    assert gates.stores_at(85) and not gates.stores_at(86) and not gates.stores_at(-41)


def test_P2_programming_supply():
    assert gates.is_programming_supply(1196, 240)
    assert not gates.is_programming_supply(1920, 240)
    assert not gates.is_programming_supply(940, 120)
