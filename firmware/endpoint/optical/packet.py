"""The C12.18 data link, the same for both roles: packets, acknowledgements, time-outs.

Bytes and milliseconds go in; bytes to send and whole messages come out. The caller sends
``tx[:tx_count]`` and says `sent`, feeds what arrives, and calls `tick` when `deadline_ms`
is reached. Time is judged by `tick` alone: bytes that a busy caller hands over late are
still good.

Context: any. Allocates: nothing after construction as long as `now_ms` stays below 2**30
(12.4 days); above that each time stamp is a heap object of 16 bytes.
Source: ANSI C12.18, data link layer.
"""

from micropython import const

from endpoint.optical.kernels import copy, crc16

DEFAULT_PACKET_BYTES = const(64)  # at the start of every session
DEFAULT_PACKETS = const(1)
DEFAULT_BAUD = const(9600)
OVERHEAD_BYTES = const(8)  # header 6, CRC 2

# What ends a link, next to the reply codes 0x01 to 0x1F.
NO_ACK = const(0x100)  # a packet stayed without acknowledgement through all repetitions
SILENCE = const(0x101)  # no valid packet within the channel traffic time-out

_STP = const(0xEE)
_ACK = const(0x06)
_NAK = const(0x15)
_MULTI = const(0x80)
_FIRST = const(0x40)
_TOGGLE = const(0x20)
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

    Parameters
    ----------
    packet_bytes : int
        Largest packet, header and CRC included, in either direction.
    packets : int
        Most packets of one message, in either direction.
    message_bytes : int
        Largest message that is received.
    out_bytes : int
        Largest message that is sent.
    """

    def __init__(self, packet_bytes, packets, message_bytes, out_bytes):
        self.largest_packet_bytes = packet_bytes
        self.most_packets = packets
        self.tx = bytearray(packet_bytes + _CONTROLS)
        self.tx_count = 0
        self.message = bytearray(message_bytes)
        self.message_count = 0
        self.out = bytearray(out_bytes)
        self._rx = bytearray(packet_bytes)
        self._packet = bytearray(packet_bytes)
        self._identity = 0
        self._listening = True
        self._toggle = 0
        self._now_ms = 0
        self.repeats = 0  # packets sent again since construction
        self.rejects = 0  # NAKs sent since construction
        self._reset()

    # -- the caller's side ----------------------------------------------------------

    def feed(self, buffer, count, now_ms):
        """Take `count` received bytes from the start of `buffer`."""
        self._now_ms = now_ms
        at = 0
        while at < count:
            need = self._need
            if not need:
                byte = buffer[at]
                at += 1
                if byte == _STP:
                    self._rx[0] = byte
                    self._have = 1
                    self._need = _HEADER_BYTES
                elif self._flight == _FLYING:
                    if byte == _ACK:
                        self._acknowledged()
                    elif byte == _NAK:
                        self._repeat()
            elif self._swallow:
                at = count
            else:
                part = need - self._have
                if part > count - at:
                    part = count - at
                copy(self._rx, self._have, buffer, at, part)
                self._have += part
                at += part
                if self._have == need:
                    self._filled()
        if self._need:
            self._rx_deadline_ms = now_ms + _INTER_CHARACTER_MS

    def sent(self, now_ms):
        """Note that the caller has taken all of `tx`; its last byte leaves a wire time later."""
        if self._flight == _QUEUED:
            self._flight = _FLYING
            wire_ms = self.tx_count * 10000 // self.baud + 1
            self._ack_deadline_ms = now_ms + wire_ms + _RESPONSE_MS
        self.tx_count = 0

    def tick(self, now_ms):
        """Act on every time-out that is due."""
        self._now_ms = now_ms
        if self._need and now_ms >= self._rx_deadline_ms:
            self._need = 0
            self._swallow = False
            self._reject()
        if self._flight == _FLYING and now_ms >= self._ack_deadline_ms:
            self._repeat()
        if self._traffic_deadline_ms is not None and now_ms >= self._traffic_deadline_ms:
            self._die(SILENCE)

    @property
    def deadline_ms(self):
        """Time of the next `tick` that is needed, or None."""
        due = self._traffic_deadline_ms
        if self._flight == _FLYING and (due is None or self._ack_deadline_ms < due):
            due = self._ack_deadline_ms
        if self._need and (due is None or self._rx_deadline_ms < due):
            due = self._rx_deadline_ms
        return due

    # -- the role's side ------------------------------------------------------------

    def _on_message(self):
        """Handle the message in ``message[:message_count]``; `too_long` if it did not fit."""

    def _on_sent(self):
        """Handle that the whole message has been acknowledged."""

    def _on_dead(self, error):
        """Handle that the link has been given up and is back at its defaults."""

    def _fits(self, count):
        return count <= self.packets * (self.packet_bytes - OVERHEAD_BYTES)

    def _send(self, count):
        """Send ``out[:count]``, in as many packets as it takes; the caller checked `_fits`."""
        room = self.packet_bytes - OVERHEAD_BYTES
        self._out_count = count
        self._out_at = 0
        self._left = (count + room - 1) // room
        self._multi = self._left > 1
        self._next_packet()

    def _reset(self):
        """Go back to the defaults of a session's start."""
        self.packet_bytes = DEFAULT_PACKET_BYTES
        self.packets = DEFAULT_PACKETS
        self.baud = DEFAULT_BAUD
        self.traffic_ms = _TRAFFIC_MS
        self.too_long = False
        self._need = 0
        self._have = 0
        self._swallow = False
        self._rx_deadline_ms = 0
        self._last = -1
        self._flight = _IDLE
        self._ack_deadline_ms = 0
        self._traffic_deadline_ms = None
        self._sequence = -1
        self._left = 0

    def _heard(self):
        self.traffic_ms = _TRAFFIC_MS
        self._traffic_deadline_ms = self._now_ms + _TRAFFIC_MS

    def _stay(self, traffic_ms):
        """Allow `traffic_ms` of silence from now until the next valid packet (Wait service)."""
        self.traffic_ms = traffic_ms
        self._traffic_deadline_ms = self._now_ms + traffic_ms

    # -- sending --------------------------------------------------------------------

    def _put(self, control):
        if self.tx_count < len(self.tx):
            self.tx[self.tx_count] = control
            self.tx_count += 1

    def _reject(self):
        self.rejects += 1
        self._put(_NAK)

    def _next_packet(self):
        part = self._out_count - self._out_at
        room = self.packet_bytes - OVERHEAD_BYTES
        if part > room:
            part = room
        self._left -= 1
        control = self._toggle
        self._toggle ^= _TOGGLE
        if self._multi:
            control |= _MULTI | (0 if self._out_at else _FIRST)
        packet = self._packet
        packet[0] = _STP
        packet[1] = self._identity
        packet[2] = control
        packet[3] = self._left
        packet[4] = part >> 8
        packet[5] = part & 0xFF
        copy(packet, _HEADER_BYTES, self.out, self._out_at, part)
        end = _HEADER_BYTES + part
        crc = crc16(packet, end)
        packet[end] = crc & 0xFF
        packet[end + 1] = crc >> 8
        self._packet_count = end + 2
        self._out_at += part
        self._retries = _RETRIES
        self._queue()

    def _queue(self):
        if self.tx_count + self._packet_count > len(self.tx):
            self.tx_count = 0  # stale control bytes of a caller that never sends
        copy(self.tx, self.tx_count, self._packet, 0, self._packet_count)
        self.tx_count += self._packet_count
        self._flight = _QUEUED

    def _repeat(self):
        if not self._retries:
            self._die(NO_ACK)
            return
        self._retries -= 1
        self.repeats += 1
        self._queue()

    def _acknowledged(self):
        self._flight = _IDLE
        self._heard()
        if self._left:
            self._next_packet()
        else:
            self._on_sent()

    def _die(self, error):
        self._reset()
        self.tx_count = 0
        self._on_dead(error)

    # -- receiving ------------------------------------------------------------------

    def _filled(self):
        rx = self._rx
        if self._have == _HEADER_BYTES:
            total = ((rx[4] << 8) | rx[5]) + OVERHEAD_BYTES
            self._need = total
            # Too long for us, so its end cannot be told: the silence after it is awaited.
            self._swallow = total > self.packet_bytes
            return
        self._need = 0
        end = self._have - 2
        crc = crc16(rx, end)
        if rx[end] | (rx[end + 1] << 8) == crc:
            self._accept(crc)
        else:
            self._reject()

    def _accept(self, crc):
        rx = self._rx
        part = self._have - OVERHEAD_BYTES
        mark = ((rx[2] & _TOGGLE) << 19) | (rx[1] << 16) | crc
        if mark == self._last:
            self._heard()
            self._put(_ACK)
            return
        if self._flight != _IDLE:
            # Only the whole of our message can be overtaken: its ACK was lost on the way.
            if self._flight == _QUEUED or self._left:
                return
            self._acknowledged()
        self._last = mark
        self._heard()
        self._put(_ACK)
        if self._listening and self._gather(rx[2], rx[3], part):
            self._on_message()

    def _gather(self, control, sequence, part):
        """Add a packet's data to the message; return whether the message is complete."""
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
