"""Serves a simulated meter in real time, on a pseudo terminal or on a serial port."""

import heapq
import itertools
import os
import select
import termios
import time
import tty
from contextlib import suppress
from pathlib import Path

from wattline.errors import WattlineError
from wattline.meter.port import TURNAROUND_NS, MeterPort

_MOST_BYTES = 4096  # of one read
_IDLE_S = 1.0
_FORGOTTEN_NS = 3_000_000_000  # what nobody has read for so long is gone, as light would be
_BAUD, _OUTPUT_SPEED = 9600, 5


class PtyWire:
    """A pseudo terminal, reachable for clients under a link of the user's choice.

    Parameters
    ----------
    link : Path
        Symbolic link to make; an old link is replaced, any other file is left alone.
    baud : int or None
        If given, a client that has set another rate sees and sends nonsense; None takes any.

    Raises
    ------
    WattlineError
        One sentence, if the link cannot be made.
    """

    def __init__(self, link, baud=None):
        self._link = Path(link)
        self.name = str(link)
        self._speed = None if baud is None else _speed(baud)
        self.baud = baud or _BAUD
        # Both ends stay open here, so that clients may come and go.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        try:
            if self._link.is_symlink():
                self._link.unlink()
            self._link.symlink_to(os.ttyname(self._slave))
        except OSError as error:
            self._close_ends()
            raise WattlineError(
                f"Cannot make the link {link} ({error.strerror}): name a path that is free."
            ) from error

    def fileno(self):
        """Return the descriptor to wait on."""
        return self._master

    def set_baud(self, baud):
        """Note the rate that was negotiated; bytes on a pseudo terminal have none."""
        self.baud = baud

    def read(self):
        """Return the bytes that have come in."""
        try:
            data = os.read(self._master, _MOST_BYTES)
        except (BlockingIOError, OSError):
            return b""
        return self._seen(data)

    def write(self, data):
        """Send bytes; what nobody takes is lost, as in the air."""
        with suppress(BlockingIOError, OSError):
            os.write(self._master, self._seen(data))

    def forget(self):
        """Drop what was sent and not read."""
        with suppress(termios.error):
            termios.tcflush(self._slave, termios.TCIFLUSH)

    def _seen(self, data):
        """Return the bytes as the other side sees them."""
        if self._speed is None or termios.tcgetattr(self._slave)[_OUTPUT_SPEED] == self._speed:
            return data
        return bytes(0x80 | value >> 2 & 0x4F for value in data)

    def close(self):
        """Remove the link and both ends."""
        with suppress(OSError):
            if os.readlink(self._link) == os.ttyname(self._slave):
                self._link.unlink()
        self._close_ends()

    def _close_ends(self):
        os.close(self._master)
        os.close(self._slave)


def _speed(baud):
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise WattlineError(f"{baud} baud is no rate of this system: take 1200, 9600 or the like.")
    return speed


class SerialWire:
    """A serial port, 8N1.

    Raises
    ------
    WattlineError
        One sentence, if the port cannot be opened or goes away.
    """

    def __init__(self, name, baud=None):
        import serial

        self.name = name
        self.baud = baud or _BAUD
        self._gone = serial.SerialException
        try:
            self._port = serial.Serial(name, self.baud, timeout=0)
        except (serial.SerialException, ValueError) as error:
            raise WattlineError(
                f"Cannot open the serial port {name}: check its name, its cable and that no other "
                "program uses it."
            ) from error

    def fileno(self):
        """Return the descriptor to wait on."""
        return self._port.fileno()

    def set_baud(self, baud):
        """Go to the rate that was negotiated, after the last byte at the old one."""
        self._port.flush()
        self._port.baudrate = self.baud = baud

    def read(self):
        """Return the bytes that have come in."""
        try:
            return self._port.read(_MOST_BYTES)
        except (self._gone, OSError) as error:
            raise WattlineError(f"The serial port {self.name} went away: plug it in.") from error

    def write(self, data):
        """Send bytes."""
        try:
            self._port.write(data)
        except (self._gone, OSError) as error:
            raise WattlineError(f"The serial port {self.name} went away: plug it in.") from error

    def forget(self):
        """Do nothing: light that nobody sees is gone anyway."""

    def close(self):
        """Close the port."""
        self._port.close()


def serve(meter, wire, faults=None, log=None, run_s=None, start_ns=0, turnaround_ns=TURNAROUND_NS):
    """Serve `meter` on `wire` until interrupted.

    Parameters
    ----------
    meter : FocusAL
    wire : PtyWire or SerialWire
    faults : Faults, FaultChain or None
    log : callable(str, bytes, int) or None
        As for `MeterPort`.
    run_s : float or None
        End after this time.
    start_ns : int
        Simulated time at the start.
    turnaround_ns : int
        Silence before an answer.
    """
    zero_ns = time.monotonic_ns() - start_ns
    end_ns = None if run_s is None else start_ns + int(run_s * 1e9)
    due = []
    order = itertools.count()
    rest_baud = wire.baud
    touched_ns = start_ns

    def schedule(at_ns, function):
        heapq.heappush(due, (at_ns, next(order), function))

    def send(data, at_ns):
        schedule(at_ns, lambda _now_ns: wire.write(data))

    meter.advance(start_ns)
    port = MeterPort(meter, send, schedule, turnaround_ns, faults=faults, log=log)
    while True:
        now_ns = time.monotonic_ns() - zero_ns
        if end_ns is not None and now_ns >= end_ns:
            return
        while due and due[0][0] <= now_ns:
            heapq.heappop(due)[2](now_ns)
        baud = rest_baud if meter.device.baud_bps == _BAUD else meter.device.baud_bps
        if baud != wire.baud:
            wire.set_baud(baud)
        wait_s = max(0.0, (due[0][0] - now_ns) / 1e9) if due else _IDLE_S
        wait_s = min(wait_s, _IDLE_S)
        if end_ns is not None:
            wait_s = min(wait_s, max(0.0, (end_ns - now_ns) / 1e9))
        ready, _, _ = select.select([wire], [], [], wait_s)
        if not ready:
            continue
        data = wire.read()
        if data:
            now_ns = time.monotonic_ns() - zero_ns
            if now_ns - touched_ns > _FORGOTTEN_NS:
                wire.forget()
            touched_ns = now_ns
            port.on_bytes(data, now_ns)
