"""The module's programming port on a pseudo terminal, for clients that know the standard only."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from station import meter

from wattline.emulator.pty import serve
from wattline.image import boards

PROGRAM_UART = boards.data("FASY_0624_0004").PROGRAM_UART


@pytest.mark.soak  # the client's patience is real: a busy machine may be too slow for it
def test_R117_a_c1218_client_reads_the_module_over_a_terminal(station, tmp_path):
    # The terminal and its client live in the host's time: nothing else shall be due meanwhile.
    made = station(meter(), poll_s=900)
    made.until("read", 15)
    port = made.module.uart[PROGRAM_UART].serve_pty(tmp_path / "port")
    finished = threading.Event()
    server = threading.Thread(target=serve, args=(made.module, [port], 1.0, finished.is_set))
    server.start()
    try:
        dumped = subprocess.run(
            [str(Path(sys.executable).with_name("wattline")), "dump", tmp_path / "port", "--json"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        finished.set()
        server.join()
        port.close()
    tables = {table["table"]: table for table in json.loads(dumped.stdout)["tables"]}
    assert "FASY0624" in json.dumps(tables["ST-1"]["fields"])
    assert "insufficient" in tables["MT-1"]["refused"]
