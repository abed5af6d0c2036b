"""What the tests of the whole module share: the image under test, programmed modules, rigs."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from station import Station

from wattline.bench.options import Options
from wattline.bench.rig import Rig
from wattline.board.program import program
from wattline.emulator import Module
from wattline.image.build import build_image

BOARD = "FASY_0624_0004"
EID = 0x00C0FFEE

# What a shell starts in the background is deaf to Ctrl-C, and so is what that starts in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
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


@pytest.fixture(scope="session")
def flash_with(image):
    """Return a function that gives the flash of a module programmed with the settings asked for.

    It has never run its application, so its journal is blank. `passwords` are texts by name.
    """
    known = {}

    def programmed(passwords=None, **settings):
        settings = {"eid": EID, "form": "2S", "poll_s": 10, **settings}
        key = json.dumps([settings, sorted((passwords or {}).items())])
        if key not in known:
            module = Module(image)
            program(module, settings)
            if passwords:
                text = json.dumps(
                    {name: secret.encode().hex() for name, secret in passwords.items()}
                )
                module.exec(f"with open('/keys.json', 'w') as file: file.write({text!r})")
            known[key] = module.flash
        return known[key]

    return programmed


@pytest.fixture(scope="session")
def station(image, flash_with):
    """Return a function that gives a `Station`: settings by name, the rest as there.

    With ``programmed=False`` it is one that nobody has given settings.
    """

    def made(meter=None, mains_on=False, programmed=True, **settings):
        flash = flash_with(**settings) if programmed else None
        return Station(BOARD, image, flash, meter, mains_on)

    return made


@pytest.fixture
def rig(built):
    """Return a function that gives a programmed, running rig with the options asked for."""

    def running(**options):
        made = Rig(Options.checked(board=BOARD, **options), built)
        made.commission()
        return made

    return running
