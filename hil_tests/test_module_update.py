"""Releases on the whole module: trial, confirmation, roll-back, and an update through mpremote.

Most tests put a release into the flash as the updater would have left it; those that are about
the updater itself let the module do the work. Set WATTLINE_UPDATE_CUTS for more power cuts.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading

import pytest
from areas import Area
from console_link import ConsoleLink
from probe import Probe
from station import BOARD, NS_PER_S, Station, meter

from endpoint.optical import access, services
from endpoint.programming import BAUD_CODES, SERVICE_WINDOW
from endpoint.store.journal import Journal
from endpoint.update.install import BLOCK_BYTES, Installer
from endpoint.update.record import FROZEN, RECORD_BYTES, Record
from wattline.board import console
from wattline.board.program import program
from wattline.board.update import Refused, Updater, check_fits, packed
from wattline.emulator import DeviceError, Module
from wattline.emulator.pty import console_port, serve
from wattline.image import boards, paths, uf2
from wattline.release import keys
from wattline.release.build import ABI, build_release
from wattline.release.package import version_text

LAYOUT = boards.data(BOARD)
STORAGE_AT = LAYOUT.FLASH_BYTES - LAYOUT.STORAGE_BYTES
CUTS = int(os.environ.get("WATTLINE_UPDATE_CUTS", "20"))
SEED = 42
BOOT_S = 3
# Twenty cuts, each after half as many operations, are most of the 620 that an update takes.
MOST_OPERATIONS = 50

# Fills the file system to the last byte.
FILL = """
file = open('/fill', 'wb')
size = 4096
while size:
    try:
        file.write(bytes(size))
        file.flush()
    except OSError as error:
        size //= 4
        last = error.args[0]
print(last)
"""
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


def changed_copy(folder, file, old, new):
    """Return a copy of the product's sources in which one file differs."""
    shutil.copytree(paths.checkout() / "firmware" / "endpoint", folder / "endpoint")
    file = folder / "endpoint" / file
    text = file.read_text()
    assert re.search(old, text, re.MULTILINE)
    file.write_text(re.sub(old, new, text, flags=re.MULTILINE))
    return folder


def after_reset(made, limit_s):
    """Let the application that runs end in a reset; return the flash of that moment."""
    seen = []
    known = made.module.on_reset

    def stop(cause):
        seen.append(cause)
        made.module.stop()

    made.module.on_reset = stop
    until_s = made.now_s + limit_s
    while not seen and made.now_s < until_s:
        made.run(until_s - made.now_s)
    made.module.on_reset = known
    assert seen, f"no reset in {limit_s} s"
    return made.module.flash


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_status_tells_why_a_new_application_was_taken_back(
    image, flash_with, release, versions, key, tmp_path
):
    """The product itself before and after; in between one that crashes, hangs, reads no meter.

    What crashes or hangs changes no byte of the data; the one without a meter is the product.
    """
    _, product = versions
    made = Station(BOARD, image, Memory(flash_with()).install(product, key, confirmed=True))
    meter_here = meter()
    made.plug(meter_here)
    made.until("read", 8)
    impatient = changed_copy(tmp_path, "update/trial.py", r"15 \* 60000", "20000")
    stories = [
        (release(CRASHES, "18.1.0"), "rejected 18.1.0 (failed at start: ValueError)", 3, True),
        (release(HANGS, "18.2.0"), "rejected 18.2.0 (watchdog)", 13, True),
        (
            build_release(BOARD, source=impatient).signed(key),
            f"rejected {version_text(product.manifest.version)} (no meter read)",
            30,
            False,
        ),
    ]
    for offered, reason, limit_s, leaves_data in stories:
        made.module.power_cut()
        left = made.module.flash
        made.module.flash = Memory(left).install(offered, key)
        if not leaves_data:
            made.plug(None)
        made.module.power_on()
        flash = after_reset(made, limit_s)
        assert data_of(flash) == data_of(left) or not leaves_data
        made.plug(meter_here)
        event = made.until("read", 15)
        assert event["total_wh"] == made.served_wh()[0]
        status = made.status()
        assert (status["application"], status["slot_b"]) == ("a", reason)
        assert (status["state"], status["trial"]) == ("running", False)


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
    plan = updater.plan(offered)
    for piece, reason in (
        (packed(bytes(200_000)), "longer"),
        ("AAAA", "damaged"),
        ("", "damaged"),
    ):
        with pytest.raises(Refused, match=reason):
            updater.call("put", 1, [piece])
    updater.send(plan)
    cycles = module.cycles
    updater.finish()
    assert module.cycles - cycles < 20_000_000
    heard = bytearray()
    module.console.on_data = heard.extend
    module.reset()
    module.run_for_ns(BOOT_S * NS_PER_S)
    assert b"good a" in heard
    assert memory_of(module).record.active == 0


def with_broken_application(image, folder):
    """Return an image whose frozen application cannot be imported: one of its names is damaged."""
    content = bytearray(image.read_bytes())
    _, flat = uf2.unpack(bytes(content))
    name = b"endpoint/books.py\0"
    found = [match.start() for match in re.finditer(re.escape(name), flat)]
    for at in (start + len("endpoint/bo") for start in found):
        # 256 bytes of payload in each block of 512, behind a head of 32.
        place = at // 256 * 512 + 32 + at % 256
        assert content[place : place + 1] == b"o"
        content[place] ^= 1
    broken = folder / "broken.uf2"
    broken.write_bytes(content)
    return broken


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_safe_mode_when_nothing_starts_and_the_way_out(image, formatted, release, key, tmp_path):
    """Both slots and the frozen application fail; prompt, status and update still work."""
    flash = Memory(formatted).install(release(CRASHES), key, confirmed=True)
    flash = Memory(flash).install(release(DOES_NOT_IMPORT, "18.2.0"), key, confirmed=True)
    module = Module(with_broken_application(image, tmp_path), flash)
    resets, heard = [], bytearray()
    module.on_reset = resets.append
    module.console.on_data = heard.extend
    while b"safe mode" not in heard and module.now_ns < 40 * NS_PER_S:
        module.run_for_ns(NS_PER_S)
    assert len(resets) == 12
    status = json.loads(module.exec(console.ASK))
    assert (status["application"], status["failed_starts"]) == ("safe mode", 12)
    assert status["last_failure"] == "failed at start"
    assert (status["slot_a"], status["slot_b"]) == ("confirmed 18.1.0", "confirmed 18.2.0")
    assert data_of(module.flash) == data_of(formatted)
    module.run_for_ns(10 * NS_PER_S)
    assert len(resets) == 12, "it stays until somebody comes"
    updater = Updater(Prompt(module))
    assert updater.report()["active"] == "b"
    updater.send(updater.plan(release(GOOD, "18.3.0")))
    updater.finish()
    heard.clear()
    module.console.on_data = heard.extend
    module.reset()
    module.run_for_ns(BOOT_S * NS_PER_S)
    assert b"good a" in heard
    assert data_of(module.flash) == data_of(formatted)


def test_file_system_that_does_not_mount_or_is_full(image, flash_with, release, key):
    """Updates need no file system; a module whose file system is full is programmed and runs."""
    flash = bytearray(Memory(flash_with()).install(release(GOOD), key))
    files_at = STORAGE_AT + LAYOUT.FILES_AT
    flash[files_at : files_at + 2 * BLOCK_BYTES] = bytes(2 * BLOCK_BYTES)
    module = Module(image, bytes(flash))
    heard = bytearray()
    module.console.on_data = heard.extend
    module.run_for_ns(BOOT_S * NS_PER_S)
    assert b"good a" in heard
    assert data_of(module.flash) == data_of(bytes(flash))
    full = Module(image, flash_with())
    assert "28" in full.exec(FILL, 60)
    # A file as small as the settings lies in its folder's own blocks: there is room even now.
    program(full, {"eid": 77, "form": "2S"})
    made = Station(BOARD, image, full.flash, meter())
    made.until("read", 8)
    status = made.status()
    assert (status["state"], status["eid"]) == ("running", 77)


def test_updater_does_nothing_while_an_application_has_run(started, formatted, release, key):
    module = started(Memory(formatted).install(release(GOOD), key, confirmed=True), 1)
    with pytest.raises(DeviceError, match="an application has run since the last reset"):
        module.exec("import updater; updater.report()")


@pytest.fixture(scope="module")
def versions(tmp_path_factory, key):
    """This application, once as version 11 and once as it is."""
    old = changed_copy(
        tmp_path_factory.mktemp("old"), "version.py", r'^VERSION = ".*"', 'VERSION = "11.0.0"'
    )
    file = old / "endpoint" / "version.py"
    text = file.read_text()
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


# Road, rate, and what at most an update of all files and of one file may take, in s.
ROADS = [("USB", 0, 40, 15), ("port", 115200, 60, 20), ("port", 9600, 260, 45)]


def open_console(made, rate_bps):
    """Return a link to the prompt: over USB, or through a service window at `rate_bps`."""
    if not rate_bps:
        return ConsoleLink(made.module)
    uart = made.module.uart[LAYOUT.PROGRAM_UART]
    probe = Probe(made.module, uart)
    code = next(code for code in BAUD_CODES if services.BAUDS[code] == rate_bps)
    assert probe.open(b"ADMIN-PASS") == services.OK
    asked = probe.procedure(SERVICE_WINDOW, (1800).to_bytes(2, "big") + bytes([code]))
    assert asked == (access.DONE, b"")
    assert probe.close() == services.OK
    made.run(1)
    uart.line_baud = rate_bps
    return ConsoleLink(made.module, uart)


def measured(made, rate_bps, offered):
    """Update a running module; return seconds, bytes and turns from Ctrl-C to the trial."""
    link = open_console(made, rate_bps)
    started_s = made.now_s
    link.enter()
    updater = Updater(link)
    check_fits(offered, updater.report())
    plan = updater.plan(offered)
    updater.send(plan)
    updater.finish()
    return {
        "seconds": round(made.now_s - started_s, 1),
        "bytes_to_module": link.sent,
        "bytes_from_module": link.received,
        "turns": link.turns,
        "data_sent": plan.sent_bytes,
        "copied": plan.copied_bytes,
        "blocks": len(plan.blocks),
    }


@pytest.mark.soak
@pytest.mark.timeout(10800)
@pytest.mark.parametrize(("road", "rate_bps", "all_s", "one_s"), ROADS)
def test_time_and_bytes_of_an_update(
    image, flash_with, versions, key, tmp_path, road, rate_bps, all_s, one_s
):
    """All files, from the frozen application; one file, over what came before."""
    _, product = versions
    flash = Memory(flash_with(passwords={"admin_password": "ADMIN-PASS"}))
    flash.record.keys = [key.public]
    flash.commit(flash.record)
    made = Station(BOARD, image, bytes(flash.flash), meter())
    made.until("read", 8)
    whole = measured(made, rate_bps, product)
    changed = changed_copy(tmp_path, "tasks/console.py", "wattline endpoint", "wattline module")
    one_file = build_release(BOARD, source=changed).signed(key)
    with_product = Memory(made.module.flash)
    with_product.record.confirm(0, (0, 0, 0))
    with_product.commit(with_product.record)
    made = Station(BOARD, image, bytes(with_product.flash), meter())
    made.until("read", 8)
    one = measured(made, rate_bps, one_file)
    sys.stderr.write(f"{road} {rate_bps}: all files {whole}\n  one file {one}\n")
    assert whole["seconds"] < all_s and one["seconds"] < one_s
    changed_bytes = next(n for path, _, n in one_file.files() if path.endswith("/console.mpy"))
    assert one["data_sent"] < 2 * changed_bytes
    assert one["copied"] > 0.9 * len(one_file.image)


def files_of(flash):
    """Return the file system; the journal goes on whenever version 11 has a moment to run."""
    return flash[STORAGE_AT + LAYOUT.FILES_AT :]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_R42_update_through_mpremote_with_power_cuts(image, flash_with, versions, key, tmp_path):
    """11 → current with real mpremote sessions that lose power at random; nothing is lost.

    Every attempt runs until a flash operation drawn at random is cut; the last one to its end.
    A quarter as many cuts follow while the new application is on trial.
    """
    eleven, current = versions
    flash = Memory(flash_with()).install(eleven, key, confirmed=True)
    made = Station(BOARD, image, flash, meter())
    before = made.until("read", 8)
    made.module.power_cut()
    flash = made.module.flash
    chance = random.Random(SEED)
    file = tmp_path / "current.release"
    file.write_bytes(current.pack())
    files = files_of(flash)
    for number in range(CUTS + 1):
        cut = (chance.randrange(1, MOST_OPERATIONS), chance.random()) if number < CUTS else None
        flash, said = attempt(image, flash, file, cut, tmp_path)
        how = f"cut {number}: {cut}, seed {SEED}; {said[-500:]}"
        assert files_of(flash) == files, how
        record = Memory(flash).record
        assert record.active == 0 and record.slots[0].state == 2, how
        assert (record.trial() is None) == (number < CUTS), how
    made.module.flash = flash
    for _ in range(CUTS // 4):
        made.module.power_on()
        made.module.cut_at_operation(chance.randrange(1, 12), chance.random())
        made.run(6)
        made.module.power_cut()
        made.run(chance.random())
        assert files_of(made.module.flash) == files
    made.module.cut_at_operation(1 << 30, 0)
    made.module.power_on()
    after = made.until("read", 8)
    assert after["total_wh"] == made.served_wh()[0] >= before["total_wh"]
    assert after["commits"] > before["commits"]
    made.run(12)
    status = made.status()
    assert (status["application"], status["trial"]) == ("b", False)
    assert int(status["version"].split(".")[0]) >= 12


def attempt(image, flash, file, cut, folder):
    """Update through a pseudo terminal; return flash and words when session or power ends."""
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
    command += ["--role", "mas", "--role-version", "3.2", "--usb", link, "--no-wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and module.powered:
        server.join(0.2)
    if process.poll() is None:
        process.kill()
    said = process.communicate()[0].decode()
    finished.set()
    server.join()
    port.close()
    return module.flash, said
