"""What the line keeps over power cuts: counters, and an upload that goes on."""

from flash_model import TEARS, FlashModel, PowerCut

from endpoint.line.authority import INDIVIDUAL, Authority
from endpoint.line.command import DEMAND_RESET, SCHEDULE, filled, pack
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
