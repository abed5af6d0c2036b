"""The real mpremote on the emulated module, over a pseudo terminal."""

import hashlib
import random
import subprocess
import sys
import threading

import pytest

from wattline.emulator import Module
from wattline.emulator.pty import console_port, serve

TIMEOUT_S = 60


@pytest.fixture
def mpremote(firmware, tmp_path):
    """Call mpremote with arguments; the module runs beside it."""
    module = Module(firmware)
    port = console_port(module, tmp_path / "module")
    finished = threading.Event()
    server = threading.Thread(
        target=serve, args=(module, [port], None, finished.is_set), daemon=True
    )
    server.start()

    def call(*arguments):
        command = [sys.executable, "-m", "mpremote", "connect", tmp_path / "module"]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        ).stdout

    yield call
    finished.set()
    server.join()
    port.close()


def test_mpremote_executes_copies_lists_and_resets(mpremote, tmp_path):
    assert mpremote("exec", "print(6 * 7)") == "42\n"
    content = random.Random(1).randbytes(3000)
    (tmp_path / "data.bin").write_bytes(content)
    mpremote("fs", "cp", tmp_path / "data.bin", ":data.bin")
    assert "3000 data.bin" in mpremote("fs", "ls")
    mpremote("exec", "kept = 1", "+", "exec", "import machine")
    mpremote("reset")
    result = mpremote(
        "exec",
        "import hashlib, binascii\n"
        "print(binascii.hexlify(hashlib.sha256(open('data.bin', 'rb').read()).digest()).decode())"
        "\nprint('kept' in globals())",
    )
    assert result == f"{hashlib.sha256(content).hexdigest()}\nFalse\n"


def test_command_serves_a_module_and_saves_its_flash(firmware, tmp_path):
    link, flash = tmp_path / "module", tmp_path / "flash.bin"
    command = [sys.executable, "-c", "from wattline.cli import main; main()", "emulator", "run"]
    server = subprocess.Popen(
        [*command, firmware, "--pty", link, "--flash", flash, "--speed", "max"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert str(link) in server.stdout.readline()
        subprocess.run(
            [sys.executable, "-m", "mpremote", "connect", link, "exec",
             "f = open('saved.txt', 'w'); f.write('yes'); f.close()"],
            check=True, timeout=TIMEOUT_S,
        )  # fmt: skip
    finally:
        server.send_signal(2)
        server.wait(TIMEOUT_S)
    assert not link.is_symlink()
    assert Module(firmware, flash.read_bytes()).exec("print(open('saved.txt').read())") == "yes\n"
