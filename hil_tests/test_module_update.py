"""Releases on the whole module: trial, confirmation, roll-back, and an update through mpremote.

Most tests put a release into the flash as the updater would have left it; those that are about
the updater itself let the module do the work. Set WATTLINE_UPDATE_CUTS for more power cuts.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import threading

import pytest
from areas import Area
from conftest import BOARD
from station import NS_PER_S, Station, meter

from endpoint.store.journal import Journal
from endpoint.update.install import BLOCK_BYTES, Installer
from endpoint.update.record import FROZEN, RECORD_BYTES, Record
from wattline.board.update import Refused, Updater
from wattline.emulator import DeviceError, Module
from wattline.emulator.pty import console_port, serve
from wattline.image import boards, paths
from wattline.release import keys
from wattline.release.build import ABI, build_release

LAYOUT = boards.data(BOARD)
STORAGE_AT = LAYOUT.FLASH_BYTES - LAYOUT.STORAGE_BYTES
CUTS = int(os.environ.get("WATTLINE_UPDATE_CUTS", "20"))
SEED = 42
BOOT_S = 3

# Applications of a few lines: they know the start-up interface and nothing else.
GOOD = """
import slots
def main():
    slots.confirm()
    print("good", slots.NAMES[slots.running])
"""
CRASHES = "def main():\n    raise ValueError('on purpose')\n"
DOES_NOT_IMPORT = "import nothing_of_this_name\n"
# Asleep for the emulator's sake: for the watchdog it is as bad as a loop without end.
HANGS = "import time\ndef main():\n    time.sleep(100)\n"
REJECTS = "import slots\ndef main():\n    slots.reject('no meter read')\n"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The owner's key."""
    return keys.create(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture(scope="module")
def release(tmp_path_factory, key):
    """Return a function that makes a signed release of a small application."""

    def made(text, version="18.1.0"):
        package = tmp_path_factory.mktemp("source") / "endpoint"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "version.py").write_text(f'VERSION = "{version}"\n')
        (package / "app.py").write_text(text)
        return build_release(BOARD, source=package.parent).signed(key)

    return made


class Memory:
    """What start-up remembers, read from and written to a flash content on the host."""

    def __init__(self, flash):
        self.flash = bytearray(flash)
        self.journal = Journal(Area(self.flash, STORAGE_AT + LAYOUT.START_AT, LAYOUT.START_BYTES))
        self.record = Record()
        data = bytearray(RECORD_BYTES)
        if self.journal.mount():
            self.journal.load(data)
            assert self.record.unpack(data)

    def commit(self, record):
        self.journal.commit(record.pack(), RECORD_BYTES)

    def install(self, release, key, *, confirmed=False, needs_meter=True):
        """Put a release into the free slot, on trial or as if it had passed."""
        self.record.keys = [key.public]
        slots = [Area(self.flash, STORAGE_AT + at, LAYOUT.SLOT_BYTES) for at in LAYOUT.SLOTS_AT]
        views = [slot.view for slot in slots]
        installer = Installer(self.record, self.commit, slots, views, BOARD, ABI)
        number = installer.begin(release.header)
        for block, at in enumerate(range(0, len(release.image), BLOCK_BYTES), 1):
            installer.put(block, [release.image[at : at + BLOCK_BYTES]])
        installer.finish(needs_meter)
        if confirmed:
            self.record.confirm(number, (0, 0, 0))
            self.commit(self.record)
        return bytes(self.flash)


def data_of(flash):
    """Return what belongs to the metering: journal, rings and files."""
    end = STORAGE_AT + LAYOUT.SLOTS_AT[0]
    return flash[STORAGE_AT:end] + flash[STORAGE_AT + LAYOUT.FILES_AT :]


@pytest.fixture
def started(image, formatted):
    """Return a function that starts a module with a flash and lets it run."""

    def made(flash, seconds=BOOT_S):
        module = Module(image, flash)
        module.text = b""

        def heard(data):
            module.text += data

        module.console.on_data = heard
        module.run_for_ns(int(seconds * NS_PER_S))
        return module

    return made


def memory_of(module):
    return Memory(module.flash)


def test_application_in_a_slot_runs_in_place_and_is_confirmed(started, formatted, release, key):
    module = started(Memory(formatted).install(release(GOOD), key))
    assert b"good a" in module.text
    record = memory_of(module).record
    assert (record.active, record.slots[0].state) == (0, 2)
    assert data_of(module.flash) == data_of(formatted)


def test_second_update_goes_to_the_other_slot(started, formatted, release, key):
    first = Memory(formatted).install(release(GOOD), key, confirmed=True)
    module = started(Memory(first).install(release(GOOD, "18.2.0"), key))
    assert b"good b" in module.text
    record = memory_of(module).record
    assert (record.active, record.slots[0].state, record.slots[1].state) == (1, 2, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CRASHES, "failed at start: ValueError"),
        (DOES_NOT_IMPORT, "failed at start: ImportError"),
        (HANGS, "watchdog"),
        (REJECTS, "no meter read"),
    ],
    ids=["crashes", "does not import", "hangs", "rejects itself"],
)
def test_bad_application_is_taken_back(started, formatted, release, key, text, reason):
    flash = Memory(formatted).install(release(GOOD), key, confirmed=True)
    flash = Memory(flash).install(release(text, "18.2.0"), key)
    module = started(flash, 12 if text == HANGS else BOOT_S)
    assert b"good a" in module.text
    record = memory_of(module).record
    assert record.active == 0
    assert record.slots[1].reason == reason
    assert data_of(module.flash) == data_of(formatted)


def test_damaged_slot_is_not_started(started, formatted, release, key):
    """The one before takes over; here that is the frozen application."""
    flash = bytearray(Memory(formatted).install(release(GOOD), key, confirmed=True))
    flash[STORAGE_AT + LAYOUT.SLOTS_AT[0] + BLOCK_BYTES + 100] ^= 1
    module = started(bytes(flash), 1)
    assert b"good" not in module.text
    assert module.exec("import slots; print(slots.running)") == f"{FROZEN}\n"


def test_confirmed_application_that_keeps_failing_gives_way(started, formatted, release, key):
    """Four failed starts in a row: the next application that is there, and data as they were."""
    flash = Memory(formatted).install(release(CRASHES), key, confirmed=True)
    module = started(flash, 4)
    assert module.text.count(b"on purpose") == 4
    assert module.exec("import slots; print(slots.running)") == f"{FROZEN}\n"
    assert data_of(module.flash) == data_of(formatted)


class Prompt:
    """The raw prompt after a soft reset, as mpremote reaches it; no application has run."""

    def __init__(self, module):
        self._module = module
        text = bytearray()
        module.console.on_data = text.extend
        while not module.console.connected:
            module.run_for_ns(1_000_000)
        for keys_pressed, wait_ms in ((b"\r\x03\x03", 100), (b"\x01", 5), (b"\x04", 400)):
            module.console.write(keys_pressed)
            module.run_for_ns(wait_ms * 1_000_000)
        assert b"soft reboot" in text

    def exec(self, code):
        return self._module.exec(code, 60)


def test_module_installs_a_release_itself(started, formatted, release, key):
    """The whole road on the chip: keys, signature, blocks, verification, trial."""
    module = started(formatted, 0.5)
    updater = Updater(Prompt(module))
    with pytest.raises(Refused, match="no key that the module holds"):
        updater.plan(release(GOOD))
    updater.install_keys([key.public])
    offered = release(GOOD)
    updater.send(updater.plan(offered))
    cycles = module.cycles
    updater.finish()
    assert module.cycles - cycles < 20_000_000
    heard = bytearray()
    module.console.on_data = heard.extend
    module.reset()
    module.run_for_ns(BOOT_S * NS_PER_S)
    assert b"good a" in heard
    assert memory_of(module).record.active == 0


def test_updater_does_nothing_while_an_application_has_run(started, formatted, release, key):
    module = started(Memory(formatted).install(release(GOOD), key, confirmed=True), 1)
    with pytest.raises(DeviceError, match="an application has run since the last reset"):
        module.exec("import updater; updater.report()")


@pytest.fixture(scope="module")
def versions(tmp_path_factory, key):
    """This application, once as version 11 and once as it is."""
    old = tmp_path_factory.mktemp("old")
    shutil.copytree(paths.checkout() / "firmware" / "endpoint", old / "endpoint")
    file = old / "endpoint" / "version.py"
    text = re.sub(r'^VERSION = ".*"', 'VERSION = "11.0.0"', file.read_text(), flags=re.MULTILINE)
    file.write_text(re.sub(r"FIRMWARE_VERSION = \d+", "FIRMWARE_VERSION = 11", text))
    return build_release(BOARD, source=old).signed(key), build_release(BOARD).signed(key)


def test_R42_version_11_becomes_one_that_streams(image, flash_with, versions, key):
    """G-1: what really runs decides. Totals go on where version 11 has left them."""
    eleven, current = versions
    made = Station(
        BOARD, image, Memory(flash_with()).install(eleven, key, confirmed=True), meter()
    )
    before = made.until("read", 8)
    assert made.status()["version"] == "11.0.0"
    made.module.power_cut()
    left = made.module.flash
    made.module.flash = Memory(left).install(current, key)
    assert data_of(made.module.flash) == data_of(left)
    made.module.power_on()
    after = made.until("read", 8)
    assert after["total_wh"] == made.served_wh()[0] >= before["total_wh"]
    assert after["commits"] > before["commits"]
    made.run(12)
    status = made.status()
    assert (status["application"], status["trial"]) == ("b", False)
    assert int(status["version"].split(".")[0]) >= 12
    assert status["slot_b"].startswith("confirmed")


@pytest.mark.soak
def test_R42_update_through_mpremote_with_power_cuts(image, flash_with, versions, key, tmp_path):
    """11 → current with real mpremote sessions that lose power at random; nothing is lost.

    Every attempt runs until a flash operation drawn at random is cut; the last one to its end.
    """
    eleven, current = versions
    flash = Memory(flash_with()).install(eleven, key, confirmed=True)
    chance = random.Random(SEED)
    file = tmp_path / "current.release"
    file.write_bytes(current.pack())
    data = data_of(flash)
    for number in range(CUTS + 1):
        cut = (chance.randrange(1, 120), chance.random()) if number < CUTS else None
        flash = attempt(image, flash, file, cut, tmp_path)
        assert data_of(flash) == data, f"cut {number}: {cut}, seed {SEED}"
        record = Memory(flash).record
        assert record.active == 0 and record.slots[0].state == 2
        if record.trial() is not None:
            break
    assert Memory(flash).record.trial() == 1


def attempt(image, flash, file, cut, folder):
    """Update through a pseudo terminal; return the flash when the session or the power ends."""
    module = Module(image, flash)
    link = folder / "module"
    port = console_port(module, link)
    finished = threading.Event()
    if cut:
        module.cut_at_operation(*cut)

    def over():
        return finished.is_set() or not module.powered

    server = threading.Thread(target=serve, args=(module, [port], None, over), daemon=True)
    server.start()
    command = [sys.executable, "-c", "from wattline.cli import main; main()", "update", file]
    command += ["--role", "mas", "--role-version", "3.2", "--port", link, "--no-wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and module.powered:
        server.join(0.2)
    if process.poll() is None:
        process.kill()
    process.wait()
    finished.set()
    server.join()
    port.close()
    return module.flash
