"""The C12.18 data link, the same for both roles: packets, acknowledgements, time-outs.

Bytes and milliseconds go in; bytes to send and whole messages come out. The caller sends
``tx[:tx_count]`` and says `sent`, feeds what arrives, and calls `tick` when `deadline_ms`
is reached. Time is judged by `tick` alone: bytes that a busy caller hands over late are
still good.

`baud_bps` changes in `sent`, `feed` and `tick`, never while something waits in `tx`: a caller who
sees it changed lets the UART finish what it was given, then switches it.

Context: any. Allocates: nothing after construction as long as `now_ms` stays below 2**30
(12.4 days); above that each time stamp is a heap object of 16 bytes.
Source: ANSI C12.18, data link layer.
"""

from array import array

from micropython import const

from endpoint.optical.kernels import (
    ACK,
    AT,
    CRC,
    DAMAGED,
    HAVE,
    LIMIT,
    NAK,
    NEED,
    PACKET,
    STATE_WORDS,
    copy,
    pack,
    receive,
)

DEFAULT_PACKET_BYTES = const(64)  # at the start of every session
DEFAULT_PACKETS = const(1)
DEFAULT_BAUD_BPS = const(9600)
OVERHEAD_BYTES = const(8)  # header 6, CRC 2

# What ends a link, next to the reply codes 0x01 to 0x1F.
NO_ACK = const(0x100)  # a packet stayed without acknowledgement through all repetitions
SILENCE = const(0x101)  # no valid packet within the channel traffic time-out

_MULTI = const(0x80)
_FIRST = const(0x40)
_TOGGLE = const(0x20)
_DATA_FORMAT = const(0x03)  # 0 is this protocol
_HEADER_BYTES = const(6)

_INTER_CHARACTER_MS = const(500)
_RESPONSE_MS = const(2000)
_TRAFFIC_MS = const(6000)
_RETRIES = const(3)
_CONTROLS = const(4)  # bare ACK and NAK bytes that may wait ahead of a packet

# The packet being sent.
_IDLE = const(0)
_QUEUED = const(1)  # in `tx`, not yet with the UART
_FLYING = const(2)  # sent, not yet acknowledged


class Link:
    """One end of the link. The roles override `_on_message`, `_on_sent` and `_on_dead`.

    It has no properties: one of them in a class makes every attribute store of its objects
    cost 3,900 cycles on the RP2040.

    Parameters
    ----------
    packet_bytes : int
        Largest packet, header and CRC included, in either direction.
    packets : int
        Most packets of one message, in either direction.
    message_bytes : int
        Largest message that is received.
    """

    def __init__(self, packet_bytes, packets, message_bytes):
        self.largest_packet_bytes = packet_bytes
        self.most_packets = packets
        self.tx = bytearray(packet_bytes + _CONTROLS)
        self.tx_count = 0
        self.message = bytearray(message_bytes)
        self.message_count = 0
        self._out = b""
        self._rx = bytearray(packet_bytes)
        self._packet = bytearray(packet_bytes)
        self._receiver = array("i", [0] * STATE_WORDS)
        self._listening = True
        self._toggle = 0
        self._now_ms = 0
        self.baud_bps = DEFAULT_BAUD_BPS
        self._reset()

    # -- the caller's side ----------------------------------------------------------

    def feed(self, buffer, count, now_ms):
        """Take `count` received bytes from the start of `buffer`."""
        self._now_ms = now_ms
        self._hear(buffer, self._skip(buffer, count), count)
        if self._receiver[NEED]:
            self._rx_deadline_ms = now_ms + _INTER_CHARACTER_MS

    def sent(self, now_ms):
        """Note that the caller has taken all of `tx`; its last byte leaves a wire time later."""
        if self._flight == _QUEUED:
            self._flight = _FLYING
            wire_ms = self.tx_count * 10000 // self.baud_bps + 1
            self._ack_deadline_ms = now_ms + wire_ms + _RESPONSE_MS
        self.tx_count = 0
        self.baud_bps = self._next_baud_bps

    def tick(self, now_ms):
        """Act on every time-out that is due."""
        self._now_ms = now_ms
        if self._receiver[NEED] and now_ms >= self._rx_deadline_ms:
            self._receiver[NEED] = 0
            self._put(NAK)
        if self._flight == _FLYING and now_ms >= self._ack_deadline_ms:
            self._repeat()
        if self._traffic_deadline_ms is not None and now_ms >= self._traffic_deadline_ms:
            self._die(SILENCE)

    def deadline_ms(self):
        """Time of the next `tick` that is needed, or None."""
        due = self._traffic_deadline_ms
        if self._flight == _FLYING and (due is None or self._ack_deadline_ms < due):
            due = self._ack_deadline_ms
        if self._receiver[NEED] and (due is None or self._rx_deadline_ms < due):
            due = self._rx_deadline_ms
        return due

    # -- the role's side ------------------------------------------------------------

    def _skip(self, buffer, count) -> int:
        """Return how many of the first bytes in `buffer` are not the other side's."""
        return 0

    def _on_message(self):
        """Handle the message in ``message[:message_count]``; `too_long` if it did not fit."""

    def _on_sent(self):
        """Handle that the whole message has been acknowledged."""

    def _on_dead(self, error):
        """Handle that the link has been given up and is back at its defaults."""

    def _fits(self, count):
        return count <= self.packets * (self.packet_bytes - OVERHEAD_BYTES)

    def _send(self, message, count):
        """Send ``message[:count]`` in as many packets as it takes; the caller checked `_fits`.

        The message is not copied: it must stay as it is until `_on_sent` or `_on_dead`.
        """
        room = self.packet_bytes - OVERHEAD_BYTES
        self._out = message
        self._out_count = count
        self._out_at = 0
        self._left = (count + room - 1) // room
        self._multi = count > room
        self._next_packet()

    def _reset(self):
        """Go back to the defaults of a session's start."""
        self._set_packet_bytes(DEFAULT_PACKET_BYTES)
        self.packets = DEFAULT_PACKETS
        self._change_baud(DEFAULT_BAUD_BPS)
        self.too_long = False
        self._receiver[NEED] = 0
        self._rx_deadline_ms = 0
        self._last = -1
        self._flight = _IDLE
        self._ack_deadline_ms = 0
        self._traffic_deadline_ms = None
        self._sequence = -1
        self._left = 0

    def _change_baud(self, baud_bps):
        """Use another rate for all that is not yet in `tx`."""
        self._next_baud_bps = baud_bps
        if not self.tx_count:
            self.baud_bps = baud_bps

    def _set_packet_bytes(self, packet_bytes):
        self.packet_bytes = packet_bytes
        self._receiver[LIMIT] = packet_bytes

    def _heard(self):
        self._traffic_deadline_ms = self._now_ms + _TRAFFIC_MS

    def _stay(self, traffic_ms):
        """Allow `traffic_ms` of silence from now until the next valid packet (Wait service)."""
        self._traffic_deadline_ms = self._now_ms + traffic_ms

    # -- sending --------------------------------------------------------------------

    def _put(self, control):
        if self.tx_count < len(self.tx):
            self.tx[self.tx_count] = control
            self.tx_count += 1

    def _next_packet(self):
        at = self._out_at
        part = self._out_count - at
        left = self._left - 1
        control = self._toggle
        if self._multi:
            part = min(part, self.packet_bytes - OVERHEAD_BYTES)
            control |= _MULTI if at else _MULTI | _FIRST
        self._packet_count = pack(self._packet, control, left, self._out, at, part)
        self._toggle ^= _TOGGLE
        self._left = left
        self._out_at = at + part
        self._retries = _RETRIES
        self._queue()

    def _queue(self):
        at = self.tx_count
        count = self._packet_count
        if at + count > len(self.tx):
            at = 0  # stale control bytes of a caller that never sends
        copy(self.tx, at, self._packet, 0, count)
        self.tx_count = at + count
        self._flight = _QUEUED

    def _repeat(self):
        if not self._retries:
            self._die(NO_ACK)
            return
        self._retries -= 1
        self._queue()

    def _acknowledged(self):
        self._flight = _IDLE
        self._heard()
        if self._left:
            self._next_packet()
        else:
            self._on_sent()

    def _die(self, error):
        self.tx_count = 0
        self._reset()
        self._on_dead(error)

    # -- receiving ------------------------------------------------------------------

    def _hear(self, buffer, start, count):
        receiver = self._receiver
        receiver[AT] = start
        while receiver[AT] < count:
            found = receive(receiver, self._rx, buffer, count)
            if found == PACKET:
                self._accept(receiver)
            elif found == ACK:
                if self._flight == _FLYING:
                    self._acknowledged()
            elif found == NAK:
                if self._flight == _FLYING:
                    self._repeat()
            elif found == DAMAGED:
                self._put(NAK)

    def _accept(self, receiver):
        rx = self._rx
        part = receiver[HAVE] - OVERHEAD_BYTES
        control = rx[2]
        mark = ((control & _TOGGLE) << 19) | (rx[1] << 16) | receiver[CRC]
        if mark == self._last:
            self._heard()
            self._put(ACK)
            return
        if self._flight != _IDLE:
            # Only the whole of our message can be overtaken: its ACK was lost on the way.
            if self._flight == _QUEUED or self._left:
                return
            self._acknowledged()
        self._last = mark
        self._heard()
        self._put(ACK)
        if self._listening and self._gather(control, rx[3], part):
            self._on_message()

    def _gather(self, control, sequence, part):
        """Add a packet's data to the message; return whether the message is complete."""
        if control & _DATA_FORMAT:
            return False
        if not control & _MULTI:
            sequence = 0
        if control & _FIRST or not control & _MULTI:
            self.message_count = 0
            self.too_long = sequence >= self.packets
        elif sequence != self._sequence:
            self._sequence = -1
            return False
        if self.message_count + part > len(self.message):
            self.too_long = True
        else:
            copy(self.message, self.message_count, self._rx, _HEADER_BYTES, part)
            self.message_count += part
        self._sequence = sequence - 1
        return sequence == 0 and self.message_count > 0
