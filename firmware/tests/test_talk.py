"""The mover of bytes between session and port: bounded whatever comes in."""

import asyncio

from endpoint.meter import errors
from endpoint.meter.focus import FocusReader
from endpoint.tasks.poll import SESSION_LIMIT_MS, talk


class Clock:
    """Simulated milliseconds; `sleep_ms` moves them."""

    def __init__(self):
        self.now_ms = 0
        self.sleeps = []

    def ms(self):
        return self.now_ms


class Port:
    """A port on which `noise` arrives at every look."""

    def __init__(self, noise):
        self.noise = noise
        self.written = 0

    def wire_us(self, count):
        return (count * 10_000_000 + 9599) // 9600

    def write(self, view):
        self.written += len(view)

    def readinto(self, buffer):
        buffer[: len(self.noise)] = self.noise
        return len(self.noise)

    def drain(self, buffer):
        pass


def _talk(port):
    clock = Clock()

    async def sleep_ms(ms):
        assert 0 < ms <= 1500
        clock.now_ms += ms
        await asyncio.sleep(0)

    reader = FocusReader()
    reader.start(0)
    real = getattr(asyncio, "sleep_ms", None)
    asyncio.sleep_ms = sleep_ms
    try:
        asyncio.run(talk(reader, port, clock, bytearray(256)))
    finally:
        asyncio.sleep_ms = real
    return reader, clock


def test_silence_ends_as_no_answer():
    reader, clock = _talk(Port(b""))
    assert reader.done and reader.error == errors.NO_ANSWER
    assert clock.now_ms <= SESSION_LIMIT_MS


def test_endless_noise_ends_as_no_answer():
    """A lamp on the optical head must not keep the session open for ever."""
    reader, clock = _talk(Port(b"\x55"))
    assert reader.done and reader.error == errors.NO_ANSWER
    assert clock.now_ms <= SESSION_LIMIT_MS + 1500


def test_endless_acknowledgements_end_as_no_answer():
    """A head that answers ACK to everything, or echoes, is no meter."""
    for noise in (b"\x06", b"\x15", b"\xee", b"\xee\x00\x00\x00\x00\x01\x00\x11\x31"):
        reader, clock = _talk(Port(noise))
        assert reader.done and reader.error != errors.OK
        assert clock.now_ms <= SESSION_LIMIT_MS + 1500


def test_the_next_poll_starts_clean_after_giving_up():
    reader = FocusReader()
    reader.start(0)
    assert reader.tx_count > 0
    reader.sent(0)
    reader.give_up(SESSION_LIMIT_MS)
    assert reader.done and reader.error == errors.NO_ANSWER
    later_ms = SESSION_LIMIT_MS + 60000
    reader.start(later_ms)
    assert not reader.done and reader.error == errors.OK
    assert reader.tx_count > 0
