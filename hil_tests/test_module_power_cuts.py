"""E-10, O-6: whenever the power goes, the next poll's total is the meter's register.

One module lives through all of it. Most cuts fall within a flash operation of a poll: the module
has read, is cut while it writes, starts again and reads; that start is the check of this cut and
the beginning of the next one. A failure names operation and fraction.
"""

import random

import pytest
from station import meter

SEED = 20260
OFF_S = 2
POLL_S = 10
# Random moments: a start and its first poll.
MOMENTS = 2
START_S = 2.5
# Operations of a poll and the start of the next: pages of a record, an erase every few polls.
FRACTIONS = (0.0, 0.02, 0.3, 0.6, 0.97)
IN_A_POLL = [(1 + n % 8, FRACTIONS[n % 5]) for n in range(12)]
IN_A_START = [(1, 0.5), (2, 0.1), (5, 0.5)]
SOAK_CUTS = 300


@pytest.fixture(scope="module")
def cut_often(station):
    """One module that lives through all of them; tests cut it and look."""
    made = station(meter())
    made.commits = made.until("read", 8)["commits"]
    made.kinds = []
    return made


def assert_nothing_lost(made, how):
    """Give the power back and compare the next poll with the meter, watt-hour by watt-hour.

    A lost journal would begin anew at the meter's register and so agree with it: the record's
    number must have gone on.
    """
    made.run(OFF_S)
    made.module.power_on()
    event = made.until("read", 8)
    forward_wh, reverse_wh = made.served_wh()
    found = (event["forward_wh"], event["reverse_wh"], event["total_wh"])
    replay = f"{how}; power back at {event['t_s']:.6f} s of this file's one module"
    assert found == (forward_wh, reverse_wh, forward_wh), replay
    assert event["commits"] > made.commits, replay
    made.commits = event["commits"]


def cut_in_operation(made, number, fraction, limit_s):
    """Cut within the `number`-th flash operation from now, and remember what it was."""
    operations = []
    made.module.on_flash_operation = operations.append
    made.module.cut_at_operation(number, fraction)
    if not made.module.powered:
        made.module.power_on()
    made.run(limit_s)
    made.module.on_flash_operation = None
    assert not made.module.powered, f"{len(operations)} operations in {limit_s} s"
    assert len(operations) == number
    made.kinds.append(operations[-1].kind)


def moments():
    """Yield when each cut comes, in seconds after a reset."""
    source = random.Random(SEED)
    for number in range(MOMENTS):
        yield number, source.uniform(0, START_S)


@pytest.mark.parametrize(("number", "after_s"), list(moments()))
def test_E10_cut_at_a_random_moment(cut_often, number, after_s):
    """The module runs from its start to the cut, then reads: nothing of the gap is missing."""
    made = cut_often
    made.module.reset()
    made.run(after_s)
    cut_ns = made.module.now_ns
    made.module.power_cut()
    assert_nothing_lost(made, f"cut {number}, {after_s:.6f} s after reset, at {cut_ns} ns")


@pytest.mark.parametrize(("number", "fraction"), IN_A_POLL)
def test_E10_cut_within_an_operation_of_a_poll(cut_often, number, fraction):
    cut_in_operation(cut_often, number, fraction, 3 * POLL_S)
    assert_nothing_lost(cut_often, f"cut at {fraction} of operation {number} of a poll")


@pytest.mark.parametrize(("number", "fraction"), IN_A_START)
def test_E10_cut_within_an_operation_of_a_start(cut_often, number, fraction):
    """Cut again while the module clears up after a cut."""
    cut_often.module.power_cut()
    cut_in_operation(cut_often, number, fraction, 2 * POLL_S)
    assert_nothing_lost(cut_often, f"cut at {fraction} of operation {number} of a start")


def test_cuts_fell_into_different_parts_of_the_work(cut_often):
    """The module above really was cut, in programs and in erases, and works."""
    assert len([cause for cause, _ in cut_often.resets if cause == "power"]) >= 2 * MOMENTS
    if len(cut_often.kinds) == len(IN_A_POLL) + len(IN_A_START):
        assert set(cut_often.kinds) == {"program", "erase"}
    assert cut_often.status()["fault"] == ""


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_E10_three_hundred_cuts_with_the_whole_image(station):
    """A cut in every second of them also hits the start that follows."""
    source = random.Random(SEED)
    made = station(meter())
    made.commits = made.until("read", 8)["commits"]
    made.kinds = []
    while len(made.kinds) < SOAK_CUTS:
        number, fraction = source.randint(1, 14), source.choice((0.0, source.random(), 0.999))
        how = f"cut {len(made.kinds)}: {fraction} of operation {number}"
        cut_in_operation(made, number, fraction, 4 * POLL_S)
        if len(made.kinds) % 2:
            made.run(OFF_S)
            again, part = source.randint(1, 8), source.random()
            cut_in_operation(made, again, part, 3 * POLL_S)
            how += f", then {part} of operation {again}"
        assert_nothing_lost(made, how)
    assert set(made.kinds) == {"program", "erase"}
