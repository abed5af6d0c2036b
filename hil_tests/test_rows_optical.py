"""The whole module on the simulated FOCUS AL: the optical rows of the requirements.

One module lives through one story on one meter after another; each test looks at what was told
and served. Rows that need no chip are proven elsewhere: R12 to R14 in `test_metering_*`, R21
and R57 in `test_module_port`, R88 in `test_metering_gates`, R92 and R93 in
`test_meter_display`, R117 in `test_optical_vectors`.
"""

import struct
from datetime import datetime
from types import SimpleNamespace

import pytest
from station import STEADY_1_WH_PER_S

from endpoint import programming
from endpoint.meter import errors
from endpoint.metering import rows
from endpoint.module import DISPLAY_DIFFERS, DISPLAY_FULL, NOT_LOGGING
from wattline.meter.focus_al import FocusAL
from wattline.meter.load import Load
from wattline.programmer.display import Display, of_status, sentences

POLL_S = 10
ONE_POLL_S = POLL_S + 5
METER_PASSWORD = "FAKE-WRITE"
PASSWORDS = {"meter_password": METER_PASSWORD}
TOTAL, DELIVERED = 7, 0  # entries of the simulated meter's ST-32
GUESTS = list(range(10, 21))
PRIMARY_LIST = 33
LIST_HEAD_BYTES, COUNT_AT = 3, 2
TRANSFORMER_RATED = ("3S", "4S")


def meter(serial, load=None, **options):
    return FocusAL(
        serial=serial,
        load=Load(**(load or STEADY_1_WH_PER_S)),
        write_password=METER_PASSWORD.encode(),
        **options,
    )


def places(meter):
    """Return how many display records are in use and what all sixteen places hold."""
    data = meter.contents[PRIMARY_LIST]()
    cells = data[LIST_HEAD_BYTES:]
    items = [int.from_bytes(cells[at : at + 2], "little") for at in range(0, len(cells), 2)]
    return data[COUNT_AT], items


def watched_writes(meter):
    """Return a list that grows with every write to the display list."""
    seen, take = [], meter.writers[PRIMARY_LIST]

    def write(offset, data):
        seen.append((offset, bytes(data)))
        return take(offset, data)

    meter.writers[PRIMARY_LIST] = write
    return seen


class Story:
    """A station, and what it told at each of its steps."""

    def __init__(self, station):
        self.station = station
        self.steps = {}

    def note(self, name, event="read", limit_s=ONE_POLL_S):
        """Wait for an event, then note it with the module's status and the meter's truth."""
        made = self.station
        told = made.until(event, limit_s)
        reads = made.meter.reads
        self.steps[name] = SimpleNamespace(
            event=told,
            status=made.status(),
            served_wh=reads[-1][1:] if reads else None,
            reads=len(reads),
            places=places(made.meter),
        )
        return self.steps[name]

    def plug(self, meter):
        self.station.plug(meter)

    def counters(self):
        """Return the counters of `readings`."""
        self.station.module.console.write(b"\rreadings\r")
        return self.station.until("status", 2)["counters"]

    def rows(self, ring):
        """Return all rows of a ring that fit in one answer of the console."""
        self.station.module.console.write(b"\rtable %d\r" % (programming.RINGS + ring))
        data = bytes.fromhex(self.station.until("status", 2)["hex"])
        _, _, size, _ = struct.unpack_from(programming.RING_HEAD, data)
        found = range(programming.RING_HEAD_BYTES, len(data) - size + 1, size)
        return [rows.unpack(ring, data[at : at + size]) for at in found]

    def step(self, name):
        """Return what was noted under a name."""
        return self.steps[name]


@pytest.fixture(scope="module")
def story(station):
    made = Story(
        station(
            meter(
                "SIM0000000000042",
                forward_wh=1_000_000,
                reverse_wh=50_000,
                clock=datetime(2026, 3, 1, 7, 10),
                # Two items, each four records long; one of them counts what detent does not.
                display=(TOTAL,) * 4 + (DELIVERED,) * 4,
            ),
            passwords=PASSWORDS,
            display=GUESTS,
            bought=200709,
        )
    )
    first = made.station.meter
    made.before = places(first)
    made.note("first")
    made.note("second")

    first.fault("frozen")
    made.note("frozen")
    made.note("repeated")
    made.stale = made.counters()["stale"]
    first.effects.thaw()
    first.spoil[23] = lambda data: b"\xff" * len(data)
    made.note("corrupt", "no_read")
    del first.spoil[23]
    first.fault("zero", reads=1)
    made.note("zero")
    made.note("after")

    first.fault("patch-missing")
    made.note("missing", "no_read")
    first.fault("patch-wrong")
    made.note("wrong", "no_read")
    made.intervals, made.hours = made.rows(rows.INTERVAL), made.rows(rows.HOUR)
    first.fault("patch")
    made.note("patched")

    first.fault("swap", serial="SIM0000000000043", forward_wh=3_000, reverse_wh=7)
    made.note("swapped")
    made.changes = made.counters()["meter_changes"]

    made.full = meter("SIM-4S", form="4S", forward_wh=5_000_000, display=(DELIVERED,) * 16)
    made.full_writes = watched_writes(made.full)
    for name, plugged in (
        ("3S", meter("SIM-3S", form="3S", volts=240, forward_wh=5_000_000)),
        ("4S", made.full),
        ("12S", meter("SIM-12S", form="12S", forward_wh=5_000_000)),
    ):
        made.plug(plugged)
        made.note(name, limit_s=2 * ONE_POLL_S)
        if name in TRANSFORMER_RATED:
            made.note(f"{name} later")

    made.plug(meter("SIM-OTHER", model="ALTO"))
    made.note("other", "no_read", limit_s=3 * ONE_POLL_S)
    return made


def registers(step):
    return step.event["forward_wh"], step.event["reverse_wh"]


def total_wh(step):
    return step.event.get("total_wh", step.status["total_wh"])


def test_R8_R11_module_reads_the_table_and_logs(story):
    first, second = story.step("first"), story.step("second")
    assert (first.reads, second.reads) == (1, 2)
    assert registers(first) == first.served_wh
    assert registers(second) == second.served_wh
    assert total_wh(second) - total_wh(first) == second.served_wh[0] - first.served_wh[0] > 0
    for step in (first, second):
        assert step.status["meter_state"] == "OK"
        assert not step.status["interface_bits"] & NOT_LOGGING


def test_R8_another_model_is_not_supported(story):
    step = story.step("other")
    assert step.event["error"] == errors.UNSUPPORTED_METER
    assert step.status["meter_state"] == "UNSUPPORTED_METER"
    assert total_wh(step) == total_wh(story.step("12S"))


@pytest.mark.parametrize("form", TRANSFORMER_RATED)
def test_R10_R19_R20_what_the_meter_counts_is_what_is_credited(story, form):
    """Ratios live in the meter: its watt-hours are taken as they are (E-6)."""
    step, later = story.step(form), story.step(f"{form} later")
    assert registers(step) == step.served_wh
    assert registers(later) == later.served_wh
    gained_wh = later.served_wh[0] - step.served_wh[0]
    assert gained_wh > 0
    assert total_wh(later) - total_wh(step) == gained_wh


def test_R9_R10_network_form_is_read(story):
    step = story.step("12S")
    assert registers(step) == step.served_wh


def test_R11_corrupt_table_credits_nothing_and_is_counted(story):
    before, corrupt = story.step("repeated"), story.step("corrupt")
    assert corrupt.event["error"] == errors.BAD_FORMAT
    assert corrupt.status["read_failures"] == before.status["read_failures"] + 1
    assert total_wh(corrupt) == total_wh(before)


def test_R11_false_zeros_credit_nothing(story):
    before, zero = story.step("corrupt"), story.step("zero")
    assert registers(zero) == (0, 0)
    assert total_wh(zero) == total_wh(before)


def test_X7_repeated_snapshot_is_no_read(story):
    frozen, repeated = story.step("frozen"), story.step("repeated")
    assert registers(frozen) == registers(repeated)
    assert story.stale >= 1
    assert total_wh(repeated) == total_wh(frozen)


def test_R12_nothing_is_lost_behind_bad_reads(story):
    before, after = story.step("second"), story.step("after")
    assert total_wh(after) - total_wh(before) == after.served_wh[0] - before.served_wh[0] > 0


@pytest.mark.parametrize("patch", ["missing", "wrong"])
def test_R26_R27_F3_without_the_right_patch_nothing_is_logged(story, patch):
    step = story.step(patch)
    assert step.event["error"] == errors.NOT_LOGGING
    assert step.status["meter_state"] == "NOT_LOGGING"
    assert step.status["interface_bits"] & NOT_LOGGING
    assert step.reads == story.step("after").reads
    assert total_wh(step) == total_wh(story.step("after"))


def test_R27_no_zeros_are_stored_without_a_table(story):
    """Rows of missing intervals need the time of day: `test_F3_no_table_is_not_zero`."""
    assert story.intervals == story.hours == []


def test_R27_energy_that_passed_meanwhile_is_not_lost(story):
    before, after = story.step("after"), story.step("patched")
    assert after.status["meter_state"] == "OK"
    assert not after.status["interface_bits"] & NOT_LOGGING
    assert total_wh(after) - total_wh(before) == after.served_wh[0] - before.served_wh[0]


def test_R18_meter_swap_is_an_event_and_no_energy(story):
    before, swapped = (story.step(name) for name in ("patched", "swapped"))
    assert story.changes == 1
    assert registers(swapped) == swapped.served_wh
    assert sum(swapped.served_wh) < 10_000
    assert total_wh(swapped) == total_wh(before)
    assert swapped.status["meter"] == "SIM0000000000043"


def test_R64_detent_status_is_read_back(story):
    assert story.step("first").status["detent"] is True


def test_R72_display_that_shows_something_else_is_said(story):
    assert story.step("first").status["interface_bits"] & DISPLAY_DIFFERS
    assert not story.step("4S").status["interface_bits"] & DISPLAY_DIFFERS


def test_R89_R91_R97_items_are_added_behind_the_meters_own(story):
    """Two items of four records each are eight; eight of eleven fit, the first ones."""
    used, items = story.before
    assert used == 8
    now_used, now_items = story.step("second").places
    assert now_used == 16
    assert now_items[:8] == items[:8]
    assert now_items[8:] == GUESTS[:8]
    status = story.step("second").status
    assert (status["display_added"], status["display_dropped"]) == (8, 3)


def test_R98_the_preview_is_what_the_meter_then_shows(story):
    """What `wattline display` foretells from the first read."""
    used, items = story.before
    foretold, dropped = Display(tuple(items[:used]), used).with_items(GUESTS)
    now_used, now_items = story.step("second").places
    assert tuple(now_items[:now_used]) == foretold.records
    assert len(dropped) == story.step("second").status["display_dropped"]
    shown = of_status(story.step("frozen").status)
    assert shown == foretold


def test_R90_R96_too_many_records_are_said_in_plain_words(story):
    shown, dropped = of_status(story.step("frozen").status).with_items(GUESTS)
    over, full = sentences(shown, dropped)
    assert "shows 8 records" in over and "no more than 5" in over
    assert "Maximum number of display records reached" in full


def test_R94_R95_too_many_items_set_the_bit(story):
    assert story.step("second").status["interface_bits"] & DISPLAY_FULL


def test_R87_a_full_list_is_not_written(story):
    status = story.step("4S later").status
    assert story.full_writes == []
    assert status["interface_bits"] & DISPLAY_FULL
    assert status["display_dropped"] == len(GUESTS)


@pytest.fixture(scope="module")
def gates(station):
    """A module for a meter with one net register, bought too early for display items."""
    made = Story(
        station(
            meter(
                "SIM-NET",
                load={"profile": "solar", "scale": 5.0, "start_hour": 12.5},
                registers="net",
                display=(DELIVERED,),  # its only register, which is net
            ),
            passwords=PASSWORDS,
            display=GUESTS,
            bought=200708,
            net_register=True,
        )
    )
    made.before = places(made.station.meter)
    for name in ("first", "second"):
        made.note(name)
    return made


def test_D9_steps_below_zero_count_as_zero(gates):
    first, last = gates.step("first"), gates.step("second")
    assert registers(last) == (last.event["forward_wh"], 0)
    fed_in_wh = (first.event["forward_wh"] - last.event["forward_wh"]) % 100_000_000
    assert 0 < fed_in_wh < 1_000
    assert total_wh(last) == total_wh(first)


def test_R99_meter_of_august_2007_takes_no_items(gates):
    assert all(gates.step(name).places == gates.before for name in ("first", "second"))
    assert gates.step("second").status["display_added"] == 0


def test_R72_net_display_of_a_module_that_counts_delivered(gates):
    assert gates.step("first").status["interface_bits"] & DISPLAY_DIFFERS
