"""A module without chip: its own tables, guard, device role, engine and records, on two ptys.

The programming port answers C12.18, the console its lines, both as the firmware does it; only
the clock, the flash and the files are models. Time stands still unless a test lets it pass.
"""

import json
import os
import select
import sys
import threading
import time
import tty
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))

from flash_model import FlashModel

from endpoint import module as module_file
from endpoint import programming
from endpoint.books import Books
from endpoint.commands import Commands
from endpoint.hal import files
from endpoint.meter.focus import MeterReading
from endpoint.metering import forms
from endpoint.metering.engine import PROGRAMMED, Engine
from endpoint.optical.access import GuardedTables
from endpoint.optical.device import C1218Device
from endpoint.store import layout
from endpoint.store.journal import Journal
from endpoint.store.layout import Rings, schedules_journal
from endpoint.tasks.console import Console
from endpoint.version import FIRMWARE_VERSION

CHIP = b"a chip of its own"
BOARD, PART = "FASY_0624_0004", "FASY-0624-0004"
START_S = 1_804_990_000
SETTINGS = {
    "eid": 4711,
    "form": "2S",
    "offset_min": -300,
    "daylight": True,
    "bought": 201003,
}
PASSWORDS = {
    "read_password": "READ-PASS",
    "write_password": "WRITE-PASS",
    "admin_password": "ADMIN-PASS",
}
_WAIT_S = 0.2


class DeskClock:
    """The module's clock; ms since its start."""

    def __init__(self):
        self.now_ms = 1000

    def ms(self):
        return self.now_ms

    def s(self):
        return self.now_ms // 1000


class Desk:
    """One module on two pseudo terminals.

    Parameters
    ----------
    fields : dict or None
        Settings; None leaves the module as it left the factory.
    keyed : bool
        Whether it has passwords, `PASSWORDS`, besides.
    """

    def __init__(self, fields=SETTINGS, keyed=True, version=FIRMWARE_VERSION):
        self.version = version
        self.files = {}
        if fields is not None:
            self.files[module_file.SETTINGS_FILE] = json.dumps(fields).encode()
        if keyed:
            texts = {name: word.encode().hex() for name, word in PASSWORDS.items()}
            self.files[module_file.KEYS_FILE] = json.dumps(texts).encode()
        self.extra_status = {}
        self.restarted = threading.Event()
        self.heard = bytearray()
        self.flash = FlashModel(layout.REGION_BLOCKS)
        self.record = FlashModel(64)
        self.forward_wh, self.reverse_wh = 5_000_000, 0
        self._ends = [os.openpty(), os.openpty()]
        for _, slave in self._ends:
            tty.setraw(slave)
        self.port, self.usb = (os.ttyname(slave) for _, slave in self._ends)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._kept = files.read, files.replace
        files.read = lambda path, most: self.files.get(path)
        files.replace = lambda path, data: self.files.__setitem__(path, bytes(data))
        self.start()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        files.read, files.replace = self._kept
        for ends in self._ends:
            for end in ends:
                with suppress(OSError):
                    os.close(end)

    # -- the module -----------------------------------------------------------------

    def start(self):
        """Build everything as the application does at each start."""
        served = forms.names(PART)
        self.settings, self.reason = module_file.read_settings(served)
        self.clock = DeskClock()
        self.module = module_file.Module(self.settings, served, self.version, self.report)
        self.module.clock = self.clock
        self.engine = None
        if self.settings:
            self._compose()
        module = self.module
        rights = programming.rules(len(module.rings))
        tables = GuardedTables(
            programming.ModuleTables(module), rights, open_groups=programming.READERS
        )
        self.console = Console(self.report, tables)
        self.guard = GuardedTables(
            programming.ModuleTables(module),
            rights,
            programming.levels(module_file.read_keys(CHIP)),
        )
        module.rekey = lambda keys: self.guard.set_levels(programming.levels(keys))
        self.device = C1218Device(self.guard, 256, 8, 2048, programming.BAUD_CODES)

    def _compose(self):
        settings, rings = self.settings, Rings(self.flash)
        books = Books(Journal(self.record), schedules_journal(self.flash), rings)
        cap_w = forms.form(settings["form"], 240).cap_w()
        self.engine = books.engine = Engine(
            cap_w, settings["detent"], settings["net"], self.version, False, books
        )
        books.open()
        self.engine.configure_site(settings["offset_min"], settings["daylight"])
        books.restart(PROGRAMMED, self.clock.ms())
        self.module.books = self.books = books
        self.module.rings = rings.rings
        self.module.commands = Commands(self.engine, self.module, self.version)

    def report(self):
        """Return the status."""
        fields = {
            "product": "TS2 FOCUS AL compatible reference design",
            "board": BOARD,
            "chip": "12345678",
            "state": self.reason or "running",
        }
        if self.settings:
            fields |= {**self.settings, **self.module.status()}
        return fields | self.extra_status

    def know_time(self, utc_s=START_S):
        """Tell the module what time it is."""
        with self._lock:
            self.books.time(utc_s, 1, self.clock.ms(), self.clock.ms())

    def live(self, polls, wh=50, dv=2400):
        """Let a poll a minute pass."""
        for _ in range(polls):
            with self._lock:
                self.clock.now_ms += 60_000
                self.forward_wh += wh
                reading = MeterReading()
                reading.serial = b"SIM0000000000042"
                reading.forward_wh, reading.reverse_wh = self.forward_wh, self.reverse_wh
                self.books.read(reading, 0, dv, self.clock.ms())

    # -- the wires ------------------------------------------------------------------

    def _serve(self):
        (port, _), (usb, _) = self._ends
        started_s = time.monotonic()
        line = b""
        while not self._stop.is_set():
            ready, _, _ = select.select([port, usb], [], [], _WAIT_S)
            with self._lock:
                now_ms = int((time.monotonic() - started_s) * 1000)
                device = self.device
                if port in ready:
                    data = os.read(port, 4096)
                    self.heard += data
                    device.feed(data, len(data), now_ms)
                    self.module.carry_out(self.guard)
                due = device.deadline_ms()
                if due is not None and now_ms >= due:
                    device.tick(now_ms)
                if device.tx_count:
                    os.write(port, bytes(device.tx[: device.tx_count]))
                    device.sent(now_ms)
                if self.module.wants_restart and device.deadline_ms() is None:
                    self.start()
                    self.restarted.set()
                if usb in ready:
                    *whole, line = (line + os.read(usb, 4096)).split(b"\r")
                    for command in whole:
                        text = self.console.reply(command.decode().strip())
                        if text:
                            os.write(usb, text.replace("\n", "\r\n").encode() + b"\r\n")
