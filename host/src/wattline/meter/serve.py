"""Serves a simulated meter in real time, on a pseudo terminal or on a serial port."""

import heapq
import itertools
import os
import select
import time
import tty
from pathlib import Path

from wattline.errors import WattlineError
from wattline.meter.port import MeterPort

_MOST_BYTES = 4096  # of one read
_IDLE_S = 1.0


class PtyWire:
    """A pseudo terminal, reachable for clients under a link of the user's choice.

    Parameters
    ----------
    link : Path
        Symbolic link to make; an old link is replaced, any other file is left alone.

    Raises
    ------
    WattlineError
        One sentence, if the link cannot be made.
    """

    def __init__(self, link):
        self._link = Path(link)
        self.name = str(link)
        # Both ends stay open here, so that clients may come and go.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
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

    def read(self):
        """Return the bytes that have come in."""
        return os.read(self._master, _MOST_BYTES)

    def write(self, data):
        """Send bytes."""
        os.write(self._master, data)

    def close(self):
        """Remove the link and both ends."""
        self._link.unlink(missing_ok=True)
        self._close_ends()

    def _close_ends(self):
        os.close(self._master)
        os.close(self._slave)


class SerialWire:
    """A serial port at 9600 8N1.

    Raises
    ------
    WattlineError
        One sentence, if the port cannot be opened or goes away.
    """

    def __init__(self, name):
        import serial

        self.name = name
        self._gone = serial.SerialException
        try:
            self._port = serial.Serial(name, 9600, timeout=0)
        except (serial.SerialException, ValueError) as error:
            raise WattlineError(
                f"Cannot open the serial port {name}: check its name, its cable and that no other "
                "program uses it."
            ) from error

    def fileno(self):
        """Return the descriptor to wait on."""
        return self._port.fileno()

    def read(self):
        """Return the bytes that have come in."""
        try:
            return self._port.read(_MOST_BYTES)
        except (self._gone, OSError) as error:
            raise WattlineError(f"The serial port {self.name} went away: plug it in.") from error

    def write(self, data):
        """Send bytes."""
        self._port.write(data)

    def close(self):
        """Close the port."""
        self._port.close()


def serve(meter, wire, faults=None, log=None, run_s=None):
    """Serve `meter` on `wire` until interrupted.

    Parameters
    ----------
    meter : FocusAL
    wire : PtyWire or SerialWire
    faults : Faults or None
    log : callable(str, bytes, int) or None
        As for `MeterPort`.
    run_s : float or None
        End after this time.
    """
    start_ns = time.monotonic_ns()
    due = []
    order = itertools.count()

    def schedule(at_ns, function):
        heapq.heappush(due, (at_ns, next(order), function))

    def send(data, at_ns):
        schedule(at_ns, lambda _now_ns: wire.write(data))

    port = MeterPort(meter, send, schedule, faults=faults, log=log)
    while True:
        now_ns = time.monotonic_ns() - start_ns
        if run_s is not None and now_ns >= run_s * 1e9:
            return
        while due and due[0][0] <= now_ns:
            heapq.heappop(due)[2](now_ns)
        wait_s = max(0.0, (due[0][0] - now_ns) / 1e9) if due else _IDLE_S
        if run_s is not None:
            wait_s = min(wait_s, max(0.0, run_s - now_ns / 1e9))
        ready, _, _ = select.select([wire], [], [], wait_s)
        if ready:
            data = wire.read()
            if data:
                port.on_bytes(data, time.monotonic_ns() - start_ns)
