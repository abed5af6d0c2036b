"""The USB console for people: one command a line, and one JSON line per event while watching."""

import asyncio
import json
import sys

from micropython import const

_MAX_LINE = const(80)
_HELP = """wattline endpoint. Commands:
  status   how the module is, in words
  json     the same as one JSON line
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
    """

    def __init__(self, report):
        self._report = report
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
            self._command(command)
        except Exception as error:  # a question must never stop the metering
            sys.print_exception(error)

    def _command(self, command):
        if command == "status":
            # One write: a terminal that does not read costs one time-out, not one a line.
            print("\n".join(["%-18s %s" % item for item in sorted(self._report().items())]))
        elif command == "json":
            print(json.dumps(self._report()))
        elif command in ("watch", "quiet"):
            self._watching = command == "watch"
        elif command:
            print(_HELP)
