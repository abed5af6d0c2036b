"""Long commands in parts: resumable, all or nothing, in memory of a stated size.

TRANSFER_BEGIN names a body's kind, length and check; parts may come in any order and any
number of times. Beginning the same transfer again keeps what has arrived. When the last part
is there the body is checked as a whole and handed over once; a wrong check drops all of it.

Context: task only. Allocates: the finished command; everything else at construction.
Source: docs/authority.md, "Transfers".
"""

import hashlib

from micropython import const

from endpoint.line import CommandError
from endpoint.line.command import BODIES

PART_BYTES = const(7)
CHECK_BYTES = const(4)

_MARKS = const(9)  # one bit for each of at most 72 parts
_HEAD = const(9)  # active, source, transfer, kind, length 2 … check is behind it
STATE_BYTES = const(_HEAD + CHECK_BYTES + _MARKS + 504)

_EMPTY = const(0)
_OPEN = const(1)
_COMPLETE = const(2)


def check_of(kind, body):
    """Return the check of a body, 32 bits: the first bytes of SHA-256 over kind and body."""
    digest = hashlib.sha256(bytes((kind,)) + body).digest()
    return int.from_bytes(digest[:CHECK_BYTES], "big")


class Transfer:
    """The one transfer that a module can have under way.

    Attributes
    ----------
    state : bytearray
        All of it, `STATE_BYTES` bytes; may be stored and written back to go on after a restart.
    """

    def __init__(self):
        self.state = bytearray(STATE_BYTES)

    def clear(self):
        """Forget everything."""
        self.state[:] = bytes(STATE_BYTES)

    @property
    def complete(self):
        """Whether the transfer last begun has been handed over."""
        return self.state[0] == _COMPLETE

    @property
    def used(self):
        """Bytes of `state` that must be stored: a body that was handed over is not needed."""
        state = self.state
        if state[0] == _EMPTY:
            return 0
        head = _HEAD + CHECK_BYTES + _MARKS
        return head if state[0] == _COMPLETE else head + PART_BYTES * self._parts()

    def begin(self, source, transfer, kind, length, check):
        """Begin or go on; raise CommandError for a kind or length that cannot be."""
        if not 0 < length <= BODIES.get(kind, 0):
            raise CommandError
        head = bytes((source, transfer, kind)) + length.to_bytes(2, "big")
        head += bytes(_HEAD - 6) + check.to_bytes(CHECK_BYTES, "big")
        state = self.state
        if state[0] == _EMPTY or state[1 : _HEAD + CHECK_BYTES] != head:
            self.clear()
            state[0] = _OPEN
            state[1 : _HEAD + CHECK_BYTES] = head

    def part(self, source, transfer, index, data):
        """Take up a part.

        Returns
        -------
        bytes or None
            The whole command, code and body, when this part completed it.

        Raises
        ------
        CommandError
            No such transfer or part, or the finished body fails its check and is dropped.
        """
        state = self.state
        parts = self._parts()
        if state[0] == _EMPTY or state[1] != source or state[2] != transfer or index >= parts:
            raise CommandError
        if state[0] == _COMPLETE:
            return None
        at = _HEAD + CHECK_BYTES
        state[at + index // 8] |= 1 << index % 8
        at += _MARKS + PART_BYTES * index
        state[at : at + PART_BYTES] = data
        if self.missing() is not None:
            return None
        start = _HEAD + CHECK_BYTES + _MARKS
        body = bytes(state[start : start + self._length()])
        kind = state[3]
        if check_of(kind, body) != int.from_bytes(state[_HEAD : _HEAD + CHECK_BYTES], "big"):
            self.clear()
            raise CommandError
        state[0] = _COMPLETE
        return bytes((kind,)) + body

    def hand_over(self, is_carried_out):
        """Note whether the body handed over last has been carried out.

        Until it has, its first part counts as missing: after a cut the sender brings that part
        again, and the body comes out again.
        """
        at = _HEAD + CHECK_BYTES
        if is_carried_out:
            self.state[0] = _COMPLETE
            self.state[at] |= 1
        else:
            self.state[0] = _OPEN
            self.state[at] &= 0xFE

    def missing(self):
        """Return the first missing part's number, or None when all are there."""
        for index in range(self._parts()):
            if not self._has(index):
                return index
        return None

    def report(self, transfer):
        """Return 24 bits for an ACK frame's `data`.

        High byte: the first missing part, 0xFF when complete, 0xFE when this transfer is not
        known. Low 16 bits: set for each of the 16 parts from there on that is missing.
        """
        state = self.state
        if state[0] == _EMPTY or state[2] != transfer:
            return 0xFE0000
        first = self.missing()
        if state[0] == _COMPLETE or first is None:
            return 0xFF0000
        word = first << 16
        for i in range(16):
            if first + i < self._parts() and not self._has(first + i):
                word |= 0x8000 >> i
        return word

    def _has(self, index):
        return self.state[_HEAD + CHECK_BYTES + index // 8] >> index % 8 & 1

    def _length(self):
        return self.state[4] << 8 | self.state[5]

    def _parts(self):
        return (self._length() + PART_BYTES - 1) // PART_BYTES
