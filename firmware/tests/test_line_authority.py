"""Commands, keys, counters, released keys and transfers, from the module's side."""

import binascii

from endpoint.line import AuthorityError, CommandError
from endpoint.line.authority import (
    BEACON,
    BROADCAST,
    GROUP_BASE,
    INDIVIDUAL,
    PORT,
    RELEASED,
    STATE_BYTES,
    Authority,
)
from endpoint.line.chain import EPOCH_UNIX_S, step_down
from endpoint.line.command import (
    ARGUMENTS,
    DEMAND_RESET,
    DONE,
    IDENTIFY,
    KEY_CHANGE,
    OUTCOME_UNKNOWN,
    SCHEDULE,
    SET_DETENT,
    SET_GROUP,
    SET_STREAM,
    SET_TIME,
    filled,
    pack,
    unpack,
)
from endpoint.line.mac import change_key, frame_mac, hmac, port_mac, working_key
from endpoint.line.transfer import Transfer, check_of

EID = 0x12345678
ROOT = bytes(range(16))
SLOT_S = 900


def _chain(last, first):
    """Return {slot: element} from `first` to `last`."""
    elements = {last: b"\x5a" * 12}
    for slot in range(last - 1, first - 1, -1):
        elements[slot] = step_down(slot, elements[slot + 1])
    return elements


ELEMENTS = _chain(140, 100)


def _authority():
    return Authority(EID, ROOT, 100, ELEMENTS[100], SLOT_S)


def _frame(counter, command, key=None, eid=EID):
    body = filled(command)
    key = key or working_key(ROOT, 0)
    mac = frame_mac(key, INDIVIDUAL, eid, counter, body)
    head = bytes((INDIVIDUAL,)) + eid.to_bytes(4, "big")
    return head + (counter & 0xFFFFFF).to_bytes(3, "big") + body + mac


def _released(slot, command, destination=BROADCAST, element=None):
    body = filled(command)
    mac = frame_mac(element or ELEMENTS[slot], RELEASED, destination, slot, body)
    head = bytes((RELEASED,)) + destination.to_bytes(4, "big")
    return head + slot.to_bytes(3, "big") + body + mac


def _beacon(slot, cycle=1000, fraction=64, element=None):
    return (
        bytes((BEACON,))
        + slot.to_bytes(3, "big")
        + (element or ELEMENTS[slot])
        + cycle.to_bytes(4, "big")
        + bytes((fraction, 0))
    )


def _all(authority):
    found = []
    while True:
        accepted = authority.work()
        if accepted:
            found.append(accepted)
        elif not authority.busy:
            return found


def _start(slot):
    return EPOCH_UNIX_S + slot * SLOT_S


def _raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def test_hmac_vectors():
    # RFC 4231, cases 1, 2 and 3.
    for key, data, mac in (
        (b"\x0b" * 20, b"Hi There", b"b0344c61d8db38535ca8afceaf0bf12b"),
        (b"Jefe", b"what do ya want for nothing?", b"5bdcc146bf60754e6a042426089575c7"),
        (b"\xaa" * 20, b"\xdd" * 50, b"773ea91e36800e46854db8ebd09181a7"),
    ):
        assert binascii.hexlify(hmac(key, data))[:32] == mac


def test_command_round_trip_and_limits():
    for code, fields in ARGUMENTS.items():
        values = [1] * len(fields)
        command = pack(code, values)
        assert len(command) <= 10
        expected = {name: 1 for name, _ in fields}
        assert unpack(command) == (code, expected)
        assert unpack(filled(command)) == (code, expected)
        assert _raises(CommandError, unpack, command + bytes(10))
        if len(command) < 10:
            assert _raises(CommandError, unpack, filled(command)[:-1] + b"\x01")
    assert _raises(CommandError, unpack, b"")
    assert _raises(CommandError, unpack, b"\x99")
    assert _raises(CommandError, unpack, bytes((SET_STREAM, 3, 0)))
    assert _raises(CommandError, pack, SET_STREAM, (1,))
    assert _raises(CommandError, pack, SET_STREAM, (1, -1))
    assert unpack(bytes((SCHEDULE,)) + b"abc") == (SCHEDULE, b"abc")
    assert _raises(CommandError, unpack, bytes((SCHEDULE,)) + bytes(505))


def test_individual_vector():
    frame = _frame(0x01000003, pack(DEMAND_RESET, (31,)))
    assert binascii.hexlify(frame) == b"111234567800000328001f00000000000000636c54fb"


def test_individual_is_accepted_once():
    authority = _authority()
    frame = _frame(1, pack(DEMAND_RESET, (31,)))
    accepted = authority.receive(frame, 0)
    assert accepted and not accepted.repeated
    assert accepted.source == INDIVIDUAL and accepted.reference == 1
    assert unpack(accepted.command) == (DEMAND_RESET, {"reset": 31})
    authority.finished(accepted, DONE)
    again = authority.receive(frame, 0)
    assert again and again.repeated and again.result == DONE
    assert authority.receive(_frame(0, pack(IDENTIFY)), 0) is None
    assert authority.receive(_frame(5, pack(IDENTIFY)), 0)
    assert authority.receive(frame, 0) is None


def test_individual_of_another_endpoint_is_not_ours():
    authority = _authority()
    assert authority.receive(_frame(1, pack(IDENTIFY), eid=EID + 1), 0) is None
    assert authority.forged == 0


def test_counter_beyond_24_bits():
    authority = _authority()
    for counter in (0x7FFFFF, 0xFFFFFE, 0x1000001, 0x17FFFFF):
        assert authority.receive(_frame(counter, pack(IDENTIFY)), 0), counter
        assert authority.counter == counter
    assert authority.receive(_frame(0x17FFFFF + 0x800000, pack(IDENTIFY)), 0) is None


def test_every_flipped_bit_is_refused():
    frame = _frame(1, pack(SET_DETENT, (0,)))
    for bit in range(8 * len(frame)):
        authority = _authority()
        wrong = bytearray(frame)
        wrong[bit >> 3] ^= 1 << (bit & 7)
        assert authority.receive(wrong, 0) is None
        assert authority.counter == 0
    for length in range(len(frame)):
        assert _authority().receive(frame[:length], 0) is None


def test_wrong_macs_use_up_the_tries_and_time_gives_them_back():
    authority = _authority()
    good = _frame(2, pack(IDENTIFY))
    bad = good[:-1] + bytes((good[-1] ^ 1,))
    for _ in range(100):
        assert authority.receive(bad, 50) is None
    assert authority.forged == 16
    assert authority.receive(good, 649) is None
    assert authority.receive(good, 651)
    # Old counters are refused before any key is touched and cost no try.
    old = _frame(1, pack(IDENTIFY))
    for _ in range(20):
        assert authority.receive(old, 651) is None
    assert authority.forged == 16


def test_state_survives_and_wrong_state_is_refused():
    authority = _authority()
    authority.receive(_frame(7, pack(SET_GROUP, (2, 9))), 0)
    record = bytearray(STATE_BYTES)
    authority.state_into(record)
    after = _authority()
    after.restore(record)
    assert after.counter == 7 and after.groups == b"\0\0\x09\0"
    frame = _frame(7, pack(SET_GROUP, (2, 9)))
    again = after.receive(frame, 0)
    assert again.repeated and again.result == OUTCOME_UNKNOWN
    assert _raises(AuthorityError, after.restore, bytes(STATE_BYTES))
    assert _raises(AuthorityError, after.restore, record[:-1])
    assert _raises(AuthorityError, Authority, EID, b"short")


def test_power_cuts_never_execute_twice():
    # Commit before execution; the power fails at each of the points in turn.
    frame = _frame(3, pack(DEMAND_RESET, (1,)))
    for cut in range(4):
        executed = 0
        stored = bytearray(STATE_BYTES)
        authority = _authority()
        authority.state_into(stored)
        for attempt in range(2):
            authority = _authority()
            authority.restore(stored)
            accepted = authority.receive(frame, 0)
            if attempt == 0 and cut == 0:
                continue
            if accepted.repeated:
                continue
            authority.state_into(stored)
            if attempt == 0 and cut == 1:
                continue
            executed += 1
            if attempt == 0 and cut == 2:
                continue
            authority.finished(accepted, DONE)
            authority.state_into(stored)
        assert executed == (0 if cut == 1 else 1)


def test_key_change_needs_the_other_key():
    authority = _authority()
    command = pack(KEY_CHANGE, (1,))
    assert authority.receive(_frame(1, command), 0) is None
    assert authority.forged == 1
    assert authority.receive(_frame(1, command, change_key(ROOT)), 0)
    assert authority.generation == 1
    assert authority.receive(_frame(2, pack(IDENTIFY)), 0) is None
    assert authority.receive(_frame(2, pack(IDENTIFY), working_key(ROOT, 1)), 0)
    back = _frame(3, pack(KEY_CHANGE, (1,)), change_key(ROOT))
    assert authority.receive(back, 0) is None
    record = bytearray(STATE_BYTES)
    authority.state_into(record)
    after = _authority()
    after.restore(record)
    assert after.key == working_key(ROOT, 1)


def test_port_shares_counter_and_limits():
    authority = _authority()
    body = bytes((SCHEDULE,)) + bytes(200)

    def message(counter, command=body):
        mac = port_mac(working_key(ROOT, 0), EID, counter, command)
        return counter.to_bytes(4, "big") + command + mac

    accepted = authority.receive_port(message(4), 0)
    assert accepted.source == PORT and accepted.command == body
    assert authority.receive(_frame(4, pack(IDENTIFY)), 0) is None
    assert authority.receive_port(message(3), 0) is None
    assert authority.receive_port(message(5)[:-1], 0) is None
    assert authority.receive_port(b"\0" * 12, 0) is None
    wrong = bytearray(message(6))
    for i in range(len(wrong)):
        wrong[i] ^= 0x10
        assert authority.receive_port(wrong, 1 << 20) is None
        wrong[i] ^= 0x10


def test_beacon_tells_the_time_of_its_slot():
    authority = _authority()
    assert authority.receive(_beacon(103, 77777, 32), 0) is None
    assert authority.busy
    found = _all(authority)
    assert len(found) == 1 and found[0].source == BEACON
    code, fields = unpack(found[0].command)
    assert code == SET_TIME
    assert fields == {"unix_s": _start(103), "fraction_q8": 32, "cycle": 77777}
    # The same, and older ones, are worth nothing any more.
    for slot in (103, 102, 100):
        authority.receive(_beacon(slot), 0)
        assert _all(authority) == []


def test_beacon_of_a_wrong_element_is_nothing():
    authority = _authority()
    for i in range(12):
        element = bytearray(ELEMENTS[120])
        element[i] ^= 4
        authority.receive(_beacon(120, element=bytes(element)), 0)
        assert _all(authority) == []
    # A true element under another number is nothing either.
    authority.receive(_beacon(121, element=ELEMENTS[120]), 0)
    assert _all(authority) == []
    assert authority.chain.slot == 100
    authority.receive(_beacon(120), 0)
    assert len(_all(authority)) == 1


def test_late_beacon_does_not_turn_a_good_clock_back():
    authority = _authority()
    authority.receive(_beacon(110), 0, _start(110) + 300, 5, 29)
    assert _all(authority) == []
    assert authority.chain.slot == 110
    authority.receive(_beacon(111), 0, _start(111) + 31, 2, 29)
    assert len(_all(authority)) == 1


def test_group_command_waits_for_its_element():
    authority = _authority()
    authority.receive(_frame(1, pack(SET_GROUP, (0, 7))), 0)
    now = _start(105) + 100
    stream = pack(SET_STREAM, (1, 1))
    mine = _released(106, stream, GROUP_BASE + 7)
    authority.receive(mine, 0, now, 5)
    authority.receive(mine, 0, now + 30, 5)
    authority.receive(_released(106, pack(IDENTIFY), GROUP_BASE + 8), 0, now, 5)
    authority.receive(_released(106, pack(DEMAND_RESET, (9,))), 0, now, 5)
    assert _all(authority) == []
    authority.receive(_beacon(106), 0, _start(106) + 29, 5, 29)
    found = _all(authority)
    assert [a.source for a in found] == [BEACON, RELEASED, RELEASED]
    assert [a.command[0] for a in found[1:]] == [SET_STREAM, DEMAND_RESET]
    # Once opened, never again.
    authority.receive(mine, 0, now, 5)
    authority.receive(_beacon(107), 0, _start(107) + 29, 5, 29)
    assert [a.source for a in _all(authority)] == [BEACON]


def test_group_command_may_open_after_a_missed_beacon():
    authority = _authority()
    authority.receive(_released(106, pack(IDENTIFY)), 0, _start(105) + 60, 5)
    authority.receive(_beacon(107), 0, _start(107) + 29, 5, 29)
    assert [a.source for a in _all(authority)] == [BEACON, RELEASED]


def test_group_command_is_refused_once_its_element_may_be_known():
    command = pack(DEMAND_RESET, (1,))
    for now, bound in (
        (_start(106), 0),
        (_start(106) - 4, 5),
        (_start(106) + 10000, 5),
        (_start(103), 5),
        (None, 0),
    ):
        authority = _authority()
        authority.receive(_released(106, command), 0, now, bound)
        authority.receive(_beacon(106), 0)
        assert [a.source for a in _all(authority)] == [BEACON]


def test_a_stolen_module_cannot_command_others():
    # It knows its own keys and every element released so far, but not the next.
    authority = _authority()
    authority.receive(_beacon(110), 0)
    _all(authority)
    for element in (ELEMENTS[110], working_key(bytes(16), 0), change_key(bytes(16))):
        forged = _released(112, pack(DEMAND_RESET, (1,)), element=element)
        authority.receive(forged, 0, _start(111), 5)
    assert authority.receive(_frame(1, pack(IDENTIFY), working_key(bytes(16), 0)), 0) is None
    authority.receive(_beacon(112), 0)
    assert [a.source for a in _all(authority)] == [BEACON]
    assert authority.forged == 4


def test_what_concerns_one_endpoint_is_never_taken_from_a_group():
    authority = _authority()
    for command in (pack(SET_DETENT, (0,)), pack(SET_GROUP, (0, 1)), pack(KEY_CHANGE, (9,))):
        authority.receive(_released(106, command), 0, _start(105), 5)
    authority.receive(_beacon(106), 0)
    assert [a.source for a in _all(authority)] == [BEACON]
    assert authority.generation == 0


def test_waiting_room_is_bounded():
    authority = _authority()
    for i in range(40):
        authority.receive(_released(106, pack(DEMAND_RESET, (i,))), 0, _start(105), 5)
    authority.receive(_beacon(106), 0)
    found = _all(authority)
    assert len(found) == 33
    assert [unpack(a.command)[1]["reset"] for a in found[1:]] == list(range(32))


def test_long_absence_is_walked_in_bounded_steps():
    elements = _chain(3100, 100)
    authority = Authority(EID, ROOT, 100, elements[100], SLOT_S)
    authority.receive(_beacon(3100, element=elements[3100]), 0)
    calls = 0
    while True:
        calls += 1
        found = authority.work()
        if found:
            break
        assert authority.busy
    assert calls == (3000 + 63) // 64
    assert not authority.chain.claim(3100 + 40001, bytes(12))


def test_new_anchor():
    authority = _authority()
    body = (5).to_bytes(3, "big") + b"\x11" * 12 + (30).to_bytes(2, "big")
    authority.anchor(body)
    record = bytearray(STATE_BYTES)
    authority.state_into(record)
    after = _authority()
    after.restore(record)
    assert after.chain.slot == 5 and after.chain.slot_s == 30
    assert _raises(AuthorityError, authority.anchor, body[:-1])
    assert _raises(AuthorityError, authority.anchor, body[:15] + b"\0\0")


def _parts(body, order):
    for index in order:
        yield index, (body[7 * index : 7 * index + 7] + bytes(7))[:7]


def test_transfer_whole_or_not_at_all():
    body = bytes((i * 37 + 5) & 255 for i in range(100))
    transfer = Transfer()
    transfer.begin(True, 9, SCHEDULE, 100, check_of(SCHEDULE, body))
    order = [14, 3, 3, 0] + [i for i in range(15) if i not in (0, 3, 14, 7)]
    for index, data in _parts(body, order):
        assert transfer.part(True, 9, index, data) is None
    assert transfer.report(9) == 7 << 16 | 0x8000
    # The same begin again, a restart, then the last part.
    transfer.begin(True, 9, SCHEDULE, 100, check_of(SCHEDULE, body))
    after = Transfer()
    after.state[:] = transfer.state
    whole = None
    for index, data in _parts(body, [7]):
        whole = after.part(True, 9, index, data)
    assert whole == bytes((SCHEDULE,)) + body
    assert after.complete and after.report(9) == 0xFF0000
    for index, data in _parts(body, [7]):
        assert after.part(True, 9, index, data) is None


def test_transfer_refuses_what_does_not_belong():
    body = bytes(50)
    transfer = Transfer()
    assert _raises(CommandError, transfer.part, True, 1, 0, bytes(7))
    assert _raises(CommandError, transfer.begin, True, 1, 0x99, 50, 0)
    assert _raises(CommandError, transfer.begin, True, 1, SCHEDULE, 505, 0)
    assert _raises(CommandError, transfer.begin, True, 1, SCHEDULE, 0, 0)
    transfer.begin(True, 1, SCHEDULE, 50, check_of(SCHEDULE, body) ^ 1)
    assert _raises(CommandError, transfer.part, True, 2, 0, bytes(7))
    assert _raises(CommandError, transfer.part, False, 1, 0, bytes(7))
    assert _raises(CommandError, transfer.part, True, 1, 8, bytes(7))
    for index in range(7):
        transfer.part(True, 1, index, bytes(7))
    assert _raises(CommandError, transfer.part, True, 1, 7, bytes(7))
    assert not transfer.complete and transfer.report(1) == 0xFE0000
