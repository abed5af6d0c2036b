"""The module's programming port on a pseudo terminal, for clients that know the standard only."""

import json
import subprocess
import sys
from pathlib import Path


def wattline(*arguments):
    return [str(Path(sys.executable).with_name("wattline")), *arguments]


def test_R117_a_c1218_client_reads_the_module_over_a_terminal(image, flash_with, tmp_path):
    flash, port = tmp_path / "module.bin", tmp_path / "port"
    flash.write_bytes(flash_with())
    command = wattline(
        "emulator", "run", str(image), "--pty", str(tmp_path / "console"),
        "--programming", str(port), "--flash", str(flash),
    )  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as module:
        try:
            assert module.stdout is not None
            while "Ctrl-C" not in module.stdout.readline():
                assert module.poll() is None
            dumped = subprocess.run(
                wattline("dump", str(port), "--json"), capture_output=True, text=True, timeout=300
            )
        finally:
            module.terminate()
    assert "FASY0624" in dumped.stdout, dumped.stderr
    tables = json.loads(dumped.stdout)["tables"]
    assert any("insufficient" in json.dumps(table) for table in tables)
