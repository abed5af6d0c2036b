"""The client role of C12.18: one service request at a time, to its reply or a named error.

`start` takes a request that `services` has built; then the caller moves bytes and time until
`busy` is false. `error` is then OK, a reply code of the device, or an error named here or
in `packet`; the reply's data is ``message[data_at:data_at + data_count]``.

Context: any. Allocates: as `Link`.
Source: ANSI C12.18, application layer.
"""

from micropython import const

from endpoint.optical.kernels import HAVE, NEED, SWALLOW, is_data
from endpoint.optical.packet import OVERHEAD_BYTES, SILENCE, Link
from endpoint.optical.services import (
    BAUDS,
    IDENTIFY,
    NEGOTIATE,
    NEGOTIATE_LAST,
    OK,
    READ,
    READ_OFFSET,
    READ_REPLY_BYTES,
    RNO,
    TERMINATE,
    WAIT,
)

BAD_REPLY = const(0x102)  # the packets were right, the service reply in them was not
TOO_LONG = const(0x103)  # request or reply does not fit what was negotiated

_PLAIN_REPLY_BYTES = const(1)


class C1218Client(Link):
    """A client that asks; see `Link` for the caller's side.

    Parameters
    ----------
    packet_bytes, packets : int
        What Negotiate may offer; a session starts at 64 and 1 whatever is given here.
    message_bytes : int
        Largest reply: a table, 4 bytes around it.
    """

    def __init__(self, packet_bytes=64, packets=4, message_bytes=224):
        super().__init__(packet_bytes, packets, message_bytes)
        self._request = b""
        self.busy = False
        self.open = False  # the device has left its Base state, as far as we know
        self.error = OK
        self.data_at = 0
        self.data_count = 0
        self._reply_bytes = 0
        self._listening = False

    def start(self, request, now_ms, reply_bytes=_PLAIN_REPLY_BYTES):
        """Begin a service.

        Parameters
        ----------
        request : bytes-like
            The service message; it must stay as it is while `busy`.
        now_ms : int
            Monotonic time in ms.
        reply_bytes : int
            Expected length of a good reply, for `expected_bytes` only.
        """
        count = len(request)
        self.data_count = 0
        self._request = request
        self._reply_bytes = reply_bytes
        if count > self.packets * (self.packet_bytes - OVERHEAD_BYTES):
            self.error = TOO_LONG
            return
        if request[0] == IDENTIFY:
            self._close()
        self._now_ms = now_ms
        self.busy = True
        self._listening = True
        self.error = OK
        self._send(request, count)

    def expected_bytes(self):
        """Bytes still to come until a good reply is whole; 0 when none is awaited.

        To sleep for their wire time costs nothing but some delay of a short error reply.
        """
        if not self.busy:
            return 0
        due = OVERHEAD_BYTES + self._reply_bytes
        need = self._receiver[NEED]
        if need == SWALLOW:
            return 1
        if need:
            return max(need, due) - self._receiver[HAVE]
        return due + 1 if self._flight else due

    def abandon(self):
        """Give the link up; the device comes back to its Base state by its own time-out."""
        self._die(SILENCE)

    def _on_message(self):
        self.busy = False
        self._listening = False
        error = self.message[0]
        if self.too_long:
            error = TOO_LONG
        elif error == OK:
            error = self._take(self._request, self.message_count)
        elif error == RNO:
            self._close()
        self.error = error

    def _take(self, request, count):
        """Take a good reply apart; return OK or BAD_REPLY."""
        code = request[0]
        if READ <= code <= READ_OFFSET:
            if not is_data(self.message, count):
                return BAD_REPLY
            count -= READ_REPLY_BYTES
            if code == READ_OFFSET and count != request[6] << 8 | request[7]:
                return BAD_REPLY
            self.data_at = 3
            self.data_count = count
            return OK
        self.data_at = 1
        self.data_count = count - 1
        if code == IDENTIFY:
            self.open = True
            return OK if count > 3 else BAD_REPLY
        if NEGOTIATE <= code <= NEGOTIATE_LAST:
            return self._negotiated(request, count)
        if code == WAIT:
            self._stay(request[1] * 1000)
        elif code == TERMINATE:
            self._close()
        return OK

    def _negotiated(self, request, count):
        message = self.message
        packet_bytes = message[1] << 8 | message[2]
        baud_code = message[4] if count > 4 else 0
        if (
            count < 4
            or not OVERHEAD_BYTES < packet_bytes <= (request[1] << 8 | request[2])
            or packet_bytes > len(self._rx)
            or not 0 < message[3] <= request[3]
            or baud_code >= len(BAUDS)
        ):
            return BAD_REPLY
        self._set_packet_bytes(packet_bytes)
        self.packets = message[3]
        if baud_code:
            self.baud = BAUDS[baud_code]
        return OK

    def _close(self):
        # The device may still repeat its last reply, so that one stays known as a duplicate.
        last = self._last
        self._reset()
        self._last = last
        self.open = False

    def _on_dead(self, error):
        self.open = False
        self._listening = False
        if self.busy:
            self.busy = False
            self.error = error
