"""What an attacker on the line can try: forged, replayed, cut and changed commands."""

import random

import pytest

from endpoint.line.authority import (
    BEACON,
    BROADCAST,
    FRAME_BYTES,
    INDIVIDUAL,
    RELEASED,
    STATE_BYTES,
    Authority,
)
from endpoint.line.chain import start_of
from endpoint.line.command import ARGUMENTS, DEMAND_RESET, IDENTIFY, SET_DETENT, pack
from endpoint.line.mac import working_key
from wattline.downlink import frames
from wattline.downlink.keys import ReleasedKeys

EID = 0x12345678
ROOT = bytes(range(16))
KEY = working_key(ROOT, 0)
SLOT = 100
KEYS = ReleasedKeys(b"the chain of these tests", SLOT, 400, slot_s=900)
CODES = sorted(ARGUMENTS)


def made():
    authority = Authority(EID, ROOT, SLOT, KEYS.element(SLOT), KEYS.slot_s)
    authority.groups[0] = 7
    return authority


class Attacker:
    """Hears everything, knows everything but the keys, and sends what may hurt most."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.heard = [
            frames.individual(KEY, EID, counter, pack(DEMAND_RESET, (counter,)))[:FRAME_BYTES]
            for counter in range(1, 9)
        ]
        self.heard += [
            frames.released(KEYS.element(slot), BROADCAST, slot, pack(IDENTIFY))[:FRAME_BYTES]
            for slot in range(SLOT + 1, SLOT + 5)
        ]
        self.heard += [
            frames.beacon(KEYS.element(slot), slot, 1000 * slot, 9)[:FRAME_BYTES]
            for slot in range(SLOT + 1, SLOT + 5)
        ]

    def frame(self):
        """Return one hostile frame."""
        pick = self.random.choice(self.heard)
        kind = self.random.randrange(6)
        if kind == 0:
            return pick
        if kind == 1:
            return pick[: self.random.randrange(FRAME_BYTES)]
        frame = bytearray(pick)
        if kind == 2:
            frame[self.random.randrange(FRAME_BYTES)] ^= 1 << self.random.randrange(8)
        elif kind == 3:
            # A newer counter, the old MAC.
            frame[5:8] = self.random.randrange(1 << 24).to_bytes(3, "big")
        elif kind == 4:
            frame[0] = self.random.choice((INDIVIDUAL, RELEASED, BEACON))
            frame[1:5] = self.random.choice((EID, BROADCAST, 0xFF000007)).to_bytes(4, "big")
            frame[8] = self.random.choice(CODES)
            frame[18:] = self.random.randbytes(4)
        else:
            other = self.random.choice(self.heard)
            at = self.random.randrange(FRAME_BYTES)
            frame[at:] = other[at:]
        return bytes(frame)


def attack(tries, seed):
    """Return how many hostile frames were accepted for execution, and the authority."""
    authority = made()
    attacker = Attacker(seed)
    # The module has heard and obeyed all that the attacker has recorded.
    now = start_of(SLOT + 5, KEYS.slot_s) - 100
    for frame in attacker.heard:
        authority.receive(frame, 0, start_of(SLOT, KEYS.slot_s) + 1, 0)
        while authority.busy:
            authority.work()
    accepted = 0
    for i in range(tries):
        # Ten minutes a try: the limit on tries shall not be what protects.
        found = authority.receive(attacker.frame(), 600 * i, now, 5)
        accepted += found is not None and not found.repeated
        while authority.busy:
            accepted += authority.work() is not None
    return accepted, authority


def test_nothing_hostile_is_accepted():
    accepted, authority = attack(6000, 1)
    assert accepted == 0
    assert authority.counter == 8 and authority.chain.slot == SLOT + 4
    assert authority.forged > 300 and authority.refused > 1000


@pytest.mark.soak
def test_nothing_hostile_is_accepted_in_a_million_tries():
    """10^6 tries. A random MAC is right once in 2^32: 1e-4 of these runs may fail honestly."""
    accepted, _ = attack(1_000_000, 2)
    assert accepted == 0


def test_tries_are_limited_whatever_is_sent():
    authority = made()
    attacker = Attacker(3)
    day_s = 86400
    for i in range(3000):
        authority.receive(attacker.frame(), day_s * i // 3000)
    # 16 at once and 144 per day; opened group frames cost no try and are not in here.
    assert authority.forged <= 16 + day_s // 600


def test_an_attacker_cannot_lock_the_owner_out_for_longer_than_ten_minutes():
    authority = made()
    bad = bytearray(frames.individual(KEY, EID, 9, pack(IDENTIFY))[:FRAME_BYTES])
    bad[-1] ^= 1
    for uptime_s in range(0, 3600, 8):
        authority.receive(bad, uptime_s)
    good = frames.individual(KEY, EID, 10, pack(IDENTIFY))[:FRAME_BYTES]
    assert authority.receive(good, 3600 + 600)


def test_counters_survive_power_cuts_at_any_moment():
    rng = random.Random(4)
    stored = bytearray(STATE_BYTES)
    made().state_into(stored)
    executed = []
    sent = []
    counter = 0
    for _ in range(400):
        authority = made()
        authority.restore(stored)
        for _ in range(rng.randrange(1, 6)):
            if not sent or rng.random() < 0.5:
                counter += rng.randrange(1, 4)
                sent.append(frames.individual(KEY, EID, counter, pack(DEMAND_RESET, (counter,))))
            frame = sent[-1] if rng.random() < 0.7 else rng.choice(sent)
            accepted = authority.receive(frame[:FRAME_BYTES], 0)
            if accepted is None or accepted.repeated:
                continue
            if rng.random() < 0.2:
                break
            authority.state_into(stored)
            if rng.random() < 0.2:
                break
            executed.append(accepted.reference)
            if rng.random() < 0.2:
                break
            authority.finished(accepted, 0)
            authority.state_into(stored)
    assert len(executed) > 200
    assert executed == sorted(set(executed))


def test_replayed_history_after_a_power_cut():
    # The module was off; the attacker plays back all it recorded meanwhile. Beacons may be
    # late, so may be what they open; but nothing that was executed before is executed again.
    stored = bytearray(STATE_BYTES)
    authority = made()
    command = frames.released(KEYS.element(110), BROADCAST, 110, pack(DEMAND_RESET, (5,)))
    beacon = frames.beacon(KEYS.element(110), 110, 1, 0)

    def play(authority, now):
        authority.receive(command[:FRAME_BYTES], 0, now, 5)
        authority.receive(beacon[:FRAME_BYTES], 0, None)
        found = []
        while authority.busy:
            accepted = authority.work()
            if accepted:
                found.append(accepted.command[0])
        return found

    now = start_of(109, KEYS.slot_s) + 10
    assert DEMAND_RESET in play(authority, now)
    authority.state_into(stored)
    after = made()
    after.restore(stored)
    assert play(after, None) == []
    assert play(after, now) == []


def test_a_working_key_from_the_collector_does_not_change_keys():
    authority = made()
    forged = frames.individual(KEY, EID, 1, b"\x33\x00\x05")
    assert authority.receive(forged[:FRAME_BYTES], 0) is None
    assert authority.generation == 0
    assert authority.receive(frames.individual(KEY, EID, 1, pack(SET_DETENT, (1,)))[:22], 0)
