"""Reads the meter every poll period and commits what it says before anything else happens."""

import asyncio
import gc

from micropython import const

# A session may take its retries and time-outs: six seconds of silence, thrice.
SESSION_LIMIT_MS = const(30000)
# How long a step may sleep past the bytes it waits for; costs latency, saves wake-ups.
_SLACK_MS = const(1)
_IDLE_STEP_MS = const(5)


async def talk(session, port, clock, buffer):
    """Move bytes between a C12.18 session and a serial port until the session is over.

    Sleeps for the wire time of what is still expected instead of waking for every byte.

    Parameters
    ----------
    session
        `busy`, `tx`, `tx_count`, `sent(now_ms)`, `feed(buffer, count, now_ms)`,
        `tick(now_ms)`, `deadline_ms`, `expected_bytes`.
    buffer : bytearray
        Where received chunks pass through.
    """
    port.drain(buffer)
    tx = memoryview(session.tx)
    while session.busy:
        now = clock.ms()
        count = port.readinto(buffer)
        if count:
            session.feed(buffer, count, now)
        wire_ms = 0
        if session.tx_count:
            wire_ms = port.wire_ms(session.tx_count)
            port.write(tx[: session.tx_count])
            session.sent(now + wire_ms)
        elif not count and now >= session.deadline_ms:
            session.tick(now)
            continue
        if not session.busy:
            break
        expected = session.expected_bytes
        wait_ms = wire_ms + port.wire_ms(expected) + _SLACK_MS if count or wire_ms else _IDLE_STEP_MS
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
    """

    def __init__(self, reader, port, engine, journal, clock, poll_s, say):
        self._reader = reader
        self._port = port
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._poll_ms = poll_s * 1000
        self._say = say
        self._buffer = bytearray(256)
        self._record = bytearray(256)
        self.reads = 0
        self.failures = 0
        self.session_ms = 0
        self.read_ms = None  # when the newest good read was taken
        self.power_w = 0  # average between the last two good reads, 10 W steps on the line
        self.voltage_dv = 0
        self.state = "waiting for the meter"

    def restore(self):
        """Take the newest committed state into the engine; True if there was one."""
        self._journal.mount()
        length = self._journal.load(self._record)
        if length:
            self._engine.unpack_from(self._record)
        return length > 0

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
