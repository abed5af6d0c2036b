"""What start-up remembers, and which application it starts. One page of flash, written whole.

Each of the two slots is empty, on trial, confirmed or rejected. `active` names the slot that is
meant to run; `FROZEN` is the application inside the image, which is always there.
"""

import struct

from micropython import const

EMPTY = const(0)
TRIAL = const(1)
CONFIRMED = const(2)
REJECTED = const(3)
STATES = ("empty", "trial", "confirmed", "rejected")

FROZEN = const(2)  # after slot 0 and slot 1
SAFE = const(3)

# A start that ends in a power cut is no fault of the application, but neither a proof; with so
# many of them somebody should look.
TRIAL_STARTS = const(8)
# So many starts in a row that ended in a fault move on to the next application that is there.
FAULTS_EACH = const(4)

KEYS_MAX = const(3)
_KEY_BYTES = const(32)
_REASON_BYTES = const(30)
_LAYOUT = const(1)
_HEAD = "<BBBB3H"
# State, starts, whether a meter is expected, spare, version, CRC-32, length, reason.
_SLOT = "<BBBB3HII%ds" % _REASON_BYTES
_HEAD_BYTES = struct.calcsize(_HEAD)
_SLOT_BYTES = struct.calcsize(_SLOT)
RECORD_BYTES = _HEAD_BYTES + 2 * _SLOT_BYTES + KEYS_MAX * _KEY_BYTES


class Slot:
    """What is known of one slot.

    Attributes
    ----------
    state : int
    starts : int
        Begun while on trial.
    needs_meter : bool
        Whether a meter must answer before the trial is over.
    version : tuple of int
    crc, length : int
        Of the file system in it, as it was verified; 0 when empty.
    reason : str
        Why it was rejected, at most 30 characters.
    """

    def __init__(self):
        self.clear()

    def clear(self):
        """Forget everything: nothing in this slot may run."""
        self.state = EMPTY
        self.starts = 0
        self.needs_meter = True
        self.version = (0, 0, 0)
        self.crc = 0
        self.length = 0
        self.reason = ""

    def reject(self, reason):
        """Never start it again, and keep why."""
        self.state = REJECTED
        self.reason = reason[:_REASON_BYTES]


class Record:
    """The whole memory of start-up.

    Attributes
    ----------
    active : int
        Slot 0 or 1, or `FROZEN`.
    floor : tuple of int
        Oldest version that may still be installed.
    slots : tuple of Slot
    keys : list of bytes
        Public keys that may sign a release.
    """

    def __init__(self):
        self.active = FROZEN
        self.floor = (0, 0, 0)
        self.slots = (Slot(), Slot())
        self.keys = []

    def pack(self):
        """Return the record's bytes."""
        parts = [struct.pack(_HEAD, _LAYOUT, self.active, len(self.keys), 0, *self.floor)]
        for slot in self.slots:
            state = (slot.state, slot.starts, slot.needs_meter, 0) + tuple(slot.version)
            parts.append(
                struct.pack(_SLOT, *(state + (slot.crc, slot.length, slot.reason.encode())))
            )
        return (b"".join(parts + self.keys)) + bytes(_KEY_BYTES * (KEYS_MAX - len(self.keys)))

    def unpack(self, data):
        """Take the fields from `data`; return False and stay as new when they make no sense."""
        if len(data) != RECORD_BYTES:
            return False
        layout, active, keys, _, *floor = struct.unpack_from(_HEAD, data)
        if layout != _LAYOUT or active > FROZEN or keys > KEYS_MAX:
            return False
        for number, slot in enumerate(self.slots):
            fields = struct.unpack_from(_SLOT, data, _HEAD_BYTES + number * _SLOT_BYTES)
            slot.state, slot.starts, needs_meter, _ = fields[:4]
            slot.needs_meter = bool(needs_meter)
            slot.version = fields[4:7]
            slot.crc, slot.length, reason = fields[7:]
            slot.reason = reason.rstrip(b"\0").decode()
        at = _HEAD_BYTES + 2 * _SLOT_BYTES
        self.active = active
        self.floor = tuple(floor)
        self.keys = [
            bytes(data[at + number * _KEY_BYTES : at + (number + 1) * _KEY_BYTES])
            for number in range(keys)
        ]
        return True

    def trial(self):
        """Return the number of the slot on trial, None when there is none."""
        for number, slot in enumerate(self.slots):
            if slot.state == TRIAL:
                return number
        return None

    def free(self):
        """Return the slot that the next release goes to: never the one that is meant to run."""
        return 1 if self.active == 0 else 0

    def begin_trial(self, number, manifest, crc, needs_meter):
        """Let a slot that has been verified be started next."""
        slot = self.slots[number]
        slot.clear()
        slot.state = TRIAL
        slot.version = tuple(manifest.version)
        slot.crc = crc
        slot.length = manifest.length
        slot.needs_meter = needs_meter

    def confirm(self, number, floor):
        """Make a slot the one that is meant to run; `floor` comes from its manifest."""
        slot = self.slots[number]
        slot.state = CONFIRMED
        slot.starts = 0
        self.active = number
        self.floor = max(self.floor, tuple(floor))

    def roll_back(self, reason):
        """Go back to the application before this one; return False when there is none.

        A trial that is not over ends, and the active slot stays. Otherwise the active slot makes
        room for the other one, or for the frozen application when that is not confirmed.
        """
        trial = self.trial()
        if trial is not None:
            self.slots[trial].reject(reason)
            return True
        if self.active == FROZEN:
            return False
        self.slots[self.active].reject(reason)
        other = 1 - self.active
        self.active = other if self.slots[other].state == CONFIRMED else FROZEN
        return True

    def choose(self, is_sound, fault, faults):
        """Decide what to start, and note it.

        Parameters
        ----------
        is_sound : callable
            ``is_sound(number)`` tells whether a slot still holds what was verified.
        fault : str
            How the start before this one failed; "" when it did not.
        faults : int
            How many starts in a row have failed.

        Returns
        -------
        (int, bool)
            Slot 0 or 1, `FROZEN` or `SAFE`; and whether the record has changed and must be
            committed before the start.
        """
        changed = False
        trial = self.trial()
        if trial is not None:
            slot = self.slots[trial]
            changed = True
            if not is_sound(trial):
                slot.reject("damaged in flash")
            elif slot.starts and fault:
                slot.reject(fault)
            elif slot.starts >= TRIAL_STARTS:
                slot.reject("not confirmed in %d starts" % TRIAL_STARTS)
            else:
                slot.starts += 1
                return trial, True
            faults = 0
        order = [
            number
            for number in ((self.active, 1 - self.active) if self.active != FROZEN else ())
            if self.slots[number].state == CONFIRMED and is_sound(number)
        ] + [FROZEN]
        step = faults // FAULTS_EACH
        return (order[step] if step < len(order) else SAFE), changed
