"""Root keys, working keys and the chain of released keys, as the head-end holds them."""

import hashlib
from collections.abc import Iterator

from endpoint.line.chain import ELEMENT_BYTES, EPOCH_UNIX_S, start_of, step_down
from endpoint.line.mac import change_key, working_key
from wattline.errors import WattlineError

_STRIDE = 1024  # elements between two remembered ones: 1 ms of hashing at most


class ReleasedKeys:
    """The secret end of a chain.

    Parameters
    ----------
    seed : bytes
        At least 16 random bytes; whoever knows them can command every module.
    first_slot : int
        The slot of the anchor given to modules.
    slots : int
        Length of the chain. 350,640 slots of 900 s are ten years and take half a second.
    slot_s : int
        Length of a slot, 10 to 3600 s.
    """

    def __init__(self, seed: bytes, first_slot: int, slots: int, slot_s: int = 900):
        if len(seed) < 16:
            raise WattlineError("a chain needs a seed of 16 bytes or more: take random ones")
        if not 10 <= slot_s <= 3600 or not 0 <= first_slot < first_slot + slots < 1 << 24:
            raise WattlineError("a chain has slots of 10 to 3600 s, numbered below 2^24")
        self.first_slot = first_slot
        self.last_slot = first_slot + slots
        self.slot_s = slot_s
        element = hashlib.sha256(b"seed" + seed).digest()[:ELEMENT_BYTES]
        self._kept = {self.last_slot: element}
        for slot in range(self.last_slot - 1, first_slot - 1, -1):
            element = step_down(slot, element)
            if slot % _STRIDE == 0 or slot == first_slot:
                self._kept[slot] = element

    def element(self, slot: int) -> bytes:
        """Return the element of a slot; raise WattlineError outside the chain."""
        if not self.first_slot <= slot <= self.last_slot:
            raise WattlineError(
                f"slot {slot} is outside the chain ({self.first_slot} to {self.last_slot}): "
                "give modules a new anchor"
            )
        at = min(kept for kept in self._kept if kept >= slot)
        element = self._kept[at]
        while at > slot:
            at -= 1
            element = step_down(at, element)
        return element

    def slot_at(self, unix_s: int) -> int:
        """Return the slot that has begun last at a time."""
        return (unix_s - EPOCH_UNIX_S) // self.slot_s

    def start_of(self, slot: int) -> int:
        """Return when a slot begins, unix seconds."""
        return start_of(slot, self.slot_s)

    def anchor(self, slot: int) -> bytes:
        """Return the ANCHOR body that ties a module to this chain at a slot already begun."""
        return slot.to_bytes(3, "big") + self.element(slot) + self.slot_s.to_bytes(2, "big")

    def beacons_from(self, unix_s: int) -> Iterator[int]:
        """Yield the slots whose beacons are due at or after a time."""
        yield from range(-(-(unix_s - EPOCH_UNIX_S) // self.slot_s), self.last_slot + 1)


__all__ = ["ReleasedKeys", "change_key", "working_key"]
