"""The module's end of `wattline update`, for the raw prompt after a soft reset.

Every function prints one JSON line: a result, or the name of the refusal. The name is turned into
a sentence on the host.
"""

import json
import sys
from binascii import a2b_base64
from io import BytesIO

import board
import build_info
import slots
from deflate import ZLIB, DeflateIO

if slots.running is not None:
    # The code of a slot may be in use, and what is imported next would come from it.
    raise RuntimeError("an application has run since the last reset; start the update again")

from endpoint.hal.flash import slot_device
from endpoint.hal.watchdog import service_window
from endpoint.store import StoreError
from endpoint.update import UpdateError
from endpoint.update.install import BLOCK_BYTES, Installer
from endpoint.update.record import KEYS_MAX

_WINDOW_BITS = 12  # blocks are packed with a window no larger than themselves

_installer = None


def _tell(function):
    """Call `function` and print what it returns, or how it was refused."""
    service_window.open()
    try:
        result = {"ok": function()}
    except (UpdateError, StoreError) as error:
        result = {"refused": type(error).__name__}
    except MemoryError:
        result = {"refused": "MemoryError"}
    except (OSError, EOFError, ValueError, TypeError):
        result = {"refused": "Damaged"}
    print(json.dumps(result))


def _open():
    """Return the one installer of this session."""
    global _installer
    if _installer is None:
        slots.load()
        _installer = Installer(
            slots.record,
            slots.commit,
            [slot_device(board, number) for number in (0, 1)],
            [slots.view(number) for number in (0, 1)],
            board.NAME,
            sys.implementation._mpy,
        )
    return _installer


def _plain(piece):
    """Return a piece as the installer takes it: packed text becomes bytes, never too many."""
    if not isinstance(piece, str):
        return tuple(piece)
    return DeflateIO(BytesIO(a2b_base64(piece)), ZLIB, _WINDOW_BITS).read(BLOCK_BYTES + 1)


def report():
    """Print what this module is and holds."""

    def facts():
        _open()
        fields = slots.report()
        # They are about a start, and no application has started here.
        for name in ("application", "trial", "failed_starts", "last_failure"):
            del fields[name]
        fields["active"] = slots.NAMES[slots.record.active]
        fields["board"] = board.NAME
        fields["abi"] = sys.implementation._mpy
        fields["image"] = build_info.VERSION
        fields["build_id"] = build_info.BUILD_ID
        return fields

    _tell(facts)


def judge(header):
    """Judge a release by its first block, packed; change nothing."""

    def judged():
        _open().judge(_plain(header))

    _tell(judged)


def begin(header):
    """Judge a release by its first block, packed, and forget what the free slot holds."""
    _tell(lambda: slots.NAMES[_open().begin(_plain(header))])


def checks():
    """Print the CRC-32 of every block in the free slot."""
    _tell(lambda: _open().checks())


def files():
    """Print the files of the active slot: path, offset, length, short hash as hexadecimal."""
    _tell(lambda: [(p, at, n, digest.hex()) for p, at, n, digest in _open().running_files()])


def put(number, pieces):
    """Write one block."""
    _tell(lambda: _open().put(number, [_plain(piece) for piece in pieces]))


def finish(needs_meter):
    """Verify everything and put it on trial."""
    _tell(lambda: _open().finish(needs_meter))


def roll_back():
    """Go back to the application before this one."""
    _tell(lambda: _open().roll_back())


def keys(publics):
    """Replace the keys that may sign releases (base64, 32 bytes each)."""

    def replace():
        _open()
        found = [a2b_base64(public) for public in publics]
        if len(found) > KEYS_MAX or [len(public) for public in found if len(public) != 32]:
            raise ValueError
        slots.record.keys = found
        slots.commit(slots.record)

    _tell(replace)
