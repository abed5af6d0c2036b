"""Conservation over random histories: engine and journal together lose and double nothing.

A history is a list of operations, each a kind and three numbers. `World` lives it: a meter that
counts true energy, a module that polls it and is cut, and a book kept from the true energy alone.
"""

import copy
import random
import runpy
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.metering import NetNeedsDetent
from endpoint.metering.engine import HEAD_BYTES, RECORD_BYTES, Engine
from endpoint.metering.register import ACCEPTED, MODULUS_WH, Register
from endpoint.store.journal import Journal

_FLASH = runpy.run_path(
    str(Path(__file__).parents[2] / "firmware" / "tests" / "flash_model.py"),
    run_name="flash_model",
)
FlashModel, PowerCut, TEARS = (_FLASH[name] for name in ("FlashModel", "PowerCut", "TEARS"))

_CAP_W = 72_000
_FIRMWARE = 20
_KINDS = 10
_BIG = 1 << 20


class Mismatch(AssertionError):
    """The module and the book disagree."""


@dataclass
class Book:
    """What the endpoint owes, in Wh; `seen` is where true energy stood at its last good read."""

    detent: bool
    net: bool
    pending: tuple | None = None
    opening: int = 0
    net_opening: int = 0
    seen: list = field(default_factory=lambda: [0, 0])
    forward: int = 0
    reverse: int = 0
    counted_reverse: int = 0

    @property
    def billed(self):
        return self.opening + self.forward + self.counted_reverse

    @property
    def net_total(self):
        return self.net_opening + self.forward - self.reverse

    @property
    def total(self):
        return self.net_total if self.net else self.billed

    def good_read(self, true, registers):
        step = [now - seen for now, seen in zip(true, self.seen, strict=True)]
        self.seen = list(true)
        self.forward += step[0]
        self.reverse += step[1]
        if not self.detent:
            self.counted_reverse += step[1]
        if self.pending:
            detent, net = self.pending
            if net and not self.net:
                self.net_opening = registers[0] - registers[1] - self.forward + self.reverse
            self.detent, self.net, self.pending = detent, net, None


class World:
    """One meter and one module, from the first poll on."""

    def __init__(self, make_engine=Engine, make_journal=Journal, *, detent=True, net=False, at=0):
        self.make_engine = lambda: make_engine(_CAP_W, detent, net, _FIRMWARE)
        self.make_journal = make_journal
        self.flash = FlashModel(2)
        self.record = bytearray(RECORD_BYTES)
        self.true = [0, 0]
        self.registers = [at % MODULUS_WH, (at // 3) % MODULUS_WH]
        self.serial = b"1"
        self.cuts = 0
        self.book = Book(detent, net)
        self.start()
        self.poll()
        self.book.opening = self.registers[0] + (0 if detent else self.registers[1])
        self.book.net_opening = self.registers[0] - self.registers[1]
        self.check()

    def start(self):
        """Begin a life of the module from what the flash holds."""
        self.journal = self.make_journal(self.flash)
        self.journal.mount()
        self.engine = self.make_engine()
        if self.journal.load(self.record):
            self.engine.unpack_from(self.record)
        self.mono_s = 0

    def use(self, a, b, seconds):
        """Let energy flow, within what the service can carry."""
        most = _CAP_W * seconds // 3600
        for index, wish in enumerate((a, b)):
            energy = wish % (most + 1)
            self.true[index] += energy
            self.registers[index] = (self.registers[index] + energy) % MODULUS_WH
        self.mono_s += seconds

    def read(self, registers):
        self.mono_s += 1
        self.engine.on_read(self.serial, *registers, self.mono_s)
        if self.engine.is_good:
            self.book.good_read(self.true, self.registers)

    def commit(self):
        self.journal.commit(self.record, self.engine.pack_into(self.record))
        self.journal.prepare()

    def poll(self):
        self.read(self.registers)
        self.commit()

    def cut_poll(self, operation, tear, seed):
        """Poll and lose the power on the way; the flash decides which book holds."""
        before = copy.deepcopy(self.book)
        sequence = self.journal.sequence
        self.flash.cut(f"{operation}:{TEARS[tear % len(TEARS)]}:{seed}")
        try:
            self.poll()
        except PowerCut:
            self.cuts += 1
            self.flash.power_on()
            self.start()
            if self.journal.sequence == sequence:
                self.book = before
        self.flash.power_on()

    def reset(self, which, new):
        """Let one register jump, unexplained; three polls later the module has followed."""
        self.poll()
        self.registers[which] = (self.registers[which] + new) % MODULUS_WH
        true = list(self.true)
        jumps = self.engine.forward.jumps, self.engine.reverse.jumps
        for turn in range(3):
            # The other register is credited at once, this one at the third read.
            if turn:
                self.use(turn * 300, turn * 200, 60)
            self.read(self.registers)
            self.commit()
            if turn < 2:
                other = 1 - which
                step = self.true[other] - self.book.seen[other]
                self.book.seen[other] += step
                if other == 0:
                    self.book.forward += step
                else:
                    self.book.reverse += step
                    self.book.counted_reverse += 0 if self.book.detent else step
        if (self.engine.forward.jumps, self.engine.reverse.jumps) == jumps:
            raise Mismatch("the jump went unnoticed")
        assert self.true != true

    def do(self, kind, a, b, c):
        if kind == 0:
            self.use(a, b, 60)
        elif kind == 1:
            self.use(a, b, 1 + c * 8)
        elif kind == 2:
            self.poll()
        elif kind == 3:  # a bad value in one register; the next read is right again
            self.poll()
            wrong = list(self.registers)
            wrong[c % 2] = (wrong[c % 2] + 20_000_000 + a * 57) % MODULUS_WH
            self.mono_s += 1
            self.engine.on_read(self.serial, *wrong, self.mono_s)
            self.commit()
            self.use(a, b, 60)
            self.poll()
        elif kind == 4:
            self.reset(c % 2, 20_000_000 + a * 57)
        elif kind == 5:  # another meter
            self.poll()
            self.serial = b"%d" % (int(self.serial) % 1000 + 1)
            self.registers = [a * 95, b * 95]
            self.poll()
        elif kind == 6:
            self.poll()
            self.start()
        elif kind == 7:
            self.use(a, b, 60)
            self.cut_poll(1 + c % 2, a, b)
        elif kind == 8:
            detent, net = bool(a % 2), bool(b % 2)
            try:
                self.engine.configure(detent, net)
                self.book.pending = (detent, net)
            except NetNeedsDetent:
                if not net or detent:
                    raise
            self.commit()
        elif kind == 9:  # close to a turn of the dials
            self.poll()
            self.engine.preset(99_999_500 - c)
            if self.book.net:
                self.book.net_opening += 99_999_500 - c - self.book.total
            else:
                self.book.opening += 99_999_500 - c - self.book.total
            self.commit()
        self.check()

    def check(self):
        engine, book = self.engine, self.book
        owed = (book.billed, book.total, book.forward, book.reverse, book.counted_reverse)
        has = (
            engine.billed_wh,
            engine.total_wh,
            engine.forward_wh,
            engine.reverse_wh,
            engine.counted_reverse_wh,
        )
        if owed != has or (engine.detent, engine.net) != (book.detent, book.net):
            raise Mismatch(f"owed {owed}, has {has}")
        if engine.ledger()[2]:
            raise Mismatch(f"the ledger shows {engine.ledger()}")


def live(history, **world):
    """Live a history to its end; return the world."""
    world = World(**world)
    for operation in history:
        world.do(*operation)
    world.use(1, 1, 60)
    world.poll()
    world.check()
    return world


def random_histories(count, length=60):
    """Yield `count` histories with their first register value, always the same ones."""
    dice = random.Random(20)
    for _ in range(count):
        history = [
            (
                dice.randrange(_KINDS),
                dice.randrange(_BIG),
                dice.randrange(_BIG),
                dice.randrange(1024),
            )
            for _ in range(length)
        ]
        yield history, dice.choice((0, 5_000_000, 99_999_000))


_OPERATIONS = st.lists(
    st.tuples(
        st.integers(0, _KINDS - 1),
        st.integers(0, _BIG - 1),
        st.integers(0, _BIG - 1),
        st.integers(0, 1023),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    history=_OPERATIONS,
    at=st.sampled_from((0, 5_000_000, 99_999_000)),
    mode=st.sampled_from(((True, False), (False, False), (True, True))),
)
def test_R12_accumulator_is_the_sum_of_register_steps(history, at, mode):
    live(history, detent=mode[0], net=mode[1], at=at)


def test_R12_hundreds_of_power_cuts():
    cuts = sum(live(history, at=at).cuts for history, at in random_histories(130))
    assert cuts > 400


@pytest.mark.soak
def test_R12_a_million_polls_with_a_thousand_power_cuts():
    dice = random.Random(12)
    world = World(at=99_000_000)
    for number in range(1_000_000):
        world.use(dice.randrange(_BIG), dice.randrange(_BIG), 60)
        if number % 500 == 499:
            world.cut_poll(1 + dice.randrange(2), dice.randrange(len(TEARS)), number)
        else:
            world.poll()
            world.check()
    assert world.cuts >= 1_000
    assert world.book.forward > 5 * MODULUS_WH


class EveryReadIsBelieved(Engine):
    """X-3 forgotten."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self._cap_w = 1 << 40


class NoRollover(Engine):
    """E-3 forgotten."""

    class Register(Register):
        def _difference(self, earlier_wh, later_wh):
            return later_wh - earlier_wh

    def __init__(self, *settings):
        super().__init__(*settings)
        self.forward = self.Register()


class IgnoredBaselineStands(Engine):
    """D-6 forgotten: with detent the reverse register is not even looked at."""

    def _credit(self, forward_wh, reverse_wh, elapsed_s, now_l):
        if self.detent and not self.net:
            reverse_wh = self.reverse.baseline_wh
        return super()._credit(forward_wh, reverse_wh, elapsed_s, now_l)


class ChangeBeforeClose(Engine):
    """D-6 forgotten: new settings take the step that belonged to the old ones."""

    def _credit(self, forward_wh, reverse_wh, elapsed_s, now_l):
        self._apply_pending()
        return super()._credit(forward_wh, reverse_wh, elapsed_s, now_l)


class TotalsWithoutBaseline(Engine):
    """E-10 forgotten: the baseline of the record is one read old."""

    old = None

    def pack_into(self, buffer):
        count = super().pack_into(buffer)
        place = slice(HEAD_BYTES, HEAD_BYTES + 4)
        baseline = bytes(buffer[place])
        if self.old is not None:
            buffer[place] = self.old
        self.old = baseline
        return count


class OneWattHour(Engine):
    """Loses one watt-hour when a meter is replaced."""

    def _follow(self, *meter):
        super()._follow(*meter)
        if self.meter_changes:
            self.forward_wh -= 1


class SuspectIsCredited(Engine):
    """X-4 forgotten: the step before the first agreeing read counts too."""

    class Register(Register):
        def offer(self, wh, elapsed_s, cap_w):
            before = self.baseline_wh
            outcome = super().offer(wh, elapsed_s, cap_w)
            if outcome != ACCEPTED and self.jumps and self.baseline_wh != before:
                self.step_wh = (wh - before) % MODULUS_WH
            return outcome

    def __init__(self, *settings):
        super().__init__(*settings)
        self.forward = self.Register()


class NoChecksum(Journal):
    """Takes a torn page for a whole one."""

    def _check(self):
        sequence = int.from_bytes(self._back[4:8], "little")
        length = int.from_bytes(self._back[8:10], "little")
        if self._back[:4] != b"WLJ1" or not 0 < length <= 240:
            return None
        return sequence, length, 0


class ErasesTheNewest(Journal):
    """Starts the next block by erasing the one it is in."""

    def _next_block(self):
        return self._block % self._blocks


@pytest.mark.parametrize(
    "fault",
    [
        EveryReadIsBelieved,
        NoRollover,
        IgnoredBaselineStands,
        ChangeBeforeClose,
        TotalsWithoutBaseline,
        OneWattHour,
        SuspectIsCredited,
        NoChecksum,
        ErasesTheNewest,
    ],
)
def test_a_planted_fault_is_caught(fault):
    parts = {"make_engine" if issubclass(fault, Engine) else "make_journal": fault}
    with pytest.raises(Mismatch):
        for history, at in random_histories(250):
            live(history, at=at, **parts)
