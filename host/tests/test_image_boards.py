"""The boards as data: C side and Python side agree, unknown names are refused."""

import re
from pathlib import Path

import pytest

from wattline.errors import WattlineError
from wattline.image import boards, build, paths


def test_unknown_board_lists_those_that_exist():
    with pytest.raises(WattlineError, match="choose one of: FASY_0624_0003, FASY_0624_0004"):
        build.build_image("PICO")


@pytest.mark.parametrize("name", ["../boards/FASY_0624_0004", "common", ""])
def test_only_names_of_boards_are_boards(name):
    with pytest.raises(WattlineError, match="choose one of"):
        boards.folder(name)


def test_both_boards_are_complete_and_differ_in_supply_only():
    low, high = (boards.data(name) for name in boards.names())
    assert (low.PART_NUMBER, high.PART_NUMBER) == ("FASY-0624-0003", "FASY-0624-0004")
    assert (low.NOMINAL_DV, low.SUPPLY_MIN_DV, low.SUPPLY_MAX_DV) == (1200, 960, 1440)
    assert (high.NOMINAL_DV, high.SUPPLY_MIN_DV, high.SUPPLY_MAX_DV) == (2400, 1920, 2880)
    own = {"NAME", "PART_NUMBER", "NOMINAL_DV", "SUPPLY_MIN_DV", "SUPPLY_MAX_DV", "POWER_MAX_W"}
    shared = set(vars(low)) - own
    assert all(getattr(low, key) == getattr(high, key) for key in shared)


def test_pins_of_c_and_python_agree():
    data = boards.data("FASY_0624_0004")
    listed = dict(
        line.split(",GPIO")
        for line in (boards.folder("FASY_0624_0004") / "pins.csv").read_text().split()
    )
    assert {name: int(pin) for name, pin in listed.items()} == {
        key.removesuffix("_PIN"): value
        for key, value in vars(data).items()
        if key.endswith("_PIN")
    }


def test_flash_of_c_and_python_agree_and_nothing_overlaps():
    data = boards.data("FASY_0624_0004")
    header = (boards.shared() / "mpconfigboard.h").read_text()
    storage_kib = re.search(r"MICROPY_HW_FLASH_STORAGE_BYTES \((\d+) \* 1024\)", header)[1]
    assert int(storage_kib) * 1024 == data.STORAGE_BYTES
    areas = [
        (data.JOURNAL_AT, data.JOURNAL_BYTES),
        (data.RINGS_AT, data.RINGS_BYTES),
        *((at, data.SLOT_BYTES) for at in data.SLOTS_AT),
        (data.START_AT, data.START_BYTES),
        (data.FILES_AT, data.FILES_BYTES),
    ]
    end = 0
    for at, count in areas:
        assert at == end and count > 0 and count % 4096 == 0
        end = at + count
    assert data.FIRMWARE_BYTES + end == data.FLASH_BYTES


def test_package_without_its_checkout_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "_BUILT_IN_CHECKOUT", tmp_path)
    with pytest.raises(WattlineError, match="clone the repository"):
        paths.checkout()


def test_cache_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("WATTLINE_CACHE", str(tmp_path))
    assert paths.cache_root() == tmp_path
    monkeypatch.delenv("WATTLINE_CACHE")
    assert paths.cache_root() == Path(paths.checkout(), "build", "cache")
