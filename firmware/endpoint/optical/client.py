"""The client role of C12.18: one service request at a time, to its reply or a named error.

`start` takes a request that `services` has built; then the caller moves bytes and time until
`busy` is false. `error` is then OK, a reply code of the device, or an error named here or
in `packet`; the reply's data is ``message[data_at:data_at + data_count]``.

Context: any. Allocates: as `Link`.
Source: ANSI C12.18, application layer.
"""

from micropython import const

from endpoint.optical.kernels import ACK, HAVE, NAK, NEED, SWALLOW, copy, is_data
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
OWN_ECHO = const(0x104)  # what came as a reply is a request: the head echoes

# What to do about heads that let the client hear itself.
ECHO_NONE = const(0)  # there is no echo; one that comes is named OWN_ECHO
ECHO_DROP = const(1)  # all that is sent comes back first
ECHO_DETECT = const(2)  # a packet that comes back whole turns this into ECHO_DROP

WAKE = const(0x55)
WAKE_PAUSE_MS = const(50)

_STP = const(0xEE)

_PLAIN_REPLY_BYTES = const(1)


class C1218Client(Link):
    """A client that asks; see `Link` for the caller's side.

    Parameters
    ----------
    packet_bytes, packets : int
        What Negotiate may offer; a session starts at 64 and 1 whatever is given here.
    message_bytes : int
        Largest reply: a table, 4 bytes around it.
    echo : int
        ECHO_NONE, ECHO_DROP or ECHO_DETECT; the attribute then tells what has been detected.
    """

    def __init__(self, packet_bytes=64, packets=4, message_bytes=224, echo=ECHO_NONE):
        super().__init__(packet_bytes, packets, message_bytes)
        self.echo = echo
        # What was sent and has not come back.
        self._echo = bytearray(2 * len(self.tx) if echo else 0)
        self._echo_at = 0
        self._echo_count = 0
        self._request = b""
        self.busy = False
        self.open = False  # the device has left its Base state, as far as we know
        self.error = OK
        self.data_at = 0
        self.data_count = 0
        self._reply_bytes = 0
        self._listening = False
        self._held = False
        self._lost = OK  # what ended the link, until the next Identify

    def start(self, request, now_ms, reply_bytes=_PLAIN_REPLY_BYTES):
        """Begin a service; after a lost link every one but Identify and Terminate ends at once.

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
            self._lost = OK
            self._close()
        elif self._lost and request[0] != TERMINATE:
            self.error = self._lost  # a late reply of the lost session could be taken for its own
            return
        self._now_ms = now_ms
        self.busy = True
        self._listening = True
        self.error = OK
        if self.tx_count and self.baud_bps != self._next_baud_bps:
            self._held = True  # an acknowledgement at the old rate has to leave first
        else:
            self._send(request, count)

    def wake(self):
        """Queue a byte that rouses a sleeping port; `start` WAKE_PAUSE_MS after it was sent."""
        self._put(WAKE)

    def sent(self, now_ms):
        """Note that the caller has taken all of `tx`."""
        if self.echo:
            self._expect_echo()
        Link.sent(self, now_ms)
        if self._held:
            self._held = False
            self._send(self._request, len(self._request))

    def expected_bytes(self):
        """Bytes still to come until a good reply is whole; 0 when none is awaited.

        To sleep for their wire time costs nothing but some delay of a short error reply.
        """
        if not self.busy:
            return 0
        due = OVERHEAD_BYTES + self._reply_bytes + self._echo_count - self._echo_at
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
        elif error >= IDENTIFY:
            error = OWN_ECHO
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
        if count != 1:
            return BAD_REPLY  # another service's: after a lost link one may still be on its way
        if code == WAIT:
            self._stay(request[1] * 1000)
        elif code == TERMINATE:
            self._close()
        return OK

    def _negotiated(self, request, count):
        message = self.message
        packet_bytes = message[1] << 8 | message[2]
        baud_code = message[4] if count > 4 else 0
        # Without an offer of rates, or with "externally defined", the rate stays as it is.
        new_rate = count > 4 and baud_code != 0 and request[0] != NEGOTIATE
        if (
            count < 4
            or not OVERHEAD_BYTES < packet_bytes <= (request[1] << 8 | request[2])
            or packet_bytes > len(self._rx)
            or not 0 < message[3] <= request[3]
            or (new_rate and not self._has_offered(request, baud_code))
        ):
            return BAD_REPLY
        self._set_packet_bytes(packet_bytes)
        self.packets = message[3]
        if new_rate:
            self._change_baud(BAUDS[baud_code])
        return OK

    def _has_offered(self, request, baud_code):
        if baud_code >= len(BAUDS):
            return False
        for at in range(4, len(request)):
            if request[at] == baud_code:
                return True
        return BAUDS[baud_code] == self.baud_bps  # it could not serve any of them

    def _close(self):
        # The device may still repeat its last reply, so that one stays known as a duplicate.
        last = self._last
        self._reset()
        self._last = last
        self.open = False

    # -- the own echo ---------------------------------------------------------------

    def _expect_echo(self):
        count = self.tx_count
        if self.echo == ECHO_DETECT and self.tx[0] != _STP:
            return  # a single byte that comes back could as well be the device's
        if self._echo_at == self._echo_count or self._echo_count + count > len(self._echo):
            self._echo_at = self._echo_count = 0
        copy(self._echo, self._echo_count, self.tx, 0, count)
        self._echo_count += count

    def _skip(self, buffer, count):
        if not self.echo or self._echo_at == self._echo_count:
            return 0
        if self.echo == ECHO_DETECT:
            return self._detect_echo(buffer, count)
        return self._drop_echo(buffer, count)

    def _detect_echo(self, buffer, count):
        echo = self._echo
        at = 0
        while at < count:
            byte = buffer[at]
            if byte == echo[self._echo_at]:
                at += 1
                self._echo_at += 1
                if self._echo_at == self._echo_count:
                    self.echo = ECHO_DROP
                    break
            elif self._echo_at == 0 and byte != ACK and byte != NAK and byte != _STP:
                at += 1  # noise ahead of it
            else:
                seen = self._echo_at
                self._echo_at = self._echo_count = 0
                self._hear(echo, 0, seen)
                break
        return at

    def _drop_echo(self, buffer, count):
        echo = self._echo
        at = 0
        while at < count and self._echo_at < self._echo_count:
            byte = buffer[at]
            place = self._echo_at
            if byte != echo[place]:
                if place + 1 < self._echo_count and byte == echo[place + 1]:
                    self._echo_at += 1  # one byte of it is lost
                elif byte == ACK or byte == NAK or byte == _STP:
                    self._echo_at = self._echo_count  # the device answers: the rest is lost
                    break
            self._echo_at += 1
            at += 1
        return at

    def _on_dead(self, error):
        self._held = False
        self._lost = error
        self.open = False
        self._listening = False
        if self.busy:
            self.busy = False
            self.error = error
