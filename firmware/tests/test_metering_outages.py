"""Section 10 of the rules: interruptions and restarts."""

from endpoint.metering.outages import (
    CRASH,
    LOG_ENTRIES,
    PENDING,
    SHARED,
    STATE_BYTES,
    WATCHDOG,
    Outages,
)

T0 = 1_800_000_000


def interrupted(*times):
    """Return the counters after (start, duration) from T0 on, with a clock that runs."""
    outages = Outages()
    for start_s, length_s in times:
        outages.dark(T0 + start_s)
        outages.lit(length_s)
    return outages


def counters(outages):
    assert outages.power_fail == outages.blink + outages.sustained
    return (
        outages.power_fail,
        outages.blink,
        outages.sustained,
        outages.momentary_events(),
        outages.dark_seconds,
    )


def copy(outages):
    state = bytearray(STATE_BYTES + 1)
    outages.pack_into(state, 1)
    other = Outages()
    other.unpack_from(state, 1)
    again = bytearray(STATE_BYTES + 1)
    other.pack_into(again, 1)
    assert state == again
    return other


def test_O1_O2_counters():
    outages = interrupted((0, 4), (100, 6), (299, 9), (301, 2), (2000, 300), (4000, 301))
    assert counters(outages) == (6, 5, 1, 3, 622)


def test_O2_blink_before_a_sustained_one_is_part_of_it():
    assert counters(interrupted((0, 4), (200, 900))) == (2, 1, 1, 0, 904)


def test_O1_limits_are_inclusive():
    assert counters(interrupted((0, 300))) == (1, 1, 0, 1, 300)
    assert counters(interrupted((0, 301))) == (1, 0, 1, 0, 301)
    assert counters(interrupted((0, 1), (300, 1))) == (2, 2, 0, 1, 2)
    assert counters(interrupted((0, 1), (301, 1))) == (2, 2, 0, 2, 2)
    assert counters(interrupted((0, 1), (301, 900))) == (2, 1, 1, 1, 901)


def test_O3_duration_is_pending_until_the_time_is_known():
    outages = Outages()
    outages.dark(T0)
    outages = copy(outages)
    outages.lit()
    assert outages.entry(0) == (T0, None, PENDING)
    assert counters(outages) == (0, 0, 0, 0, 0) and outages.pending == 1
    outages = copy(outages)
    outages.sync(T0 + 6600)
    assert outages.entry(0)[:2] == (T0, 6600)
    assert counters(outages) == (1, 0, 1, 0, 6600) and outages.pending == 0


def test_O3_failing_again_before_the_time_is_known():
    outages = Outages()
    outages.dark(T0)
    outages.lit()
    outages.dark(0, 100)  # after 100 s with power
    outages = copy(outages)
    outages.lit()
    assert outages.pending == 2
    outages.sync(T0 + 1100)  # 1000 s dark in all
    assert counters(outages) == (2, 1, 1, 0, 1000)
    assert outages.entry(0)[:2] == (T0, 0) and outages.entry(1)[:2] == (T0 + 100, 1000)
    assert outages.entry(0)[2] & outages.entry(1)[2] & SHARED


def test_O3_length_measured_before_the_time_is_known():
    outages = Outages()
    outages.dark(0, 50)
    outages.lit(7)
    assert outages.pending == 1
    outages.dark(0, 20)
    outages.lit(9)
    outages.sync(T0)
    assert outages.entry(0)[:2] == (T0 - 36, 7) and outages.entry(1)[:2] == (T0 - 9, 9)
    assert counters(outages) == (2, 2, 0, 1, 16)


def test_O4_restarts_are_no_interruptions():
    outages = interrupted((0, 9), (1000, 9))
    outages.restarted(WATCHDOG)
    outages = copy(outages)
    assert outages.power_fail == 2
    assert outages.restarts[WATCHDOG] == 1 and outages.restarts[CRASH] == 0


def test_O5_log_keeps_the_last_twelve():
    outages = interrupted(*((i * 1000, i) for i in range(1, 16)))
    assert len(outages) == LOG_ENTRIES == 12
    assert [outages.entry(i)[1] for i in range(12)] == list(range(4, 16))
    assert outages.overflow == 3 and outages.power_fail == 15


def test_O5_pending_entries_survive_an_overflow_in_the_counters():
    outages = Outages()
    outages.dark(T0)
    outages.lit()
    for _ in range(14):
        outages.dark(0, 10)
        outages.lit()
    assert outages.pending == 12 and outages.overflow == 3
    outages.sync(T0 + 500)
    assert outages.power_fail == 15 and outages.pending == 0
    assert outages.dark_seconds == 500 - 14 * 10


def test_edges_that_repeat_change_nothing():
    outages = Outages()
    outages.lit(5)
    outages.sync(T0)
    outages.dark(T0)
    outages.dark(T0 + 1)
    outages.sync(T0 + 2)
    outages.lit(5)
    outages.lit(6)
    assert counters(outages) == (1, 1, 0, 1, 5)
