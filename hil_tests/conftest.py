"""What the tests of the whole module share: the image under test, programmed modules, rigs."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from board_rig import BoardModule, BoardStation, read_wiring
from station import BOARD, EID, LABEL, Station

from wattline.bench.options import Options
from wattline.bench.rig import Rig
from wattline.board.program import program
from wattline.emulator import Module
from wattline.errors import WattlineError
from wattline.image.build import build_image

# What a shell starts in the background is deaf to Ctrl-C, and so is what that starts in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--rig",
        metavar="FILE",
        help="test a real board, wired as this TOML file says; all it holds is lost (docs/rig.md)",
    )


@pytest.fixture(scope="session")
def board_module(request):
    """The real module of `--rig`; None without it."""
    file = request.config.getoption("--rig")
    if not file:
        yield None
        return
    try:
        module = BoardModule(read_wiring(file), BOARD)
    except WattlineError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    yield module
    module.close()


@pytest.fixture(scope="session")
def emulated(board_module):
    """Skip what cannot be done with a real board."""
    if board_module:
        pytest.skip("needs the emulated module: it is started from an image and flash of its own")


@pytest.fixture(scope="session")
def built(tmp_path_factory, emulated):
    """The image of the 240 V board, built once; at once when nothing has changed.

    It is a copy: whoever builds again while the tests run does not change what they test.
    """
    image = build_image(BOARD, quiet=True)
    copy = shutil.copy(image.uf2, tmp_path_factory.mktemp("image"))
    return replace(image, uf2=Path(copy))


@pytest.fixture(scope="session")
def image(built):
    """The UF2 file of the image under test."""
    return built.uf2


@pytest.fixture(scope="session")
def firmware(request):
    """A MicroPython image for tests of the emulator: the plain one if it is known."""
    stock = os.environ.get("WATTLINE_STOCK_IMAGE")
    return Path(stock) if stock else request.getfixturevalue("image")


@pytest.fixture(scope="session")
def formatted(firmware):
    """The flash after a first start, so that not every test waits for an empty file system."""
    module = Module(firmware)
    module.exec("1")
    return module.flash


@pytest.fixture
def module(firmware, formatted):
    """A module as it starts for the second time."""
    return Module(firmware, formatted)


def give_settings(module, passwords, settings):
    """Give a blank module its settings and passwords."""
    program(module, {"eid": EID, "form": "2S", "poll_s": 10, **settings})
    if passwords:
        text = json.dumps({name: secret.encode().hex() for name, secret in passwords.items()})
        module.exec(f"with open('/keys.json', 'w') as file: file.write({text!r})")


@pytest.fixture(scope="session")
def flash_with(image):
    """Return a function that gives the flash of a module programmed with the settings asked for.

    It has never run its application, so its journal is blank. `passwords` are texts by name.
    """
    known = {}

    def flash(passwords=None, **settings):
        key = json.dumps([settings, sorted((passwords or {}).items())])
        if key not in known:
            module = Module(image)
            give_settings(module, passwords, settings)
            known[key] = module.flash
        return known[key]

    return flash


@pytest.fixture(scope="session")
def station(request, board_module):
    """Return a function that gives a `Station`: settings by name, the rest as there.

    With ``programmed=False`` it is one that nobody has given settings.
    """

    def emulated(meter, mains_on, is_programmed, passwords, settings):
        flash_with = request.getfixturevalue("flash_with")
        flash = flash_with(passwords, **settings) if is_programmed else None
        return Station(BOARD, request.getfixturevalue("image"), flash, meter, mains_on)

    def real(meter, mains_on, is_programmed, passwords, settings):
        board_module.wipe()
        if is_programmed:
            give_settings(board_module, passwords, settings)
        made = BoardStation(board_module, BOARD, meter, mains_on)
        board_module.reset()
        made.resets.clear()
        return made

    def made(meter=None, mains_on=False, programmed=True, passwords=None, **settings):
        make = real if board_module else emulated
        return make(meter, mains_on, programmed, passwords, settings)

    return made


@pytest.fixture(scope="session")
def label(request, board_module):
    """The first password of the module under test; the next `station` restarts it."""
    module = board_module or Module(request.getfixturevalue("image"))
    return module.exec(LABEL).encode()


@pytest.fixture
def rig(built):
    """Return a function that gives a programmed, running rig with the options asked for."""

    def running(**options):
        made = Rig(Options.checked(board=BOARD, **options), built)
        made.commission()
        return made

    return running
