"""The poll: meter to console, exactly, whatever meter stands before the module."""

import pytest
from station import meter

from endpoint.meter import errors

POLL_S = 10
FIRST_READ_S = 5
# What a session, the engine and the record take; the flash chip's own time comes on top of it.
CYCLES_MAX = 8_000_000
NS_PER_CYCLE = 8
# The house's roof feeds in more than the house takes.
SOLAR = {"profile": "solar", "scale": 5.0, "start_hour": 12.5}


@pytest.fixture(scope="module")
def first_hour(station):
    """A module's first polls; tests only look at what it told and what the meter served."""
    made = station(meter())
    made.first = made.until("read", FIRST_READ_S)
    made.run(1)
    # The next poll is due a whole period after the first one began: until then nothing happens.
    quiet_s = POLL_S - FIRST_READ_S - 2
    before = made.busy_cycles()
    made.run(quiet_s)
    per_s = (made.busy_cycles() - before) / quiet_s
    assert len(made.meter.reads) == 1
    flash_ns = []
    made.module.on_flash_operation = lambda done: flash_ns.append(done.end_ns - done.start_ns)
    before, since_s = made.busy_cycles(), made.now_s
    made.second = made.until("read", POLL_S + FIRST_READ_S)
    made.run(0.5)
    cycles = made.busy_cycles() - before - sum(flash_ns) / NS_PER_CYCLE
    made.poll_cycles = cycles - per_s * (made.now_s - since_s)
    return made


def registers(event):
    return event["forward_wh"], event["reverse_wh"]


def test_first_contact_reads_the_meter_exactly(first_hour):
    t_ns, *served = first_hour.meter.reads[0]
    assert registers(first_hour.first) == tuple(served) == first_hour.meter.register_wh(t_ns)
    assert served[0] >= 1_000_000 and served[1] == 50_000
    assert first_hour.first["total_wh"] == served[0]


def test_steady_poll_reads_the_meter_exactly(first_hour):
    t_ns, *served = first_hour.meter.reads[1]
    assert registers(first_hour.second) == tuple(served)
    assert tuple(served) == first_hour.meter.register_wh(t_ns)
    assert served[0] > 1_000_000
    assert first_hour.second["total_wh"] == served[0]
    assert first_hour.second["ms"] - first_hour.first["ms"] in range(
        1000 * (POLL_S - 1), 1000 * (POLL_S + 1)
    )


def test_steady_poll_is_the_shorter_one(first_hour):
    assert first_hour.second["session_ms"] < first_hour.first["session_ms"] / 2


def test_poll_costs_less_than_eight_million_cycles(emulated, first_hour):
    """Measured as the seconds with the second poll less as many seconds without one."""
    assert 0 < first_hour.poll_cycles < CYCLES_MAX


def test_status_says_what_the_poll_said(first_hour):
    status = first_hour.status()
    said = ("forward_wh", "reverse_wh", "total_wh", "voltage_dv", "session_ms")
    assert {name: status[name] for name in said} == {
        name: first_hour.second[name] for name in said
    }
    assert status["meter"] == first_hour.meter.serial
    assert (status["meter_state"], status["reads"], status["read_failures"]) == ("OK", 2, 0)
    assert status["commits"] == first_hour.second["commits"] == first_hour.first["commits"] + 1
    # One watt-hour a second between two whole watt-hours.
    assert abs(status["power_w"] - 3600) <= 3600 / POLL_S


@pytest.fixture(scope="module")
def story(station):
    """A module with detent No, whose meter feeds in, goes dark, comes back and is replaced."""
    made = station(meter(forward_wh=44_100_000, load=SOLAR), detent=False)
    made.told = {}

    def note(name, event="read", limit_s=POLL_S + 5):
        made.told[name] = (made.until(event, limit_s), made.served_wh(), made.status())

    note("first")
    note("later")
    present = made.meter
    made.plug(None)
    made.told["dark"] = (made.until("no_read", 3 * POLL_S), None, made.status())
    made.plug(present)
    note("back", limit_s=2 * POLL_S)
    made.plug(meter(serial="SIM0000000000043", forward_wh=3_000, reverse_wh=7))
    note("replaced")
    note("goes on")
    return made


def test_D1_without_detent_both_directions_count(story):
    _, before, _ = story.told["first"]
    event, after, _ = story.told["later"]
    assert after[1] > before[1]
    assert event["total_wh"] == sum(after)


def test_meter_that_falls_silent_is_named(story):
    event, _, status = story.told["dark"]
    assert event["error"] == errors.NO_ANSWER
    assert status["meter_state"] == "NO_ANSWER"
    assert status["total_wh"] == story.told["later"][0]["total_wh"]
    assert status["read_failures"] == 1


def test_meter_that_comes_back_is_read_without_loss(story):
    event, served, status = story.told["back"]
    assert event["total_wh"] == sum(served) > story.told["later"][0]["total_wh"]
    assert status["meter_state"] == "OK"
    assert story.resets == []


def test_R18_X6_meter_swap_adds_no_energy(story):
    old, (first, first_served, status) = story.told["back"][0], story.told["replaced"]
    assert registers(first) == first_served
    assert sum(first_served) < 10_000
    assert first["total_wh"] == old["total_wh"]
    assert status["meter"] == "SIM0000000000043"
    event, served, _ = story.told["goes on"]
    gained_wh = sum(served) - sum(first_served)
    assert gained_wh > 0
    assert event["total_wh"] == old["total_wh"] + gained_wh
