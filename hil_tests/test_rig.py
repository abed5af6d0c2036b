"""The rig: its file, what it lacks, and the whole of it with the emulated module as its board."""

import os
import re
import subprocess
import sys
import time
import tty
from pathlib import Path

import pytest
from board_rig import BoardModule, BoardStation, Wiring, read_wiring
from station import BOARD, meter

from wattline.errors import WattlineError

HERE = Path(__file__).parent
CONSOLE, OPTICAL, PROGRAMMING = "console", "optical", "programming"
SHOW_UP_S = 20
SELECTED = "steady_poll_reads or first_contact or R7_ or unauthenticated or R64 or watchdog"


@pytest.fixture
def terminals(tmp_path):
    """Two pseudo terminals in place of a console and an optical port; their far ends."""
    ends = {}
    for name in (CONSOLE, OPTICAL):
        far, near = os.openpty()
        tty.setraw(near)
        (tmp_path / name).symlink_to(os.ttyname(near))
        ends[name] = far, near
    yield tmp_path, {name: far for name, (far, _) in ends.items()}
    for pair in ends.values():
        for end in pair:
            os.close(end)


def wired(folder):
    return BoardModule(Wiring(str(folder / CONSOLE), str(folder / OPTICAL)), BOARD)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "usb is missing"),
        ('usb = "a"\noptic = "b"', "optic is unknown; known are usb, optical"),
        ("usb = 3", "usb must be a str"),
        ('usb = "a"\npower_off = "b"', "power_off and power_on belong together"),
        ("usb", "is no TOML file"),
    ],
)
def test_a_wrong_rig_file_is_one_sentence(tmp_path, text, said):
    file = tmp_path / "rig.toml"
    file.write_text(text)
    with pytest.raises(WattlineError, match=re.escape(said)):
        read_wiring(file)


def test_a_rig_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WattlineError, match=r"none\.toml cannot be read"):
        read_wiring(tmp_path / "none.toml")


def test_what_a_rig_lacks_skips_by_name(terminals):
    folder, _ = terminals
    module = wired(folder)
    lacking = {
        "cycles": lambda: module.cycles,
        "cut_at_operation": lambda: module.cut_at_operation(1, 0.5),
        "flash chip": lambda: module.flash,
        "switched supply": module.power_cut,
        "UART 1": lambda: module.uart[1],
        "zero crossings": lambda: BoardStation(module, BOARD, mains_on=True),
        "why the chip restarted": lambda: BoardStation(module, BOARD).resets,
    }
    for name, ask in lacking.items():
        with pytest.raises(pytest.skip.Exception, match=name):
            ask()
    module.close()


def test_a_station_hears_the_console_and_answers_as_the_meter(terminals):
    folder, ends = terminals
    module = wired(folder)
    station = BoardStation(module, BOARD, meter())
    os.write(ends[CONSOLE], b'hello\r\n{"event": "read", "total_wh"')
    station.run(0.02)
    os.write(ends[CONSOLE], b": 5}\r\n")
    assert station.until("read", 1)["total_wh"] == 5
    with pytest.raises(TimeoutError):
        station.until("read", 0.02)
    os.write(ends[OPTICAL], bytes.fromhex("ee0000000001201310"))  # identify
    station.run(0.1)
    os.set_blocking(ends[OPTICAL], False)
    assert os.read(ends[OPTICAL], 100).startswith(b"\x06\xee")
    module.close()


@pytest.mark.soak
def test_the_tests_of_the_module_pass_through_a_rig(image, tmp_path):
    """The emulated module in real time stands in for a board."""
    names = {name: tmp_path / name for name in (CONSOLE, OPTICAL, PROGRAMMING)}
    command = [sys.executable, "-c", "from wattline.cli import main; main()", "emulator", "run"]
    command += [image, "--pty", names[CONSOLE], "--flash", tmp_path / "flash"]
    command += ["--optical", names[OPTICAL], "--programming", names[PROGRAMMING]]
    rig = tmp_path / "rig.toml"
    ports = (("usb", CONSOLE), ("optical", OPTICAL), ("programming", PROGRAMMING))
    rig.write_text("".join(f'{key} = "{names[name]}"\n' for key, name in ports))
    board = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + SHOW_UP_S
        while not all(name.is_symlink() for name in names.values()):
            assert board.poll() is None and time.monotonic() < deadline_s
            time.sleep(0.1)
        tests = [sys.executable, "-m", "pytest", "-q", "-rs", "--rig", rig, "-k", SELECTED]
        files = ("poll", "port", "watchdog")
        tests += [HERE / f"test_module_{name}.py" for name in files]
        done = subprocess.run(tests, capture_output=True, text=True, check=False, cwd=HERE.parent)
    finally:
        board.terminate()
        board.wait()
    sys.stderr.write(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "failed" not in done.stdout
    assert re.search(r"[1-9]\d* passed", done.stdout)
    assert "a rig does not see why the chip restarted" in done.stdout
