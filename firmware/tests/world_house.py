"""A module's books on a flash model, and the truth beside them: what its meter really counted.

`House` starts the books as the application does, as often as the power fails; `stored` reads back
what a flash holds, as somebody does who has nothing else. The same in CPython and the VM.
"""

import struct

from flash_model import FlashModel

from endpoint.books import Books
from endpoint.commands import Commands
from endpoint.line import command
from endpoint.metering import rows
from endpoint.metering.engine import POWER, SCHEDULES_BYTES, Engine
from endpoint.store.inputlog import LOST, Decoder
from endpoint.store.journal import RECORD_MAX_BYTES, Journal
from endpoint.store.layout import INPUT, REGION_BLOCKS, Rings, schedules_journal

SERIAL = b"SIM0000000000042"
OPENING_WH = 99_990_000  # close to a rollover
MODULUS_WH = 100_000_000
CAP_W = 72_000
POLL_S = 60
VERSION = 20
NOMINAL_DV = 2400
WS_PER_WH = 3600
JOURNAL_BLOCKS = 4
SETTINGS = {
    "detent": True,
    "net": False,
    "interval_min": 15,
    "demand_min": 15,
    "sub_min": 5,
    "clpu_min": 10,
    "clpu_outage_s": 300,
    "lockout_s": 0,
    "offset_min": -300,
    "daylight": True,
}
# Before the engine's record: head, then the log's unfinished row.
_LOG_NEXT_AT = 4
_LOG_AT = 8


class Wrong(AssertionError):
    """A promise was not kept."""


class Reading:
    """What the meter shows."""

    def __init__(self, serial, forward_wh, reverse_wh):
        self.serial = serial
        self.forward_wh = forward_wh
        self.reverse_wh = reverse_wh


class Module:
    """What the commands need of an application; its file system survives every start."""

    def __init__(self):
        self.settings = dict(SETTINGS)
        self.data = b""
        self.books = None

    def change(self, fields):
        self.settings.update(fields)
        return command.DONE

    def stage(self, data):
        self.data = bytes(data)

    def staged(self):
        return self.data

    def keep_schedules(self):
        self.books.keep_schedules()

    def identify(self):
        pass


class House:
    """One module, its meter and its flash.

    Parameters
    ----------
    flash : FlashModel, optional
    start_s : int
        UTC second of the beginning.

    Attributes
    ----------
    true_ms, boot_ms : int
        Simulated time since the beginning: now, and at this start of the module.
    used_ws : list of int
        What was really used, forward and reverse.
    """

    def __init__(self, flash=None, start_s=1_804_990_000):
        self.flash = flash or FlashModel(REGION_BLOCKS + JOURNAL_BLOCKS)
        self.module = Module()
        self.start_s = start_s
        self.true_ms = self.boot_ms = 0
        self.used_ws = [0, 0]
        self.starts = 0
        self.dv = NOMINAL_DV

    def fork(self, flash):
        """Return this house with another flash, to go on from here without power."""
        other = House(flash, self.start_s)
        other.module.settings = dict(self.module.settings)
        other.module.data = self.module.data
        other.true_ms = self.true_ms
        other.used_ws = list(self.used_ws)
        other.starts = self.starts
        return other

    @property
    def now_ms(self):
        """What the module's counter says."""
        return self.true_ms - self.boot_ms

    @property
    def utc_s(self):
        """The true time."""
        return self.start_s + self.true_ms // 1000

    def start(self, cause=POWER):
        """Start on what the flash holds, in the application's order."""
        self.flash.power_on()
        self.boot_ms = self.true_ms
        self.starts += 1
        settings = self.module.settings
        rings = Rings(self.flash)
        journal = Journal(self.flash, REGION_BLOCKS, JOURNAL_BLOCKS)
        books = self.books = Books(journal, schedules_journal(self.flash), rings)
        engine = self.engine = books.engine = make_engine(settings, books)
        self.rings = rings.rings
        self.found = books.open()
        engine.configure_profile(settings["interval_min"])
        engine.configure_demand(
            settings["demand_min"],
            settings["sub_min"],
            settings["clpu_min"],
            settings["clpu_outage_s"],
            settings["lockout_s"],
        )
        engine.configure_site(settings["offset_min"], settings["daylight"])
        if (engine.detent, engine.net) != (settings["detent"], settings["net"]):
            engine.configure(settings["detent"], settings["net"])
        else:
            engine.pending = None
        books.restart(cause, self.now_ms)
        self.module.books = books
        self.commands = Commands(engine, self.module, VERSION)

    def use(self, seconds, watts, back_w=0):
        """Let time pass and energy flow; in the dark nothing flows."""
        self.true_ms += seconds * 1000
        self.used_ws[0] += seconds * watts
        self.used_ws[1] += seconds * back_w

    def register_wh(self, which=0):
        """What the meter shows."""
        opening_wh = 0 if which else OPENING_WH
        return (opening_wh + self.used_ws[which] // WS_PER_WH) % MODULUS_WH

    def reading(self):
        """Return what a poll would bring."""
        return Reading(SERIAL, self.register_wh(), self.register_wh(1))

    def read(self):
        """Poll."""
        return self.books.read(self.reading(), 0, self.dv, self.now_ms)

    def poll(self, watts=4_000):
        """Live for a poll period as the application does: a look at the time, a read."""
        self.use(POLL_S // 2, watts)
        self.books.tick(self.now_ms)
        self.use(POLL_S // 2, watts)
        return self.read()

    def sync(self):
        """Give the module the true time."""
        self.books.time(self.utc_s, 1, self.now_ms, self.now_ms)

    def do(self, code, values=()):
        """Send a command; return its result."""
        return self.do_text(command.pack(code, values))

    def do_text(self, text):
        """Send a command's bytes."""
        staged = self.module.data if text[0] == command.SCHEDULE_ACTIVATE else b""
        return self.books.command(text, self.commands.run, self.now_ms, staged)

    def assert_nothing_lost(self):
        """After a good read: the accumulator is the register less its offset, the books agree."""
        engine = self.engine
        used_wh = (self.used_ws[0] // WS_PER_WH, self.used_ws[1] // WS_PER_WH)
        if (engine.forward_wh, engine.reverse_wh) != used_wh:
            raise Wrong("credited %r of %r" % ((engine.forward_wh, engine.reverse_wh), used_wh))
        if engine.total_wh != OPENING_WH + used_wh[0] + engine.counted_reverse_wh:
            raise Wrong("total %d" % engine.total_wh)
        if engine.ledger()[2]:
            raise Wrong("ledger %r" % (engine.ledger(),))
        for number, sequence in enumerate(engine.placement.sequences):
            if self.rings[number].next != sequence:
                raise Wrong("ring %d is at %d of %d" % (number, self.rings[number].next, sequence))
        placement = engine.placement
        for ring, cell in ((rows.INTERVAL, placement.profile), (rows.HOUR, placement.hour)):
            total_wh = 0
            for row in ring_rows(self.rings[ring], ring):
                total_wh += rows.unpack(ring, row)["value_wh"]
            if total_wh != cell.closed_wh:
                raise Wrong("ring %d holds %d Wh of %d" % (ring, total_wh, cell.closed_wh))


def copy_flash(flash, to):
    """Make a second flash like the first, in place: in the VM there is room for few."""
    to.data[:] = flash.data
    to.erases[:] = flash.erases
    to.programs = flash.programs
    to.operations = flash.operations
    to.weak = {page: list(state) for page, state in flash.weak.items()}
    to.bad = set(flash.bad)


def make_engine(settings, sink=None):
    """Return an engine as the application builds it."""
    return Engine(
        CAP_W, settings["detent"], settings["net"], VERSION, False, sink, POLL_S, NOMINAL_DV
    )


def ring_rows(ring, number):
    """Return the rows that a ring holds; each has to be there."""
    found = []
    for sequence in range(ring.first, ring.next):
        row = bytearray(ring.row_bytes)
        if not ring.read(sequence, row):
            raise Wrong("row %d of ring %d is gone" % (sequence, number))
        found.append(bytes(row))
    return found


class Stored:
    """What a flash holds: the whole truth for whoever comes later.

    Attributes
    ----------
    record : bytes
        The engine's.
    engine : Engine
        On that record.
    rings : list of list of bytes
        Rows of the engine's rings; `firsts` are the numbers of the first.
    log : list of (int, int, bytes)
        Number, filled bytes, row, as an export has them.
    schedules : bytes
    """

    def __init__(self, flash, settings=SETTINGS):
        flash.power_on()
        journal = Journal(flash, REGION_BLOCKS, JOURNAL_BLOCKS)
        journal.mount()
        buffer = bytearray(RECORD_MAX_BYTES)
        length = journal.load(buffer)
        keeper = schedules_journal(flash)
        keeper.mount()
        schedules = bytearray(SCHEDULES_BYTES)
        self.schedules = bytes(schedules) if keeper.load(schedules) else b""
        rings = Rings(flash)
        row_bytes = rings.rings[INPUT].row_bytes
        self.record = bytes(buffer[_LOG_AT + 1 + row_bytes : length])
        self.engine = make_engine(settings)
        if self.schedules:
            self.engine.unpack_schedules_from(self.schedules)
        self.engine.unpack_from(self.record)
        log_next = struct.unpack_from("<I", buffer, _LOG_NEXT_AT)[0]
        rings.mount(self.engine.placement.sequences + [log_next])
        self.rings = [ring_rows(ring, i) for i, ring in enumerate(rings.rings[:INPUT])]
        self.firsts = [ring.first for ring in rings.rings[:INPUT]]
        ring = rings.rings[INPUT]
        self.row_bytes = row_bytes
        self.log = [
            (ring.first + i, row_bytes, row) for i, row in enumerate(ring_rows(ring, INPUT))
        ]
        rest = bytes(buffer[_LOG_AT + 1 : _LOG_AT + 1 + row_bytes])
        self.log.append((ring.next, buffer[_LOG_AT], rest))

    def entries(self):
        """Return the log's entries; a gap or bytes that are none are a fault."""
        decoder = Decoder()
        found = []
        for number, count, row in self.log:
            found += decoder.feed(number, row, count)
        for entry in found:
            if entry.kind == LOST:
                raise Wrong("the log has a gap")
        return found
