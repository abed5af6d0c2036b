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
SELECTED = "steady_poll_reads or first_contact or R7_ or unauthenticated or R77 or R21"
# The emulated module needs ten times as long for its start as a real one.
PATIENCE = 10


class Ends(dict):
    """The far ends of pseudo terminals, by name."""

    def __init__(self, folder):
        super().__init__()
        self._folder, self._near = folder, {}

    def open(self, name):
        self[name], near = os.openpty()
        tty.setraw(near)
        os.set_blocking(self[name], False)
        self._near[name] = near
        (self._folder / name).symlink_to(os.ttyname(near))

    def close(self, name):
        os.close(self.pop(name))
        os.close(self._near.pop(name))
        (self._folder / name).unlink()


@pytest.fixture
def terminals(tmp_path):
    """Two pseudo terminals in place of a console and an optical port; their far ends."""
    ends = Ends(tmp_path)
    for name in (CONSOLE, OPTICAL):
        ends.open(name)
    yield tmp_path, ends
    for name in list(ends):
        ends.close(name)


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
        "gate's edges": lambda: BoardStation(module, BOARD).edges,
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
    assert os.read(ends[OPTICAL], 100).startswith(b"\x06\xee")
    assert station.resets == []
    module.close()


def test_a_board_that_restarts_is_noticed_and_heard_again(terminals):
    folder, ends = terminals
    module = wired(folder)
    station = BoardStation(module, BOARD, meter())
    ends.close(CONSOLE)  # as a USB device that goes away
    station.run(0.05)
    assert [cause for cause, _ in station.resets] == ["watchdog"], "any cause will do"
    ends.open(CONSOLE)
    station.run(0.3)
    assert module.console.connected and len(station.resets) == 1
    assert os.read(ends[CONSOLE], 100) == b"\rwatch\r"
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
    lines = [f'{key} = "{names[name]}"\n' for key, name in ports]
    rig.write_text("".join(lines) + f"patience = {PATIENCE}\n")
    board = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + SHOW_UP_S
        while not all(name.is_symlink() for name in names.values()):
            assert board.poll() is None and time.monotonic() < deadline_s
            time.sleep(0.1)
        tests = [sys.executable, "-m", "pytest", "-q", "-rs", "--rig", rig, "-k", SELECTED]
        files = ("poll", "port")
        tests += [HERE / f"test_module_{name}.py" for name in files]
        done = subprocess.run(tests, capture_output=True, text=True, check=False, cwd=HERE.parent)
    finally:
        board.terminate()
        board.wait()
    sys.stderr.write(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b6 passed", done.stdout)
