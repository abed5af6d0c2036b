"""Every command of docs/authority.md over the line: frame in, carried out, answer decoded.

Frames of 24 bytes go in where the module's decoder would deliver them; its frames are encoded
symbol by symbol and decoded by the collector's own decoder. What the waveforms do to both is
tested elsewhere.
"""

import random

import pytest
from line_desk import LineDesk

from endpoint.line import command as codes
from endpoint.line import payload
from endpoint.line.command import ARGUMENTS, BODIES, pack
from endpoint.line.digest import digest
from endpoint.line.mac import change_key, working_key
from endpoint.line.profile import BENCH, NUMBERS
from endpoint.metering import rows
from wattline.bench.story import schedule_body
from wattline.downlink import frames
from wattline.downlink.keys import ReleasedKeys
from wattline.errors import WattlineError

EID = 4711
ROOT = bytes(range(16))
KEYS = ReleasedKeys(b"the chain of these tests", 225_000, 4000, slot_s=900)
FIRST = KEYS.first_slot
# 2026-06-01 23:01 UTC, and the chain's anchor before that.
NOW_S = 1_780_354_860
GROUP = 7
SETTINGS = {"eid": EID, "form": "2S", "profile": "bench"}
_FRAMES = 40
LOSS, RESTARTS = 0.2, 5
# From an hour before a UTC day through all of it.
_LIFE_MIN = 26 * 60


class Ends:
    """Head-end and collector of one module."""

    def __init__(self, seal, encrypt):
        fields = {**SETTINGS, "seal": seal, "encrypt": encrypt}
        self.desk = LineDesk(ROOT, KEYS.anchor(FIRST), seal, encrypt, fields)
        self.is_sealed = seal
        self.key = working_key(ROOT, 0)
        self.counter = 0
        self.sent = set()
        self.heard = []

    def give(self, text, key=None):
        """Send a command to the module; return its counter's low bits."""
        self.counter += 1
        self.sent.add(text[0])
        self.desk.hear(frames.individual(key or self.key, EID, self.counter, text))
        return self.counter & 0xFFFF

    def carry(self, kind, body):
        """Send a body in parts; return the last one's reference."""
        self.sent.add(kind)
        for text in frames.transfer(9, kind, body):
            reference = self.give(text)
        return reference

    def next(self):
        """Let the module send one frame; return what the collector has of it."""
        decoded, plain = self.desk.speak()
        assert decoded is not None, "a frame that the collector cannot open"
        assert decoded.payload == plain
        kind = plain[0] >> 4
        # JOIN says who is speaking, to anybody.
        assert decoded.sealed == (self.is_sealed and kind != payload.JOIN and self.knows_time)
        self.heard.append(kind)
        return payload.unpack(plain)

    @property
    def knows_time(self):
        return bool(self.desk.engine.utc_s(self.desk.clock.s()))

    def until(self, kind):
        """Return the fields of the next frame of a type."""
        for _ in range(_FRAMES):
            found, fields = self.next()
            if found == kind:
                return fields
        raise AssertionError(f"no frame of type {kind} among {_FRAMES}")

    def asked(self, code, values=(), key=None):
        """Send a command and return the result that its answer names."""
        return self.answered(code, self.give(pack(code, values), key))

    def answered(self, code, reference):
        """Return the result in the answer to a command."""
        fields = self.until(payload.ACK)
        assert (fields["command"], fields["reference"]) == (code, reference)
        return fields["result"]


@pytest.fixture(
    params=[(False, False), (True, False), (True, True)], ids=["plain", "sealed", "encrypted"]
)
def ends(request):
    """A module that knows the time."""
    made = Ends(*request.param)
    with made.desk as desk:
        assert made.asked(codes.SET_TIME, (NOW_S, 0, 0)) == codes.DONE
        desk.live(2)
        desk.poll.read_ms = desk.clock.ms()
        yield made


def hours(desk):
    """Return the module's own record of energy by unix hour, Wh."""
    ring, row, found = desk.module.rings[rows.HOUR], bytearray(40), {}
    for number in range(ring.first, ring.next):
        assert ring.read(number, row)
        fields = rows.unpack(rows.HOUR, row)
        found[fields["end_utc_s"] // 3600 - 1] = fields
    return found


def test_every_command_is_answered_and_every_reading_is_the_record(ends):
    desk, engine = ends.desk, ends.desk.engine
    desk.live(_LIFE_MIN)
    desk.poll.read_ms = desk.clock.ms()
    assert ends.asked(codes.SET_ZONE, (64 - 20, 1)) == codes.DONE
    assert desk.module.settings["offset_min"] == -300 and desk.module.settings["daylight"]
    for result in (codes.DONE, codes.ALREADY_DONE):
        assert ends.asked(codes.DEMAND_RESET, (31,)) == result
    assert engine.demand.resets == 1
    assert ends.asked(codes.FREEZE, (5,)) == codes.DONE
    assert ends.asked(codes.IDENTIFY) == codes.DONE
    assert ends.asked(codes.SET_GROUP, (0, GROUP)) == codes.DONE
    assert desk.authority.groups[0] == GROUP

    # A schedule in parts: asked for in the middle, put in force, withdrawn.
    begin, *parts = frames.transfer(9, codes.SCHEDULE, schedule_body())
    assert ends.answered(codes.TRANSFER_BEGIN, ends.give(begin)) == codes.PENDING
    for part in parts[:3]:
        ends.give(part)
    reference = ends.give(pack(codes.TRANSFER_QUERY, (9,)))
    report = ends.until(payload.ACK)
    assert (report["reference"], report["result"]) == (reference, codes.DONE)
    missing = frames.missing_parts(report["data"], len(schedule_body()))
    assert missing == list(range(3, len(parts)))
    ends.sent.add(codes.SCHEDULE)
    for index in missing:
        reference = ends.give(parts[index])
    assert ends.answered(codes.SCHEDULE, reference) == codes.DONE
    schedule = 2026 & 0xFF
    assert ends.asked(codes.SCHEDULE_ACTIVATE, (schedule, 0)) == codes.DONE
    assert engine.tariff.schedule_at(engine.utc_s(desk.clock.s())).identity == 2026
    now_s = engine.utc_s(desk.clock.s())
    assert ends.asked(codes.SCHEDULE_ACTIVATE, (schedule, now_s + 864_000)) == codes.DONE
    assert ends.asked(codes.SCHEDULE_CANCEL, (0,)) == codes.DONE
    assert ends.asked(codes.CRITICAL_PEAK, (1, now_s + 7200, 60, 3)) == codes.DONE

    # Readings, asked for one by one, against engine and rings.
    ends.give(pack(codes.READ, (777,)))
    fields = ends.until(payload.REGISTER)
    while fields["request"] != 777:
        fields = ends.until(payload.REGISTER)
    assert fields["register"] == engine.total_wh // 100 % 1_000_000
    recorded = hours(desk)
    block = max(recorded) // 4 - 1
    ends.give(pack(codes.REQUEST, (payload.BLOCK, block, 2)))
    for at in (block, block + 1):
        fields = ends.until(payload.BLOCK)
        assert fields["block"] == at & 0xFF
        sent = [fields[f"energy_{i}"] for i in range(4)]
        expected = []
        for hour in range(4 * at, 4 * at + 4):
            row = recorded.get(hour)
            wh = None if row is None or row["flags"] & rows.MISSING else row["forward_wh"]
            expected.append(payload.energy_code(wh))
        assert sent == expected
    day = max(recorded) // 24 - 1
    ends.give(pack(codes.REQUEST, (payload.DIGEST, day, 1)))
    fields = ends.until(payload.DIGEST)
    said = [payload.energy_code(recorded[h]["forward_wh"]) for h in range(24 * day, 24 * day + 24)]
    assert fields["whole"] == digest(ends.key, EID, day, said)[1]
    for kind in (payload.TOU, payload.DEMAND, payload.VOLTAGE, payload.STATUS, payload.JOIN):
        ends.give(pack(codes.REQUEST, (kind, 0, 1)))
        ends.until(kind)

    # What concerns this endpoint's quantities and its place on the line.
    assert ends.asked(codes.SET_STREAM, (codes.STREAM_REGISTER, 1)) == codes.DONE
    fields = ends.until(payload.STREAM_REGISTER)
    assert fields["register"] == recorded[max(recorded)]["register_wh"] // 100 % 1_000_000
    assert ends.asked(codes.SET_STREAM, (codes.STREAM_PROFILE, 0)) == codes.DONE
    assert ends.asked(codes.SET_STREAM, (codes.STREAM_OFF, 0)) == codes.DONE
    assert ends.asked(codes.SET_NET, (1,)) == codes.PENDING
    assert ends.asked(codes.SET_NET, (0,)) == codes.PENDING
    assert ends.asked(codes.SET_DETENT, (0,)) == codes.PENDING
    assert ends.asked(codes.SET_NET, (1,)) == codes.NEEDS_DETENT
    channel = BENCH.first_channel(EID) + 4
    bench, field = NUMBERS.index("bench"), NUMBERS.index("field")
    assert ends.asked(codes.SET_CHANNEL, (field, 8648)) == codes.NOT_SUPPORTED
    assert ends.asked(codes.SET_CHANNEL, (bench, channel)) == codes.DONE
    assert desk.module.settings["channel"] == channel
    reference = ends.carry(codes.DISPLAY_ITEMS, bytes((40, 41)))
    while (fields := ends.until(payload.ACK))["reference"] != reference:
        assert fields["command"] == codes.TRANSFER_BEGIN
    assert (fields["command"], fields["result"]) == (codes.DISPLAY_ITEMS, codes.DONE)
    assert desk.module.settings["display"] == [40, 41]

    # Keys and chain, the last: what was true before is refused after.
    reference = ends.carry(codes.ANCHOR, KEYS.anchor(FIRST + 1))
    while (fields := ends.until(payload.ACK))["reference"] != reference:
        assert fields["command"] == codes.TRANSFER_BEGIN
    assert (fields["command"], fields["result"]) == (codes.ANCHOR, codes.DONE)
    assert desk.authority.chain.slot == FIRST + 1
    old = ends.key
    ends.key = desk.collector_key = working_key(ROOT, 5)
    assert ends.asked(codes.KEY_CHANGE, (5,), change_key(ROOT)) == codes.DONE
    taken = desk.listen.commands_taken
    ends.give(pack(codes.IDENTIFY), old)
    assert desk.listen.commands_taken == taken
    assert ends.asked(codes.IDENTIFY) == codes.DONE

    assert ends.sent == set(ARGUMENTS) | set(BODIES), "a command that is not tried here"


def test_a_group_command_is_carried_out_by_its_beacon_and_answered(ends):
    desk = ends.desk
    assert ends.asked(codes.SET_GROUP, (1, GROUP)) == codes.DONE
    now_s = desk.engine.utc_s(desk.clock.s())
    slot = KEYS.slot_at(now_s) + 1
    reset = pack(codes.DEMAND_RESET, (99,))
    address = frames.group_address(GROUP)
    desk.hear(frames.released(KEYS.element(slot), address, slot, reset))
    desk.hear(frames.released(KEYS.element(slot), frames.group_address(GROUP + 1), slot, reset))
    assert desk.engine.demand.resets == 0
    desk.clock.now_ms += 1000 * (KEYS.start_of(slot) - now_s)
    desk.hear(frames.beacon(KEYS.element(slot), slot, 5000, 10))
    assert desk.engine.demand.resets == 1
    assert ends.answered(codes.DEMAND_RESET, slot & 0xFFFF) == codes.DONE
    # The element is public now: nobody can use it any more.
    desk.hear(frames.released(KEYS.element(slot), address, slot, pack(codes.FREEZE, (9,))))
    desk.hear(frames.beacon(KEYS.element(slot), slot, 5000, 10))
    assert desk.engine.demand.resets == 1


class LossyEnds(Ends):
    """A head-end on a line that loses a fifth of the frames each way, and is patient."""

    def __init__(self, seed):
        super().__init__(seal=False, encrypt=False)
        self.dice = random.Random(seed)
        self.restarts = 0

    def is_lost(self):
        return self.dice.random() < LOSS

    def send(self, text):
        """Send a command; return the result and data of its answer, or None."""
        self.counter += 1
        if not self.is_lost():
            self.desk.hear(frames.individual(self.key, EID, self.counter, text))
        for _ in range(_FRAMES):
            kind, fields = self.next()
            if kind == payload.ACK and fields["reference"] == self.counter & 0xFFFF:
                return None if self.is_lost() else fields
        return None

    def restart(self):
        """Let the module start anew, from what its flash and files hold."""
        self.desk.start()
        self.restarts += 1


def to_send(report, begin, parts, body):
    """Return what a transfer needs next, after the module's report of it, if that came."""
    if report is None:
        return []
    try:
        return [parts[index] for index in frames.missing_parts(report["data"], len(body))]
    except WattlineError:  # the module knows of no such transfer
        return [begin]


@pytest.mark.parametrize("seed", [0, 3])
def test_R86_a_schedule_arrives_whole_or_not_at_all(seed):
    """T-11: over the line only, a fifth of all frames lost, five restarts at any step."""
    ends, body = LossyEnds(seed), schedule_body()
    begin, *parts = frames.transfer(9, codes.SCHEDULE, body)
    activate = pack(codes.SCHEDULE_ACTIVATE, (2026 & 0xFF, 0))
    with ends.desk as desk:
        for _ in range(100):
            ends.send(pack(codes.SET_TIME, (NOW_S, 0, 0)))
            report = ends.send(pack(codes.TRANSFER_QUERY, (9,)))
            for text in to_send(report, begin, parts, body):
                ends.send(text)
                assert desk.module.staged() in (b"", body)
                if ends.restarts < RESTARTS and ends.dice.random() < 1 / 4:
                    ends.restart()
                    break
            answer = ends.send(activate)
            schedule = desk.engine.tariff.schedule_at(NOW_S)
            assert schedule is None or schedule.data == body
            if answer and answer["result"] == codes.DONE and ends.restarts == RESTARTS:
                break
            if desk.module.staged() == body and ends.restarts < RESTARTS:
                ends.restart()
        assert ends.restarts == RESTARTS
        assert answer["result"] == codes.DONE
        assert desk.engine.tariff.schedule_at(NOW_S).identity == 2026
        ends.restart()
        assert desk.engine.tariff.schedule_at(NOW_S).data == body
