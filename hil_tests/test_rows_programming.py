"""A new 240 V module on a bench of 119.5 V, and what it tells (R13, R22 to R25, R60, R61).

One module lives through one story: it is programmed through its port with the code behind
`wattline program`, reads its meter, and is then put on its service voltage.
"""

import json

import pytest
from probe import Probe
from station import STEADY_1_WH_PER_S, meter

from endpoint import programming
from endpoint.optical import services
from wattline.errors import WattlineError
from wattline.image import boards
from wattline.programmer import advice, record
from wattline.programmer.job import Job
from wattline.programmer.targets import PortTarget

PROGRAM_UART = boards.data("FASY_0624_0004").PROGRAM_UART
BENCH_DV, SERVICE_DV = 1195, 2400
START_S, READ_S = 3, 15
GIVEN = {"eid": 4711, "form": "2S", "poll_s": 10}


class Road:
    """The programming port of the emulated module, as `PortTarget` uses it."""

    def __init__(self, station, password):
        self.probe = Probe(station.module, station.module.uart[PROGRAM_UART])
        assert self.probe.open(password) == 0

    def read(self, table, offset, count):
        return self.probe.read(table)[offset : offset + count]

    def text(self, table):
        return json.loads(self.probe.read(table))

    def write(self, table, data):
        return self.probe.ask(services.write_request(table, data))

    def procedure(self, number):
        return self.probe.procedure(number)


class Story:
    """What happened, step by step."""

    def __init__(self, label, station, folder):
        supply = meter(load={**STEADY_1_WH_PER_S, "nominal_dv": BENCH_DV})
        self.station = station(supply, programmed=False)
        self.record = folder / "work.json"
        self.station.run(START_S)
        road = Road(self.station, label)
        target = PortTarget(road)
        with pytest.raises(WattlineError) as refused:
            Job(GIVEN).carry_out(target)
        self.refused = str(refused.value)
        self.untouched = road.text(programming.SETTINGS)
        self.first = Job(GIVEN, record_file=self.record, acknowledge=True).carry_out(target)
        road.probe.close()
        self.read = self.station.until("read", READ_S)
        self.bench = self.status()
        road = Road(self.station, label)
        again = Job({"bought": 200905}, record_file=self.record)
        self.second = again.carry_out(PortTarget(road))
        road.probe.close()
        self.station.until("read", READ_S)
        self.station.plug(meter(load={**STEADY_1_WH_PER_S, "nominal_dv": SERVICE_DV}))
        for _ in range(2):  # a voltage counts one second after its read
            self.station.until("read", READ_S)
        self.service = self.status()

    def status(self):
        self.station.module.console.write(b"\rreadings\r")
        return self.station.until("status", 2)


@pytest.fixture(scope="module")
def story(label, station, tmp_path_factory):
    return Story(label, station, tmp_path_factory.mktemp("story"))


def test_R22_R24_R25_the_check_list_comes_before_the_first_programming(story):
    assert "nothing was written" in story.refused
    for line in advice.CHECK_LIST:
        assert line in story.refused
    assert not story.untouched.get("eid")
    first, _ = record.load(story.record)
    assert first["acknowledged"] and first["check_list"] == list(advice.CHECK_LIST)


def test_R23_an_unknown_date_is_in_the_record(story):
    first, second = record.load(story.record)
    assert "date unknown" in first["warnings"] and "date unknown" not in second["warnings"]


def test_R60_a_240_V_module_is_programmed_at_120_V(story):
    assert story.first.settings["eid"] == GIVEN["eid"]
    assert story.second.settings["bought"] == 200905
    assert story.read["voltage_dv"] == pytest.approx(BENCH_DV, abs=10)


def test_R61_at_120_V_it_says_programming_only_and_keeps_no_extreme(story):
    assert "programming only" in {warning.name for warning in story.second.warnings}
    assert story.bench["voltage"]["hour"]["minimum_dv"] is None


def test_R13_at_its_service_voltage_it_keeps_present_value_and_extremes(story):
    voltage = story.service["voltage"]
    assert voltage["now_dv"] == pytest.approx(SERVICE_DV, abs=20)
    assert voltage["hour"]["minimum_dv"] == pytest.approx(SERVICE_DV, abs=20)
