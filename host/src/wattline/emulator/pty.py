"""Pseudo terminals for an emulated module, and the loop that serves them in wall-clock time."""

import os
import select
import time
import tty
from contextlib import suppress
from pathlib import Path

_CHUNK_BYTES = 4096
_BACKLOG_BYTES = 65536  # what waits for a reader at most; older bytes are lost
_SLICE_S = 0.005  # of the host's time between looks at the terminals
_IDLE_S = 0.05  # longest rest; must stay below _LATE_S
_LATE_S = 0.1  # further behind than this, the emulation stops trying to catch up


class Port:
    """One end of a serial line as a pseudo terminal.

    Parameters
    ----------
    link : path
        Symbolic link to the terminal, made here and removed by `close`.
    feed : callable
        Takes the bytes that somebody writes to the terminal.
    """

    def __init__(self, link, feed):
        self._feed = feed
        self._link = Path(link)
        self._master, self._slave = os.openpty()  # held open, so that no reader means no hang-up
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._outgoing = bytearray()
        with suppress(FileNotFoundError):
            self._link.unlink()
        self._link.symlink_to(os.ttyname(self._slave))

    def fileno(self):
        """Return the descriptor to wait on."""
        return self._master

    @property
    def waits_to_write(self):
        """Whether bytes wait for the terminal to take them."""
        return bool(self._outgoing)

    def put(self, data):
        """Send bytes to whoever has opened the terminal."""
        self._outgoing += data
        del self._outgoing[:-_BACKLOG_BYTES]
        self._flush()

    def pump(self):
        """Move what can be moved, and return whether anything came in."""
        self._flush()
        try:
            data = os.read(self._master, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._feed(data)
        return bool(data)

    def _flush(self):
        while self._outgoing:
            try:
                sent = os.write(self._master, self._outgoing)
            except BlockingIOError:
                return
            del self._outgoing[:sent]

    def close(self):
        """Take the link and the terminal away."""
        with suppress(FileNotFoundError):
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)


def console_port(module, link):
    """Return a `Port` at `link` for the module's USB console."""
    port = Port(link, module.console.write)
    module.console.on_data = port.put
    return port


def serve(module, ports, speed=1.0, finished=lambda: False):
    """Run a module in wall-clock time, with its terminals, until ``finished()``.

    Parameters
    ----------
    module : wattline.emulator.Module
    ports : list of Port
    speed : float or None
        Simulated seconds per second; None runs from event to event as fast as it can.
    finished : callable
    """
    pace = _Pace(module, speed)
    while not finished():
        busy = [port.pump() for port in ports]
        module.run_until_ns(pace.target_ns())
        if not any(busy):
            writable = [port for port in ports if port.waits_to_write]
            select.select(ports, writable, [], pace.rest_s())


class _Pace:
    """How far simulated time may go, and how long the host may rest."""

    def __init__(self, module, speed):
        self._module = module
        self._speed = speed
        self._restart()

    def _restart(self):
        self._wall_s = time.monotonic()
        self._sim_ns = self._module.now_ns

    def target_ns(self):
        now_ns = self._module.now_ns
        if self._speed is None:
            event_ns = self._module.next_event_ns
            if self._module.idle and event_ns is not None:
                return max(event_ns, now_ns) + 1_000_000
            return now_ns + 1_000_000
        elapsed_s = time.monotonic() - self._wall_s
        target_ns = self._sim_ns + int(elapsed_s * self._speed * 1e9)
        if target_ns - now_ns > _LATE_S * self._speed * 1e9:
            self._restart()
            return now_ns + int(_SLICE_S * self._speed * 1e9)
        return max(now_ns, min(target_ns, now_ns + int(2 * _SLICE_S * self._speed * 1e9)))

    def rest_s(self):
        module = self._module
        event_ns = module.next_event_ns
        if not module.idle:
            return 0.0 if self._speed is None else _SLICE_S / 5
        if event_ns is None:
            return _IDLE_S
        if self._speed is None:
            return 0.0
        return min(_IDLE_S, max(0.0, (event_ns - module.now_ns) / 1e9 / self._speed))
