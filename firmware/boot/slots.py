"""Which application runs, and what an application may say about itself.

The application imports this module by its name and uses `on_trial`, `needs_meter`, `confirm`,
`reject`, `healthy`, `leave` and `report`; they are the start-up interface whose number is in every
release. Everything else is for start-up itself.
"""

import sys
from binascii import crc32

import board
import machine
import vfs
from machine import mem32
from micropython import const

from endpoint.hal.flash import slot_device, start_device
from endpoint.store import StoreError
from endpoint.store.journal import Journal
from endpoint.update.manifest import HEADER_BYTES, unpack
from endpoint.update.record import FROZEN, RECORD_BYTES, STATES, TRIAL, Record

# Survive every reset but power-on; SCRATCH0 is the supervisor's, 4 … 7 are the SDK's.
_SCRATCH0 = const(0x4005800C)
_SCRATCH1 = const(0x40058010)
_MARK = const(0x17A70000)
_MARK_MASK = const(0x3FFF0000)
_HANDED = const(0x100)
_RAISED = const(0x200)
_FAULTS_MASK = const(0xFF)
_BLOCKED = const(255)

NAMES = ("a", "b", "frozen", "safe mode")
PLACE = "/slot"

running = None  # slot 0 or 1, FROZEN or SAFE once start-up has chosen
failed_starts = 0  # in a row, before this one
last_failure = ""  # of them
record = Record()
_journal = None


def load():
    """Read what start-up remembers; a record that cannot be read counts as none."""
    global _journal
    _journal = Journal(start_device(board))
    data = bytearray(RECORD_BYTES)
    try:
        if _journal.mount() == RECORD_BYTES and _journal.load(data):
            record.unpack(data)
    except StoreError:
        pass


def commit(changed):
    """Make a record durable, and erase ahead, so that the next commit is one page program."""
    _journal.commit(changed.pack(), RECORD_BYTES)
    _journal.prepare()


def view(number):
    """Return the bytes of a slot, read in place."""
    # rp2.Flash gives its bytes in place; the stubs do not know.
    return memoryview(slot_device(board, number))  # pyright: ignore[reportArgumentType]


def _file_system(number):
    return view(number)[HEADER_BYTES : HEADER_BYTES + record.slots[number].length]


def _is_sound(number):
    slot = record.slots[number]
    if not 0 < slot.length <= board.SLOT_BYTES - HEADER_BYTES:
        return False
    return crc32(_file_system(number)) == slot.crc


def _last_start():
    """Return how the start before this one failed, "" if it did not, and how many in a row."""
    known = mem32[_SCRATCH1]
    if known & _MARK_MASK != _MARK:
        return "", 0
    faults = known & _FAULTS_MASK
    if not known & _HANDED:
        return "", faults
    task = mem32[_SCRATCH0] & 0xFF
    if known & _RAISED:
        reason = "failed at start"
    elif task in (0, _BLOCKED):
        reason = "watchdog"
    else:
        reason = "task %d failed" % task
    return reason, min(faults + 1, _FAULTS_MASK)


def choose():
    """Decide what to start and remember it; return slot 0 or 1, `FROZEN` or `SAFE`."""
    global failed_starts, last_failure
    load()
    last_failure, failed_starts = _last_start()
    number, changed = record.choose(_is_sound, last_failure, failed_starts)
    mem32[_SCRATCH1] = _MARK | failed_starts
    if changed:
        try:
            commit(record)
        except StoreError:
            if number < FROZEN and record.slots[number].state == TRIAL:
                # A trial whose starts cannot be counted could go on for ever.
                record.slots[number].reject("start not recorded")
                number, changed = record.choose(_is_sound, "", failed_starts)
    return number


def hand_over(number):
    """Put an application first, and forget the modules that start-up has used of its package."""
    global running
    running = number
    if number < FROZEN:
        for name in list(sys.modules):
            if name.split(".")[0] == "endpoint":
                del sys.modules[name]
        # The stubs do not know VfsRom, which mpconfigboard.h turns on.
        rom = vfs.VfsRom(_file_system(number))  # pyright: ignore[reportAttributeAccessIssue]
        vfs.mount(rom, PLACE)
        sys.path.insert(0, PLACE)
    mem32[_SCRATCH1] = mem32[_SCRATCH1] | _HANDED


def crashed(error):
    """Restart after an application that did not even start; one on trial is over with that."""
    if on_trial():
        reject("failed at start: %s" % type(error).__name__)
    mem32[_SCRATCH1] = mem32[_SCRATCH1] | _RAISED
    machine.reset()


def _slot():
    """Return what is known of the slot that runs, None when none does."""
    return record.slots[running] if running is not None and running < FROZEN else None


def on_trial():
    """Return whether the application that runs still has to prove itself."""
    slot = _slot()
    return slot is not None and slot.state == TRIAL


def needs_meter():
    """Return whether the trial is over only when a meter has answered."""
    slot = _slot()
    return slot is None or slot.needs_meter


def confirm():
    """Keep the application that runs: it has shown that it works."""
    if on_trial():
        record.confirm(running, unpack(view(running)[:HEADER_BYTES]).floor)
        commit(record)
    healthy()


def reject(reason):
    """Give the application on trial up, and start the one before it; does not return then."""
    slot = _slot()
    if slot is not None and slot.state == TRIAL:
        slot.reject(reason)
        commit(record)
        leave()
        machine.reset()


def healthy():
    """Say that this start has succeeded: failures are counted from nought again."""
    mem32[_SCRATCH1] = mem32[_SCRATCH1] & ~_FAULTS_MASK


def leave():
    """Say that what ends now, ends on purpose."""
    mem32[_SCRATCH1] = _MARK


def report():
    """Return the part of the status that is about applications."""
    fields = {
        "application": NAMES[FROZEN if running is None else running],
        "trial": on_trial(),
        "failed_starts": failed_starts,
        "last_failure": last_failure,
        "update_keys": len(record.keys),
        "oldest_version": "%d.%d.%d" % tuple(record.floor),
    }
    for name, slot in zip(NAMES, record.slots):
        text = STATES[slot.state]
        if slot.state:
            text += " %d.%d.%d" % tuple(slot.version)
        if slot.reason:
            text += " (%s)" % slot.reason
        fields["slot_" + name] = text
    return fields
