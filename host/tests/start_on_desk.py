"""Start-up without chip: the frozen `slots` and `main` as they are, applications of a few lines.

Registers live in a dictionary, the slots and the start-up record on flash models. A start runs
until its application ends it; `settle` starts again until one stays, as the chip would.
"""

import sys
import types
from binascii import crc32
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "tests"))

from flash_model import BLOCK_BYTES, FlashModel, PowerCut

import endpoint
import endpoint.hal
from endpoint.store.journal import Journal
from endpoint.update.manifest import HEADER_BYTES, Manifest
from endpoint.update.record import RECORD_BYTES, Record
from wattline.image import boards

__all__ = ["Desk", "PowerCut"]
BOOT = Path(__file__).parents[2] / "firmware" / "boot"
BOARD = "FASY_0624_0004"
LAYOUT = boards.data(BOARD)
SCRATCH0, SCRATCH1 = 0x4005800C, 0x40058010
FILE_SYSTEM_BYTES = 600
MOST_STARTS = 60


class Reset(BaseException):
    """The chip starts over; nothing of the program goes on."""


class Bite(BaseException):
    """The watchdog's reset: no code of the module sees it coming."""


class Registers(dict):
    """What survives every reset but power-on; 0 after that."""

    def __missing__(self, address):
        return 0


def good(slots):
    """Prove itself and stay."""
    slots.confirm()


def crash(slots):
    """Fail at once."""
    raise ValueError


def hang(slots):
    """Stay silent until the watchdog bites."""
    raise Bite


def no_meter(slots):
    """Ask to be taken back, as an application on trial does; a confirmed one cannot."""
    slots.reject("no meter read")


class Desk:
    """One module.

    Parameters
    ----------
    monkeypatch
        Puts the stand-ins for the chip's modules in place.
    applications : tuple of callable
        What slot a, slot b and the frozen application do; each gets `slots`.

    Attributes
    ----------
    scratch : Registers
    slots_flash : list of bytearray
    start : FlashModel
        The start-up record's blocks.
    ran : list of int
        Every application started, 3 for safe mode.
    """

    def __init__(self, monkeypatch, applications):
        self.applications = applications
        self.scratch = Registers()
        self.start_flash = FlashModel(LAYOUT.START_BYTES // BLOCK_BYTES)
        self.slots_flash = [bytearray(b"\xff" * 4 * BLOCK_BYTES) for _ in range(2)]
        self.ran = []
        self.slots = None
        self._patch(monkeypatch)

    def _patch(self, monkeypatch):
        def reset():
            raise Reset

        def watchdog(timeout):
            assert timeout == 8000

        modules = {
            "board": LAYOUT,
            "machine": types.SimpleNamespace(mem32=self.scratch, reset=reset, WDT=watchdog),
            "vfs": types.SimpleNamespace(VfsRom=bytes, mount=lambda rom, place: None),
        }
        window = types.SimpleNamespace(take_back=lambda: None)
        service = types.SimpleNamespace(open=lambda: None, close=lambda: None)
        hal = {
            "window": window,
            "watchdog": types.SimpleNamespace(TIMEOUT_MS=8000, service_window=service),
            "flash": types.SimpleNamespace(
                slot_device=lambda board, number: self.slots_flash[number],
                start_device=lambda board: self.start_flash,
            ),
        }
        for name, stand_in in modules.items():
            monkeypatch.setitem(sys.modules, name, stand_in)
        for name, stand_in in hal.items():
            monkeypatch.setitem(sys.modules, "endpoint.hal." + name, stand_in)
            monkeypatch.setattr(endpoint.hal, name, stand_in, raising=False)
        self.app = types.SimpleNamespace(main=self._run)
        monkeypatch.setattr(endpoint, "app", self.app, raising=False)
        monkeypatch.setattr(sys, "print_exception", lambda error: None, raising=False)
        self._monkeypatch = monkeypatch

    def _run(self):
        self.applications[self.slots.running](self.slots)

    # What the updater has left

    def remember(self, change):
        """Change the start-up record with ``change(record)``, as the updater does."""
        journal, record = self._journal()
        change(record)
        journal.commit(record.pack(), RECORD_BYTES)

    def record(self):
        """Return what start-up would read now."""
        return self._journal()[1]

    def _journal(self):
        journal, record, data = Journal(self.start_flash), Record(), bytearray(RECORD_BYTES)
        if journal.mount() == RECORD_BYTES and journal.load(data):
            record.unpack(data)
        return journal, record

    def install(self, number, *, confirmed):
        """Put an application into a slot, on trial or confirmed."""
        image = bytes([number + 1]) * FILE_SYSTEM_BYTES
        end = HEADER_BYTES + FILE_SYSTEM_BYTES
        version = (18, number + 1, 0)
        manifest = Manifest(BOARD, version, (0, 0, 0), 1, 0, len(image), bytes(32), "0" * 16)
        self.slots_flash[number][: len(manifest.pack())] = manifest.pack()
        self.slots_flash[number][HEADER_BYTES:end] = image

        def change(record):
            record.begin_trial(number, manifest, crc32(image), True)
            if confirmed:
                record.confirm(number, (0, 0, 0))

        self.remember(change)

    def spoil(self, number):
        """Flip a bit of an application."""
        self.slots_flash[number][HEADER_BYTES + 17] ^= 4

    # Starts

    def start(self):
        """Start once; return True when an application stays or safe mode is reached."""
        self.slots = types.ModuleType("slots")
        self._monkeypatch.setitem(sys.modules, "slots", self.slots)
        execute(BOOT / "slots.py", self.slots.__dict__)
        self.slots.sys = types.SimpleNamespace(modules={}, path=[])
        crashed = self.slots.crashed

        def crashed_but_for_the_dog(error):
            if isinstance(error, (Bite, Reset, PowerCut)):
                raise error
            crashed(error)

        self.slots.crashed = crashed_but_for_the_dog
        try:
            execute(BOOT / "main.py", {"__name__": "main"})
        except (Bite, Reset):
            self.ran.append(self.slots.running)
            return False
        self.ran.append(self.slots.running)
        return True

    def settle(self):
        """Start until something stays; return what."""
        for _ in range(MOST_STARTS):
            if self.start():
                return self.ran[-1]
        raise AssertionError(f"never settles: {self.ran}")

    def power_cycle(self):
        """Lose everything but flash."""
        self.scratch.clear()


@cache
def code_of(path):
    """Return a source file, compiled."""
    return compile(path.read_text(), str(path), "exec")


def execute(path, names):
    """Run a source file with `names` as its globals."""
    exec(code_of(path), names)
