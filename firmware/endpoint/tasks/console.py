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
        reader = asyncio.StreamReader(sys.stdin)
        line = ""
        while True:
            beat()
            character = str(await reader.read(1))
            if character in ("\r", "\n"):
                self._command(line.strip())
                line = ""
            elif len(line) < _MAX_LINE:
                line += character

    def _command(self, command):
        if command == "status":
            for name, value in sorted(self._report().items()):
                print("%-18s %s" % (name, value))
        elif command == "json":
            print(json.dumps(self._report()))
        elif command in ("watch", "quiet"):
            self._watching = command == "watch"
        elif command:
            print(_HELP)
