"""The client role of C12.18: one service request at a time, to its reply or a named error.

`start` takes a request that `services` has built; then the caller moves bytes and time until
`busy` is false. `error` is then OK, a reply code of the device, or an error named here or
in `packet`; the reply's data is ``message[data_at:data_at + data_count]``.

Context: any. Allocates: as `Link`.
Source: ANSI C12.18, application layer.
"""

from micropython import const

from endpoint.optical import services
from endpoint.optical.kernels import HAVE, NEED, SWALLOW, copy, is_data
from endpoint.optical.packet import OVERHEAD_BYTES, Link

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
    request_bytes : int
        Largest request.
    """

    def __init__(self, packet_bytes=64, packets=4, message_bytes=224, request_bytes=64):
        super().__init__(packet_bytes, packets, message_bytes, request_bytes)
        self.busy = False
        self.open = False  # the device has left its Base state, as far as we know
        self.error = services.OK
        self.data_at = 0
        self.data_count = 0
        self._reply_bytes = 0
        self._listening = False

    def start(self, request, now_ms, reply_bytes=_PLAIN_REPLY_BYTES):
        """Begin a service.

        Parameters
        ----------
        request : bytes-like
            The service message; it is copied.
        now_ms : int
            Monotonic time in ms.
        reply_bytes : int
            Expected length of a good reply, for `expected_bytes` only.
        """
        count = len(request)
        self.data_count = 0
        self._reply_bytes = reply_bytes
        if count > len(self.out) or not self._fits(count):
            self.error = TOO_LONG
            return
        if request[0] == services.IDENTIFY:
            self._close()
        self._now_ms = now_ms
        self.busy = True
        self._listening = True
        self.error = services.OK
        copy(self.out, 0, request, 0, count)
        self._send(count)

    @property
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

    def _on_message(self):
        self.busy = False
        self._listening = False
        message = self.message
        self.error = message[0]
        if self.too_long:
            self.error = TOO_LONG
        elif message[0] == services.OK:
            self._take(self.out[0])
        if self.error == services.RNO:
            self._close()

    def _take(self, request):
        count = self.message_count
        if services.READ <= request <= services.READ_OFFSET:
            self._take_data(request, count)
            return
        self.data_at = 1
        self.data_count = count - 1
        if request == services.IDENTIFY:
            self.open = True
            if count < 4:
                self.error = BAD_REPLY
        elif services.NEGOTIATE <= request <= services.NEGOTIATE_LAST:
            self._negotiated(count)
        elif request == services.WAIT:
            self._stay(self.out[1] * 1000)
        elif request == services.TERMINATE:
            self._close()

    def _take_data(self, request, count):
        data_count = count - services.READ_REPLY_BYTES
        out = self.out
        if not is_data(self.message, count) or (
            request == services.READ_OFFSET and data_count != out[6] << 8 | out[7]
        ):
            self.error = BAD_REPLY
            return
        self.data_at = 3
        self.data_count = data_count

    def _negotiated(self, count):
        message = self.message
        out = self.out
        packet_bytes = message[1] << 8 | message[2]
        baud_code = message[4] if count > 4 else 0
        if (
            count < 4
            or not OVERHEAD_BYTES < packet_bytes <= (out[1] << 8 | out[2])
            or packet_bytes > len(self._rx)
            or not 0 < message[3] <= out[3]
            or baud_code >= len(services.BAUDS)
        ):
            self.error = BAD_REPLY
            return
        self._set_packet_bytes(packet_bytes)
        self.packets = message[3]
        if baud_code:
            self.baud = services.BAUDS[baud_code]

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
