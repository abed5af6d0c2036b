"""What time it is: lit seconds, life seconds and UTC, from a monotonic counter per start.

Lit seconds count while the service is on, life seconds always, as far as anybody knows. UTC is
lit seconds plus an offset that every outage and every correction changes.

Context: one task. Integers only.
"""

import struct

from micropython import const

# Why the time is not known.
KNOWN = const(0)
NEVER_SET = const(1)
AFTER_OUTAGE = const(2)  # an outage of unknown length
AFTER_AWAY = const(3)  # a restart of unknown length with the service on

_STATE = "<IqIBII"
STATE_BYTES = struct.calcsize(_STATE)


class Clock:
    """The engine's own time.

    Attributes
    ----------
    offset_s : int
        UTC minus lit seconds when the time was last known.
    doubt : int
        `KNOWN` or why not.
    doubt_l : int
        Lit second at which the gap of unknown length lies.
    is_unsure : bool
        Power came and went inside that gap.
    dark_s : int
        Seconds without power, as far as known.
    is_dark : bool
    power_l : int
        Lit second of the last restoration or restart.
    """

    def __init__(self):
        self.offset_s = 0
        self.doubt = NEVER_SET
        self.doubt_l = 0
        self.is_unsure = False
        self.dark_s = 0
        self.is_dark = False
        self.power_l = 0
        self._base_s = 0  # lit seconds minus monotonic seconds
        self._now_l = 0
        self._dark_mono_s = 0
        self.last_mono_s = 0

    def now_l(self, mono_s):
        """Return the lit second of a monotonic second, and remember that it has passed."""
        self.last_mono_s = mono_s
        if not self.is_dark:
            self._now_l = mono_s + self._base_s
        return self._now_l

    def lit_l(self, mono_s):
        """Return the lit second of a monotonic second since power is on; may be a past one."""
        return self._now_l if self.is_dark else mono_s + self._base_s

    def life_s(self, at_l):
        """Return life seconds at a lit second."""
        return at_l + self.dark_s

    def utc_s(self, mono_s):
        """Return UTC, or 0 while it is not known."""
        if self.doubt:
            return 0
        utc_s = self.now_l(mono_s) + self.offset_s
        return utc_s + self.dark_for_s(mono_s)

    def dark_for_s(self, mono_s):
        """Return for how long power has been off in the outage that runs, 0 with power."""
        return mono_s - self._dark_mono_s if self.is_dark else 0

    def uptime_s(self, at_l):
        """Return seconds since power came on."""
        return at_l - self.power_l

    def go_dark(self, mono_s):
        """Power has failed."""
        self.now_l(mono_s)
        self.is_dark = True
        self._dark_mono_s = mono_s

    def go_lit(self, mono_s):
        """Power is back while the module ran; return the seconds without it."""
        dark_s = self.dark_for_s(mono_s)
        self.is_dark = False
        self.last_mono_s = mono_s
        self._base_s = self._now_l - mono_s
        if not self.doubt:
            self.offset_s += dark_s
        self.dark_s += dark_s
        self.power_l = self._now_l
        return dark_s

    def start_at(self, at_l):
        """Begin a new start of the module: monotonic second 0 is the lit second `at_l`."""
        self._base_s = self.power_l = self._now_l = at_l
        self.last_mono_s = 0
        self.is_dark = False

    def go_on(self, mono_s):
        """Let the last lit second that the record knows of be this monotonic second."""
        self._base_s = self._now_l - mono_s
        self.last_mono_s = mono_s

    def shift(self, by_s):
        """Move this start: the lit time before it was longer than thought."""
        self._base_s += by_s
        self._now_l += by_s
        self.power_l += by_s

    def pack_into(self, buffer, at):
        """Write `STATE_BYTES` bytes."""
        struct.pack_into(
            _STATE,
            buffer,
            at,
            self._now_l,
            self.offset_s,
            self.doubt_l,
            self.doubt | self.is_unsure << 4 | self.is_dark << 5,
            self.dark_s,
            self.power_l,
        )

    def unpack_from(self, buffer, at):
        """Take back what `pack_into` wrote."""
        (
            self._now_l,
            self.offset_s,
            self.doubt_l,
            flags,
            self.dark_s,
            self.power_l,
        ) = struct.unpack_from(_STATE, buffer, at)
        self.doubt = flags & 15
        self.is_unsure = bool(flags & 16)
        self.is_dark = bool(flags & 32)
        self._base_s = self._now_l
        self.last_mono_s = 0

    def kept_l(self):
        """Return the last lit second that the record knows of."""
        return self._now_l
