"""E-10, O-6: 30,000 power cuts at every flash operation of long lives, and faults that must show.

A failure prints ``WATTLINE_CUT=...``; with that in the environment,
``pytest host/tests/test_store_cuts.py -k replay`` does that one cut again.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from endpoint.store import nor
from endpoint.store.inputlog import InputLog
from endpoint.store.journal import Journal
from endpoint.store.ring import Ring

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))
import store_lives
from store_lives import Lost, Parts, Plan, cut_everywhere

PLANS = [
    Plan("small", 400, 120),
    Plan("kilobyte", 220, 1000),
    Plan("unprepared", 230, 300, prepares=False),
    Plan("foreign", 160, 300, fill=0xA5),
    Plan("zeros", 120, 300, fill=0x00),
    Plan("bad", 200, 200, bad=((0, 0), (1, 4), (4, 5), (7, 3), (10, 0))),
]
SHORT = Plan("short", 60, 200)


def fill(page, value):
    page[:] = bytes([value]) * 256


def fill_part(page, at, count, value):
    page[at : at + count] = bytes([value]) * count


def copy(page, at, source, start, count):
    page[at : at + count] = source[start : start + count]


def is_all(buffer, count, value):
    return buffer[:count].count(value) == count


def is_same(left, right, count):
    return left[:count] == right[:count]


def number_at(buffer, at):
    return min(int.from_bytes(buffer[at : at + 4], "little"), 0x3FFFFFFF)


FAST = (fill, fill_part, copy, is_all, is_same, number_at)


@pytest.fixture
def fast(monkeypatch):
    """The same arithmetic on pages as slices: CPython is slow with single bytes."""
    for function in FAST:
        monkeypatch.setattr(nor, function.__name__, function)


def test_fast_and_slow_agree():
    source = random.Random(1)
    for _ in range(300):
        page = bytearray(source.choice((source.randbytes(256), b"\0" * 256, b"\xff" * 256)))
        other = bytearray(page)
        other[source.randrange(256)] ^= source.choice((0, 1))
        at, count = source.randrange(100), source.randrange(150)
        value = source.choice((0, 255, 7))
        for name, arguments in (
            ("fill_part", (at, count, value)),
            ("copy", (at, other, at, count)),
            ("fill", (value,)),
        ):
            results = []
            for function in (getattr(nor, name), globals()[name]):
                mine = bytearray(page)
                function(mine, *arguments)
                results.append(mine)
            assert results[0] == results[1]
        assert nor.is_all(page, count, value) == is_all(page, count, value)
        assert nor.is_same(page, other, 256) == is_same(page, other, 256)
        assert nor.number_at(page, at) == number_at(page, at)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_E10_O6_every_cut(fast, plan):
    """Together more than 30,000; `test_there_are_enough_cuts` holds the sum."""
    assert cut_everywhere(plan) >= LEAST[plan.name]


LEAST = {
    "small": 5700,
    "kilobyte": 10700,
    "unprepared": 5300,
    "foreign": 3700,
    "zeros": 2750,
    "bad": 2950,
}


def test_there_are_enough_cuts():
    assert sum(LEAST.values()) >= 30_000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 8))
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_E10_O6_every_cut_with_other_bits(fast, plan, seed):
    """Seven times what the default does: more than 210,000 cuts."""
    assert cut_everywhere(plan, seed=seed) >= LEAST[plan.name]


@pytest.mark.skipif("WATTLINE_CUT" not in os.environ, reason="WATTLINE_CUT names no cut")
def test_replay():
    assert store_lives.replay([*PLANS, SHORT], os.environ["WATTLINE_CUT"])


def test_a_failure_names_the_cut_that_does_it_again(fast):
    with pytest.raises(Lost) as failure:
        cut_everywhere(SHORT, StateFirst)
    name = str(failure.value).split("WATTLINE_CUT=")[1].split(": ")[0]
    with pytest.raises(Lost, match=name):
        store_lives.replay([SHORT], name, StateFirst)
    assert store_lives.replay([SHORT], name)


class StateFirst(Parts):
    """The record is committed before the row it counts."""

    row_first = False


class NeverSettles(Journal):
    """Leaves on the flash what a cut left."""

    def settle(self):
        self._is_settled = True


class NoChecksum(Journal):
    """Takes a torn page for a whole one."""

    def _check(self):
        if self._back[:4] != b"WLJ1":
            return None
        number = int.from_bytes
        length = number(self._back[8:10], "little")
        part = self._back[10]
        if not 0 < length <= 3840 or part > 15:
            return None
        return number(self._back[4:8], "little"), length, part


class ErasesTheNewest(Journal):
    """Starts the next block by erasing the one it is in."""

    def _next_block(self):
        return self._block % self._blocks


class TrustsAPart(Journal):
    """Takes a record whose last part is missing."""

    def _scan(self, block):
        super()._scan(block)
        for slot in range(16):
            self._read(block, slot)
            header = self._check()
            if header and header[2] == 0 and header[0] > self.sequence:
                self.sequence, self.length = header[0], min(header[1], 240)
                self._newest_block, self._newest_slot = block, slot

    def _copy(self, buffer):
        self._read(self._newest_block, self._newest_slot)
        buffer[: self.length] = self._back[16 : 16 + self.length]
        return True


class TakesEveryRow(Ring):
    """Ignores what the record says about rows."""

    def mount(self, next_row=None):
        return super().mount()


class NeverCleans(Ring):
    """Writes behind what a cut left."""

    def _clean(self):
        self._is_clean = True


class TrustsABlankBlock(Ring):
    """Uses a block erased before the start."""

    def _erase_next(self):
        block = self._next_block()
        page = bytearray(4096)
        self._device.readblocks(self._from + block, page, 0)
        if page.count(255) != 4096:
            super()._erase_next()


class ForgetsTheUnfinishedRow(InputLog):
    """Keeps the log's last entries in memory alone."""

    def pack_into(self, buffer, offset):
        super().pack_into(buffer, offset)
        buffer[offset] = 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", StateFirst),
        ("journal", NeverSettles),
        ("journal", NoChecksum),
        ("journal", ErasesTheNewest),
        ("journal", TrustsAPart),
        ("ring", TakesEveryRow),
        ("ring", NeverCleans),
        ("ring", TrustsABlankBlock),
        ("log", ForgetsTheUnfinishedRow),
    ],
    ids=lambda part: getattr(part, "__name__", part) or "order",
)
def test_a_planted_fault_is_caught(fast, name, fault):
    parts = type("Planted", (Parts,), {name: fault}) if name else fault
    with pytest.raises(Lost):
        for seed in range(4):
            cut_everywhere(Plan("planted", 150, 300), parts, seed, tears=("few", "shaky"))
