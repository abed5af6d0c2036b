"""A reader and a simulated meter: on one wire in simulated time, or served as a program."""

import heapq
import itertools
import signal
import subprocess
import sys

from wattline.meter.port import TURNAROUND_NS, MeterPort

BYTE_NS = 1_041_667
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


_MAIN = "from wattline.cli.app import main; main()"
_PROGRAM_S = 120


def wattline(*arguments):
    """Run the command line to its end and return the finished process."""
    return subprocess.run(
        [sys.executable, "-c", _MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=_PROGRAM_S,
        check=False,
    )


class Served:
    """`wattline meter serve` on a pseudo terminal or a port, as a program of its own."""

    def __init__(self, link, *arguments, where="--pty"):
        self.link = link
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, "meter", "serve", where, link, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        line = self._process.stdout.readline()
        assert line.startswith("Meter "), line + self._process.stderr.read()
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self.output, errors = self._process.communicate(timeout=_PROGRAM_S)
        assert "Traceback" not in errors, errors
        assert not self.link.is_symlink()


class Endless(Exception):
    """A session did not end in the time that any fault may cost."""


class Rig:
    """Runs polls; every byte takes its time on the wire, both directions at once."""

    def __init__(self, meter, reader, faults=None):
        self.meter = meter
        self.reader = reader
        self.now_ns = 0
        self.bytes = {"C": 0, "M": 0}
        self._events = []
        self._order = itertools.count()
        self._free_ns = {"C": 0, "M": 0}
        self.port = MeterPort(meter, self._from_meter, self._at, faults=faults)

    def swap(self, meter):
        """Put another meter into the socket."""
        self.meter = self.port.meter = meter

    def poll(self, at_ns=None, limit_s=200):
        """Run one poll to its end and return its duration in ms."""
        start_ns = self.now_ns = max(self.now_ns, at_ns or 0)
        self.reader.start(self.now_ns // NS_PER_MS)
        self._pump()
        while not self.reader.done:
            due_ms = self.reader.deadline_ms()
            due_ns = None if due_ms is None else max(due_ms * NS_PER_MS, self.now_ns)
            if self._events and (due_ns is None or self._events[0][0] <= due_ns):
                self._next()
            else:
                assert due_ns is not None, "nobody has anything to do"
                self.now_ns = due_ns
                self.reader.tick(due_ms)
                self._pump()
            if self.now_ns - start_ns > limit_s * NS_PER_S:
                raise Endless
        took_ms = (self.now_ns - start_ns) / NS_PER_MS
        self.rest(2)
        return took_ms

    def rest(self, seconds):
        """Let the wire alone for a while."""
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        while self._events and self._events[0][0] <= end_ns:
            self._next()
        self.now_ns = end_ns

    def _next(self):
        at_ns, _, function = heapq.heappop(self._events)
        self.now_ns = max(self.now_ns, at_ns)
        function(self.now_ns)

    def _at(self, at_ns, function):
        heapq.heappush(self._events, (at_ns, next(self._order), function))

    def _line(self, direction, count, at_ns):
        """Return when the last of `count` bytes has arrived."""
        self.bytes[direction] += count
        start_ns = max(at_ns, self._free_ns[direction])
        self._free_ns[direction] = start_ns + count * BYTE_NS
        return self._free_ns[direction]

    def _from_meter(self, data, at_ns):
        def arrive(now_ns):
            self.reader.feed(data, len(data), now_ns // NS_PER_MS)
            self._pump()

        self._at(self._line("M", len(data), at_ns), arrive)

    def _pump(self):
        count = self.reader.tx_count
        if count:
            data = bytes(self.reader.tx[:count])
            self.reader.sent(self.now_ns // NS_PER_MS)
            end_ns = self._line("C", count, self.now_ns + TURNAROUND_NS)
            self._at(end_ns, lambda now_ns: self.port.on_bytes(data, now_ns))
