"""Who may command this module: keys, counters, released keys, limits. Frames in, commands out.

Three kinds of frames, by their first byte:

- INDIVIDUAL: to one endpoint, MAC under its working key, counter strictly rising. KEY_CHANGE
  alone is under another key that the collector in the substation does not hold.
- RELEASED: to a group or to all, MAC under an element of the chain that is released later. It
  waits until then; the module must know the time well enough to be sure that the element was
  still secret when the frame arrived.
- BEACON: an element is released; this is the time service as well.

Counters survive power loss if the caller stores `state_into` **before** it executes what was
accepted; a command is then executed at most once.

Context: task only. Allocates: per frame, what hashing needs; the waiting frames' room once.
Source: docs/authority.md.
"""

from micropython import const

from endpoint.line import AuthorityError
from endpoint.line.chain import ELEMENT_BYTES, Chain, start_of
from endpoint.line.command import (
    INDIVIDUAL_ONLY,
    KEY_CHANGE,
    OUTCOME_UNKNOWN,
    SET_GROUP,
    SET_TIME,
)
from endpoint.line.mac import (
    FRAME_MAC_BYTES,
    KEY_BYTES,
    PORT_MAC_BYTES,
    change_key,
    equal,
    frame_mac,
    port_mac,
    working_key,
)

INDIVIDUAL = const(0x11)
RELEASED = const(0x12)
BEACON = const(0x13)
PORT = const(0x14)

# VER 1, DEST 4, CTR or slot 3, code 1, arguments 9, MAC 4; the CRC is the framer's.
FRAME_BYTES = const(22)
BROADCAST = const(0xFFFFFFFF)
GROUP_BASE = const(0xFF000000)
GROUPS = const(4)

# A frame of 28.5 s every 900 s slot: 31 is all that the line can carry.
_WAITING = const(32)
# How far ahead of the present slot a frame's element may lie, and how late it may be opened.
_AHEAD_SLOTS = const(2)
# A counter may jump by this much and no more, so that low 24 bits name one counter.
_COUNTER_SPAN = const(0x800000)
# Wrong MACs: sixteen at once, then one per ten minutes.
_TRIES = const(16)
_TRY_S = const(600)
# A beacon starts within a second of its slot.
_LATE_S = const(2)
# Chain steps per call of `work`; each is one hash.
_STEPS = const(64)

STATE_BYTES = const(33)
_STATE_VERSION = const(1)


class Accepted:
    """One command that may be executed.

    Attributes
    ----------
    command : bytes
        Code and arguments.
    source : int
        INDIVIDUAL, RELEASED, BEACON or PORT.
    reference : int
        Low 16 bits of counter or slot, for the ACK frame.
    repeated : bool
        It was accepted before: do not execute it, answer with `result`.
    result : int
        Result of the first time; OUTCOME_UNKNOWN if it was never reported.
    cycle : int
        The detector's cycle at whose beginning its frame began; set by `Downlink`.
    fault : bool
        A part of a transfer that was refused; set by `Downlink`.
    """

    def __init__(self, command, source, reference, repeated=False, result=OUTCOME_UNKNOWN):
        self.command = command
        self.source = source
        self.reference = reference
        self.repeated = repeated
        self.result = result
        self.cycle = 0
        self.fault = False


class Authority:
    """Judge of all commands to one endpoint.

    Parameters
    ----------
    eid : int
        Endpoint identity.
    root : bytes, 16 bytes
        The endpoint's root key; given at programming, never sent, never stored by this room.
    anchor_slot, anchor, slot_s : int, bytes, int
        A verified element of the collector's chain, its slot, and the length of a slot.

    Attributes
    ----------
    forged : int
        Frames with a wrong MAC, since start.
    refused : int
        Frames that were old, badly timed, or came while no tries were left.
    """

    def __init__(self, eid, root, anchor_slot=0, anchor=bytes(ELEMENT_BYTES), slot_s=900):
        if len(root) != KEY_BYTES or len(anchor) != ELEMENT_BYTES:
            raise AuthorityError
        self.eid = eid
        self._root = bytes(root)
        self._change = change_key(root)
        self.generation = 0
        self._key = working_key(root, 0)
        self.counter = 0
        self._result = OUTCOME_UNKNOWN
        self._last_mac = bytes(FRAME_MAC_BYTES)
        self.groups = bytearray(GROUPS)
        self.chain = Chain(anchor_slot, anchor, slot_s)
        self.forged = 0
        self.refused = 0
        self._tries = _TRIES
        self._tries_since_s = 0
        self._waiting = bytearray(_WAITING * FRAME_BYTES)
        self._waits = 0
        self._time = None

    @property
    def key(self):
        """The working key, for `seal` and `digest`."""
        return self._key

    # What survives power loss.

    def state_into(self, record):
        """Write the state that must survive into `record` (bytearray, 33 bytes or more)."""
        chain = self.chain
        record[0] = _STATE_VERSION
        record[1:3] = self.generation.to_bytes(2, "big")
        record[3:7] = self.counter.to_bytes(4, "big")
        record[7] = self._result
        record[8:11] = chain.slot.to_bytes(3, "big")
        record[11:23] = chain.element
        record[23:25] = chain.slot_s.to_bytes(2, "big")
        record[25 : 25 + GROUPS] = self.groups
        record[29:33] = self._last_mac

    def restore(self, record):
        """Take up a stored state; raise AuthorityError for what `state_into` did not write."""
        if len(record) < STATE_BYTES or record[0] != _STATE_VERSION:
            raise AuthorityError
        slot_s = int.from_bytes(record[23:25], "big")
        if not slot_s:
            raise AuthorityError
        self.generation = int.from_bytes(record[1:3], "big")
        self.counter = int.from_bytes(record[3:7], "big")
        self._result = record[7]
        self.chain = Chain(int.from_bytes(record[8:11], "big"), record[11:23], slot_s)
        self.groups[:] = record[25 : 25 + GROUPS]
        self._last_mac = bytes(record[29:33])
        self._key = working_key(self._root, self.generation)

    # What arrives.

    def receive(self, frame, uptime_s, now_unix_s=None, bound_s=0, lasted_s=0):
        """Judge one frame of the line.

        Parameters
        ----------
        frame : bytes-like, 22 bytes
            A frame whose CRC was right.
        uptime_s : int
            Monotonic seconds; they fill the tries up again.
        now_unix_s : int or None
            Our own time at the end of the frame, None when unknown.
        bound_s : int
            By how much it may be wrong.
        lasted_s : int
            Time from the frame's first sync symbol to now.

        Returns
        -------
        Accepted or None
            What may be executed now. After a BEACON call `work` until it returns nothing.
        """
        if len(frame) != FRAME_BYTES:
            return None
        frame = bytes(frame)
        version = frame[0]
        if version == BEACON:
            self._hear_beacon(frame, now_unix_s, bound_s + lasted_s)
            return None
        destination = int.from_bytes(frame[1:5], "big")
        if version == INDIVIDUAL and destination == self.eid:
            return self._individual(frame, uptime_s)
        if version == RELEASED and self._concerns(destination):
            self._keep(frame, now_unix_s, bound_s)
        return None

    def receive_port(self, message, uptime_s):
        """Judge ``counter 4 | command | MAC 8`` from the programming port.

        Counter, key and limits are the same as for INDIVIDUAL frames.
        """
        if len(message) < 5 + PORT_MAC_BYTES:
            return None
        message = bytes(message)
        counter = int.from_bytes(message[:4], "big")
        command = message[4:-PORT_MAC_BYTES]
        key = self._change if command[0] == KEY_CHANGE else self._key
        if not self._may_try(counter, uptime_s):
            return None
        mac = port_mac(key, self.eid, counter, command)
        good = equal(mac, message[-PORT_MAC_BYTES:])
        return self._judged(good, counter, command, PORT, mac[:FRAME_MAC_BYTES])

    def work(self):
        """Go on verifying a beacon; return the next Accepted, or None.

        Call until it returns None and `busy` is False; each call costs up to 64 hashes.
        """
        chain = self.chain
        if chain.walking:
            if not chain.walk(_STEPS):
                return None
            if self._time:
                return Accepted(self._time, BEACON, chain.slot & 0xFFFF)
        while self._waits:
            frame = bytes(self._waiting[:FRAME_BYTES])
            slot = int.from_bytes(frame[5:8], "big")
            if slot > chain.slot:
                # Kept in order of arrival; a later one may be due all the same.
                if not self._rotate_to_due():
                    return None
                continue
            self._drop_first()
            if chain.slot - slot > _AHEAD_SLOTS:
                self.refused += 1
                continue
            accepted = self._open(frame, slot)
            if accepted:
                return accepted
        return None

    @property
    def busy(self):
        """Whether `work` has something to do now."""
        return self.chain.walking or self._due()

    def finished(self, accepted, result):
        """Note the result of a command, so that its repetition gets the same answer.

        Takes effect with the next `state_into`; a cut before that leaves OUTCOME_UNKNOWN.
        """
        newest = accepted.source in (INDIVIDUAL, PORT)
        if newest and accepted.reference == self.counter & 0xFFFF:
            self._result = result

    def anchor(self, body):
        """Take up a new chain: slot 3, element 12, slot length 2; raise AuthorityError."""
        if len(body) != 17 or not int.from_bytes(body[15:17], "big"):
            raise AuthorityError
        slot_s = int.from_bytes(body[15:17], "big")
        self.chain = Chain(int.from_bytes(body[:3], "big"), body[3:15], slot_s)
        self._waits = 0

    # Individual frames.

    def _individual(self, frame, uptime_s):
        low = int.from_bytes(frame[5:8], "big")
        ahead = (low - self.counter) & 0xFFFFFF
        if ahead >= _COUNTER_SPAN:
            self.refused += 1
            return None
        counter = self.counter + ahead
        command = frame[8:18]
        key = self._change if command[0] == KEY_CHANGE else self._key
        if not self._may_try(counter, uptime_s):
            return None
        mac = frame_mac(key, INDIVIDUAL, self.eid, counter, command)
        return self._judged(equal(mac, frame[18:]), counter, command, INDIVIDUAL, mac)

    def _may_try(self, counter, uptime_s):
        ahead = counter - self.counter
        self._refill(uptime_s)
        if not 0 <= ahead < _COUNTER_SPAN or counter > 0xFFFFFFFF or not self._tries:
            self.refused += 1
            return False
        return True

    def _refill(self, uptime_s):
        more = (uptime_s - self._tries_since_s) // _TRY_S
        if self._tries + more >= _TRIES:
            self._tries = _TRIES
            self._tries_since_s = uptime_s
        elif more > 0:
            self._tries += more
            self._tries_since_s += more * _TRY_S

    def _judged(self, good, counter, command, source, mac):
        if not good:
            self.forged += 1
            self._tries -= 1
            return None
        if counter == self.counter:
            if not equal(mac, self._last_mac):
                self.refused += 1
                return None
            return Accepted(command, source, counter & 0xFFFF, True, self._result)
        if command[0] == KEY_CHANGE:
            generation = int.from_bytes(command[1:3], "big")
            if generation <= self.generation:
                self.refused += 1
                return None
            self.generation = generation
            self._key = working_key(self._root, generation)
        elif command[0] == SET_GROUP and command[1] < GROUPS:
            self.groups[command[1]] = command[2]
        self.counter = counter
        self._last_mac = mac
        self._result = OUTCOME_UNKNOWN
        return Accepted(command, source, counter & 0xFFFF)

    # Frames whose key is released later.

    def _concerns(self, destination):
        if destination == BROADCAST:
            return True
        group = destination - GROUP_BASE
        return 0 < group < 256 and any(member == group for member in self.groups)

    def _keep(self, frame, now_unix_s, bound_s):
        slot = int.from_bytes(frame[5:8], "big")
        chain = self.chain
        good = (
            now_unix_s is not None
            and slot > chain.slot
            and frame[8] not in INDIVIDUAL_ONLY
            # The element must still be secret, and due soon.
            and now_unix_s + bound_s < start_of(slot, chain.slot_s)
            and start_of(slot - _AHEAD_SLOTS, chain.slot_s) <= now_unix_s + bound_s
        )
        if not good or self._waits == _WAITING:
            self.refused += 1
            return
        for i in range(self._waits):
            if self._waiting[i * FRAME_BYTES : (i + 1) * FRAME_BYTES] == frame:
                return
        self._waiting[self._waits * FRAME_BYTES : (self._waits + 1) * FRAME_BYTES] = frame
        self._waits += 1

    def _due(self):
        for i in range(self._waits):
            at = i * FRAME_BYTES + 5
            if int.from_bytes(self._waiting[at : at + 3], "big") <= self.chain.slot:
                return True
        return False

    def _rotate_to_due(self):
        if not self._due():
            return False
        end = self._waits * FRAME_BYTES
        first = bytes(self._waiting[:FRAME_BYTES])
        self._waiting[: end - FRAME_BYTES] = bytes(self._waiting[FRAME_BYTES:end])
        self._waiting[end - FRAME_BYTES : end] = first
        return True

    def _drop_first(self):
        end = self._waits * FRAME_BYTES
        self._waiting[: end - FRAME_BYTES] = bytes(self._waiting[FRAME_BYTES:end])
        self._waits -= 1

    def _open(self, frame, slot):
        destination = int.from_bytes(frame[1:5], "big")
        command = frame[8:18]
        element = self.chain.earlier(slot)
        if not equal(frame_mac(element, RELEASED, destination, slot, command), frame[18:]):
            self.forged += 1
            return None
        return Accepted(command, RELEASED, slot & 0xFFFF)

    # Beacons: VER 1, slot 3, element 12, cycle 4, fraction 1, zero 1.

    def _hear_beacon(self, frame, now_unix_s, bound_s):
        slot = int.from_bytes(frame[1:4], "big")
        chain = self.chain
        if frame[21] or not chain.claim(slot, frame[4:16]):
            self.refused += 1
            return
        start = start_of(slot, chain.slot_s)
        # Nobody can release an element early, but a recorded beacon can come late: it still
        # opens what waits, but a module that knows better keeps its own time.
        if now_unix_s is not None and now_unix_s - bound_s > start + _LATE_S:
            self.refused += 1
            self._time = None
            return
        self._time = bytes((SET_TIME,)) + start.to_bytes(4, "big") + frame[20:21] + frame[16:20]
