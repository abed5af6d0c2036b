"""C12.19 tables by their own dimensions: the sheet's examples and any mix of options."""

from binascii import unhexlify

from endpoint.optical import schema, tables
from endpoint.optical.decimals import read_number, write_number, write_signed
from endpoint.optical.formats import NI_BYTES, FormatError, number, signed
from endpoint.optical.schema import Dimensions, MissingTable, decode, encode, place
from endpoint.optical.times import LTIME, STIME, TIME, date_of, read_time, seconds_of, write_time

ST0 = unhexlify("020a8854455354020010100100070102000100ab99e198031690010906a000000000040001")


class Dice:
    """The same pseudo-random numbers in both worlds."""

    def __init__(self, seed):
        self._state = seed

    def below(self, limit):
        self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self._state >> 12) % limit

    def bytes(self, count):
        return bytes([self.below(256) for _ in range(count)])


def raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def config(**changes):
    """Return ST-0 of a device with every table; the changes are fields of its three controls."""
    control = {
        "DATA_ORDER": 0,
        "CHAR_FORMAT": 1,
        "TM_FORMAT": 2,
        "DATA_ACCESS_METHOD": 3,
        "ID_FORM": 0,
        "INT_FORMAT": 0,
        "NI_FORMAT1": 8,
        "NI_FORMAT2": 8,
        "STD_VERSION_NO": 1,
    }
    control.update(changes)
    return {
        "FORMAT_CONTROL_1": {key: control[key] for key in ("DATA_ORDER", "CHAR_FORMAT")},
        "FORMAT_CONTROL_2": {
            key: control[key]
            for key in ("TM_FORMAT", "DATA_ACCESS_METHOD", "ID_FORM", "INT_FORMAT")
        },
        "FORMAT_CONTROL_3": {key: control[key] for key in ("NI_FORMAT1", "NI_FORMAT2")},
        "DEVICE_CLASS": b"TEST",
        "NAMEPLATE_TYPE": 2,
        "STD_VERSION_NO": control["STD_VERSION_NO"],
        "DIM_STD_TBLS_USED": 10,
        "DIM_MFG_TBLS_USED": 1,
        "DIM_STD_PROC_USED": 3,
        "DIM_MFG_PROC_USED": 2,
        "DIM_MFG_STATUS_USED": 3,
        "STD_TBLS_USED": schema.numbers(),
        "MFG_TBLS_USED": [0, 7],
        "STD_PROC_USED": [0, 9, 23],
    }


def learned(values, *more):
    """Return dimensions with ST-0 of these values, and of further (number, bytes)."""
    d = Dimensions()
    d.learn(0, encode(0, values, d))
    for number_, data in more:
        d.learn(number_, data)
    return d


def test_the_sheet_s_example_of_ST0_decodes_and_encodes():
    d = Dimensions()
    values = d.learn(0, ST0)
    assert values["FORMAT_CONTROL_2"]["TM_FORMAT"] == 2
    assert values["DEVICE_CLASS"] == b"TEST"
    assert values["STD_TBLS_USED"] == [
        0, 1, 3, 5, 7, 8, 11, 12, 15, 16, 21, 22, 23, 27, 28, 31, 32, 33, 41, 42, 44, 52, 55,
    ]  # fmt: skip
    assert values["STD_PROC_USED"] == [0, 3, 9, 10]
    assert values["STD_TBLS_WRITE"] == [5, 7, 42]
    assert d.uses(schema.MT) and not d.uses(schema.MT | 1) and d.uses(55) and not d.uses(4)
    assert encode(0, values, d) == ST0
    assert schema.size(0, d) == len(ST0) == 37


def test_the_sheet_s_example_of_registers():
    d = Dimensions()
    d.learn(0, ST0)
    d.learn(11, unhexlify("0003000000000203"))
    d.learn(21, unhexlify("00000002000000000001"))
    units = decode(12, unhexlify("00400200008001000" + "0c10700"), d)["UOM_ENTRY"]
    assert [unit["ID_CODE"] for unit in units] == [0, 0, 0]
    assert units[2]["TIME_BASE"] == 1 and units[2]["NET_FLOW_ACCOUNTABILITY"] == 1
    assert units[0]["Q1_ACCOUNTABILITY"] == units[0]["Q4_ACCOUNTABILITY"] == 1
    flags = decode(16, unhexlify("111111"), d)["SOURCES_LIST"]
    assert [flag["ENGINEERING_UNITS"] for flag in flags] == [1, 1, 1]
    assert decode(22, b"\x00\x01", d)["SUMMATION_SELECT"] == [0, 1]
    registers = decode(23, unhexlify("40e2010015030000"), d)
    assert registers["TOT_DATA_BLOCK"]["SUMMATIONS"] == [123456, 789]
    assert registers["TIER_DATA_BLOCK"] == []
    assert decode(27, b"\x02", d)["PRESENT_VALUE_SELECT"] == [2]
    assert decode(28, unhexlify("d2040000"), d)["PRESENT_VALUE"] == [1234]


def test_the_sheet_s_units_encode():
    d = learned(config(), (11, bytes([0, 1, 0, 0, 0, 0, 2, 1])))
    quadrants = {"Q1_ACCOUNTABILITY": 1, "Q4_ACCOUNTABILITY": 1}
    for fields, text in (
        ({}, "00400200"),
        ({"MULTIPLIER": 2}, "00500200"),
        ({"TIME_BASE": 4}, "00440200"),
    ):
        unit = dict(quadrants)
        unit.update(fields)
        assert encode(12, {"UOM_ENTRY": [unit]}, d) == unhexlify(text)
    volts = {"ID_CODE": 8, "TIME_BASE": 1, "MULTIPLIER": 5, "SEGMENTATION": 5}
    assert encode(12, {"UOM_ENTRY": [volts]}, d) == unhexlify("08292800")
    assert encode(12, {"UOM_ENTRY": [{"ID_CODE": 51}]}, d) == unhexlify("33000000")


def test_sizes_that_the_sheet_states():
    d = learned(config())
    for table, size in (
        (1, 32), (2, 33), (3, 7), (5, 20), (6, 230), (11, 8), (21, 10), (31, 10), (41, 6),
        (51, 9), (52, 7), (71, 9), (61, 7 + 4 * 6),
    ):  # fmt: skip
        assert schema.size(table, d) == size, table
    assert schema.size(1, learned(config(ID_FORM=1))) == 24
    assert schema.size(5, learned(config(ID_FORM=1))) == 10
    assert schema.size(71, learned(config(STD_VERSION_NO=2))) == 12
    d = learned(config())
    d[0]["STD_TBLS_USED"].remove(65)
    d[0]["STD_TBLS_USED"].remove(66)
    d[0]["STD_TBLS_USED"].remove(67)
    assert schema.size(61, d) == 13


def test_tables_of_the_sheet_s_session():
    d = Dimensions()
    d.learn(0, ST0)
    identity = decode(1, b"TESTECDOR 1\x20\x01\x02\x03\x040000000012345678", d)
    assert identity["MFG_SERIAL_NUMBER"] == "0000000012345678"
    assert identity["FW_REVISION_NUMBER"] == 4
    assert decode(5, b"  METER-0001        ", d)["IDENTIFICATION"] == "METER-0001"
    procedure = {"TABLE_IDB": {"PROC_NBR": 9}, "SEQ_NBR": 0x2A, "PARAMETERS": b"\x01"}
    assert encode(7, procedure, d) == unhexlify("09002a01")
    response = decode(8, unhexlify("09002a0001"), d)
    assert response["RESULT_CODE"] == 0 and response["RESP_DATA"] == b"\x01"
    clock = decode(52, unhexlify("0d010501170f46"), d)
    assert clock["CLOCK_CALENDAR"] == "2013-01-05 01:23:15"
    assert clock["TIME_DATE_QUAL"]["DAY_OF_WEEK"] == 6
    assert encode(52, clock, d) == unhexlify("0d010501170f46")


def test_tier_switch_of_the_sheet():
    limits = {"NBR_TIER_SWITCHES": 1, "TIME_FUNC_FLAG2": {"SEPARATE_SUM_DEMANDS_FLAG": 1}}
    d = learned(config())
    d.learn(51, encode(51, limits, d))
    at_17_30 = {"NEW_TIER": 2, "SUMMATION_SWITCH_FLAG": 1, "SWITCH_MIN": 30, "SWITCH_HOUR": 17}
    data = encode(54, {"TIER_SWITCHES": [{"TIER_SWITCH": at_17_30}]}, d)
    assert data[:2] == unhexlify("ca8b")


def test_numbers_in_every_format_both_ways():
    for code in range(len(NI_BYTES)):
        for most_first in (False, True):
            for int_format in (0, 1, 2):
                for value, e4 in (
                    (0, 0),
                    (1, 10000),
                    (99999, 999990000),
                    (1234567, 12345670000),
                    (-1234567, -12345670000),
                    ("-0.5", -5000),
                    ("123.4567", 1234567),
                ):
                    try:
                        data = write_number(value, code, most_first, int_format)
                    except FormatError:
                        continue
                    assert len(data) == NI_BYTES[code]
                    back = read_number(data, 0, code, most_first, int_format)
                    assert back == value, (code, value, back)
                    assert number(data, 0, code, most_first, int_format, 4) == e4
    assert write_number(1234567, 7, False, 0) == unhexlify("87d612")
    assert write_number(-1234567, 9, False, 0) == unhexlify("7929edffff")
    assert write_number(1234567, 1, False, 0) == unhexlify("38b49649")
    assert write_number(1234567, 0, False, 0) == unhexlify("0000000087d63241")
    assert write_number("123.4567", 4, False, 0) == unhexlify("87d61200")
    assert write_number(1234567, 5, False, 0) == unhexlify("000001234567")


def test_numbers_that_do_not_fit_are_refused():
    for value, code in (
        (1 << 23, 7),
        ("0.5", 8),
        (-1, 6),
        (100000000, 6),
        (1234567, 3),
        ("1.00001", 4),
        (10**39, 1),
        (-(10**400), 0),
        ("1e3", 8),
        ("", 8),
        (0, 14),
    ):
        assert raises(FormatError, write_number, value, code, False, 0), (value, code)


def test_negative_integers_in_the_three_notations():
    for int_format, text in ((0, "79 29 ED"), (1, "78 29 ED"), (2, "87 D6 92")):
        raw = unhexlify(text.replace(" ", ""))
        assert write_signed(-1234567, 3, False, int_format) == raw
        assert signed(raw, 0, 3, False, int_format) == -1234567
    assert raises(FormatError, write_signed, -128, 1, False, 2)
    assert raises(FormatError, write_signed, 0, 1, False, 3)


def test_floats_read_as_the_shortest_decimal():
    for text, code, value in (
        ("3f8020c5", 1, "1.001"),
        ("3fb999999999999a", 0, "0.1"),
        ("00000001", 1, "0." + "0" * 44 + "1"),
        ("7f7fffff", 1, 34028235 * 10**31),
        ("4b800001", 1, 16777218),
        ("bf000000", 1, "-0.5"),
    ):
        data = unhexlify(text)
        assert read_number(data, 0, code, True, 0) == value, text
        assert write_number(value, code, True, 0) == data
    assert raises(FormatError, read_number, unhexlify("7f800000"), 0, 1, True, 0)
    assert raises(FormatError, read_number, unhexlify("7fc00000"), 0, 1, True, 0)


def test_times_of_the_sheet_in_every_format():
    date = (2013, 1, 5, 1, 23, 15)
    minute = date[:5] + (0,)
    for tm_format, long, short in (
        (1, "130105012315", "1301050123"),
        (2, "0d010501170f", "0d01050117"),
        (3, "133159010f", "13315901"),
        (4, "8380e750", "7480e750"),
    ):
        assert write_time(date, LTIME, tm_format, False) == unhexlify(long)
        assert read_time(unhexlify(long), 0, LTIME, tm_format, False) == date
        assert write_time(date, STIME, tm_format, False) == unhexlify(short)
        assert read_time(unhexlify(short), 0, STIME, tm_format, False) == minute
        never = (0, 0, 0, 0, 0, 0)
        zeros = bytes(len(long) // 2)
        assert write_time(never, LTIME, tm_format, False) == zeros
        assert read_time(zeros, 0, LTIME, tm_format, False) == never
    assert write_time((1, 23, 15), TIME, 1, False) == unhexlify("012315")
    assert read_time(unhexlify("01170f"), 0, TIME, 2, False) == (1, 23, 15)
    assert write_time(date, LTIME, 4, True) == unhexlify("50e78083")
    assert write_time(date, LTIME, 0, False) == b""
    assert raises(FormatError, read_time, b"", 0, LTIME, 0, False)
    assert raises(FormatError, read_time, bytes(4), 0, TIME, 3, False)
    assert raises(FormatError, write_time, (1, 2, 3), TIME, 4, False)


def test_every_day_of_the_calendar_goes_both_ways():
    before = None
    for day in range(0, 49710, 7):
        date = date_of(day * 86400 + 86399)
        assert seconds_of(date) == day * 86400 + 86399
        assert before is None or date > before
        before = date
    assert date_of(951782400) == (2000, 2, 29, 0, 0, 0)
    assert seconds_of((2099, 12, 31, 23, 59, 59)) == 4102444799


def test_impossible_times_are_refused():
    for fields in (
        (2013, 2, 29, 0, 0, 0),
        (2100, 2, 29, 0, 0, 0),
        (2013, 13, 1, 0, 0, 0),
        (2013, 0, 1, 0, 0, 0),
        (2013, 4, 31, 0, 0, 0),
        (2013, 1, 1, 24, 0, 0),
        (2013, 1, 1, 0, 60, 0),
        (2013, 1, 1, 0, 0, 60),
        (1989, 1, 1, 0, 0, 0),
        (2090, 1, 1, 0, 0, 0),
    ):
        assert raises(FormatError, write_time, fields, LTIME, 2, False), fields
    for text, tm_format in (
        ("0d0d01000000", 2),
        ("1a0101000000", 1),
        ("ffffffffff", 3),
        ("133159013c", 3),
        ("ffffffff", 4),
    ):
        assert raises(FormatError, read_time, unhexlify(text), 0, LTIME, tm_format, False)


def test_a_field_that_is_none_is_kept_as_it_was():
    d = learned(config(TM_FORMAT=1), (21, bytes([0, 0, 0, 2, 0, 0, 0, 0, 0, 0])))
    registers = decode(23, unhexlify("40e20100ffffffff"), d)
    sums = registers["TOT_DATA_BLOCK"]["SUMMATIONS"]
    assert sums == [123456, {"invalid": b"\xff\xff\xff\xff"}]
    assert encode(23, registers, d) == unhexlify("40e20100ffffffff")
    clock = decode(52, unhexlify("13ff0501231500"), d)
    assert clock["CLOCK_CALENDAR"] == {"invalid": unhexlify("13ff05012315")}
    assert encode(52, clock, d) == unhexlify("13ff0501231500")


def test_what_is_missing_or_wrong_is_named():
    d = Dimensions()
    assert raises(MissingTable, decode, 23, bytes(100), d)
    d.learn(0, ST0)
    assert raises(MissingTable, decode, 23, bytes(100), d)
    assert raises(FormatError, decode, 9, bytes(100), d)
    assert raises(FormatError, decode, 0, ST0[:-1], d)
    assert raises(FormatError, decode, 0, b"", d)
    assert raises(FormatError, d.learn, 0, ST0[:1] + b"\x0d" + ST0[2:])
    assert raises(FormatError, d.learn, 0, ST0[:2] + b"\xee" + ST0[3:])
    d.learn(21, bytes([0, 0, 0, 2, 0, 0, 0, 0, 0, 1]))
    assert raises(FormatError, decode, 23, bytes(7), d)
    assert raises(FormatError, encode, 23, {"NBR_DEMAND_RESETS": 1}, d)
    assert raises(FormatError, encode, 5, {"IDENTIFICATION": "x" * 21}, d)
    assert raises(FormatError, encode, 22, {"SUMMATION_SELECT": [0, 1, 2]}, d)
    assert raises(FormatError, encode, 22, {"SUMMATION_SELECT": [256]}, d)
    assert raises(FormatError, encode, 0, {"STD_TBLS_USED": [0]}, d)


def test_a_huge_claim_of_the_dimensions_costs_nothing():
    d = learned(config(TM_FORMAT=0))
    limits = {"SET1": {"NBR_BLKS_SET": 65535, "NBR_BLK_INTS_SET": 65535}}
    d.learn(61, encode(61, limits, d))
    d.learn(62, encode(62, {"SET1": {"INT_FMT_CDE": 1}}, d))
    assert decode(64, b"", d) == {"LP_DATA_SET": []}
    limits["SET1"]["NBR_CHNS_SET"] = 255
    d.learn(61, encode(61, limits, d))
    assert raises(FormatError, d.learn, 62, bytes(10))
    d.learn(62, encode(62, {"SET1": {"INT_FMT_CDE": 1}}, d))
    assert raises(FormatError, decode, 64, bytes(1000), d)


def test_places_by_index():
    d = learned(config())
    limits = {
        "REG_FUNC1_FLAGS": {"DEMAND_RESET_CTR": 1, "DATE_TIME_FIELD": 1},
        "NBR_SUMMATIONS": 3,
        "NBR_DEMANDS": 2,
        "NBR_OCCUR": 1,
        "NBR_TIERS": 2,
    }
    d.learn(21, encode(21, limits, d))
    block = 3 * 4 + 2 * (5 + 4)
    assert place(23, (0,), 1, d) == (0, 1)
    assert place(23, (1,), 1, d) == (1, block)
    assert place(23, (1, 0, 1), 2, d) == (1 + 4, 8)
    assert place(23, (1, 1, 1, 3), 1, d) == (1 + 12 + 9 + 5, 4)
    assert place(23, (2, 1), 1, d) == (1 + 2 * block, block)
    assert place(23, (0,), 3, d) == (0, schema.size(23, d))
    for indexes, count in (
        ((3,), 1),
        ((1, 0, 1), 3),
        ((1, 1, 1, 1), 1),  # this device has no cumulative demand
        ((0, 0), 1),
        ((2, 2), 1),
    ):
        assert raises(FormatError, place, 23, indexes, count, d), indexes


def random_device(dice):
    """Return the dimensions of a device with any mix of options, small enough to be quick."""
    d = learned(
        config(
            DATA_ORDER=dice.below(2),
            TM_FORMAT=dice.below(5),
            ID_FORM=dice.below(2),
            INT_FORMAT=dice.below(3),
            NI_FORMAT1=dice.below(14),
            NI_FORMAT2=dice.below(14),
            CHAR_FORMAT=dice.below(4),
            STD_VERSION_NO=dice.below(3),
        )
    )
    for table in (11, 21, 31, 41, 51, 61, 71):
        raw = bytearray(dice.below(4) for _ in range(schema.size(table, d)))
        raw[0] = dice.below(256)
        if table == 11:
            raw[6] = 2
        if table == 61:
            raw[4], raw[5] = dice.below(256), dice.below(256)
        if table in (31, 51, 61, 71):
            # Counts of 16 bits have to be small in either byte order.
            if d.most_first:
                raw = bytearray(raw)
                for i, byte in enumerate(raw[1:-1], 1):
                    if byte and raw[i + 1] < 4:
                        raw[i] = 0
            elif table != 61:
                for i in range(3, len(raw), 2):
                    raw[i] = raw[i] if table == 51 and i == 3 else 0
        try:
            d.learn(table, bytes(raw))
        except FormatError:
            raise AssertionError(table) from None
    for name, values in d[61].items():
        if name.startswith("SET"):
            values["NBR_BLKS_SET"] = dice.below(3)
            values["NBR_BLK_INTS_SET"] = dice.below(9)
    control = bytearray(schema.size(62, d))
    d.learn(62, bytes(control))
    for values in d[62].values():
        values["INT_FMT_CDE"] = 1 << dice.below(8)
    for table, names in (
        (31, ("NBR_DISP_SOURCES", "NBR_PRI_DISP_LIST_ITEMS", "NBR_SEC_DISP_LIST_ITEMS")),
        (41, ("NBR_PERM_USED",)),
        (51, ("NBR_TIER_SWITCHES",)),
        (71, ("NBR_HISTORY_ENTRIES", "NBR_EVENT_ENTRIES")),
    ):
        for name in names:
            d[table][name] = dice.below(5)
    return d


def test_random_tables_of_random_devices_survive_both_ways():
    """60 devices with any mix of options; every table: bytes, values, bytes, values."""
    dice = Dice(20)
    tried = 0
    for _ in range(60):
        d = random_device(dice)
        for table in schema.numbers():
            if table in (0, 62):
                continue
            data = dice.bytes(schema.size(table, d))
            values = decode(table, data, d)
            again = encode(table, values, d)
            assert len(again) == len(data), table
            assert decode(table, again, d) == values, table
            blank = encode(table, {}, d)
            assert len(blank) == len(data), table
            tried += 1
    assert tried > 3000


def test_the_lean_reader_agrees_with_the_description():
    """Sizes and places that a module computes, against those of the description."""
    dice = Dice(7)
    for _ in range(60):
        d = random_device(dice)
        lean = tables.Config(encode(0, d[0], d))
        registers = tables.Registers(encode(21, d[21], d))
        sources = tables.Sources(encode(11, d[11], d))
        assert registers.selection_bytes == schema.size(22, d)
        assert registers.current_bytes(lean) == schema.size(23, d)
        if d[21]["NBR_SUMMATIONS"]:
            last = d[21]["NBR_SUMMATIONS"] - 1
            assert registers.sum_at(last, lean) == place(23, (1, 0, last), 1, d)[0]
        if d[21]["NBR_PRESENT_VALUES"]:
            last = d[21]["NBR_PRESENT_VALUES"] - 1
            assert registers.present_at(last, lean) == place(28, (1, last), 1, d)[0]
        if d[11]["NBR_CONSTANTS_ENTRIES"]:
            assert sources.constant_bytes(lean) == place(15, (0, 0), 1, d)[1]
        assert lean.uses(23) and lean.uses(schema.MT | 7) and not lean.uses(schema.MT | 1)


def test_short_tables_are_refused_whole():
    dice = Dice(3)
    d = random_device(dice)
    for table in schema.numbers():
        size = schema.size(table, d)
        if size and table != 0:
            assert raises(FormatError, decode, table, bytes(size - 1), d), table


def test_garbage_ends_in_values_or_in_one_named_error():
    """Devices whose own tables are noise: FormatError is all that may come of them."""
    dice = Dice(11)
    decoded = refused = 0
    for _ in range(150):
        d = Dimensions()
        for table in (0, 11, 21, 31, 41, 51, 61, 62, 71):
            raw = bytearray(dice.bytes(140))
            if table == 0 and dice.below(4):
                raw[1] = raw[1] & 0xF8 | dice.below(5)
                raw[2] = dice.below(14) << 4 | dice.below(14)
                raw[13:17] = bytes([dice.below(12) for _ in range(4)])
            try:
                d.learn(table, raw)
            except FormatError:
                refused += 1
        for table in schema.numbers():
            raw = dice.bytes(dice.below(300))
            try:
                values = decode(table, raw, d)
                encode(table, values, d)
                decoded += 1
            except FormatError:
                refused += 1
            try:
                place(table, (dice.below(4), dice.below(3)), dice.below(3), d)
            except FormatError:
                pass
    assert decoded > 1000 and refused > 1000
