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
# A random moment of a start and its first poll.
START_S = 2.5
# Kind, number and part of the operation: pages of a record, the last of them and the first of
# the next poll among them, and the erase that comes every few polls.
IN_A_POLL = [("program", 1, 0.0), ("program", 6, 0.6), ("program", 8, 0.02), ("erase", 1, 0.3)]
IN_A_START = [("program", 2, 0.1)]
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


def cut_in_operation(made, number, fraction, limit_s, kind=None):
    """Cut within the `number`-th flash operation from now, and remember what it was."""
    operations = []
    made.module.on_flash_operation = operations.append
    made.module.cut_at_operation(number, fraction, kind)
    if not made.module.powered:
        made.module.power_on()
    made.run(limit_s)
    made.module.on_flash_operation = None
    assert not made.module.powered, f"{len(operations)} operations in {limit_s} s"
    assert len([done for done in operations if kind in (None, done.kind)]) == number
    made.kinds.append(operations[-1].kind)


def test_E10_cut_at_a_random_moment(cut_often):
    """The module runs from its start to the cut, then reads: nothing of the gap is missing."""
    made = cut_often
    after_s = random.Random(SEED).uniform(0, START_S)
    made.module.reset()
    made.run(after_s)
    cut_ns = made.module.now_ns
    made.module.power_cut()
    assert_nothing_lost(made, f"cut {after_s:.6f} s after reset, at {cut_ns} ns")


@pytest.mark.parametrize(("kind", "number", "fraction"), IN_A_POLL)
def test_E10_cut_within_an_operation_of_a_poll(cut_often, kind, number, fraction):
    cut_in_operation(cut_often, number, fraction, 4 * POLL_S, kind)
    assert_nothing_lost(cut_often, f"cut at {fraction} of {kind} {number} of a poll")
    assert cut_often.kinds[-1] == kind


@pytest.mark.parametrize(("kind", "number", "fraction"), IN_A_START)
def test_E10_cut_within_an_operation_of_a_start(cut_often, kind, number, fraction):
    """Cut again while the module clears up after a cut."""
    cut_often.module.power_cut()
    cut_in_operation(cut_often, number, fraction, 2 * POLL_S, kind)
    assert_nothing_lost(cut_often, f"cut at {fraction} of {kind} {number} of a start")
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
