"""What tables and commands see of the module: its identity, its settings, its records.

Context: task only. Allocates: texts.
"""

import json
from binascii import hexlify
from hashlib import sha256

from micropython import const

from endpoint.hal import files
from endpoint.keys import KeyRefused, check_keys
from endpoint.line.command import BAD_ARGUMENT, DONE, SCHEDULE_ACTIVATE
from endpoint.line.profile import PROFILES
from endpoint.meter.display import SHOWS_DELIVERED, SHOWS_NET, SHOWS_TOTAL
from endpoint.metering import MeteringError, gates, tou
from endpoint.metering.engine import LOGGING
from endpoint.optical import services
from endpoint.programming import KEYS as KEYS_TABLE
from endpoint.programming import (
    OPEN_ROW,
    READINGS,
    SCHEDULE,
    SETTINGS,
    STAGED,
    STATUS,
    procedure_result,
)
from endpoint.readings import readings
from endpoint.settings import SettingsError, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SETTINGS_FILE = "/settings.json"
KEYS_FILE = "/keys.json"
STAGED_FILE = "/schedule.new"
LOCK_FILE = "/lock.json"
DISPLAY_FILE = "/display.json"
_LOCK_MAX_BYTES = const(64)
_TEXT_MAX_BYTES = const(1024)
_LABEL_DIGITS = const(16)

# InterfaceBIT as status and line carry it.
DISPLAY_FULL = const(1 << 0)  # maximum number of display records reached
NOT_LOGGING = const(1 << 1)
CLOCK_UNKNOWN = const(1 << 2)
DISPLAY_DIFFERS = const(1 << 4)  # what the meter shows is not what detent and net count


def read_settings(forms):
    """Return the checked settings, or the sentence that says why there are none.

    Parameters
    ----------
    forms : list of str
        Meter forms that this board serves.

    Returns
    -------
    tuple
        (settings or None, reason)
    """
    text = files.read(SETTINGS_FILE, _TEXT_MAX_BYTES)
    if text is None:
        return None, "not programmed; run wattline program"
    if len(text) > _TEXT_MAX_BYTES:
        return None, "settings.json is too long; program again"
    if not text.rstrip().endswith(b"}"):
        # MicroPython's json takes a file that was cut short, and what is missing has defaults.
        return None, "settings.json is damaged; program again"
    try:
        return check(json.loads(text), forms, PROFILES), ""
    except (ValueError, TypeError):
        return None, "settings.json is damaged; program again"
    except SettingsError as error:
        return None, "%s; program again" % error


def read_keys(unique_id):
    """Return the module's secrets.

    A module that nobody has given any has one password, for the administrator: the digits on
    its label, which follow from the chip's own number. Damaged secrets open nothing.
    """
    text = files.read(KEYS_FILE, _TEXT_MAX_BYTES)
    if text is None:
        keys = check_keys({})
        keys["admin_password"] = label(unique_id)
        return keys
    try:
        return check_keys(json.loads(text))
    except (ValueError, TypeError, KeyRefused):
        return check_keys({})


def read_lock():
    """Return wrong passwords and ms of lock that were left before this start."""
    try:
        wrong, locked_ms = json.loads(files.read(LOCK_FILE, _LOCK_MAX_BYTES) or "")
        return int(wrong), int(locked_ms)
    except (ValueError, TypeError):
        return 0, 0


def write_lock(wrong, locked_ms):
    """Keep the count of wrong passwords, so that a restart does not clear it."""
    files.replace(LOCK_FILE, json.dumps([wrong, locked_ms]).encode())


def label(unique_id):
    """Return the first password of a module that nobody has programmed yet."""
    return hexlify(sha256(b"label" + unique_id).digest())[:_LABEL_DIGITS]


class Module:
    """The module as tables and commands know it.

    Parameters
    ----------
    settings : dict or None
        As `read_settings` gave them.
    forms : list of str
    version : int
        Firmware version.
    report : callable
        Returns the status as a dictionary.

    Attributes
    ----------
    settings : dict or None
    eid : int
        0 while not programmed.
    rings : list of Ring
    window : tuple or None
        Seconds and baud of a service window that was asked for on the port.
    wants_restart : bool
        Somebody asked for one on the port.
    waiting : bytes or None
        A command from the port that its task is to carry out.
    identify, rekey, apply : callable
        Set by the application; `apply` puts changed settings into force.
    """

    def __init__(self, settings, forms, version, report):
        self._base, self._own = self._read_display()
        self._seen = None
        self._meters = 0  # records of the display that are the meter's own
        self._display_bits = 0
        self.dropped = 0
        self.settings = settings
        self.version = version
        self.rings = []
        self.books: Any = None
        self.commands: Any = None
        self.clock: Any = None
        self.identify: Any = _nothing
        self.rekey: Any = _nothing
        self.apply: Any = _nothing
        self.window = None
        self.wants_restart = False
        self.waiting = None
        self._forms = forms
        self._report = report

    @property
    def eid(self):
        """Endpoint identity, 0 while there is none."""
        return self.settings["eid"] if self.settings else 0

    @property
    def interface_bits(self):
        """InterfaceBIT as standard table 3 shows it."""
        return self.bits()

    @property
    def is_programmed(self):
        """Whether there are settings."""
        return self.settings is not None

    @property
    def is_logging(self):
        """Whether the meter is read and its energy kept."""
        return self.books is not None and self.books.engine.state == LOGGING

    @property
    def has_time(self):
        """Whether the time of day is known."""
        return self.books is not None and self.books.engine.utc_s(self.clock.s()) != 0

    # -- for tables -----------------------------------------------------------------

    def text(self, table):
        """Return the content of one of the module's own tables."""
        if table == STATUS:
            return json.dumps(self._report()).encode()
        if table == SETTINGS:
            return json.dumps(self.settings or {}).encode()
        if table == READINGS:
            return json.dumps(self._readings()).encode()
        if table == SCHEDULE:
            return self._schedule()
        if table == STAGED:
            return self.staged()
        if table == OPEN_ROW:
            return self.books.open_row() if self.books else b""
        return b""

    def _readings(self):
        return readings(self.books.engine, self.clock.s()) if self.books else {}

    def _schedule(self):
        if self.books is None:
            return b""
        engine = self.books.engine
        utc_s = engine.utc_s(self.clock.s())
        tariff = engine.tariff
        # One that was planned stays "pending" after its time has come.
        schedule = tariff.schedule_at(utc_s) if utc_s else tariff.active
        return schedule.data if schedule else b""

    def write(self, table, data):
        """Take a text that somebody with the right to it sent; return a reply code."""
        if table == STAGED:
            try:
                tou.check(data)
            except MeteringError:
                return services.ONP
            self.stage(data)
            return services.OK
        try:
            fields = json.loads(data) if data.rstrip().endswith(b"}") else None
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            return services.ONP
        if table == SETTINGS:
            return services.OK if self.change(fields) == DONE else services.ONP
        if table == KEYS_TABLE:
            return self._change_keys(fields)
        return services.IAR

    def run(self, text):
        """Carry a command out now; return its result."""
        if self.commands is None:
            return BAD_ARGUMENT
        staged = self.staged() if text[0] == SCHEDULE_ACTIVATE else b""
        return self.books.command(text, self.commands.run, self.clock.ms(), staged)

    def carry_out(self, guard):
        """Run the command that a procedure asked for, before the client hears of it.

        Parameters
        ----------
        guard : GuardedTables
            Where the client reads how it went.
        """
        text, self.waiting = self.waiting, None
        if text is not None:
            result = self.run(text)
            guard.complete(procedure_result(result), bytes((result,)))

    # -- for commands ---------------------------------------------------------------

    def change(self, fields):
        """Check settings, store them, put them into force; return DONE or BAD_ARGUMENT."""
        changed = dict(self.settings or {})
        changed.update(fields)
        try:
            changed = check(changed, self._forms, PROFILES)
        except SettingsError:
            return BAD_ARGUMENT
        files.replace(SETTINGS_FILE, json.dumps(changed).encode())
        self.settings = changed
        self._seen = None  # the next read puts what is wanted now on the meter's display
        self.apply(changed)
        return DONE

    def stage(self, data):
        """Keep a schedule until it is activated."""
        files.replace(STAGED_FILE, data)

    def staged(self):
        """Return the schedule that waits, b"" if none does."""
        return files.read(STAGED_FILE, tou.SCHEDULE_MAX_BYTES) or b""

    def keep_schedules(self):
        """Store what a command changed about schedules."""
        self.books.keep_schedules()

    # -- about the meter ------------------------------------------------------------

    def status(self):
        """Return the part of the status that is about the module as a whole."""
        return {
            "interface_bits": self.bits(),
            "display_added": len(self._own),
            "display_dropped": self.dropped,
            "display_records": self._seen.items if self._seen else [],
            "display_meters": self._meters,
        }

    def bits(self):
        """Return InterfaceBIT as it is now."""
        bits = self._display_bits
        if not self.is_logging:
            bits |= NOT_LOGGING
        if not self.has_time:
            bits |= CLOCK_UNKNOWN
        return bits

    def meet(self, reader):
        """Look at a meter that was just read in full, and see to what it displays.

        Items are added behind the meter's own; what was there when the module first wrote is
        kept in a file before anything is written, so that a cut cannot make the meter's
        records look like the module's.
        """
        multiplier = reader.reading.multiplier
        if multiplier != self.books.engine.multiplier and not self.settings["largest_kw"]:
            self.books.cap(multiplier, self.clock.ms())
        shown = reader.display
        if shown is None or shown is self._seen:
            return
        self._seen = shown
        base = self._meters = shown.base(self._base, self._own)
        wanted = self._wanted()
        _, self.dropped, is_full = (
            gates.display_plan(base, len(wanted)) if wanted else (0, 0, False)
        )
        self._display_bits = DISPLAY_FULL if is_full else 0
        if not agrees(reader.shows, self.settings["detent"], self.settings["net"]):
            self._display_bits |= DISPLAY_DIFFERS
        added = wanted[: shown.room(base)]
        if shown.items[base:] != added:
            self._keep_display(base, added)
            reader.show(base, added)

    def _wanted(self):
        """Return the items to add: none without the firmware and the date for it (G-1, G-4)."""
        settings = self.settings
        bought = settings["bought"]
        if not gates.can_add_items(self.version) or not bought:
            return []
        if not gates.takes_items((bought // 100, bought % 100, 1)):
            return []
        return settings["display"]

    def _keep_display(self, base, own):
        self._base = base
        self._own = own
        files.replace(DISPLAY_FILE, json.dumps([base, own]).encode())

    def _read_display(self):
        try:
            base, own = json.loads(files.read(DISPLAY_FILE, _TEXT_MAX_BYTES) or "")
            return int(base), list(own)
        except (ValueError, TypeError):
            return 0, []

    def _change_keys(self, fields):
        text = files.read(KEYS_FILE, _TEXT_MAX_BYTES)
        try:
            changed = json.loads(text) if text else {}
        except ValueError:
            changed = {}
        changed.update(fields)
        try:
            keys = check_keys(changed)
        except KeyRefused:
            return services.ONP
        if not keys["admin_password"]:
            return services.ONP  # nobody could change them again
        files.replace(KEYS_FILE, json.dumps(changed).encode())
        self.rekey(keys)
        return services.OK


def agrees(shows, detent, net):
    """Return whether what a meter displays is what the module counts (D-8).

    Parameters
    ----------
    shows : int
        SHOWS_ bits; 0, when nothing of it is known, agrees with everything.
    detent, net : bool
    """
    if not shows:
        return True
    if net:
        return shows == SHOWS_NET
    return not shows & (SHOWS_NET | (SHOWS_TOTAL if detent else SHOWS_DELIVERED))


def _nothing(*_):
    pass
