"""What the engine and its books cost on the chip: the image's own code, timed at its prompt."""

import json
from dataclasses import dataclass
from pathlib import Path

from wattline.emulator import CLOCK_HZ, Module

_POLLS = 28
# Poll at which the hour ends.
_HOUR_AT = 20
_LIMIT_S = 120.0
_PER_US = CLOCK_HZ // 1_000_000
_PAGE_BYTES = 256
_BODY_BYTES = 240
_PAGES = 16
_POLLS_A_DAY = 1440
_RATED_ERASES = 100_000
_DAYS_A_YEAR = 365

# Polls by hand: the clock is handed in, so nothing has to wait.
_CODE = """
import gc, json, time
import board
from endpoint.books import Books
from endpoint.hal.flash import journal_device, ring_device
from endpoint.metering.engine import Engine, RECORD_BYTES
from endpoint.store.journal import Journal
from endpoint.store.layout import Rings, schedules_journal

class Reading:
    serial = b"SIM0000000000042"
    forward_wh = 1000000
    reverse_wh = 50000

class Nowhere:
    def put(self, ring, sequence, row):
        pass

def us(call, *arguments):
    start = time.ticks_us()
    call(*arguments)
    return time.ticks_diff(time.ticks_us(), start)

def made(sink):
    return Engine(72000, True, False, 18, False, sink, 60, board.NOMINAL_DV)

reading, buffer = Reading(), bytearray(RECORD_BYTES)
gc.collect()
before = gc.mem_alloc()
engine = made(Nowhere())
found = dict(read=[], voltage=[], tick=[], pack=[], books=[])
engine.on_time(1780326000 - 60 * {hour_at}, 0, 1)
for poll in range(1, {polls} + 1):
    gc.collect()
    s, wh = 60 * poll, 1000000 + 13 * poll
    found["read"].append(us(engine.on_read, reading.serial, wh, 50000, s))
    found["voltage"].append(us(engine.on_voltage, 1000 * s, 2380 + poll % 9))
    found["tick"].append(us(engine.on_tick, s))
    found["pack"].append(us(engine.pack_into, buffer))
gc.collect()
ram = gc.mem_alloc() - before
engine = None
area = ring_device(board)
journal = Journal(journal_device(board))
commits = []
def commit(record, length, call=journal.commit):
    start = time.ticks_us()
    call(record, length)
    commits.append(time.ticks_diff(time.ticks_us(), start))
journal.commit = commit
books = Books(journal, schedules_journal(area), Rings(area))
books.engine = made(books)
books.open()
books.restart(0, 0)
books.time(1780326000 - 60 * {hour_at}, 1, 0, 0)
del commits[:]
for poll in range(1, {polls} + 1):
    gc.collect()
    reading.forward_wh += 13
    found["books"].append(us(books.read, reading, 0, 2380 + poll % 9, 60000 * poll))
print(json.dumps(dict(found=found, ram=ram, commits=commits, record=journal.length,
    blocks=board.JOURNAL_BYTES // 4096)))
"""


@dataclass
class OnChip:
    """Chip cycles, each a list with one number a poll, and sizes.

    Attributes
    ----------
    engine : list of int
        `on_read`, `on_voltage`, `on_tick` and packing the record.
    books : list of int
        All of `Books.read`: engine, log, rows, record, and the waiting for the flash.
    commits : list of int
        The record's commit alone, with the waiting.
    ram_bytes : int
        Heap that the engine's state takes after these polls.
    record_bytes : int
        In the journal.
    journal_blocks : int
    """

    engine: list[int]
    parts: dict[str, list[int]]
    books: list[int]
    commits: list[int]
    ram_bytes: int
    record_bytes: int
    journal_blocks: int

    def steady(self, cycles: list[int]) -> float:
        """Return the mean of the polls at which no quarter of an hour ends, the first left out."""
        quiet = [each for at, each in enumerate(cycles) if at > 1 and (at + 1 - _HOUR_AT) % 15]
        return sum(quiet) / len(quiet)

    def at_hours(self, cycles: list[int]) -> int:
        """Return what the poll at the hour's end took."""
        return cycles[_HOUR_AT - 1]

    @property
    def years(self) -> float:
        """Return the years to the rated wear of the journal's blocks, at a poll a minute."""
        records = _PAGES // -(-self.record_bytes // _BODY_BYTES)
        erases_a_day = _POLLS_A_DAY / records / self.journal_blocks
        return _RATED_ERASES / erases_a_day / _DAYS_A_YEAR


def measure(image: Path) -> OnChip:
    """Run some polls at the prompt of an image; nothing of it is kept."""
    code = _CODE.replace("{polls}", str(_POLLS)).replace("{hour_at}", str(_HOUR_AT))
    found = json.loads(Module(image).exec(code, _LIMIT_S))
    parts = {name: [_PER_US * each for each in values] for name, values in found["found"].items()}
    books = parts.pop("books")
    engine = [sum(each) for each in zip(*parts.values(), strict=True)]
    commits = [_PER_US * each for each in found["commits"]]
    return OnChip(engine, parts, books, commits, found["ram"], found["record"], found["blocks"])
