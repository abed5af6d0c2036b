"""E-10, O-6: whenever the power goes, the next poll's total is the meter's register."""

import random

import pytest
from station import meter

SEED = 20260
CUTS = 10
POLL_S = 10
OFF_S = 2
# A cut falls within the first two polls after a start: long enough for everything a start does.
RUN_S = 12
# Half of the cuts fall into a start and its poll, where the writing is.
START_S = 1.2


@pytest.fixture(scope="module")
def cut_often(station):
    """One module that lives through all of them; tests cut it and look."""
    made = station(meter())
    made.until("read", 5)
    return made


def assert_nothing_lost(made, how):
    """Give the power back and compare the next poll with the meter, watt-hour by watt-hour."""
    made.run(OFF_S)
    made.module.power_on()
    event = made.until("read", 5)
    forward_wh, reverse_wh = made.served_wh()
    found = (event["forward_wh"], event["reverse_wh"], event["total_wh"])
    replay = f"{how}; seed {SEED}, power back at {event['t_s']:.6f} s of this file's one module"
    assert found == (forward_wh, reverse_wh, forward_wh), replay


def moments():
    """Yield when each cut comes, in seconds after the read before it."""
    source = random.Random(SEED)
    for number in range(CUTS):
        yield number, source.uniform(0, RUN_S if number % 5 == 0 else START_S)


@pytest.mark.parametrize(("number", "after_s"), moments())
def test_E10_cut_at_a_random_moment(cut_often, number, after_s):
    """The module runs from its start to the cut, then reads: nothing of the gap is missing."""
    made = cut_often
    made.module.reset()
    made.run(after_s)
    cut_ns = made.module.now_ns
    made.module.power_cut()
    assert_nothing_lost(made, f"cut {number}, {after_s:.6f} s after reset, at {cut_ns} ns")


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_E10_cut_within_the_commit(cut_often, fraction):
    made = cut_often
    made.module.cut_at_operation(1, fraction)
    made.run(POLL_S + 3)
    assert not made.module.powered
    assert_nothing_lost(made, f"cut at {fraction} of the next flash operation")


@pytest.mark.parametrize("fraction", [0.02, 0.6])
def test_E10_cut_within_the_journal_s_erase(station, fraction):
    """The erase ahead of need comes between two commits; a module that restarts reaches it."""
    made = station(meter())
    operations = []
    made.module.on_flash_operation = operations.append
    made.until("read", 5)
    while not any(operation.kind == "erase" for operation in operations[1:]):
        before = made.module.flash
        count = len(operations)
        made.module.power_cut()
        made.module.power_on()
        made.until("read", 5)
        assert len(operations) > count and len(operations) < 40
    made.module.power_cut()
    made.module.flash = before
    made.module.cut_at_operation(2, fraction)
    made.module.power_on()
    made.run(3)
    assert not made.module.powered
    assert_nothing_lost(made, f"cut at {fraction} of the erase that follows a commit")


def test_cuts_fell_into_different_parts_of_the_work(cut_often):
    """The module above really was cut: it has read the meter after every one of them."""
    assert len([cause for cause, _ in cut_often.resets if cause == "power"]) >= 2 * (CUTS + 3)
    assert cut_often.status()["fault"] == ""
