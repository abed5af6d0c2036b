"""What the line must still know after a power cut: the authority's state and an open transfer.

It is written before a command is executed, so that no command is executed twice. A record that
belongs to another key or another anchor counts for nothing: the module was given new ones.

Context: task only, while an erase does no harm for `prepare`. Allocates: at construction.
"""

import struct

from micropython import const

from endpoint.line import AuthorityError
from endpoint.line.authority import STATE_BYTES as _AUTHORITY_BYTES
from endpoint.line.transfer import STATE_BYTES as _TRANSFER_BYTES
from endpoint.store import StoreError

_VERSION = const(1)
OWNER_BYTES = const(4)
# Version, owner, bytes of the transfer; then the authority, then the transfer.
_HEAD = "<B4sH"
_HEAD_BYTES = const(7)


class LineState:
    """The record of one endpoint's line.

    Parameters
    ----------
    journal : Journal
    owner : bytes, 4 bytes
        Tells the key and anchor that the record belongs to.
    authority : Authority
    transfer : Transfer

    Attributes
    ----------
    failures : int
        Records that the flash did not take, since start.
    """

    def __init__(self, journal, owner, authority, transfer):
        self._journal = journal
        self._owner = owner
        self._authority = authority
        self._transfer = transfer
        self._record = bytearray(_HEAD_BYTES + _AUTHORITY_BYTES + _TRANSFER_BYTES)
        self._body = memoryview(self._record)[_HEAD_BYTES:]
        self._is_due = False
        self.failures = 0

    def open(self):
        """Go on where the newest record stands; return whether it was this endpoint's."""
        journal, record, body = self._journal, self._record, self._body
        journal.mount()
        length = journal.load(record)
        if length < _HEAD_BYTES + _AUTHORITY_BYTES:
            return False
        version, owner, count = struct.unpack_from(_HEAD, record)
        if version != _VERSION or owner != self._owner:
            return False
        try:
            self._authority.restore(body[:_AUTHORITY_BYTES])
        except AuthorityError:
            return False
        transfer = self._transfer
        transfer.clear()
        transfer.state[:count] = body[_AUTHORITY_BYTES : _AUTHORITY_BYTES + count]
        return True

    def commit(self):
        """Store everything as it is now; return whether the flash took it."""
        state, count = self._transfer.state, self._transfer.used
        struct.pack_into(_HEAD, self._record, 0, _VERSION, self._owner, count)
        self._authority.state_into(self._body)
        end = _AUTHORITY_BYTES + count
        self._body[_AUTHORITY_BYTES:end] = memoryview(state)[:count]
        self._is_due = True
        try:
            self._journal.commit(self._record, _HEAD_BYTES + end)
        except StoreError:
            self.failures += 1
            return False
        return True

    def prepare(self):
        """Erase what the next record will need, if anything; call it when nobody talks."""
        if self._is_due:
            self._is_due = False
            try:
                self._journal.prepare()
            except StoreError:
                self.failures += 1
