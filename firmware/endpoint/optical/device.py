"""The device role of C12.18: it answers; tables and rights are the business of an object.

Context: any. Allocates: what the tables object allocates; the role itself as `Link`.
Source: ANSI C12.18, application layer and service sequence states.
"""

from micropython import const

from endpoint.optical import services
from endpoint.optical.kernels import checksum, copy
from endpoint.optical.packet import DEFAULT_PACKET_BYTES, Link

PROCEDURE_TABLE = const(7)

# Standard C12.18, version 1, revision 0, end of list.
_IDENTITY = b"\x00\x01\x00\x00"

_BASE = const(0)
_ID = const(1)
_SESSION = const(2)

# Changes that wait until the client has acknowledged the reply.
_NOTHING = const(0)
_GO_BASE = const(1)
_NEGOTIATE = const(2)
_STAY = const(3)

# States in which a service is allowed; the bit number is the state.
_IN_BASE = const(1)
_IN_ID = const(2)
_IN_SESSION = const(4)


class Tables:
    """What a device serves: the interface, and a device without any table.

    A reply code other than OK refuses the service. Offsets and counts are bytes within the
    table and are checked by the device against `size` before `read` and `write` are called.
    """

    offset_access = True
    index_access = False
    default_table = None  # table of the default read, None: the service is refused
    varying = (PROCEDURE_TABLE,)  # may be written whole at any length up to their size
    now_ms = 0  # the device role sets it before each service
    from_start = True  # and this before `size`: a read that begins at the table's first byte

    def logon(self, user_id, user):
        """Note who asks; `user` is a view of 10 bytes, valid during the call."""
        return services.OK

    def security(self, password):
        """Grant the rights of `password`, a view of 20 bytes, valid during the call."""
        return services.ERR

    def leave(self):
        """Take all rights back: logoff, terminate or a dead link."""

    def size(self, table, writing):
        """Return the table's length in bytes, or a negative reply code."""
        return -services.IAR

    def read(self, table, offset, count, to, to_at):
        """Put `count` bytes from `offset` of `table` into `to` at `to_at`; return a reply code."""
        return services.IAR

    def write(self, table, offset, count, source, source_at):
        """Store `count` bytes of `source` at `offset` of `table`; return a reply code."""
        return services.IAR

    def place(self, table, indexes, count):
        """Return (offset, bytes) of `count` elements from the element `indexes` names.

        (0, negative reply code) refuses. Asked only with `index_access`.
        """
        return (0, -services.ONP)


class C1218Device(Link):
    """A device that answers from `tables`; see `Link` for the caller's side.

    Parameters
    ----------
    tables : Tables
        What is served.
    packet_bytes, packets : int
        Most that Negotiate grants.
    message_bytes : int
        Largest request and largest reply.
    baud_codes : bytes
        Baud codes that Negotiate may grant: the fastest that the client lists.
    """

    def __init__(
        self, tables, packet_bytes=256, packets=255, message_bytes=2048, baud_codes=b"\x06"
    ):
        self._tables = tables
        self._state = _BASE
        self._baud_codes = baud_codes
        self._password = memoryview(bytearray(services.PASSWORD_BYTES))
        self._user = memoryview(bytearray(services.USER_BYTES))
        self.services = 0  # requests carried out or refused since construction
        super().__init__(packet_bytes, packets, message_bytes)
        self.out = bytearray(message_bytes)
        self._change = _NOTHING
        self._new_packet_bytes = 0
        self._new_packets = 0
        self._new_baud_code = 0
        self._stay_s = 0

    def close(self):
        """Go to Base state without a word, as after a loss of power."""
        self.tx_count = 0
        self._reset()
        self._on_dead(0)

    def _on_message(self):
        self.services += 1
        self._packet[1] = self._rx[1]  # answer with the identity that asked
        self._change = _NOTHING
        self._tables.now_ms = self._now_ms
        self.out[0] = services.OK
        count = 1
        if self.too_long:
            code = services.ONP
        else:
            code = self._allowed(self.message[0])
            if code == services.OK:
                count = self._serve(self.message[0])
                if count < 0:
                    code = -count
        if code != services.OK:
            self.out[0] = code
            self._change = _NOTHING
            count = 1
        self._send(self.out, count)

    def _on_sent(self):
        change = self._change
        self._change = _NOTHING
        if change == _GO_BASE:
            self._reset()
            self._on_dead(0)
        elif change == _NEGOTIATE:
            self._set_packet_bytes(self._new_packet_bytes)
            self.packets = self._new_packets
            self._change_baud(services.BAUDS[self._new_baud_code])
        elif change == _STAY:
            self._stay(self._stay_s * 1000)

    def _on_dead(self, error):
        self._change = _NOTHING
        self._state = _BASE
        self._tables.leave()

    def _allowed(self, request):
        if request == services.IDENTIFY:
            states = _IN_BASE
        elif request == services.TERMINATE:
            states = _IN_BASE | _IN_ID | _IN_SESSION
        elif request == services.LOGON:
            states = _IN_ID
        elif services.NEGOTIATE <= request <= services.NEGOTIATE_LAST:
            states = _IN_ID
        elif request == services.WAIT:
            states = _IN_ID | _IN_SESSION
        elif (
            services.SECURITY <= request <= services.LOGOFF
            or services.READ <= request <= services.WRITE_OFFSET
        ):
            states = _IN_SESSION
        else:
            return services.SNS
        return services.OK if states >> self._state & 1 else services.ISSS

    def _serve(self, request):
        """Carry a service out; return the reply's length or a negative reply code."""
        if services.READ <= request <= services.READ_OFFSET:
            return self._read(request)
        if services.WRITE <= request <= services.WRITE_OFFSET:
            return self._write(request)
        if request == services.LOGON:
            return self._logon()
        if request == services.SECURITY:
            return self._security()
        if request >= services.WAIT:
            return self._wait()
        if request >= services.NEGOTIATE:
            return self._negotiate(request - services.NEGOTIATE)
        if self.message_count != 1:
            return -services.ERR
        if request == services.IDENTIFY:
            self._state = _ID
            copy(self.out, 1, _IDENTITY, 0, len(_IDENTITY))
            return 1 + len(_IDENTITY)
        if request == services.TERMINATE:
            self._change = _GO_BASE
        else:
            self._state = _ID
            self._tables.leave()
        return 1

    def _negotiate(self, bauds):
        message = self.message
        if self.message_count != 4 + bauds:
            return -services.ERR
        packet_bytes = message[1] << 8 | message[2]
        packets = message[3]
        if packet_bytes < DEFAULT_PACKET_BYTES or not packets:
            return -services.ERR
        baud_code = services.BAUDS.index(self.baud_bps)
        if bauds:
            baud_code = 0
            for at in range(4, 4 + bauds):
                code = message[at]
                if code in self._baud_codes and services.BAUDS[code] > services.BAUDS[baud_code]:
                    baud_code = code
            if not baud_code:
                return -services.BSY
        self._new_packet_bytes = min(packet_bytes, self.largest_packet_bytes)
        self._new_packets = min(packets, self.most_packets)
        self._new_baud_code = baud_code
        self._change = _NEGOTIATE
        out = self.out
        out[1] = self._new_packet_bytes >> 8
        out[2] = self._new_packet_bytes & 0xFF
        out[3] = self._new_packets
        out[4] = baud_code
        return 5

    def _wait(self):
        if self.message_count != 2:
            return -services.ERR
        self._stay_s = self.message[1]
        if self._stay_s:
            self._change = _STAY
        return 1

    def _logon(self):
        if self.message_count != 3 + services.USER_BYTES:
            return -services.ERR
        copy(self._user, 0, self.message, 3, services.USER_BYTES)
        code = self._tables.logon(self.message[1] << 8 | self.message[2], self._user)
        if code != services.OK:
            return -code
        self._state = _SESSION
        return 1

    def _security(self):
        if self.message_count != 1 + services.PASSWORD_BYTES:
            return -services.ERR
        copy(self._password, 0, self.message, 1, services.PASSWORD_BYTES)
        code = self._tables.security(self._password)
        return -code if code else 1

    def _read(self, request):
        tables = self._tables
        message = self.message
        table = message[1] << 8 | message[2]
        head = 3
        if request == services.READ_DEFAULT:
            table = tables.default_table
            if table is None:
                return -services.SNS
            head = 1
        elif request == services.READ_OFFSET:
            if not tables.offset_access:
                return -services.SNS
            head = 8
        elif request != services.READ:
            if not tables.index_access or request > services.READ_INDEX_LAST:
                return -services.SNS
            head = 5 + 2 * (request - services.READ)
        if self.message_count != head:
            return -services.ONP
        tables.from_start = head != 8 or not message[3] | message[4] | message[5]
        size = tables.size(table, False)
        if size < 0:
            return size
        offset = 0
        count = size
        if request == services.READ_OFFSET:
            offset = message[3] << 16 | message[4] << 8 | message[5]
            count = message[6] << 8 | message[7]
        elif head > 3:
            offset, count = self._place(table, head)
            if count < 0:
                return count
        reply_bytes = count + services.READ_REPLY_BYTES
        if (
            not count
            or offset + count > size
            or reply_bytes > len(self.out)
            or not self._fits(reply_bytes)
        ):
            return -services.ONP
        out = self.out
        code = tables.read(table, offset, count, out, 3)
        if code != services.OK:
            return -code
        out[1] = count >> 8
        out[2] = count & 0xFF
        out[3 + count] = checksum(out, 3, count)
        return reply_bytes

    def _write(self, request):
        tables = self._tables
        message = self.message
        head = 5
        if request == services.WRITE_OFFSET:
            if not tables.offset_access:
                return -services.SNS
            head = 8
        elif request != services.WRITE:
            if not tables.index_access or request > services.WRITE_INDEX_LAST:
                return -services.SNS
            head = 5 + 2 * (request - services.WRITE)
        if self.message_count < head + 1:
            return -services.ONP
        table = message[1] << 8 | message[2]
        offset = 0
        count = message[head - 2] << 8 | message[head - 1]
        if request == services.WRITE_OFFSET:
            offset = message[3] << 16 | message[4] << 8 | message[5]
        size = tables.size(table, True)
        if size < 0:
            return size
        if request != services.WRITE and request != services.WRITE_OFFSET:
            offset, count = self._place(table, head)
            if count < 0:
                return count
        if not count or self.message_count != head + count + 1:
            return -services.ONP
        if checksum(message, head, count) != message[head + count]:
            return -services.ERR
        whole = request == services.WRITE
        is_short = whole and count != size and table not in self._tables.varying
        if offset + count > size or is_short:
            return -services.ONP
        code = tables.write(table, offset, count, message, head)
        return -code if code else 1

    def _place(self, table, head):
        """Return offset and length of what an indexed request names; its head ends at `head`."""
        message = self.message
        indexes = tuple(message[at] << 8 | message[at + 1] for at in range(3, head - 2, 2))
        return self._tables.place(table, indexes, message[head - 2] << 8 | message[head - 1])
