"""Keys that are released with time: what lets all modules check a broadcast that none can forge.

Element i of the chain is a hash of element i + 1, and slot i begins at a stated time. The
collector releases element i in the beacon of slot i, never before; a module hashes it down to
the last element it knows. A released element therefore proves that slot i has begun, which is
the time service, and opens what was sent earlier under the same element: group commands.

A module holds nothing that helps to find an element not yet released, so a stolen module
gives no power over others.

Context: task only. Allocates: two short byte strings per step.
Source: docs/authority.md, "Released keys".
"""

import hashlib

from micropython import const

ELEMENT_BYTES = const(12)
# 2020-01-01 00:00 UTC; slot i begins i · slot_s later.
EPOCH_UNIX_S = const(1577836800)
# Longest way back to a known element: 416 days of 15-minute slots.
FARTHEST_SLOTS = const(40000)


def step_down(slot, above):
    """Return element `slot` from the element of slot + 1."""
    return hashlib.sha256(b"chain" + slot.to_bytes(4, "big") + above).digest()[:ELEMENT_BYTES]


def start_of(slot, slot_s):
    """Return when a slot begins, unix seconds."""
    return EPOCH_UNIX_S + slot * slot_s


class Chain:
    """The last verified element, and the walk that verifies the next.

    Parameters
    ----------
    slot : int
        Slot of the known element, 24 bits.
    element : bytes, 12 bytes
        The element.
    slot_s : int
        Length of a slot in seconds.
    """

    def __init__(self, slot, element, slot_s):
        self.slot = slot
        self.element = bytes(element)
        self.slot_s = slot_s
        self._claimed_slot = 0
        self._claimed = None
        self._walked = b""
        self._at = 0

    @property
    def walking(self):
        """Whether a claim is being verified."""
        return self._claimed is not None

    def claim(self, slot, element):
        """Take up a released element for verification; return whether it was taken.

        What is not newer than the known one, or too far from it, is not; nor is anything
        while another claim is being verified.
        """
        if self.walking or not 0 < slot - self.slot <= FARTHEST_SLOTS:
            return False
        self._claimed_slot = self._at = slot
        self._claimed = self._walked = bytes(element)
        return True

    def walk(self, most_steps):
        """Go on verifying; return True when the claim proved true, False if false or not yet."""
        while self._claimed is not None and most_steps > 0:
            self._at -= 1
            self._walked = step_down(self._at, self._walked)
            most_steps -= 1
            if self._at == self.slot:
                true = self._walked == self.element
                if true:
                    self.slot, self.element = self._claimed_slot, self._claimed
                self._claimed = None
                return true
        return False

    def earlier(self, slot):
        """Return the element of an earlier slot, at most a few back."""
        element, at = self.element, self.slot
        while at > slot:
            at -= 1
            element = step_down(at, element)
        return element
