"""When an application on trial is kept, and when it is given up."""

from endpoint.update.trial import verdict

S = 1000
MIN = 60 * S
NO_METER = "no meter read"


def test_one_good_read_after_ten_seconds_is_enough():
    assert verdict(9999, True, 1, 0, True) is None
    assert verdict(10 * S, True, 1, 0, True) == ""


def test_a_silent_meter_is_waited_for_a_quarter_of_an_hour():
    for uptime_ms in (10 * S, 5 * MIN, 15 * MIN - 1):
        assert verdict(uptime_ms, True, 0, 0, True) is None
    assert verdict(15 * MIN, True, 0, 0, True) == NO_METER
    assert verdict(20 * MIN, True, 1, 0, True) == "", "better late than never"


def test_no_meter_is_needed_without_settings_or_when_nobody_expects_one():
    assert verdict(10 * S, False, 0, 0, True) == ""
    assert verdict(10 * S, True, 0, 0, False) == ""
    assert verdict(9999, False, 0, 0, False) is None


def test_one_record_that_is_not_written_is_the_end_at_once():
    for reads in (0, 1):
        assert verdict(1, True, reads, 1, True) == "journal not written"
