"""C12.19 numbers and dimension tables: the sheet's examples, in integers only (E-1, X-3)."""

from binascii import unhexlify

from endpoint.optical import formats, tables
from endpoint.optical.formats import FormatError, number, signed, unsigned


def of(text, code, exp10=0, most_first=False, int_format=0):
    return number(unhexlify(text), 0, code, most_first, int_format, exp10)


def refused(text, code, exp10=0, most_first=False):
    try:
        of(text, code, exp10, most_first)
    except FormatError:
        return True
    return False


def test_1234567_in_every_format():
    for code, text in (
        (formats.INT24, "87d612"),
        (formats.INT32, "87d61200"),
        (formats.INT40, "87d6120000"),
        (formats.INT48, "87d612000000"),
        (formats.INT64, "87d6120000000000"),
        (formats.FLOAT32, "38b49649"),
        (formats.FLOAT64, "0000000087d63241"),
        (formats.BCD8, "01234567"),
        (formats.BCD12, "000001234567"),
        (formats.BCD16, "0000000001234567"),
        (formats.TEXT12, "202020202031323334353637"),
        (formats.TEXT21, "202020202020202020203132333435363720202020"[:42]),
    ):
        assert of(text, code) == 1234567, code
        if code in (formats.INT24, formats.INT32, formats.INT48, formats.FLOAT32, formats.FLOAT64):
            data = unhexlify(text)
            turned = bytes(reversed(data))
            assert number(turned, 0, code, True, 0, 0) == 1234567, code


def test_negative_numbers():
    assert of("7929ed", formats.INT24) == -1234567
    assert of("7929edffff", formats.INT40) == -1234567
    assert of("38b496c9", formats.FLOAT32) == -1234567
    assert signed(b"\xfe\xff", 0, 2, False, 1) == -1
    assert signed(b"\x05\x80", 0, 2, False, 2) == -5


def test_four_implied_decimals():
    assert of("87d61200", formats.DECIMAL4) == 123
    assert of("87d61200", formats.DECIMAL4, 4) == 1234567
    assert of("87d61200", formats.DECIMAL4, 3) == 123456


def test_E1_kilowatt_hours_become_whole_watt_hours_without_floats():
    # 16 777 217 Wh does not survive a float of 24 bits.
    assert of("0000001000007041", formats.FLOAT64) == 16777217
    # The nearest float to 99 999.999 kWh is a little below it; 1.0009 kWh is plainly below 1.001.
    assert of("8b6ce7fbff69f840", formats.FLOAT64, 3) == 99999999
    assert of("f90fe9b7af03f03f", formats.FLOAT64, 3) == 1000
    assert of("20312e323334", formats.TEXT6, 3) == 1234
    assert of("31322e333435202020202020", formats.TEXT12, 3) == 12345
    assert of("0000803f", formats.FLOAT32, 3) == 1000
    assert of("0000003f", formats.FLOAT32, 0) == 0
    assert of("0000003f", formats.FLOAT32, 3) == 500


def test_X3_sentinels_and_odd_digits_are_format_errors():
    for code in range(14):
        assert refused("ff" * 21, code), code
    assert refused("0000807f", formats.FLOAT32)  # infinity
    assert refused("000000000000f07f", formats.FLOAT64)
    assert refused("0123456a", formats.BCD8)
    assert refused("0d234567", formats.BCD8)
    assert refused("202020202020202020202020", formats.TEXT12)
    assert refused("312e322e3334", formats.TEXT6)
    assert refused("31322d333435", formats.TEXT6)
    assert refused("00", 14)


def test_unsigned_in_both_orders():
    assert unsigned(b"\x00\x01\x02\x03", 1, 3, True) == 0x010203
    assert unsigned(b"\x00\x01\x02\x03", 1, 3, False) == 0x030201


def test_sheet_register_example():
    config = tables.Config(
        unhexlify("020a8854455354020010100100070102000100ab99e198031690010906a000000000040001")
    )
    assert config.uses(0)
    assert config.uses(55)
    assert not config.uses(4)
    assert config.uses(tables.MT)
    assert not config.uses(tables.MT | 1)
    assert config.offset_access
    assert not config.most_first
    dimensions = tables.Sources(unhexlify("0003000000000203"))
    units = unhexlify("004002000080010000c10700")
    sources = tables.read_sources(config, dimensions, units, b"\x11\x11\x11", b"")
    assert sources[0].unit.is_energy(0b1001)
    assert sources[1].unit.is_energy(0b0110)
    assert not sources[2].unit.is_energy(0b1001)
    registers = tables.Registers(unhexlify("00000002000000000001"))
    assert registers.current_bytes(config) == 8
    assert registers.sum_at(1, config) == 4
    assert registers.present_at(0, config) == 0
    data = unhexlify("40e2010015030000")
    assert number(data, 0, config.ni1, config.most_first, config.int_format, 0) == 123456
    assert number(data, 4, config.ni1, config.most_first, config.int_format, 0) == 789


def test_units_of_the_sheet():
    def unit(text):
        return tables.Unit(unhexlify(text), 0, False)

    assert unit("00500200").exp10 == 3
    assert unit("00500200").is_energy(0b1001)
    for text in ("00c00300", "00c00700", "00440200", "00c10700", "01c00000", "02c00300"):
        assert not unit(text).is_energy(0b1001), text
        assert not unit(text).is_energy(0b0110), text
    assert unit("08012800").is_voltage
    assert unit("08292800").is_voltage
    assert unit("08292800").exp10 == -2
    assert not unit("0c012800").is_voltage


def test_register_offsets_of_a_demand_meter():
    # STIME of 5 bytes (format 2), reset counter, date and time, cumulative demand; 2 tiers.
    config = tables.Config(unhexlify("020a87" + "54455354" + "0200101001000000000000" + "00"))
    assert (config.ni1_bytes, config.ni2_bytes) == (3, 4)
    registers = tables.Registers(bytes([0x56, 0, 0, 3, 2, 1, 2, 2, 1, 4]))
    demand = 2 * 5 + 3 + 2 * 4
    assert registers.current_bytes(config) == 1 + 3 * (3 * 3 + 2 * demand + 2 * 4)
    assert registers.sum_at(2, config) == 1 + 6
    assert registers.selection_bytes == 3 + 2 + 1 + 2
    assert registers.present_at(1, config) == (4 + 3) + 3


def test_constants_still_to_be_applied():
    config = tables.Config(unhexlify("020888" + "54455354" + "0200101001000000000000" + "00"))

    def number32(value):
        return value.to_bytes(4, "little")

    dimensions = tables.Sources(bytes([0x20, 1, 0, 0, 0, 1, 2, 1]))
    assert dimensions.constant_bytes(config) == 17
    for flag, factor in ((0, 12 * 40 * 2), (1, 12)):
        constants = number32(12) + number32(5) + bytes([flag]) + number32(40) + number32(2)
        (source,) = tables.read_sources(
            config, dimensions, unhexlify("00400200"), b"\x29", constants
        )
        assert source.multiplier_e6 == factor * 1000000
        assert source.offset_e6 == (5 if flag else 400) * 1000000
    (source,) = tables.read_sources(config, dimensions, unhexlify("00400200"), b"\x01", b"")
    assert source is None  # bare pulses: nobody says how much one is


def test_short_tables_are_format_errors():
    for make, size in ((tables.Config, 19), (tables.Sources, 8), (tables.Registers, 10)):
        for count in range(size):
            try:
                make(bytes(count))
            except FormatError:
                continue
            raise AssertionError((make, count))
