"""Random sessions of a client with a device over a bad line, and what may come of them.

The line keeps the order of its bytes; it loses, doubles, flips, delays and invents them. Each
end notes every packet that it accepts although the other end never sent it (a `ghost`): only
behind a ghost may anything be wrong, for 16 bits of CRC cannot catch more than they do.
"""

from endpoint.optical import services
from endpoint.optical.client import BAD_REPLY, ECHO_NONE, OWN_ECHO, TOO_LONG, C1218Client
from endpoint.optical.device import PROCEDURE_TABLE, C1218Device, Tables
from endpoint.optical.kernels import HAVE
from endpoint.optical.packet import NO_ACK, SILENCE

BIG = 100  # table of 4,000 bytes that never change
NOTES = 101  # table of 4,000 bytes, written in pieces
BIG_BYTES = 4000

_BYTE_US = 1042
_TURNAROUND_MS = 1
_LONGEST_SERVICE_MS = 200_000
_LONGEST_STEPS = 5000
_NAMED = (NO_ACK, SILENCE, BAD_REPLY, TOO_LONG, OWN_ECHO)
_QUIET_MS = 9_000


class Dice:
    """The same pseudo-random numbers in both worlds."""

    def __init__(self, seed):
        self._state = (seed * 2654435761 + 12345) & 0x3FFFFFFF

    def below(self, limit):
        self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self._state >> 10) % limit


def content(table, at):
    """Return one byte of a table's first content."""
    return (at * 167 + (at >> 3) * 31 + (at >> 8) * 7 + table) & 0xFF


BIG_CONTENT = bytes(content(BIG, at) for at in range(BIG_BYTES))


class Log(Tables):
    """Two large tables and procedures; notes what is carried out."""

    def __init__(self):
        self.notes = bytearray(content(NOTES, at) for at in range(BIG_BYTES))
        self.done = {}

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def size(self, table, writing):
        if table == PROCEDURE_TABLE:
            return 19 if writing else -services.IAR
        if table == NOTES or (table == BIG and not writing):
            return BIG_BYTES
        return -services.IAR

    def read(self, table, offset, count, to, to_at):
        self.count(("read", table, offset))
        source = BIG_CONTENT if table == BIG else self.notes
        to[to_at : to_at + count] = source[offset : offset + count]
        return services.OK

    def write(self, table, offset, count, source, source_at):
        data = bytes(source[source_at : source_at + count])
        if table == PROCEDURE_TABLE:
            self.count(("run", data))
        else:
            self.count(("write", offset))
            self.notes[offset : offset + count] = data
        return services.OK


class _Watch:
    """What both ends note: packets sent, and packets accepted that nobody sent."""

    def watch(self):
        self.sent_packets = set()
        self.other = None
        self.ghosts = 0
        self.refused = 0

    def note_sent(self):
        self.sent_packets.add(bytes(self._packet[: self._packet_count]))

    def note_accepted(self, receiver):
        packet = bytes(self._rx[: receiver[HAVE]])
        if packet not in self.other.sent_packets and packet not in self.sent_packets:
            self.ghosts += 1

    def note_control(self, control):
        if control == 0x15:
            self.refused += 1


class WatchedClient(C1218Client, _Watch):
    def _queue(self):
        self.note_sent()
        C1218Client._queue(self)

    def _accept(self, receiver):
        self.note_accepted(receiver)
        C1218Client._accept(self, receiver)

    def _put(self, control):
        self.note_control(control)
        C1218Client._put(self, control)


class WatchedDevice(C1218Device, _Watch):
    def _queue(self):
        self.note_sent()
        C1218Device._queue(self)

    def _accept(self, receiver):
        self.note_accepted(receiver)
        C1218Device._accept(self, receiver)

    def _put(self, control):
        self.note_control(control)
        C1218Device._put(self, control)


class Line:
    """One direction of the wire: (time, bytes) in the order of arrival."""

    def __init__(self, dice, per_mille):
        self._dice = dice
        self._per_mille = per_mille
        self._free_ms = 0
        self.queue = []
        self.other = None

    def send(self, data, now_ms):
        """Take what an end sends; return the time at which its last byte has left."""
        dice = self._dice
        start_ms = max(now_ms + _TURNAROUND_MS, self._free_ms)
        left_ms = start_ms + len(data) * _BYTE_US // 1000 + 1
        parts = [(0, data)]
        while dice.below(1000) < self._per_mille:
            parts = self._hurt(parts, dice.below(9))
        if not parts and dice.below(3) == 0:
            self.other.invent(b"\x06", left_ms)  # lost, and noise acknowledges it
        at_ms = start_ms
        for delay_ms, part in parts:
            at_ms += delay_ms + len(part) * _BYTE_US // 1000 + 1
            if part:
                self.queue.append((at_ms, part))
        self._free_ms = max(at_ms, left_ms)
        return left_ms

    def invent(self, data, at_ms):
        """Let bytes arrive that nobody sent."""
        if self.queue:
            at_ms = max(at_ms, self.queue[-1][0])
        self.queue.append((at_ms, data))

    def _hurt(self, parts, kind):
        dice = self._dice
        if not parts:
            return parts
        where = dice.below(len(parts))
        delay_ms, part = parts[where]
        if not part:
            return parts
        at = dice.below(len(part))
        if kind == 0:
            return []
        if kind == 1:
            new = [(delay_ms, part[:at] + part[at + 1 :])]
        elif kind == 2:
            new = [(delay_ms, part[: at + 1] + part[at:])]
        elif kind <= 4:
            flipped = part[at] ^ 1 << dice.below(8)
            new = [(delay_ms, part[:at] + bytes([flipped]) + part[at + 1 :])]
        elif kind == 5:
            burst = bytes(dice.below(256) for _ in range(1 + dice.below(6)))
            new = [(delay_ms, part[:at] + burst + part[at + len(burst) :])]
        elif kind == 6:
            noise = bytes((0xEE, 0x06, 0x15, 0x55, 0xFF)[dice.below(5)] for _ in range(2))
            new = [(delay_ms, part[:at] + noise + part[at:])]
        else:
            late_ms = dice.below(900) if kind == 7 else dice.below(9000)
            new = [(delay_ms, part[:at]), (late_ms, part[at:])]
        return parts[:where] + new + parts[where + 1 :]


class Session:
    """One client with one device for a while.

    Parameters
    ----------
    seed : int
    per_mille : int
        Faults per 1000 transmissions, more than one possible in each.
    echo : int
        What the client does about echoes; with anything but ECHO_NONE its head echoes, and the
        echo has faults of its own.

    Attributes
    ----------
    outcomes : dict of int to int
        How often each service ended with which error.
    wrong : list
        What must not have happened.
    """

    def __init__(self, seed, per_mille, echo=ECHO_NONE):
        self.dice = Dice(seed)
        self.tables = Log()
        self.client = WatchedClient(256, 6, 1200, echo)
        self.device = WatchedDevice(self.tables, 256, 6, 1200)
        for end, other in ((self.client, self.device), (self.device, self.client)):
            end.watch()
            end.other = other
        self.there = Line(self.dice, per_mille)
        self.back = Line(self.dice, per_mille)
        self.own = Line(self.dice, per_mille)
        self.there.other, self.back.other = self.back, self.there
        self.own.other = self.back
        self.echoes = echo != ECHO_NONE
        self.now_ms = 1000
        self.outcomes = {}
        self.wrong = []
        self.asked = {}
        self.maybe = {}  # offset of a write without answer -> what it may have written
        self.notes = bytearray(self.tables.notes)
        self.fresh = 0

    def ghosts(self):
        return self.client.ghosts + self.device.ghosts

    # -- time and bytes -------------------------------------------------------------

    def _step(self, until_ms):
        """Let the next thing happen; return False if nothing does before `until_ms`."""
        client, device = self.client, self.device
        if client.tx_count:
            data = bytes(client.tx[: client.tx_count])
            client.sent(self.now_ms)
            self.there.send(data, self.now_ms)
            if self.echoes:
                self.own.send(data, self.now_ms)
            return True
        if device.tx_count:
            data = bytes(device.tx[: device.tx_count])
            device.sent(self.now_ms)
            self.back.send(data, self.now_ms)
            return True
        due_ms = until_ms
        for time_ms in (client.deadline_ms(), device.deadline_ms()):
            if time_ms is not None and time_ms < due_ms:
                due_ms = time_ms
        for line in (self.own, self.there, self.back):
            if line.queue and line.queue[0][0] < due_ms:
                due_ms = line.queue[0][0]
        if due_ms >= until_ms:
            self.now_ms = max(self.now_ms, until_ms)
            return False
        self.now_ms = max(self.now_ms, due_ms)
        client.tick(self.now_ms)
        device.tick(self.now_ms)
        for line, end in ((self.own, client), (self.there, device), (self.back, client)):
            if line.queue and line.queue[0][0] <= self.now_ms:
                data = line.queue.pop(0)[1]
                end.feed(data, len(data), self.now_ms)
        return True

    def idle(self, time_ms):
        until_ms = self.now_ms + time_ms
        while self._step(until_ms):
            pass

    def ask(self, request):
        """Run one service to its end; return its error."""
        client = self.client
        until_ms = self.now_ms + _LONGEST_SERVICE_MS
        client.start(request, self.now_ms)
        steps = 0
        while client.busy:
            steps += 1
            if not self._step(until_ms) or steps > _LONGEST_STEPS:
                self.wrong.append(("hangs", request))
                client.abandon()
        error = client.error
        self.outcomes[error] = self.outcomes.get(error, 0) + 1
        if error and error > services.ISSS and error not in _NAMED:
            self.wrong.append(("nameless", error))
        return error

    # -- what a client does ---------------------------------------------------------

    def run(self, turns):
        """Open sessions and do random things in them until `turns` are used up."""
        dice = self.dice
        while turns > 0:
            turns -= 1
            if not self._open():
                self.client.abandon()
                if dice.below(3):
                    self.idle(_QUIET_MS)
                continue
            error = services.OK
            while turns > 0:
                turns -= 1
                error = self._something()
                if error:
                    break
            if error < 0x100 or dice.below(4) == 0:
                self.ask(bytes([services.TERMINATE]))
            else:
                self.client.abandon()
                # Mostly as a client should; at times without waiting for the other end.
                if dice.below(4):
                    self.idle(_QUIET_MS)
        self._judge()

    def _open(self):
        dice = self.dice
        if self.ask(bytes([services.IDENTIFY])):
            return False
        if dice.below(2):
            packet_bytes = (64, 100, 256)[dice.below(3)]
            if self.ask(services.negotiate_request(packet_bytes, 1 + dice.below(6))):
                return False
        if self.ask(services.logon_request(1, b"TEST")):
            return False
        return dice.below(8) or not self.ask(bytes([services.WAIT, 1 + dice.below(30)]))

    def _something(self):
        dice = self.dice
        what = dice.below(8)
        room = self.client.packets * (self.client.packet_bytes - 8)
        if what < 4:
            return self._read(BIG if what < 3 else NOTES, 1 + dice.below(min(room, 600) - 4))
        if what < 6:
            return self._write(1 + dice.below(min(room, 300) - 9))
        if what == 6:
            return self._procedure()
        self.idle(dice.below(5000))
        return services.OK

    def _offset(self, count):
        """Return an offset that no read or write of this session has had."""
        at = self.dice.below(BIG_BYTES - count)
        while at in self.asked:
            at = (at + 1) % (BIG_BYTES - count)
        self.asked[at] = True
        return at

    def _read(self, table, count):
        at = self._offset(count)
        error = self.ask(services.read_offset_request(table, at, count))
        if error == services.OK:
            client = self.client
            data = bytes(client.message[client.data_at : client.data_at + client.data_count])
            if table == BIG:
                right = data == BIG_CONTENT[at : at + count]
            else:
                right = self._may_be(at, data)
            if not right:
                self.wrong.append(("data", table, at, count))
        return error

    def _may_be(self, at, data):
        """Return whether the notes may read so, for all that the client can know."""
        for i in range(len(data)):
            place = at + i
            if data[i] != self.notes[place] and data[i] not in self.maybe.get(place, ()):
                return False
        return True

    def _write(self, count):
        at = self._offset(count)
        data = bytes(self.dice.below(256) for _ in range(count))
        error = self.ask(services.write_offset_request(NOTES, at, data))
        if error == services.OK:
            self.notes[at : at + count] = data
            for place in range(at, at + count):
                self.maybe.pop(place, None)
            if self.tables.done.get(("write", at)) != 1:
                self.wrong.append(("write", at))
        else:
            for i in range(count):
                self.maybe.setdefault(at + i, []).append(data[i])
        return error

    def _procedure(self):
        self.fresh += 1
        data = bytes([9, 0, self.fresh & 0xFF, self.fresh >> 8])
        error = self.ask(services.write_request(PROCEDURE_TABLE, data))
        if error == services.OK and self.tables.done.get(("run", data)) != 1:
            self.wrong.append(("run", data))
        return error

    def _judge(self):
        for what, times in self.tables.done.items():
            if times > 1:
                self.wrong.append(("twice", what))


INTENSITIES = (0, 5, 20, 60, 150, 300)


def run_sessions(first, count, echo=ECHO_NONE):
    """Run random sessions; return (wrong, ghosts, refused, outcomes).

    `wrong` has what went wrong where no ghost was; `refused` counts the NAKs, that is an upper
    bound of the packets whose CRC could have been right by chance.
    """
    wrong = []
    ghosts = refused = 0
    outcomes = {}
    for seed in range(first, first + count):
        session = Session(seed, INTENSITIES[seed % len(INTENSITIES)], echo)
        session.run(12)
        ghosts += session.ghosts()
        refused += session.client.refused + session.device.refused
        if session.wrong and not session.ghosts():
            wrong.append((seed, session.wrong))
        for error, times in session.outcomes.items():
            outcomes[error] = outcomes.get(error, 0) + times
    return wrong, ghosts, refused, outcomes
