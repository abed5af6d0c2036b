"""What the line keeps over power cuts: counters, and an upload that goes on."""

from flash_model import TEARS, FlashModel, PowerCut

from endpoint.line.authority import INDIVIDUAL, Authority
from endpoint.line.command import (
    DEMAND_RESET,
    DONE,
    OUTCOME_UNKNOWN,
    SCHEDULE,
    filled,
    pack,
)
from endpoint.line.mac import frame_mac, working_key
from endpoint.line.transfer import Transfer, check_of
from endpoint.linestate import LineState
from endpoint.store.journal import Journal

_EID = 0x12345678
_ROOT = bytes(range(16))
_OWNER = b"mine"
_BODY = bytes(range(40))


def _start(flash, owner=_OWNER):
    authority, transfer = Authority(_EID, _ROOT), Transfer()
    state = LineState(Journal(flash), owner, authority, transfer)
    return authority, transfer, state, state.open()


def _frame(counter):
    body = filled(pack(DEMAND_RESET, (counter,)))
    mac = frame_mac(working_key(_ROOT, 0), INDIVIDUAL, _EID, counter, body)
    head = bytes((INDIVIDUAL,)) + _EID.to_bytes(4, "big") + counter.to_bytes(3, "big")
    return head + body + mac


def _part(transfer, index):
    return transfer.part(1, 9, index, (_BODY + bytes(7))[7 * index : 7 * index + 7])


def test_counter_and_result_survive():
    flash = FlashModel(2)
    authority, _, state, was_there = _start(flash)
    assert not was_there
    accepted = authority.receive(_frame(5), 0)
    assert state.commit()
    authority.finished(accepted, 0)
    assert state.commit()
    authority, _, _, was_there = _start(flash)
    assert was_there
    again = authority.receive(_frame(5), 0)
    assert again.repeated
    assert again.result == 0
    assert authority.receive(_frame(4), 0) is None


def test_another_key_begins_anew():
    flash = FlashModel(2)
    authority, _, state, _ = _start(flash)
    authority.receive(_frame(5), 0)
    state.commit()
    authority, _, _, was_there = _start(flash, b"else")
    assert not was_there
    assert authority.counter == 0


def test_an_upload_goes_on_where_it_was():
    flash = FlashModel(2)
    _, transfer, state, _ = _start(flash)
    transfer.begin(1, 9, SCHEDULE, len(_BODY), check_of(SCHEDULE, _BODY))
    for index in range(3):
        assert _part(transfer, index) is None
    state.commit()
    _, transfer, state, _ = _start(flash)
    assert transfer.missing() == 3
    for index in range(3, 5):
        assert _part(transfer, index) is None
    assert _part(transfer, 5) == bytes((SCHEDULE,)) + _BODY


def test_a_body_that_was_not_carried_out_comes_again():
    """A cut between storing the acceptance and carrying out: the sender brings one part."""
    flash = FlashModel(2)
    _, transfer, state, _ = _start(flash)
    transfer.begin(1, 9, SCHEDULE, len(_BODY), check_of(SCHEDULE, _BODY))
    for index in range(6):
        whole = _part(transfer, index)
    assert whole
    transfer.hand_over(False)
    state.commit()
    _, transfer, state, _ = _start(flash)
    assert transfer.report(9) >> 16 == 0
    assert _part(transfer, 0) == bytes((SCHEDULE,)) + _BODY
    transfer.hand_over(True)
    state.commit()
    _, transfer, _, _ = _start(flash)
    assert transfer.complete
    assert transfer.report(9) == 0xFF0000


def test_cut_anywhere_leaves_the_old_counter_or_the_new_one():
    for operation in range(1, 5):
        for tear in TEARS:
            flash = FlashModel(2)
            authority, _, state, _ = _start(flash)
            authority.receive(_frame(1), 0)
            state.commit()
            authority.receive(_frame(2), 0)
            flash.cut("%d:%s:5" % (operation, tear))
            try:
                kept = state.commit()
            except PowerCut:
                kept = False
                flash.power_on()
            authority, _, _, was_there = _start(flash)
            assert was_there
            assert authority.counter in ((2,) if kept else (1, 2))


def test_cut_at_every_flash_operation_no_command_is_executed_twice():
    """A life over both blocks' erases; every end of each operation is restarted and replayed."""
    flash = FlashModel(2)
    _, _, first, _ = _start(flash)
    assert first.commit()
    authority, _, state, _ = _start(flash)
    executed, accepted, cuts = 0, 0, 0

    def look(block, offset, new):
        nonlocal cuts
        for tear in TEARS:
            other = flash.fork()
            other.tear(block, offset, new, tear, 5)
            judge, _, _, was_there = _start(other)
            assert was_there
            assert executed <= judge.counter <= accepted
            if judge.counter:
                # What was accepted last is known again, and nothing older is looked at.
                again = judge.receive(_frame(judge.counter), 0)
                assert again.repeated and again.result in (DONE, OUTCOME_UNKNOWN)
                assert judge.receive(_frame(judge.counter - 1), 0) is None
            cuts += 1

    flash.watcher = look
    for counter in range(1, 25):
        found = authority.receive(_frame(counter), 0)
        assert found and not found.repeated
        accepted = counter
        assert state.commit()
        executed = counter
        authority.finished(found, DONE)
        assert state.commit()
        state.prepare()
    assert sum(flash.erases) >= 3
    assert cuts >= 300
