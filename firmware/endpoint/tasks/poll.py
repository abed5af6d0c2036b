"""Reads the meter every poll period and commits what it says before anything else happens."""

import asyncio
import gc

from micropython import const

from endpoint.meter import errors
from endpoint.metering import BadReading
from endpoint.metering.engine import RECORD_BYTES

# A whole packet and its acknowledgements.
_CHUNK_BYTES = const(256)
# Longest sleep of a session: nothing is due sooner, but a reply could come early.
_STEP_MAX_MS = const(50)
_STEP_MS = const(5)
# Sleep this much past the last byte expected, so that one wake-up finds all of them.
_SLACK_MS = const(1)


async def talk(session, port, clock, buffer):
    """Move bytes between a C12.18 session and a serial port until the session is over.

    Sleeps for the wire time of what is still expected instead of waking for every byte.

    Parameters
    ----------
    session
        As `FocusReader`: `done`, `tx`, `tx_count`, `sent`, `feed`, `tick`, `deadline_ms`,
        `expected_bytes`.
    port : SerialPort
    clock : Monotonic
    buffer : bytearray
        Where received chunks pass through.
    """
    port.drain(buffer)
    tx = memoryview(session.tx)
    while not session.done:
        now = clock.ms()
        received = port.readinto(buffer)
        if received:
            session.feed(buffer, received, now)
        wire_ms = 0
        if session.tx_count:
            wire_ms = port.wire_ms(session.tx_count)
            port.write(tx[: session.tx_count])
            session.sent(now + wire_ms)
        deadline = session.deadline_ms()
        if deadline is not None and not received and now >= deadline:
            session.tick(now)
            continue
        if wire_ms or received:
            wait_ms = wire_ms + port.wire_ms(session.expected_bytes()) + _SLACK_MS
        elif session.expected_bytes() or deadline is None:
            wait_ms = _STEP_MS
        else:
            wait_ms = min(_STEP_MAX_MS, deadline - now)
        await asyncio.sleep_ms(wait_ms)


class Poll:
    """The poll task: meter → engine → journal, one read at a time. Context: task only.

    Parameters
    ----------
    reader : FocusReader
    port : SerialPort
    engine : Engine
    journal : Journal
    clock : Monotonic
    poll_s : int
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
        First voltage of the newest good read, 0 if the meter shows none.
    """

    def __init__(self, reader, port, engine, journal, clock, poll_s, say):
        self._reader = reader
        self._port = port
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._poll_ms = poll_s * 1000
        self._say = say
        self._buffer = bytearray(_CHUNK_BYTES)
        self._record = bytearray(RECORD_BYTES)
        self.reads = 0
        self.failures = 0
        self.session_ms = 0
        self.read_ms = None
        self.power_w = 0
        self.voltage_dv = 0

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
            await asyncio.sleep_ms(due_ms - now)

    def report(self):
        """Return the part of the status that is about the meter."""
        engine = self._engine
        return {
            "meter": self._reader.serial.decode(),
            "meter_state": errors.NAMES[self._reader.error] if self._tried() else "NOT YET READ",
            "total_wh": engine.total_wh,
            "forward_wh": engine.forward.baseline_wh,
            "reverse_wh": engine.reverse.baseline_wh,
            "voltage_dv": self.voltage_dv,
            "power_w": self.power_w,
            "reads": self.reads,
            "read_failures": self.failures,
            "session_ms": self.session_ms,
            "commits": self._journal.sequence,
        }

    def _tried(self):
        return self.reads or self.failures

    async def _once(self):
        reader = self._reader
        started_ms = self._clock.ms()
        reader.start(started_ms)
        await talk(reader, self._port, self._clock, self._buffer)
        now_ms = self._clock.ms()
        self.session_ms = now_ms - started_ms
        if reader.error != errors.OK:
            self.failures += 1
            self._say("no_read", error=reader.error, detail=reader.detail)
            return
        self._take(reader.reading, now_ms)

    def _take(self, reading, now_ms):
        engine = self._engine
        try:
            credited_wh = engine.on_read(
                reading.serial, reading.forward_wh, reading.reverse_wh, now_ms // 1000
            )
        except BadReading:
            self.failures += 1
            self._say("no_read", error=errors.BAD_FORMAT, detail=0)
            return
        # The meter is silent now, so the write cannot cost a byte.
        self._journal.commit(self._record, engine.pack_into(self._record))
        self._journal.prepare()
        self.reads += 1
        if self.read_ms is not None:
            self.power_w = credited_wh * 3600000 // (now_ms - self.read_ms)
        self.read_ms = now_ms
        self.voltage_dv = reading.voltage_dv[0]
        self._say(
            "read",
            ms=now_ms,
            forward_wh=reading.forward_wh,
            reverse_wh=reading.reverse_wh,
            total_wh=engine.total_wh,
            voltage_dv=self.voltage_dv,
            session_ms=self.session_ms,
        )
