"""The USB console for people: one command a line, and one JSON line per event while watching."""

import asyncio
import json
import sys
from binascii import hexlify

from micropython import const

from endpoint.optical import services
from endpoint.programming import READINGS

_MAX_LINE = const(80)
_PART_MAX_BYTES = const(512)  # of a table in one answer
_HELP = """wattline endpoint. Commands:
  status   how the module is, in words
  json     the same as one JSON line
  readings every billing value as one JSON line
  table N [OFFSET COUNT]
           part of a table, hexadecimal in a JSON line; 2048 is MT-0, 2064 the first ring
  watch    print one JSON line per event until `quiet`
  quiet    stop printing events
  help     this text
Ctrl-C stops the application and gives the MicroPython prompt; it comes back on reset."""


def complain(name, error):
    """Tell whoever is connected which task ended and why."""
    print("task", name, "ended:")
    sys.print_exception(error)


class Console:
    """Answers on `sys.stdin`/`sys.stdout`; changes nothing in the module.

    Parameters
    ----------
    report : callable
        Returns the status as a dictionary of names and plain values.
    tables : GuardedTables or None
        What `readings` and `table` show: whoever has made it decided what may be read.
    """

    def __init__(self, report, tables=None):
        self._report = report
        self.tables = tables
        self._watching = False

    def say(self, event, **fields):
        """Print an event for whoever watches; cheap when nobody does."""
        if self._watching:
            fields["event"] = event
            print(json.dumps(fields))

    async def run(self, beat):
        """Read commands for ever."""
        # Bytes, because reading text would block on the first half of a character.
        reader = asyncio.StreamReader(sys.stdin.buffer)
        line = ""
        while True:
            beat()
            byte = (await reader.read(1))[0]
            if byte in b"\r\n":
                self._answer(line.strip())
                line = ""
            elif 32 <= byte < 127 and len(line) < _MAX_LINE:
                line += chr(byte)

    def _answer(self, command):
        try:
            text = self.reply(command)
        except Exception as error:  # a question must never stop the metering
            sys.print_exception(error)
        else:
            if text:
                # One write: a terminal that does not read costs one time-out, not one a line.
                print(text)

    def reply(self, command):
        """Return the answer to one line, "" for none."""
        if command == "status":
            return "\n".join(["%-18s %s" % item for item in sorted(self._report().items())])
        if command == "json":
            return json.dumps(self._report())
        if command in ("watch", "quiet"):
            self._watching = command == "watch"
            return ""
        if self.tables is not None and command == "readings":
            return self._part(READINGS, 0, None)[1].decode()
        if self.tables is not None and command.startswith("table "):
            return self._table(command.split()[1:])
        return _HELP if command else ""

    def _table(self, words):
        try:
            numbers = [int(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 3) or min(numbers) < 0:
            return _HELP
        offset, count = numbers[1:] or (0, _PART_MAX_BYTES)
        size, data = self._part(numbers[0], offset, min(count, _PART_MAX_BYTES))
        answer = {"table": numbers[0], "bytes": size, "offset": offset}
        if size >= 0:
            answer["hex"] = hexlify(bytes(data)).decode()
        return json.dumps(answer)

    def _part(self, table, offset, count):
        """Return a table's length, or a negative reply code, and part of it."""
        tables = self.tables
        tables.from_start = offset == 0
        size = tables.size(table, False)
        left = max(0, size - offset)
        data = bytearray(left if count is None else min(count, left))
        if data:
            error = tables.read(table, offset, len(data), data, 0)
            if error != services.OK:
                return -error, b""
        return size, data
