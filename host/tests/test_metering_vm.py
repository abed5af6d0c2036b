"""The engine computes the same in CPython and in the MicroPython VM, bit for bit."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_FIRMWARE = Path(__file__).parents[2] / "firmware"
sys.path.insert(0, str(_FIRMWARE / "tests"))

from metering_world import World, live_long  # noqa: E402

# By its path: the tests here have a conftest of their own.
_conftest = spec_from_file_location("firmware_conftest", _FIRMWARE / "tests/conftest.py")
_vm = module_from_spec(_conftest)
_conftest.loader.exec_module(_vm)
find_vm = _vm.find_vm

_PROGRAM = """
import gc
from metering_world import World
for seed in range({first}, {last}):
    print(seed, World(seed, honest=bool(seed % 2)).live({operations}))
    gc.collect()
print("heap", gc.mem_alloc())
"""


def in_vm(first, last, operations):
    """Return (digest of each seed, heap in use at the end in bytes)."""
    program = _PROGRAM.format(first=first, last=last, operations=operations)
    run = subprocess.run(
        [find_vm(), "-X", "heapsize=8M", "-c", program],
        env={**os.environ, "MICROPYPATH": f"{_FIRMWARE}:{_FIRMWARE / 'tests'}:.frozen"},
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, heap = run.stdout.splitlines()
    return {int(line.split()[0]): int(line.split()[1]) for line in lines}, int(heap.split()[1])


def compare(first, last, operations):
    digests, _ = in_vm(first, last, operations)
    for seed in range(first, last):
        assert digests[seed] == World(seed, honest=bool(seed % 2)).live(operations), seed


def test_equal_digests():
    compare(0, 6, 12)


@pytest.mark.soak
def test_equal_digests_of_300_lives():
    compare(1000, 1300, 25)


_LONG = """
import gc
from metering_world import live_long
found = live_long(3, {days}, {faults})
gc.collect()
print(found[0], found[1], gc.mem_alloc())
"""


def compare_long(days, faults):
    program = _LONG.format(days=days, faults=faults)
    run = subprocess.run(
        [find_vm(), "-X", "heapsize=8M", "-c", program],
        env={**os.environ, "MICROPYPATH": f"{_FIRMWARE}:{_FIRMWARE / 'tests'}:.frozen"},
        capture_output=True,
        text=True,
        check=True,
    )
    digest, count, heap = map(int, run.stdout.split())
    assert (digest, count) == live_long(3, days, faults)
    return heap


def test_a_week_is_equal_and_the_heap_is_not_used_up():
    assert compare_long(7, 20) < 2 * compare_long(1, 3)


@pytest.mark.soak
def test_a_year_of_polls_with_a_thousand_faults():
    compare_long(365, 1000)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(10_000, 20_000, 1000))
def test_ten_thousand_lives(first):
    for seed in range(first, first + 1000):
        World(seed, honest=bool(seed % 2)).live(25)
