"""The programming port: moves bytes between a serial port and the module's own C12.18 device."""

import asyncio

from micropython import const

from endpoint.hal import window

# A whole packet and its acknowledgements.
_CHUNK_BYTES = const(256)
# Between two looks while a session is open: nothing is on its way, or a packet is.
_IDLE_MS = const(10)
_ARRIVING_MS = const(4)


class Port:
    """The task of one outward port. Context: task only.

    Parameters
    ----------
    device : C1218Device
    guard : GuardedTables
        What the device serves; its lock is stored before an answer is sent.
    port : SerialPort
    clock : Monotonic
    module : Module
        Its `window` and `wants_restart` ask for what has to wait for the session's end.
    keep_lock : callable
        Stores wrong passwords and ms of lock.
    restart : callable
        Resets the chip.

    Attributes
    ----------
    is_busy : bool
        A session is open or bytes are arriving: no time for a long flash erase.
    """

    def __init__(self, device, guard, port, clock, module, keep_lock, restart):
        self._restart = restart
        self._device = device
        self._guard = guard
        self._module = module
        self._keep_lock = keep_lock
        self._port = port
        self._clock = clock
        self._buffer = bytearray(_CHUNK_BYTES)
        self.is_busy = False

    async def run(self, beat):
        """Answer for ever; costs nothing while nobody speaks."""
        # What is read is nothing: it waits for the first byte and leaves it to the session.
        first = asyncio.StreamReader(self._port.uart)
        while True:
            beat()
            await first.read(0)
            self.is_busy = True
            await self._session(beat)
            if self._module.wants_restart:
                self._restart()
            if self._module.window is not None:
                await self._open_window()
            self.is_busy = False

    async def _session(self, beat):
        """Answer until the device has nothing to wait for."""
        device, port, clock = self._device, self._port, self._clock
        tx = memoryview(device.tx)
        changes = self._guard.changes
        while True:
            beat()
            now = clock.ms()
            received = port.readinto(self._buffer)
            if received:
                device.feed(self._buffer, received, now)
                self._module.carry_out(self._guard)
            deadline = device.deadline_ms()
            if deadline is not None and now >= deadline:
                device.tick(now)
            if changes != self._guard.changes:
                changes = self._guard.changes
                self._keep_lock(*self._guard.lock_state())
            wait_ms = _ARRIVING_MS if received else _IDLE_MS
            if device.tx_count:
                wait_ms = max(_ARRIVING_MS, port.wire_us(device.tx_count) // 1000)
                port.write(tx[: device.tx_count])
                device.sent(now)
            elif not received and deadline is None:
                break
            if device.baud_bps != port.baud_bps:
                while not port.is_sent():
                    await asyncio.sleep_ms(1)
                port.set_baud(device.baud_bps)
            await asyncio.sleep_ms(wait_ms)

    async def _open_window(self):
        """Lend the port to the MicroPython console; Ctrl-C there stops the application."""
        seconds, baud_bps = self._module.window
        self._module.window = None
        port = self._port
        port.set_baud(baud_bps)
        window.lend(port.uart, baud_bps)
        await asyncio.sleep(seconds)
        window.take_back()
        port.set_baud(self._device.baud_bps)
        port.drain(self._buffer)
