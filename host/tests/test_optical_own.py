"""The module's own tables as a person reads them, and what is not decoded for a stranger."""

import json
import struct

from endpoint import programming
from endpoint.metering import rows
from wattline.optical.decode import Decoder

MODULE = b"WLINFASY0624" + bytes([1, 0, 18, 0]) + b"%016d" % 4711
# Least significant byte first, no times, tables 0 and 1 and manufacturer tables 0 to 31.
CONFIG = bytes([2, 0x0A, 0xBB]) + b"WLIN" + bytes([2, 0, 64, 64, 1, 0, 1, 4, 0, 0, 0, 0])
CONFIG += b"\x2b" + b"\xff" * 4 + b"\x00" * 5


def decoder(who=MODULE):
    made = Decoder()
    made.learn(0, CONFIG)
    made.learn(1, who)
    return made


def values(fields):
    return {field.name: field.value for field in fields}


def test_texts_are_shown_by_name():
    status = {"eid": 4711, "display": [1, 2], "total": {"wh": 12, "sign": "+"}, "fault": None}
    data = json.dumps(status).encode()
    fields, remark = decoder().fields(programming.STATUS, data)
    assert remark == ""
    assert values(fields) == {
        "eid": 4711,
        "display": [1, 2],
        "total.wh": 12,
        "total.sign": "+",
        "fault": None,
    }
    assert {(field.offset, field.size) for field in fields} == {(0, len(data))}


def test_rows_of_a_ring_are_shown_with_number_and_fields():
    row = struct.pack(rows.EVENT_LAYOUT, 1_700_000_000, 99, 7, 3, 0, -5, 6)
    head = struct.pack(programming.RING_HEAD, 10, 12, len(row), rows.EVENT)
    data = head + row + b"\xff" * len(row)
    fields, remark = decoder().fields(programming.RINGS + rows.EVENT, data)
    assert remark == ""
    found = values(fields)
    assert (found["first row"], found["next row"]) == (10, 12)
    assert found["row 10"] == {
        "utc_s": 1_700_000_000,
        "life_s": 99,
        "code": 7,
        "clock_bound_s": 3,
        "a": -5,
        "b": 6,
    }
    assert found["row 11"] is None, "lost to the flash"
    assert fields[-1].offset + fields[-1].size == len(data)


def test_every_ring_of_the_module_has_rows_that_are_decoded():
    for ring in range(rows.RINGS):
        if not rows.FIELDS[ring]:
            continue
        row = bytes(struct.calcsize(rows.LAYOUTS[ring]))
        head = struct.pack(programming.RING_HEAD, 0, 1, len(row), ring)
        fields, _ = decoder().fields(programming.RINGS + ring, head + row)
        assert isinstance(values(fields)["row 0"], dict), ring


def test_what_is_no_text_or_of_another_maker_stays_hexadecimal():
    for who, data in ((MODULE, b"\xff\x00"), (MODULE, b"[1]"), (b"ELSE" + MODULE[4:], b"{}")):
        fields, remark = decoder(who).fields(programming.STATUS, data)
        assert (fields, remark) == ([], "layout not known")


def test_a_part_of_a_text_says_so():
    made = decoder()
    made.learn(programming.STATUS, b'{"eid": 1}')
    assert made.fields(programming.STATUS, b'": 1}', 5) == ([], "a part of a text")


def test_a_head_that_lies_ends_with_the_data():
    head = struct.pack(programming.RING_HEAD, 0, 0xFFFFFFFF, 16, 200)
    fields, _ = decoder().fields(programming.RINGS, head + bytes(40))
    assert [field.name for field in fields[4:]] == ["row 0", "row 1"]
