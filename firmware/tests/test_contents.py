"""What frames say: the engine's values and the rings' rows, and nothing that is not there."""

import struct

from endpoint.contents import Contents
from endpoint.line import CommandError, payload
from endpoint.line.profile import BENCH, FIELD
from endpoint.line.schedule import ASKABLE
from endpoint.metering import rows
from endpoint.metering.engine import MAXIMUM, STREAM_PROFILE, STREAM_REGISTER, Engine

_HOUR_S = 3600
_NOON_S = 1_780_315_200  # 2026-06-01 12:00 UTC
_KEY = bytes(range(16))


class _Ring:
    def __init__(self):
        self.first = 0
        self.rows = []

    @property
    def next(self):
        return len(self.rows)

    def read(self, number, buffer):
        if not self.first <= number < self.next:
            return False
        row = self.rows[number]
        buffer[: len(row)] = row
        return True


class _Poll:
    read_ms = 1000
    power_w = 1234
    voltage_dv = 2410


class _Clock:
    def ms(self):
        return 5000


class _Module:
    eid = 0xC0FFEE
    version = 18
    dropped = 2

    def bits(self):
        return payload.INTERFACE_CLOCK


class World:
    """Contents over an engine, and rings that a test fills."""

    def __init__(self, profile=BENCH, detent=True, net=False):
        self.rings = [_Ring() for _ in range(rows.RINGS)]
        self.engine = Engine(12000, detent, net, 18)
        self.poll = _Poll()
        self.contents = Contents(
            _Module(),
            self.engine,
            self.rings,
            self.poll,
            _Clock(),
            profile,
            2400,
            lambda: _KEY,
            0,
        )

    def read(self, forward_wh, mono_s=1):
        self.engine.on_read(b"SIM", forward_wh, 50, mono_s)

    def hour(self, hour, forward_wh, reverse_wh=0, flags=0, register_wh=0, value_wh=0):
        end_s = (hour + 1) * _HOUR_S
        row = struct.pack(
            rows.HOUR_LAYOUT,
            end_s,
            flags,
            3600,
            forward_wh,
            reverse_wh,
            value_wh,
            value_wh,
            value_wh,
            register_wh,
            2350,
            2460,
            2400,
            1,
            0,
        )
        self.rings[rows.HOUR].rows.append(row)

    def frame(self, starts_ms=9000):
        into = bytearray(8)
        self.contents.write(into, starts_ms)
        frame_type, fields = payload.unpack(into)
        return frame_type, payload.read(fields)

    def frames(self, count):
        return [self.frame() for _ in range(count)]


def test_who_speaks_comes_first_and_then_what_the_meter_shows():
    world = World()
    world.read(123_456)
    kinds = [kind for kind, _ in world.frames(16)]
    assert kinds[:3] == [payload.JOIN, payload.REGISTER, payload.REGISTER]
    assert payload.STATUS in kinds
    # No schedule, no peak, no day of voltage: nothing is said of them.
    assert not {payload.TOU, payload.DEMAND, payload.VOLTAGE} & set(kinds)


def test_before_the_first_reading_there_is_no_register():
    world = World()
    world.poll.read_ms = None
    assert {kind for kind, _ in world.frames(16)} == {payload.JOIN, payload.STATUS}


def test_register_names_its_age_and_is_labelled_net():
    world = World(net=True)
    world.read(100)
    world.engine.on_read(b"SIM", 100, 950, 1000)
    world.frame()
    kind, fields = world.frame(starts_ms=9000)
    assert kind == payload.REGISTER
    assert fields["request"] == 8
    assert fields["selector"] & payload.SELECTOR_NET
    assert fields["selector"] & payload.SELECTOR_NEGATIVE
    assert fields["voltage_e4"] == 10040
    assert fields["demand_w"] == 1230


def test_D7_streamed_hour_is_never_net():
    hour = _NOON_S // _HOUR_S - 1
    for mode in (STREAM_PROFILE, STREAM_REGISTER):
        world = World(net=True)
        world.read(100)
        world.engine.on_time(_NOON_S, 1)
        world.engine.activate_streaming(mode, MAXIMUM)
        # One way 700, back 900: net would be -200.
        world.hour(hour, 700, 900, register_wh=12_300, value_wh=-200)
        kind, fields = world.frame()
        if mode == STREAM_PROFILE:
            assert kind == payload.STREAM_PROFILE_DELIVERED
            assert fields["energy_wh"] == 700
            assert fields["minimum_e4"] is None
            assert fields["maximum_e4"] == 10250
        else:
            assert kind == payload.STREAM_REGISTER_DELIVERED
            assert fields["register_wh"] == 12_300
        assert fields["hour_slot"] == hour & 7


def test_D1_without_detent_both_directions_are_streamed():
    hour = _NOON_S // _HOUR_S - 1
    world = World(detent=False)
    world.read(100)
    world.engine.on_time(_NOON_S, 1)
    world.engine.activate_streaming(STREAM_PROFILE, MAXIMUM)
    world.hour(hour, 700, 900)
    kind, fields = world.frame()
    assert kind == payload.STREAM_PROFILE
    assert fields["energy_wh"] == 1600


def test_a_missing_hour_is_missing_and_never_zero():
    hour = _NOON_S // _HOUR_S - 1
    world = World()
    world.read(100)
    world.engine.on_time(_NOON_S, 1)
    world.engine.activate_streaming(STREAM_PROFILE, MAXIMUM)
    world.hour(hour, 0, flags=rows.MISSING)
    assert world.frame()[1]["energy_wh"] is None


def test_block_finds_its_hours_and_says_which_are_missing():
    first = 100 * 4
    world = World()
    world.read(100)
    for hour in (first - 1, first, first + 1, first + 3, first + 4):
        world.hour(hour, 10 * (hour - first) + 100)
    assert world.contents.request(payload.BLOCK, 100, 1)
    kind, fields = world.frame()
    assert kind == payload.BLOCK
    assert [fields["energy_%d_wh" % i] for i in range(4)] == [100, 110, None, 130]


def test_events_are_told_once_in_order():
    world = World()
    world.read(100)
    for code in (10, 11):
        row = struct.pack(rows.EVENT_LAYOUT, _NOON_S, 5, code, 1, 0, 77, 0)
        world.rings[rows.EVENT].rows.append(row)
    found = [fields for kind, fields in world.frames(20) if kind == payload.EVENT]
    assert [event["code"] for event in found] == [10, 11]
    assert found[0]["data"] == 77
    assert found[0]["minute"] == (_NOON_S - payload.EVENT_EPOCH_UNIX_S) // 60


def test_what_does_not_fit_is_refused_with_name_and_numbers():
    world = World(FIELD)
    world.read(100)
    assert world.contents.fits(STREAM_PROFILE)
    assert world.contents.refused == ""
    assert world.contents.request(payload.BLOCK, 0, 24)
    assert not world.contents.request(payload.BLOCK, 24, 1)
    assert world.contents.refused == "BudgetError: REQUEST needs 25 of 24 frames a day"


def test_every_kind_of_payload_fits_or_is_refused_by_what_is_wrong():
    """In `field` a streaming hour can give way 18 times a day; no kind gets more than that."""
    for frame_type in payload.NAMES:
        world = World(FIELD)
        world.engine.streaming = STREAM_REGISTER
        world.contents._follow()
        contents = world.contents
        if frame_type in ASKABLE:
            assert contents.request(frame_type, 0, 18)
            assert not contents.request(frame_type, 18, 1)
            assert contents.refused == "BudgetError: REQUEST needs 25 of 24 frames a day"
        else:
            refused = False
            try:
                contents.request(frame_type, 0, 1)
            except CommandError:
                refused = True
            assert refused
            text = "CommandError: frames of type %d cannot be asked for" % frame_type
            assert contents.refused == text
    contents = World(FIELD).contents
    assert [contents.read(number) for number in range(9)] == [True] * 8 + [False]
    assert contents.refused == "BudgetError: READ would be the ninth request that waits"


def test_digest_needs_all_hours_and_the_key():
    day = _NOON_S // 86400 - 1
    world = World()
    world.read(100)
    for hour in range(24 * day, 24 * day + 24):
        world.hour(hour, 1000 + hour % 24 * 10)
    assert world.contents.request(payload.DIGEST, day, 2)
    first = world.frame()
    assert first[0] == payload.DIGEST
    assert first[1]["day"] == day & 255
    # The day after has no hours: its digest is another one, over missing codes.
    second = world.frame()
    assert second[1]["whole"] != first[1]["whole"]


def test_an_answer_that_was_cut_off_is_said_again():
    world = World()
    world.read(100)
    world.contents.schedule.add_answer(0x28, 0, 5)
    first = world.frame()
    assert first[0] == payload.ACK
    world.contents.again()
    assert world.frame() == first
    assert world.frame()[0] != payload.ACK
    world.contents.again()
    assert world.frame()[0] != payload.ACK
