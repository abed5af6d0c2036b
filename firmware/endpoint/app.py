"""Puts the module together from board, settings and rooms; nothing else knows them all."""

import asyncio
import gc
from binascii import crc32
from hashlib import sha256
from os import urandom
from time import sleep_ms

import board
import build_info
import slots
import storage
from machine import PWRON_RESET, reset_cause, unique_id
from micropython import const, kbd_intr

from endpoint.books import Books
from endpoint.commands import Commands
from endpoint.contents import Contents
from endpoint.hal.clock import Monotonic
from endpoint.hal.flash import journal_device, ring_device
from endpoint.hal.gate import CarrierGate
from endpoint.hal.mains import ZeroCrossings
from endpoint.hal.power_fail import PowerFail
from endpoint.hal.sampler import LineSampler
from endpoint.hal.uart import SerialPort
from endpoint.hal.watchdog import BLOCKED, Watchdog, service_window, take_fault
from endpoint.line.authority import Authority
from endpoint.line.detector import TONES_OF
from endpoint.line.downlink import Downlink
from endpoint.line.mac import KEY_BYTES
from endpoint.line.profile import PROFILES
from endpoint.line.seal import Seal
from endpoint.linestate import OWNER_BYTES, LineState
from endpoint.meter.focus import FocusReader
from endpoint.metering import MeteringError, forms
from endpoint.metering.engine import CRASH, POWER, PROGRAMMED, WATCHDOG, Engine
from endpoint.module import Module, read_keys, read_lock, read_settings, write_lock
from endpoint.optical.access import GuardedTables
from endpoint.optical.device import C1218Device
from endpoint.programming import BAUD_CODES, READERS, ModuleTables, levels, rules
from endpoint.store import StoreError
from endpoint.store.journal import Journal
from endpoint.store.layout import EVENT, Rings, schedules_journal, settings_journal
from endpoint.tasks.console import Console, complain
from endpoint.tasks.listen import Listen
from endpoint.tasks.poll import Poll
from endpoint.tasks.port import Port
from endpoint.tasks.supervisor import Supervisor
from endpoint.tasks.supply import Supply
from endpoint.tasks.transmit import Transmit
from endpoint.update.trial import verdict
from endpoint.version import FIRMWARE_VERSION, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPTICAL_BAUD_BPS = const(9600)
_PROGRAM_MESSAGE_BYTES = const(2048)
_PROGRAM_PACKET_BYTES = const(256)
_PROGRAM_PACKETS = const(8)
_DV_PER_V = const(10)

# A poll may take its retries, time-outs and second session: half a minute beyond the period.
_POLL_LIMIT_MS = const(60000)
# The uplink reports fifteen times a second; the longest pause of the others is a flash erase.
_TRANSMIT_LIMIT_MS = const(5000)
# How often an application on trial is judged.
_PROVE_MS = const(1000)
_CTRL_C = const(3)
# What was printed needs so long to reach the other end of USB.
_TELL_MS = const(100)
_NOT_PROGRAMMED = "not programmed"


class Application:
    """One run of the endpoint, from reset to reset.

    Parameters
    ----------
    settings : dict or None
        Checked settings; None runs the console alone.
    reason : str
        Why there are no settings.
    served : list of str
        Meter forms that this board serves.
    """

    def __init__(self, settings, reason, served):
        self._settings = settings
        self._reason = reason
        self._fault = take_fault()
        self._reset_cause = reset_cause()
        self._clock = Monotonic()
        self._console = Console(self.report)
        self._module = Module(settings, served, FIRMWARE_VERSION, self.report)
        self._module.clock = self._clock
        self._books: Any = None
        self._rings: Any = None
        self._poll = None
        self._supply = None
        self._transmit = None
        self._listen = None
        self._supervisor = None

    def report(self):
        """Return the status: names and plain values."""
        gc.collect()
        fields = {
            "product": "TS2 FOCUS AL compatible reference design",
            "version": VERSION,
            "board": build_info.BOARD,
            "git": build_info.GIT,
            "build_id": build_info.BUILD_ID,
            "micropython": build_info.MICROPYTHON,
            "chip": "%08x" % crc32(unique_id()),
            "uptime_s": self._clock.s(),
            "reset_cause": self._reset_cause,
            "fault": self._fault_name(),
            "file_system": storage.state,
            "heap_used": gc.mem_alloc(),
            "heap_free": gc.mem_free(),
        }
        fields.update(slots.report())
        fields["state"] = self._reason or "running"
        if self._settings is not None:
            fields.update(self._settings)
        if self._poll is not None:
            fields.update(self._poll.report())
            fields.update(self._transmit.report())
            if self._listen is not None:
                fields.update(self._listen.report())
            fields.update(self._module.status())
        return fields

    def _fault_name(self):
        """Return the task whose fault caused this start, "" when none did."""
        if self._fault == BLOCKED:
            return "blocked"
        return self._supervisor.names[self._fault - 1] if self._fault else ""

    async def run(self):
        """Start the tasks and supervise them for ever."""
        watchdog = Watchdog()
        self._supervisor = Supervisor(watchdog, self._clock, complain)
        service_window.close()
        start = self._supervisor.start
        # The console waits for a person; it is watched for ending, not for silence.
        start("console", self._console.run, None)

        def restart():
            slots.leave()  # on purpose: no fault of the application
            watchdog.restart()

        if self._settings is not None:
            self._rings = Rings(ring_device(board))
            self._module.rings = self._rings.rings
        # The port's long buffers come first, while the heap still has room in one piece.
        gc.collect()
        keys = read_keys(unique_id())
        port = self._make_port(keys, restart)
        start("port", port.run, None)
        if self._settings is not None:
            self._compose(keys)
        if self._poll is not None:
            self._books.may_erase = lambda: not (port.is_busy or self._poll.is_talking)
            start("poll", self._poll.run, self._settings["poll_s"] * 1000 + _POLL_LIMIT_MS)
            start("transmit", self._transmit.run, _TRANSMIT_LIMIT_MS)
            if self._listen is not None:
                self._listen.is_quiet = self._books.may_erase
                start("listen", self._listen.run, _TRANSMIT_LIMIT_MS)
            start("supply", self._supply.run, None)
        start("trial", self._prove, None)
        await self._supervisor.run()

    async def _prove(self, beat):
        """Tell start-up once that this application works, or that it does not."""
        poll = self._poll
        reads = failures = 0
        decided = None
        while decided is None:
            await asyncio.sleep_ms(_PROVE_MS)
            if poll is not None:
                reads, failures = poll.reads, self._books.commit_failures
            decided = verdict(
                self._clock.ms(), self._programmed(), reads, failures, slots.needs_meter()
            )
        if decided:
            slots.reject(decided)
        else:
            slots.confirm()
        while True:  # a task that ends is a fault
            await asyncio.sleep_ms(_PROVE_MS)

    def _programmed(self):
        """Return whether somebody has given this module settings, readable or not."""
        return self._settings is not None or not self._reason.startswith(_NOT_PROGRAMMED)

    def _make_port(self, keys, restart):
        """Return the programming port; it is there whether or not the module is programmed."""
        module = self._module
        self._console.tables = GuardedTables(
            ModuleTables(module), rules(len(module.rings)), open_groups=READERS
        )
        guard = GuardedTables(ModuleTables(module), rules(len(module.rings)), levels(keys))
        guard.restore_lock(*read_lock(), self._clock.ms())
        module.rekey = lambda keys: guard.set_levels(levels(keys))
        device = C1218Device(
            guard, _PROGRAM_PACKET_BYTES, _PROGRAM_PACKETS, _PROGRAM_MESSAGE_BYTES, BAUD_CODES
        )
        port = SerialPort(
            board.PROGRAM_UART, board.PROGRAM_TX_PIN, board.PROGRAM_RX_PIN, _OPTICAL_BAUD_BPS
        )
        return Port(device, guard, port, self._clock, module, write_lock, restart)

    def _compose(self, keys):
        """Build the road from the meter to the line; refuse records that are not understood."""
        settings, module = self._settings, self._module
        area = ring_device(board)
        rings = self._rings
        books = Books(Journal(journal_device(board)), schedules_journal(area), rings)
        cap_w = forms.form(settings["form"], board.NOMINAL_DV // _DV_PER_V).cap_w()
        engine = books.engine = Engine(
            settings["largest_kw"] * 1000 or cap_w,
            settings["detent"],
            settings["net"],
            FIRMWARE_VERSION,
            settings["net_register"],
            books,
            settings["poll_s"],
            board.NOMINAL_DV,
        )
        try:
            books.open()
        except (StoreError, MeteringError):
            # Going on would write over totals that another version can still read.
            self._reason = "the journal was written by another version; update the firmware"
            return
        engine.configure_profile(settings["interval_min"])
        engine.configure_demand(
            settings["demand_min"],
            settings["sub_min"] or settings["demand_min"],
            settings["clpu_min"],
            settings["clpu_outage_s"],
            settings["lockout_s"],
        )
        engine.configure_site(settings["offset_min"], settings["daylight"])
        if (engine.detent, engine.net) != (settings["detent"], settings["net"]):
            engine.configure(settings["detent"], settings["net"])
        else:
            engine.pending = None
        # The start itself is the first thing to tell of.
        first_event = rings.rings[EVENT].next
        books.restart(self._restart_cause(), self._clock.ms())
        self._books = module.books = books
        port = SerialPort(
            board.OPTICAL_UART, board.OPTICAL_TX_PIN, board.OPTICAL_RX_PIN, _OPTICAL_BAUD_BPS
        )
        reader = FocusReader(
            password=keys["meter_password"] or None, net_only=settings["net_register"]
        )
        say = self._console.say
        self._poll = Poll(reader, port, books, self._clock, settings["poll_s"], module.meet, say)
        self._supply = Supply(PowerFail(board.POWER_FAIL_PIN), books, self._clock, say)
        self._compose_line(keys, area, first_event)
        module.apply = self._apply

    def _compose_line(self, keys, area, first_event):
        """Build uplink and downlink; without a key and an anchor nobody is listened to."""
        settings, module, books = self._settings, self._module, self._books
        profile = PROFILES[settings["profile"]]
        root, anchor = keys["line_key"], keys["anchor"]
        authority = None
        if root or anchor:
            # Without a key of its own no frame to this endpoint alone can be right.
            authority = Authority(settings["eid"], root or urandom(KEY_BYTES))
            if anchor:
                authority.anchor(anchor)
        contents = Contents(
            module,
            books.engine,
            module.rings,
            self._poll,
            self._clock,
            profile,
            board.NOMINAL_DV,
            lambda: authority.key if root else b"",
            first_event,
        )
        seal = None
        if root and settings["seal"]:
            seal = Seal(authority, profile.frame_cycles, self._unix_s, settings["encrypt"])
        module.commands = Commands(books.engine, module, FIRMWARE_VERSION, contents.fits)
        say = self._console.say
        self._transmit = Transmit(
            settings["eid"],
            profile,
            settings["channel"],
            ZeroCrossings(board.ZERO_CROSSING_PIN),
            CarrierGate(board.CARRIER_GATE_PIN),
            self._clock,
            contents,
            say,
            seal,
        )
        if authority is None:
            return
        downlink = Downlink(TONES_OF[profile.name], authority)
        owner = sha256(root + anchor).digest()[:OWNER_BYTES]
        state = LineState(settings_journal(area), owner, authority, downlink.transfer)
        state.open()
        self._listen = Listen(
            LineSampler(board.LINE_SENSE_PIN),
            self._transmit.uplink,
            downlink,
            state,
            books,
            module.commands,
            contents,
            self._clock,
            board.SYSTEM_CLOCK_HZ,
            bool(root),
            say,
        )

    def _unix_s(self):
        return self._books.engine.utc_s(self._clock.s()) or None

    def _apply(self, settings):
        """Put changed settings into force that need no restart."""
        before = self._settings
        zone = (settings["offset_min"], settings["daylight"])
        if zone != (before["offset_min"], before["daylight"]):
            self._books.engine.configure_site(*zone)
        uplink = self._transmit.uplink
        if settings["profile"] == before["profile"]:
            profile = PROFILES[settings["profile"]]
            uplink.tune(settings["channel"] or profile.first_channel(settings["eid"]))
        self._settings = settings

    def _restart_cause(self):
        """Return why this start happened, as the engine counts it."""
        if self._reset_cause == PWRON_RESET:
            return POWER
        if not self._fault:
            return PROGRAMMED
        return WATCHDOG if self._fault == BLOCKED else CRASH

    def stop(self):
        """Leave the pins quiet and the memory to the next program."""
        if self._listen is not None:
            self._listen.stop()
        if self._transmit is not None:
            self._transmit.stop()


def main():
    """Run until reset; Ctrl-C leaves the pins quiet and opens a bounded service window."""
    served = forms.names(board.PART_NUMBER)
    application = Application(*read_settings(served), served)
    try:
        asyncio.run(application.run())
    except Exception as error:
        # Not a task, which the supervisor would have seen, but the ground under all of them.
        complain("application", error)
        sleep_ms(_TELL_MS)
        Watchdog().restart()
    finally:
        _silence(application)
        take_fault()
        service_window.open()
        asyncio.new_event_loop()
        kbd_intr(_CTRL_C)


def _silence(application):
    """Stop the transmitter, whatever an impatient second Ctrl-C interrupts."""
    silent = False
    while not silent:
        try:
            kbd_intr(-1)
            application.stop()
            silent = True
        except KeyboardInterrupt:
            pass
