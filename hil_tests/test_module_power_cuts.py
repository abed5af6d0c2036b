"""E-10, O-6: whenever the power goes, the next poll's total is the meter's register."""

import random

import pytest
from conftest import BOARD
from station import meter

from endpoint.store.journal import Journal
from wattline.image import boards

WIRING = boards.data(BOARD)
STORAGE_AT = 2 * 1024 * 1024 - WIRING.STORAGE_BYTES
BLOCK_BYTES = 4096
SEED = 20260
CUTS = 10
OFF_S = 2
# A cut falls within the first two polls after a start: long enough for everything a start does.
RUN_S = 12
# Half of the cuts fall into a start and its poll, where the writing is.
START_S = 1.2


@pytest.fixture(scope="module")
def cut_often(station):
    """One module that lives through all of them; tests cut it and look."""
    made = station(meter())
    made.commits = made.until("read", 5)["commits"]
    return made


def assert_nothing_lost(made, how):
    """Give the power back and compare the next poll with the meter, watt-hour by watt-hour.

    A lost journal would begin anew at the meter's register and so agree with it: the record's
    number must have gone on.
    """
    made.run(OFF_S)
    made.module.power_on()
    event = made.until("read", 5)
    forward_wh, reverse_wh = made.served_wh()
    found = (event["forward_wh"], event["reverse_wh"], event["total_wh"])
    replay = f"{how}; seed {SEED}, power back at {event['t_s']:.6f} s of this file's one module"
    assert found == (forward_wh, reverse_wh, forward_wh), replay
    assert event["commits"] > made.commits, replay
    made.commits = event["commits"]


def moments():
    """Yield when each cut comes, in seconds after the read before it."""
    source = random.Random(SEED)
    for number in range(CUTS):
        yield number, source.uniform(0, RUN_S if number % 5 == 0 else START_S)


@pytest.mark.parametrize(("number", "after_s"), list(moments()))
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
    made.module.reset()
    made.run(1.5)
    assert not made.module.powered
    assert_nothing_lost(made, f"cut at {fraction} of the next flash operation")


class Raw:
    """The journal's part of a flash content, as the block device that the store expects."""

    def __init__(self, content):
        self.content = bytearray(content)

    def readblocks(self, block, buffer, offset):
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.content[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset):
        at = block * BLOCK_BYTES + offset
        self.content[at : at + len(buffer)] = buffer

    def ioctl(self, operation, block):
        if operation == 6:
            at = block * BLOCK_BYTES
            self.content[at : at + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return {4: len(self.content) // BLOCK_BYTES, 5: BLOCK_BYTES}.get(operation, 0)


def nearly_full(flash):
    """Return `flash` with its record repeated until the next commit lets the journal erase."""
    raw = Raw(flash[STORAGE_AT : STORAGE_AT + WIRING.JOURNAL_BYTES])
    journal = Journal(raw)
    record = bytearray(journal.mount())
    journal.load(record)
    while True:
        before = bytes(raw.content)
        journal.commit(record, len(record))
        if journal.prepare():
            after = flash[STORAGE_AT + WIRING.JOURNAL_BYTES :]
            return flash[:STORAGE_AT] + before + after


@pytest.mark.parametrize("fraction", [0.02, 0.6])
def test_E10_cut_within_the_journal_s_erase(cut_often, fraction):
    made, operations = cut_often, []
    made.module.power_cut()
    made.module.flash = nearly_full(made.module.flash)
    made.module.on_flash_operation = operations.append
    made.module.cut_at_operation(2, fraction)
    made.module.power_on()
    made.run(1.5)
    assert not made.module.powered
    assert [operation.kind for operation in operations] == ["program", "erase"]
    assert_nothing_lost(made, f"cut at {fraction} of the erase that follows a commit")


def test_cuts_fell_into_different_parts_of_the_work(cut_often):
    """The module above really was cut: it has read the meter after every one of them."""
    assert len([cause for cause, _ in cut_often.resets if cause == "power"]) >= 2 * (CUTS + 3)
    assert cut_often.status()["fault"] == ""
