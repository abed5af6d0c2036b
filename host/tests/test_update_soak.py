"""Power cuts of an update, many more of them than `make test` has time for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))

import test_update_power_cuts as cuts

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    ("state", "work", "allowed", "final"),
    [
        (cuts.old_runs, cuts.update_to(cuts.NEW), (cuts.OLD, cuts.NEW), cuts.NEW),
        (cuts.both_confirmed, cuts.update_to(cuts.NEWER), (cuts.NEW, cuts.NEWER), cuts.NEWER),
        (cuts.both_confirmed, cuts.roll_back, (cuts.OLD, cuts.NEW), cuts.OLD),
        (cuts.old_runs, cuts.reject_the_trial, (cuts.OLD, cuts.NEW), cuts.OLD),
    ],
    ids=["update", "over an earlier one", "roll-back", "rejected"],
)
def test_cut_at_every_operation_with_forty_tears(state, work, allowed, final):
    cuts.cut_everywhere(state, work, allowed, final, range(40))


def test_every_pair_of_cuts():
    update = cuts.update_to(cuts.NEW)
    assert cuts.cut_twice(cuts.old_runs, update, (cuts.OLD, cuts.NEW), cuts.NEW, 1) > 1400
