"""N4: what the real image notes of two hours is replayed on a PC and comes out the same.

Only the programming port is used: time, zone and schedule go in, the rings' tables come out. The
first start is the beginning of the log; the start at the end notes the state to compare with.
"""

import json
import os
import struct

import pytest
from probe import Probe
from station import meter

from endpoint import programming
from endpoint.line import command
from endpoint.metering import rows, tou
from endpoint.optical import access, services
from endpoint.store.layout import INPUT, RINGS
from endpoint.version import FIRMWARE_VERSION
from wattline.image import boards
from wattline.replay import log

WIRING = boards.data("FASY_0624_0004")
WRITE = b"WRITE-PASS"
DST_ENDS_S = 1_825_567_200  # 7 November 2027, 06:00 UTC: two o'clock becomes one in New York
MINUTES = int(os.environ.get("WATTLINE_SOAK_MINUTES", "120"))
POLL_S = 60 if MINUTES >= 60 else 10
DARK_S = 8
# The port hands out full rows only; so many polls fill those that the last state is in.
POLLS_FOR_A_ROW = 14
PART_BYTES = 1024


def read_ring(probe, number):
    """Return (number of the first row, rows) of a ring, read in parts."""
    table = programming.RINGS + number
    head = part(probe, table, 0, programming.RING_HEAD_BYTES)
    first, following, row_bytes, found = struct.unpack(programming.RING_HEAD, head)
    assert (found, row_bytes) == (number, RINGS[number][2])
    size = (following - first) * row_bytes
    data = b""
    while len(data) < size:
        offset = programming.RING_HEAD_BYTES + len(data)
        data += part(probe, table, offset, min(PART_BYTES, size - len(data)))
    return first, [data[at : at + row_bytes] for at in range(0, size, row_bytes)]


def part(probe, table, offset, count):
    """Return a piece of a table."""
    assert probe.ask(services.read_offset_request(table, offset, count)) == services.OK
    return probe.data


def schedule():
    """Return a schedule that switches minutes after one o'clock, which comes twice."""
    table = [(0, 0), (60, 1), (63, 2), (120, 3)]
    return tou.pack(7, 4, 3, tou.EVER_DAY, [(1, 1, 0, 0, 0, 0)], [table])


def live(made, probe):
    """Two hours with a change of the clocks, an outage, and commands."""
    start_s = DST_ENDS_S - MINUTES * 18  # so that the shortest run ends an interval after it, too
    made.until("read", 15)
    assert probe.open(WRITE) == services.OK
    # The zone first: an interval that is open keeps the flag it began with.
    assert probe.command(command.SET_ZONE, (64 - 5 * 4, 1)) == (access.DONE, command.DONE)
    assert probe.command(command.SET_TIME, (start_s, 0, 0)) == (access.DONE, command.DONE)
    staged = services.write_request(programming.STAGED, schedule())
    assert probe.ask(staged) == services.OK
    made.run(1)
    assert probe.command(command.SCHEDULE_ACTIVATE, (7, 0)) == (access.DONE, command.DONE)
    probe.close()
    made.run(MINUTES * 12)
    made.module.gpio(WIRING.POWER_FAIL_PIN).drive(0)
    made.run(DARK_S)
    made.module.gpio(WIRING.POWER_FAIL_PIN).drive(1)
    made.run(MINUTES * 40 - DARK_S)
    probe.wait_until_base()
    assert probe.open(WRITE) == services.OK
    assert probe.command(command.DEMAND_RESET, (1,)) == (access.DONE, command.DONE)
    probe.close()
    made.run(MINUTES * 8)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_N4_the_module_s_own_log_is_replayed(station, tmp_path):
    """`WATTLINE_SOAK_MINUTES` makes it shorter; the clocks change in it all the same."""
    made = station(
        meter(), passwords={"write_password": WRITE.decode()}, poll_s=POLL_S, interval_min=5
    )
    probe = Probe(made.module, made.module.uart[WIRING.PROGRAM_UART])
    live(made, probe)
    probe.wait_until_base()
    assert probe.open(WRITE) == services.OK
    assert probe.procedure(programming.RESTART) == (access.DONE, b"")
    probe.close()
    made.run(POLLS_FOR_A_ROW * POLL_S + 5)
    probe.wait_until_base()
    assert probe.open(WRITE) == services.OK
    settings = json.loads(probe.read(programming.SETTINGS))
    first, logged = read_ring(probe, INPUT)
    assert first == 0
    kept = [read_ring(probe, ring) for ring in range(INPUT)]
    probe.close()

    path = tmp_path / "module.log"
    export = {
        "form": settings["form"],
        "voltage": 240,
        "poll_s": POLL_S,
        "detent": settings["detent"],
        "net": settings["net"],
        "firmware": FIRMWARE_VERSION,
    }
    log.write(
        path, export, b"", len(logged[0]), [(n, len(row), row) for n, row in enumerate(logged)]
    )
    found = log.load(path)
    runner = log.live_through(found)
    assert found.warnings == []
    assert (found.gaps, found.keyframes, found.keyframes_equal) == (0, 2, 1)
    for ring, (first, module_rows) in enumerate(kept):
        replayed = runner.kept.rings[ring]
        for sequence, row in replayed.items():
            assert row == module_rows[sequence - first], (RINGS[ring][0], sequence)
    intervals = [rows.unpack(rows.INTERVAL, row) for row in kept[rows.INTERVAL][1]]
    assert {bool(each["flags"] & rows.DST) for each in intervals} == {True, False}
    assert len(runner.kept.rings[rows.OUTAGE]) == 1
    assert runner.engine.ledger()[2] == 0
    assert sum(wh > 0 for wh in runner.engine.rates_wh) >= 2
    read = runner.reads[-1]
    event = next(e for e in reversed(made.events) if e.get("forward_wh") == read.forward_wh)
    assert runner.engine.total_wh == event["total_wh"]
