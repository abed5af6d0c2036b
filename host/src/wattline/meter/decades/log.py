"""Decade 7: the history of what users did, and the events of the meter."""

from dataclasses import dataclass

HISTORY, EVENTS = 74, 76
_ENTRIES = 32
_DATA_BYTES = 4
_CIRCULAR = 0x04
_OVERFLOW = 0x02
_FLAGS = 0x07  # event number, date and time and sequence number in the history
_KNOWN = (1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 18, 20, 21, 37, 38, 39, 41, 43)
_OF_USERS = (3, 4, 9, 10, 11, 12, 14, 18, 20, 21)
_SET_BYTES = 6


@dataclass(frozen=True)
class Entry:
    """One thing that happened."""

    sequence: int
    t_ns: int
    user_id: int
    code: int
    argument: int


class Logs:
    """ST-71, 72, 74 and 76; what users do is in both logs.

    Parameters
    ----------
    meter : FocusAL
    """

    def __init__(self, meter):
        self._meter = meter
        self._entries = {HISTORY: [], EVENTS: []}
        self._counts = {HISTORY: 0, EVENTS: 0}

    def note(self, t_ns, user_id, code, argument):
        """Add an entry."""
        for log in (HISTORY, EVENTS) if code in _OF_USERS else (EVENTS,):
            entries = self._entries[log]
            entries.append(Entry(self._counts[log], t_ns, user_id, code, argument))
            del entries[:-_ENTRIES]
            self._counts[log] += 1

    def clear(self, log):
        """Forget the entries of one log."""
        self._entries[log].clear()

    def tables(self):
        """Return the functions that make the tables' contents."""
        return {
            71: self._limits,
            72: self._known,
            HISTORY: lambda: self._log(HISTORY),
            EVENTS: lambda: self._log(EVENTS),
        }

    def _limits(self):
        u = self._meter.encoder.u
        sizes = bytes([_FLAGS, _SET_BYTES, 1, _DATA_BYTES, _DATA_BYTES])
        return sizes + u(_ENTRIES, 2) + u(_ENTRIES, 2)

    def _known(self):
        value = sum(1 << code for code in _KNOWN)
        return value.to_bytes(_SET_BYTES, "little") + bytes(1)

    def _log(self, log):
        u = self._meter.encoder.u
        entries = self._entries[log]
        count = self._counts[log]
        flags = _CIRCULAR | (_OVERFLOW if count > _ENTRIES else 0)
        head = bytes([flags]) + u(len(entries), 2) + u(max(len(entries) - 1, 0), 2)
        head += u(max(count - 1, 0), 4) + u(len(entries), 2)
        rows = b"".join(self._row(entry) for entry in entries)
        blank = len(self._row(Entry(0, 0, 0, 0, 0)))
        return head + rows + bytes(blank * (_ENTRIES - len(entries)))

    def _row(self, entry):
        u = self._meter.encoder.u
        when = self._meter.time_at(entry.t_ns)
        number = entry.sequence & 0xFFFF
        return (
            self._meter.encoder.long_time(when)
            + u(number, 2)
            + u(number, 2)
            + u(entry.user_id, 2)
            + u(entry.code, 2)
            + u(entry.argument, _DATA_BYTES)
        )
