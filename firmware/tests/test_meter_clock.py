"""The meter's clock: told as seconds, never believed for energy (X-7, C-6)."""

from optical_tables import meter
from optical_wire import Wire

from endpoint.meter import errors
from endpoint.meter.clock import date_s
from endpoint.meter.focus import NO_CLOCK, FocusReader
from endpoint.optical import services
from endpoint.optical.formats import FormatError


class Config:
    def __init__(self, tm_format, most_first=False):
        self.tm_format = tm_format
        self.most_first = most_first


# 2013-01-05 01:23:15 as the standard's four formats carry it.
DATE_S = 1357348995
FORMS = (
    (1, False, b"\x13\x01\x05\x01\x23\x15"),
    (2, False, b"\x0d\x01\x05\x01\x17\x0f"),
    (3, False, b"\x13\x31\x59\x01\x0f"),
    (3, True, b"\x01\x59\x31\x13\x0f"),
    (4, False, b"\x83\x80\xe7\x50"),
    (4, True, b"\x50\xe7\x80\x83"),
)


def test_every_time_format_gives_the_same_second():
    for tm_format, most_first, data in FORMS:
        assert date_s(b"\x00" + data, 1, Config(tm_format, most_first)) == DATE_S


def test_leap_day_and_centuries():
    days = {
        (0, 2, 28): 951696000,
        (0, 2, 29): 951782400,
        (0, 3, 1): 951868800,
        (92, 12, 31): 725760000,
    }
    for (year, month, day), expected in days.items():
        assert date_s(bytes([year, month, day, 0, 0, 0]), 0, Config(2)) == expected


def test_what_is_no_date_is_refused():
    for tm_format, data in (
        (1, b"\x1a\x01\x05\x01\x23\x15"),
        (2, b"\x0d\x00\x05\x01\x17\x0f"),
        (2, b"\x0d\x0d\x05\x01\x17\x0f"),
        (2, b"\x0d\x01\x00\x01\x17\x0f"),
        (2, b"\x0d\x01\x05\x18\x17\x0f"),
        (2, b"\xff\xff\xff\xff\xff\xff"),
        (4, b"\xff\xff\xff\xff"),
    ):
        try:
            date_s(data, 0, Config(tm_format))
        except FormatError:
            continue
        raise AssertionError(data)


def clocked():
    device, tables = meter()
    config = bytearray(tables.tables[0])
    config[1] |= 2
    config[13] = 7
    tables.tables[0] = bytes(config[:23]) + b"\x00\x00\x10" + config[23:24] + bytes(20)
    tables.tables[52] = b"\x1b\x03\x0e\x01\x02\x03\x07"
    return device, tables


def poll(reader, device, at_ms=0):
    wire = Wire(reader, device)
    wire.now_ms = at_ms
    reader.start(at_ms)
    wire.run(lambda: reader.done)


def test_X7_clock_is_read_with_every_poll():
    device, tables = clocked()
    reader = FocusReader()
    poll(reader, device)
    assert (reader.error, reader.reading.status) == (errors.OK, 0)
    first_s = reader.reading.clock_s
    tables.tables[52] = b"\x1b\x03\x0e\x01\x03\x03\x07"
    poll(reader, device, 60000)
    assert reader.reading.clock_s - first_s == 60


def test_denied_or_senseless_clock_leaves_the_energy():
    device, tables = clocked()
    reader = FocusReader()
    poll(reader, device)
    tables.tables[52] = b"\xff" * 7
    poll(reader, device, 60000)
    assert (reader.error, reader.reading.status) == (errors.OK, NO_CLOCK)
    tables.refuse[52] = services.ISC
    poll(reader, device, 120000)
    assert (reader.error, reader.reading.status) == (errors.OK, NO_CLOCK)
