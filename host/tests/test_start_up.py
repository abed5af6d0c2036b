"""Start-up with the code that is frozen: whatever fails or was tampered with, something runs."""

import random
from itertools import product

import pytest
from start_on_desk import (
    SCRATCH0,
    SCRATCH1,
    Desk,
    PowerCut,
    crash,
    good,
    hang,
    no_meter,
)

from endpoint.update.record import CONFIRMED, EMPTY, FROZEN, REJECTED, SAFE, TRIAL

BEHAVIOURS = (good, crash, hang)
REASONS = {
    crash: "failed at start: ValueError",
    hang: "watchdog",
    no_meter: "no meter read",
}
NEVER = (crash, crash, crash)


@pytest.fixture
def desk(monkeypatch):
    """Return a function that makes a module whose three applications behave as told."""

    def made(*applications):
        return Desk(monkeypatch, applications)

    return made


@pytest.mark.parametrize("states", [(CONFIRMED, CONFIRMED), (CONFIRMED, TRIAL)], ids=str)
def test_first_that_works_runs_whatever_the_others_do(desk, states):
    """27 combinations each: the order is trial, active, the other one, frozen, safe mode."""
    for does in product(BEHAVIOURS, repeat=3):
        module = desk(*does)
        module.install(1, confirmed=states[1] == CONFIRMED)
        module.install(0, confirmed=True)  # the active one
        order = (1, 0, FROZEN) if states[1] == TRIAL else (0, 1, FROZEN)
        wanted = next((number for number in order if does[number] is good), SAFE)
        slots = [bytes(content) for content in module.slots_flash]
        assert module.settle() == wanted, does
        assert [bytes(content) for content in module.slots_flash] == slots
        # A trial that fails is over; the others have four starts, the first of them one less
        # when the watchdog ended the trial.
        failed = module.ran[:-1]
        assert all(failed.count(number) in (0, 1, 3, 4) for number in range(3)), module.ran
        report = module.slots.report()
        assert report["application"] == ("a", "b", "frozen", "safe mode")[wanted]
        if states[1] == TRIAL and does[1] is not good:
            assert report["slot_b"] == f"rejected 18.2.0 ({REASONS[does[1]]})"
        if wanted == SAFE:
            assert report["failed_starts"] == (12 if states[1] == CONFIRMED else 8)
            last = failed[-1]
            assert report["last_failure"] == REASONS[does[last]].split(":")[0]


@pytest.mark.parametrize("does", [crash, hang, no_meter], ids=lambda does: does.__name__)
def test_trial_that_fails_is_taken_back_with_its_reason(desk, does):
    module = desk(good, does, good)
    module.install(0, confirmed=True)
    module.install(1, confirmed=False)
    assert module.settle() == 0
    assert module.ran == [1, 0]
    assert module.slots.report()["slot_b"] == f"rejected 18.2.0 ({REASONS[does]})"
    module.power_cycle()
    assert module.settle() == 0, "and it stays that way"


def test_safe_mode_tries_all_again_after_the_next_reset(desk):
    module = desk(*NEVER)
    module.install(0, confirmed=True)
    assert module.settle() == SAFE
    assert module.ran == [0] * 4 + [FROZEN] * 4 + [SAFE]
    module.applications = (good, good, good)
    assert module.settle() == 0


def test_both_slots_damaged_leave_the_frozen_application(desk):
    module = desk(good, good, good)
    module.install(1, confirmed=True)
    module.install(0, confirmed=True)
    for number in (0, 1):
        module.spoil(number)
    assert module.settle() == FROZEN


def test_damaged_trial_is_rejected_before_it_starts(desk):
    module = desk(good, good, good)
    module.install(0, confirmed=True)
    module.install(1, confirmed=False)
    module.spoil(1)
    assert module.settle() == 0
    assert module.slots.report()["slot_b"] == "rejected 18.2.0 (damaged in flash)"


def test_tampered_registers_never_keep_the_module_from_starting(desk):
    """Anything in the two registers: the right one runs, or one that is allowed to take over."""
    chance = random.Random(6)
    for _ in range(200):
        module = desk(good, good, good)
        module.install(0, confirmed=True)
        module.install(1, confirmed=False)
        low = chance.getrandbits(32)
        module.scratch[SCRATCH1] = chance.choice((low, 0x17A70000 | low & 0x3FF))
        module.scratch[SCRATCH0] = chance.getrandbits(32)
        assert module.settle() == 1, "a trial begins with its first start, whatever was before"
        module.scratch[SCRATCH1] = chance.choice((low, 0x17A70000 | low & 0x3FF))
        assert module.settle() in (0, 1, FROZEN, SAFE)
        module.power_cycle()
        assert module.settle() == 1


def test_damaged_start_up_record_is_the_one_before_or_none(desk):
    """Bits, pages or all of its blocks changed: never a slot that nobody has confirmed."""
    chance = random.Random(7)
    for number in range(120):
        module = desk(good, good, good)
        module.install(0, confirmed=True)
        module.install(1, confirmed=False)
        module.remember(lambda record: record.slots[1].reject("no meter read"))
        data = module.start_flash.data
        used = [at for at, byte in enumerate(data) if byte != 0xFF]
        how = number % 3
        if how == 0:
            for _ in range(chance.randrange(1, 4)):
                data[chance.choice(used)] ^= 1 << chance.randrange(8)
        elif how == 1:
            at = chance.choice(used) & ~0xFF
            data[at : at + 256] = chance.randbytes(256)
        else:
            data[:] = chance.randbytes(len(data))
        ran = module.settle()
        assert ran in (0, 1, FROZEN), number
        if ran == 1:  # the record before said trial; it passed
            assert module.record().slots[1].state == CONFIRMED
        # The next update can be noted, whatever is left there.
        module.remember(lambda record: record.slots[1].reject("again"))
        assert module.record().slots[1].state == REJECTED


def worn_out(module):
    """Let no page of the start-up record be programmed any more."""
    flash = module.start_flash
    flash.bad = {(block, page) for block in range(flash.blocks) for page in range(16)}


def test_trial_is_not_started_when_its_starts_cannot_be_counted(desk):
    module = desk(good, crash, good)
    module.install(0, confirmed=True)
    module.install(1, confirmed=False)
    worn_out(module)
    assert module.settle() == 0
    assert module.ran == [0]


def test_worn_out_record_does_not_lead_back_to_a_damaged_application(desk):
    module = desk(crash, crash, good)
    module.install(0, confirmed=True)
    module.install(1, confirmed=False)
    module.spoil(0)
    worn_out(module)
    assert module.settle() == FROZEN
    assert module.ran == [FROZEN]


@pytest.mark.parametrize("tear", ["none", "first", "bits", "few", "shaky", "all"])
def test_cut_or_bite_while_the_trial_is_confirmed(desk, tear):
    """At every operation of the confirmation: confirmed, on trial again, or the one before."""
    ends = set()
    for operation in range(1, 5):
        for by_power in (True, False):
            module = desk(good, good, good)
            module.install(0, confirmed=True)
            module.install(1, confirmed=False)
            flash = module.start_flash

            def confirm(slots, flash=flash, operation=operation):
                flash.cut(f"{operation}:{tear}:3")
                slots.confirm()

            module.applications = (good, confirm, good)
            try:
                module.start()
            except PowerCut:
                pass
            flash.power_on()
            module.applications = (good, good, good)
            if by_power:
                module.power_cycle()
            else:  # the watchdog: what it was handed is still there
                module.scratch[SCRATCH1] |= 0x100
            ran = module.settle()
            record = module.record()
            ends.add(ran)
            assert ran == record.active
            assert ran == 1 or (not by_power and record.slots[1].reason == "watchdog")
            assert record.slots[ran].state == CONFIRMED
    assert 1 in ends


def test_roll_back_of_a_trial_ends_the_trial_and_keeps_what_ran_before(desk):
    module = desk(good, good, good)
    module.install(0, confirmed=True)
    module.install(1, confirmed=False)
    module.remember(lambda record: record.roll_back("rolled back on request"))
    assert module.settle() == 0
    record = module.record()
    assert (record.slots[0].state, record.slots[1].state) == (CONFIRMED, REJECTED)
    module.remember(lambda record: record.roll_back("rolled back on request"))
    assert module.settle() == FROZEN
    assert not module.record().roll_back("there is nothing left")


def test_module_from_the_factory_runs_what_is_frozen(desk):
    module = desk(good, good, good)
    assert module.settle() == FROZEN
    assert [slot.state for slot in module.record().slots] == [EMPTY, EMPTY]
