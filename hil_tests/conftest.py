"""What the tests of the whole module share: the image under test and a programmed rig."""

import pytest

from wattline.bench.options import Options
from wattline.bench.rig import Rig
from wattline.image.build import build_image

BOARD = "FASY_0624_0004"


@pytest.fixture(scope="session")
def built():
    """The image of the 240 V board, built once; at once when nothing has changed."""
    return build_image(BOARD, quiet=True)


@pytest.fixture(scope="session")
def image(built):
    """The UF2 file of the image under test."""
    return built.uf2


@pytest.fixture
def rig(built):
    """Return a function that gives a programmed, running rig with the options asked for."""

    def running(**options):
        made = Rig(Options.checked(board=BOARD, **options), built)
        made.commission()
        return made

    return running
