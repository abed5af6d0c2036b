"""A person at the console: mpremote and wattline on the running product, over a pty."""

import hashlib
import json
import random
import subprocess
import sys
import threading

import pytest
from station import EID, NS_PER_S, carrier, meter

from wattline.emulator.pty import console_port, serve

TIMEOUT_S = 60
WATCHDOG_S = 8
WINDOW_S = 600
# From the first Ctrl-C: while the tasks are told to end, and while the pin is made quiet.
SECOND_CTRL_C_US = (50, 800)
# Ten simulated seconds pass in one of the host's; mpremote waits seconds of its own.
SPEED = 10.0
HARDWARE = """
from machine import mem32
busy = [n for n in range(12) if mem32[0x50000010 + 0x40 * n] & 1 << 24]
print(busy, mem32[0x50200000] & 15, mem32[0x50300000] & 15)
"""
QUIET = "[] 0 0\n"
# A DMA ring and a state machine that hold the gate pin high, and nobody who stops them.
FORGOTTEN = """
import rp2, uctypes
from machine import Pin
@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW, autopull=True, pull_thresh=32)
def high():
    out(x, 32).side(1)
sm = rp2.StateMachine(1, high, freq=100000, sideset_base=Pin(15))
pool = bytearray(512)
base = (uctypes.addressof(pool) + 255) & ~255
a, b = rp2.DMA(), rp2.DMA()
for one, other in ((a, b), (b, a)):
    one.config(read=base, write=sm, count=1 << 20, ctrl=one.pack_ctrl(
        inc_write=False, ring_size=8, treq_sel=1, chain_to=other.channel))
a.active(1)
sm.active(1)
"""


@pytest.fixture
def running(station):
    """A module in the middle of its work: the meter is read, the carrier is on."""
    made = station(meter(), mains_on=True)
    made.until("frame", 25)
    made.run(1)
    assert carrier(made.edges)
    made.edges.clear()
    return made


@pytest.fixture
def idle(station):
    """A module without mains: its application runs, the pin is silent."""
    made = station(meter())
    made.until("read", 5)
    return made


@pytest.fixture
def blank(station):
    """A module that nobody has programmed: start-up, watchdog and window are the same."""
    made = station(programmed=False)
    made.run(1)
    return made


@pytest.fixture
def link(emulated, station, tmp_path):
    """A served module without mains: a path to its console, and the station behind it.

    `station.runs` is set by every mark that the running application puts on the gate pin.
    """
    made = station(meter())
    made.until("read", 5)
    made.runs = threading.Event()
    made.module.gpio(15).on_edge(lambda t_ns, level: made.runs.set())
    made.module.console.on_connect = None
    port = console_port(made.module, tmp_path / "module")
    finished = threading.Event()
    server = threading.Thread(
        target=serve, args=(made.module, [port], SPEED, finished.is_set), daemon=True
    )
    server.start()
    yield tmp_path / "module", made
    finished.set()
    server.join()
    port.close()


def run(module, *arguments):
    command = [sys.executable, *module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def mpremote(link, *arguments):
    return run(("-m", "mpremote", "connect", link), *arguments)


def wattline(*arguments):
    return run(("-c", "from wattline.cli import main; main()"), *arguments)


def soft_reset(made):
    """What mpremote does first: Ctrl-C, raw prompt, Ctrl-D."""
    made.stop_application()
    made.module.console.write(b"\x01")
    made.run(0.01)
    made.module.console.write(b"\x04")
    made.run(0.2)


def test_mpremote_works_while_the_application_runs(link, tmp_path):
    path, made = link
    assert mpremote(path, "exec", "print(6 * 7)") == "42\n"
    content = random.Random(1).randbytes(5000)
    (tmp_path / "data.bin").write_bytes(content)
    mpremote(path, "fs", "cp", tmp_path / "data.bin", ":data.bin")
    listed = mpremote(path, "fs", "ls")
    assert "5000 data.bin" in listed and "settings.json" in listed
    digest = "import hashlib; print(hashlib.sha256(open('data.bin', 'rb').read()).digest().hex())"
    assert mpremote(path, "exec", digest).strip() == hashlib.sha256(content).hexdigest()
    assert mpremote(path, "exec", "import time; time.sleep(20); print('still here')") == (
        "still here\n"
    )
    assert made.resets == []
    mpremote(path, "reset")
    made.runs.clear()
    assert made.runs.wait(TIMEOUT_S)
    assert json.loads(wattline("status", "--usb", path, "--json"))["state"] == "running"
    assert [cause for cause, _ in made.resets] == ["watchdog"]


def test_wattline_asks_programs_and_asks_again(link):
    path, made = link
    before = json.loads(wattline("status", "--usb", path, "--json"))
    assert (before["eid"], before["state"], before["meter_state"]) == (EID, "running", "OK")
    assert made.resets == []
    wattline("program", "--usb", path, "--eid", 7, "--form", "3S", "--poll-s", 30, "--no-detent")
    made.runs.clear()
    assert made.runs.wait(TIMEOUT_S)
    after = json.loads(wattline("status", "--usb", path, "--json"))
    wanted = {"eid": 7, "form": "3S", "poll_s": 30, "detent": False, "state": "running"}
    assert {name: after[name] for name in wanted} == wanted
    assert len(made.resets) == 1
    # Somebody asked for that reset: it is no fault.
    assert after["fault"] == ""


def test_application_comes_back_after_the_service_window(idle):
    idle.stop_application()
    stopped_s = idle.now_s
    idle.run(WINDOW_S - 10)
    assert idle.resets == []
    idle.run(10 + 2 * WATCHDOG_S)
    ((cause, t_s),) = idle.resets
    assert cause == "watchdog"
    assert WINDOW_S - 2 <= t_s - stopped_s <= WINDOW_S + WATCHDOG_S + 1
    assert idle.until("read", 15)["total_wh"] == idle.served_wh()[0]
    assert idle.status()["fault"] == ""


def test_watchdog_lets_long_work_after_a_soft_reset_end(blank):
    soft_reset(blank)
    blank.module.exec("import time\nfor n in range(20):\n    time.sleep(1)", timeout_sim_s=25)
    blank.module.exec("import time\nt = time.ticks_ms()\nwhile time.ticks_ms() - t < 50: pass")
    blank.run(3 * WATCHDOG_S)
    assert blank.resets == []
    blank.run(WINDOW_S)
    assert [cause for cause, _ in blank.resets] == ["watchdog"]


def test_application_started_by_hand_closes_the_window(idle):
    """Only the supervisor may feed: a hung task must not live on somebody else's food."""
    idle.stop_application()
    idle.module.console.write(b"\x02")
    idle.run(0.05)
    idle.module.console.write(b"\x04")
    idle.run(0.3)
    idle.module.console.write(b"\rwatch\r")
    idle.until("read", 15)
    idle.stop_application()
    assert (
        idle.module.exec(
            "from endpoint.hal.watchdog import service_window; print(service_window._left_ms)"
        )
        == f"{WINDOW_S * 1000}\n"
    )
    assert idle.resets == []


def test_ctrl_c_silences_the_carrier_and_stops_dma_and_pio(running):
    pressed_ns = running.module.now_ns
    running.stop_application()
    running.run(1)
    assert running.module.gpio(15).level == 0
    assert all(t_ns - pressed_ns < NS_PER_S // 10 for t_ns, _ in running.edges)
    assert running.module.exec(HARDWARE) == QUIET
    soft_reset(running)
    assert running.module.exec(HARDWARE) == QUIET


def test_second_ctrl_c_does_not_leave_the_gate_playing(idle):
    """R105: clean-up itself may be interrupted; whenever it is, the pin ends silent."""
    for apart_us in SECOND_CTRL_C_US:
        idle.module.reset()
        idle.until("read", 5)
        idle.module.console.write(b"\x03")
        idle.module.run_for_ns(apart_us * 1000)
        idle.module.console.write(b"\x03")
        idle.run(0.2)
        idle.edges.clear()
        idle.run(0.5)
        assert idle.edges == [] and idle.module.gpio(15).level == 0, apart_us
        assert idle.module.exec(HARDWARE) == QUIET, apart_us


def test_soft_reset_stops_what_somebody_forgot(blank):
    blank.module.exec(FORGOTTEN)
    blank.run(0.01)
    assert blank.module.gpio(15).level == 1
    assert blank.module.exec(HARDWARE) != QUIET
    soft_reset(blank)
    assert blank.module.gpio(15).level == 0
    assert blank.module.exec(HARDWARE) == QUIET
