"""R124: every fault of the simulated meter, injected by its name, as a client sees it."""

from datetime import datetime

import pytest
from meter_wire import NS_PER_S, Rig

from endpoint.meter import errors
from endpoint.meter.focus import FocusReader
from endpoint.optical import formats
from wattline.meter.events import EVENTS
from wattline.meter.faults import LINE_FAULTS, FaultChain, Faults, line_fault
from wattline.meter.focus_al import FocusAL
from wattline.meter.load import Load

START_WH = 12_000_000
MINUTE_NS = 60 * NS_PER_S


class Watched:
    """A reader that polls a meter once a minute."""

    def __init__(self, **options):
        options = {"load": Load("steady"), "forward_wh": START_WH, **options}
        self.meter = FocusAL(**options)
        self.reader = FocusReader()
        self.rig = Rig(self.meter, self.reader)

    def poll(self, minute):
        """Return (name of the error, forward register) of the poll at this minute."""
        self.rig.poll(minute * MINUTE_NS)
        name = errors.NAMES[self.reader.error]
        return name, self.reader.reading.forward_wh if name == "OK" else None

    def truth(self):
        return self.meter.register_wh(self.rig.now_ns)[0]


def test_X3_false_zero_for_one_read():
    watched = Watched()
    watched.meter.fault("zero", at_s=60, reads=1)
    got = [watched.poll(minute)[1] for minute in range(3)]
    assert got == [START_WH, 0, START_WH + 40]


@pytest.mark.parametrize(
    ("name", "ni_format"), [("ones", formats.INT32), ("bad-bcd", formats.BCD8)]
)
def test_X3_sentinels_are_format_errors_and_pass(name, ni_format):
    watched = Watched(ni_format=ni_format)
    watched.meter.fault(name, at_s=60, for_s=30)
    assert watched.poll(0) == ("OK", START_WH)
    assert watched.poll(1) == ("BAD_FORMAT", None)
    assert watched.poll(2) == ("OK", START_WH + 40)


def test_X7_frozen_snapshot_keeps_registers_and_clock():
    watched = Watched(clock=datetime(2026, 3, 1))
    watched.meter.fault("frozen", at_s=30, for_s=100)
    readings = []
    for minute in range(4):
        got = watched.poll(minute)[1]
        readings.append((got, watched.reader.reading.clock_s))
    assert readings[1] == readings[2]
    assert readings[1][0] == START_WH + 10
    assert readings[3][0] == START_WH + 60
    assert readings[3][1] - readings[0][1] == 180


def test_R18_swap_and_wrong_identity():
    watched = Watched()
    watched.meter.fault("wrong-identity", at_s=60, for_s=30, serial="SIM9")
    watched.meter.fault("swap", at_s=150, serial="SIM2", forward_wh=3000)
    serials = []
    for minute in range(4):
        watched.poll(minute)
        serials.append(bytes(watched.reader.reading.serial))
    assert serials == [b"SIM0000000000001", b"SIM9", b"SIM0000000000001", b"SIM2"]
    assert watched.reader.reading.forward_wh == 3000 + 10


def test_X4_X5_reset_and_preset_move_the_register():
    watched = Watched()
    watched.meter.fault("preset", at_s=30, forward_wh=20_000_000)
    watched.meter.fault("reset", at_s=90)
    got = [watched.poll(minute)[1] for minute in range(3)]
    assert got == [START_WH, 20_000_010, 10]


def test_C6_clock_jump():
    watched = Watched(clock=datetime(2026, 3, 1))
    watched.meter.fault("clock-jump", at_s=30, by_s=-2700)
    clocks = []
    for minute in range(2):
        watched.poll(minute)
        clocks.append(watched.reader.reading.clock_s)
    assert clocks[1] - clocks[0] == 60 - 2700
    assert watched.reader.reading.forward_wh == START_WH + 20


@pytest.mark.parametrize("after_bytes", [0, 1, 5, 9])
def test_brown_out_in_mid_packet(after_bytes):
    watched = Watched()
    assert watched.poll(0)[0] == "OK"
    watched.meter.fault("brown-out", at_s=60, after_bytes=after_bytes, dark_s=1.5)
    name, got = watched.poll(1)
    assert (name, got) == ("OK", watched.meter.reads[-1][1]) or name != "OK"
    assert watched.poll(2)[0] == "OK"
    assert watched.meter.outages == 1
    assert watched.reader.reading.forward_wh == watched.meter.reads[-1][1]


def test_R26_patch_missing_wrong_and_installed():
    watched = Watched(patch=None)
    watched.meter.fault("patch", at_s=30)
    watched.meter.fault("patch-wrong", at_s=90, for_s=60)
    watched.meter.fault("patch-missing", at_s=210)
    names = [watched.poll(minute)[0] for minute in range(5)]
    assert names == ["NOT_LOGGING", "OK", "NOT_LOGGING", "OK", "NOT_LOGGING"]


def test_dark_service_counts_an_outage_and_no_energy():
    watched = Watched()
    watched.meter.fault("dark", at_s=30, for_s=60)
    assert watched.poll(0)[0] == "OK"
    assert watched.poll(1)[0] != "OK"
    assert watched.poll(3) == ("OK", START_WH + 40)
    assert watched.meter.outages == 1


def test_refused_table_and_busy_meter():
    watched = Watched()
    watched.meter.fault("refuse", at_s=30, for_s=60, table=23, reply="not-there")
    names = [watched.poll(minute)[0] for minute in range(3)]
    assert names[0] == names[2] == "OK"
    assert names[1] != "OK"


def test_changes_of_load_multiplier_and_display():
    watched = Watched(display_multiplier=2, forward_wh=1000)
    watched.meter.fault("multiplier", at_s=30, to=3)
    watched.meter.fault("load", at_s=60, profile="steady", scale=10)
    watched.meter.fault("display", items=[2, 2, 1])
    assert watched.meter.display.items == [2, 2, 1]
    got = [watched.poll(minute)[1] for minute in range(3)]
    assert got == [2000, 3 * 1020, 3 * 1220]


@pytest.mark.parametrize(
    ("name", "options", "cause"),
    [
        ("smoke", {}, "no fault 'smoke'"),
        ("zero", {"colour": 1}, "has no 'colour'"),
        ("zero", {"reads": "many"}, "no whole number"),
        ("clock-jump", {}, "needs a meter with a clock"),
        ("refuse", {"reply": "maybe"}, "no reply 'maybe'"),
        ("bad-bcd", {}, "BCD registers"),
        ("trouble", {"what": "boredom"}, "no trouble"),
    ],
)
def test_what_cannot_happen_is_refused_in_one_sentence(name, options, cause):
    with pytest.raises(ValueError, match=cause):
        FocusAL().fault(name, **options)


def test_every_event_has_a_name_a_text_and_a_test_of_its_defaults():
    needs = {"clock-jump": {"clock": datetime(2026, 3, 1)}, "bad-bcd": {"ni_format": 6}}
    for name, event in EVENTS.items():
        assert event.text
        meter = FocusAL(**needs.get(name, {}))
        meter.fault(name, at_s=1, for_s=1)
        meter.advance(3 * NS_PER_S)
        assert meter.is_lit(3 * NS_PER_S)


@pytest.mark.parametrize("name", LINE_FAULTS)
def test_line_faults_act_in_their_time_alone(name):
    data = bytes([6]) + bytes.fromhex("ee0000000001201310")
    fault = line_fault(name, {"rate": 1.0, "at_s": 10, "for_s": 5})
    for at_s in (0, 9.9, 15):
        assert fault.apply(data, int(at_s * NS_PER_S)) == [(data, 0)]
        assert fault.noise(int(at_s * NS_PER_S)) == b""
    at_ns = 12 * NS_PER_S
    acted = fault.apply(data, at_ns) != [(data, 0)]
    assert acted or fault.echoes(at_ns) or fault.noise(at_ns)


def test_repeated_replies_are_the_meters_own_and_whole():
    packet = bytes.fromhex("ee0000000001201310")
    fault = Faults("repeated", 1.0)
    assert fault.apply(b"\x06" + packet) == [(b"\x06" + packet + packet, 0)]
    assert fault.apply(packet, 0, "C") == [(packet, 0)]
    assert fault.apply(b"\x06") == [(b"\x06", 0)]


def test_several_line_faults_at_once():
    chain = FaultChain([Faults("doubled", 1.0), Faults("seven-bits"), Faults("echo")])
    assert chain.apply(b"\x07") == [(b"\x87\x87", 0)]
    assert chain.echoes(0)
    assert not chain.is_noisy()
    with pytest.raises(ValueError, match="no 'colour'"):
        line_fault("lost", {"colour": 1})
