"""Reads the meter every poll period and commits what it says before anything else happens."""

import asyncio
import gc

from micropython import const

from endpoint.meter import errors
from endpoint.meter.focus import NO_CLOCK, NO_VOLTAGE
from endpoint.metering import BadReading

# A whole packet and its acknowledgements.
_CHUNK_BYTES = const(256)
# While nothing comes, the port is looked at after 1, 2, 4 … ms and never less often than this:
# a reply that is late costs little, and so does a dead meter.
_STEP_MIN_MS = const(1)
_STEP_MAX_MS = const(50)
# Longest wait for bytes that a reply has promised: nine hundred at 9600 baud, and room.
_WAIT_MAX_MS = const(1500)
# Longest time between two looks at what time alone can close.
_TICK_MS = const(30000)
# A whole session, with repetitions and a second attempt; a peer that never ends is cut off.
SESSION_LIMIT_MS = const(45000)


async def talk(session, port, clock, buffer):
    """Move bytes between a C12.18 session and a serial port until the session is over.

    Sleeps for the wire time of what is still expected instead of waking for every byte.

    Parameters
    ----------
    session
        As `FocusReader`: `done`, `tx`, `tx_count`, `sent`, `feed`, `tick`, `deadline_ms`,
        `expected_bytes`, `give_up`.
    port : SerialPort
    clock : Monotonic
    buffer : bytearray
        Where received chunks pass through.
    """
    port.drain(buffer)
    tx = memoryview(session.tx)
    started_ms = clock.ms()
    idle_ms = _STEP_MIN_MS
    while not session.done:
        now = clock.ms()
        if now - started_ms > SESSION_LIMIT_MS:
            session.give_up(now)
            break
        received = port.readinto(buffer)
        if received:
            session.feed(buffer, received, now)
        wire_us = 0
        if session.tx_count:
            wire_us = port.wire_us(session.tx_count)
            port.write(tx[: session.tx_count])
            session.sent(now)
        deadline = session.deadline_ms()
        if deadline is not None and now >= deadline:
            # Whatever bytes deserve more time has moved the deadline already.
            session.tick(now)
            if session.tx_count or session.done:
                continue
            deadline = session.deadline_ms()
        if wire_us or received:
            # Rounded down: the last byte is then waited for in the smallest steps.
            wait_ms = (wire_us + port.wire_us(session.expected_bytes())) // 1000
            wait_ms = max(_STEP_MIN_MS, min(wait_ms, _WAIT_MAX_MS))
            idle_ms = _STEP_MIN_MS
        else:
            wait_ms = idle_ms
            idle_ms = min(2 * idle_ms, _STEP_MAX_MS)
            if deadline is not None:
                wait_ms = max(_STEP_MIN_MS, min(wait_ms, deadline - now))
        await asyncio.sleep_ms(wait_ms)


class Poll:
    """The poll task: meter → engine → records, one read at a time. Context: task only.

    Parameters
    ----------
    reader : FocusReader
    port : SerialPort
    books : Books
    clock : Monotonic
    poll_s : int
    learned : callable
        Told of a meter that was read in full, with the reader, after each good read.
    say : callable
        Told of every read and of every failure.

    Attributes
    ----------
    reads, failures : int
        Sessions since start.
    session_ms : int
        Length of the newest one.
    read_ms : int or None
        When the newest good read arrived, `clock` time.
    power_w : int
        Average between the last two good reads.
    voltage_dv : int
        First voltage of the newest read, 0 if the meter shows none.
    is_talking : bool
        Bytes of the meter may arrive: nobody may erase flash.
    """

    def __init__(self, reader, port, books, clock, poll_s, learned, say):
        self._reader = reader
        self._port = port
        self._books = books
        self._learned = learned
        self._clock = clock
        self._poll_ms = poll_s * 1000
        self._say = say
        self._buffer = bytearray(_CHUNK_BYTES)
        self.reads = 0
        self.failures = 0
        self.session_ms = 0
        self.read_ms = None
        self.power_w = 0
        self.voltage_dv = 0
        self.is_talking = False

    async def run(self, beat):
        """Poll for ever."""
        due_ms = self._clock.ms()
        while True:
            beat()
            await self._once()
            gc.collect()
            due_ms += self._poll_ms
            now = self._clock.ms()
            if due_ms <= now:
                due_ms = now + self._poll_ms
            while due_ms - now > _TICK_MS:
                await asyncio.sleep_ms(_TICK_MS)
                beat()
                now = self._clock.ms()
                self._books.tick(now)
            await asyncio.sleep_ms(max(0, due_ms - now))

    def report(self):
        """Return the part of the status that is about the meter."""
        engine, books = self._books.engine, self._books
        return {
            "meter": _printable(self._reader.serial),
            "meter_state": errors.NAMES[self._reader.error] if self._tried() else "NOT YET READ",
            "total_wh": engine.total_wh,
            "forward_wh": engine.forward.baseline_wh,
            "reverse_wh": engine.reverse.baseline_wh,
            "voltage_dv": self.voltage_dv,
            "power_w": self.power_w,
            "reads": self.reads,
            "read_failures": self.failures,
            "session_ms": self.session_ms,
            "commits": books.sequence,
            "journal_failures": books.commit_failures,
            "lost_rows": books.lost_rows + books.lost_entries,
        }

    def _tried(self):
        return self.reads or self.failures

    async def _once(self):
        reader = self._reader
        started_ms = self._clock.ms()
        reader.start(started_ms)
        self.is_talking = True
        await talk(reader, self._port, self._clock, self._buffer)
        self.is_talking = False
        now_ms = self._clock.ms()
        self.session_ms = now_ms - started_ms
        if reader.error != errors.OK:
            self.failures += 1
            if reader.error == errors.NOT_LOGGING:
                self._books.no_table(now_ms)
            else:
                self._books.tick(now_ms)
            self._say("no_read", error=reader.error, detail=reader.detail)
            return
        self._take(reader.reading, now_ms)

    def _take(self, reading, now_ms):
        books = self._books
        engine = books.engine
        voltage_dv = 0 if reading.status & NO_VOLTAGE else reading.voltage_dv[0]
        stamp = 0 if reading.status & NO_CLOCK else reading.clock_s
        try:
            credited_wh = books.read(reading, stamp, voltage_dv, now_ms)
        except BadReading:
            self.failures += 1
            self._say("no_read", error=errors.BAD_FORMAT, detail=0)
            return
        if stamp:
            books.meter_clock(stamp, now_ms)
        self.reads += 1
        self.voltage_dv = voltage_dv
        # A suspect read leaves the total where it was, so it must not make it look fresh.
        if engine.is_good:
            if self.read_ms is not None:
                self.power_w = credited_wh * 3600000 // (now_ms - self.read_ms)
            self.read_ms = now_ms
            self._learned(self._reader)
        self._say(
            "read",
            ms=now_ms,
            forward_wh=reading.forward_wh,
            reverse_wh=reading.reverse_wh,
            total_wh=engine.total_wh,
            commits=books.sequence,
            voltage_dv=self.voltage_dv,
            session_ms=self.session_ms,
        )


def _printable(text):
    """Return bytes from the meter as text that any console can take."""
    return "".join([chr(c) if 32 <= c < 127 else "?" for c in text])
