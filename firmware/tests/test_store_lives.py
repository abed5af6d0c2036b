"""E-10, O-6: the whole storage cut at its operations; host/tests does thirty times as much."""

from store_lives import Plan, cut_everywhere


def test_E10_O6_cuts_of_a_life_with_wraps():
    assert cut_everywhere(Plan("vm", 110, 200), every=6) >= 250


def test_E10_O6_cuts_of_a_life_of_large_records():
    assert cut_everywhere(Plan("large", 24, 1500, prepares=False), every=3) >= 500


def test_E10_O6_cuts_of_a_life_on_foreign_flash():
    assert cut_everywhere(Plan("foreign", 30, 300, fill=0x57), every=3) >= 100
