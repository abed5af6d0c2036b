"""The FOCUS AL reader against a small meter: what it learns, reads and refuses (R8, R11, F-3)."""

import micropython
from optical_tables import SERIAL, meter
from optical_wire import Wire

from endpoint.meter import errors
from endpoint.meter.focus import NO_CLOCK, NO_REVERSE, NO_VOLTAGE, FocusReader
from endpoint.optical import services
from endpoint.optical.client import C1218Client


def poll(reader, device, at_ms=0, spoil=None):
    wire = Wire(reader, device, spoil)
    wire.now_ms = at_ms
    reader.start(at_ms)
    wire.run(lambda: reader.done)
    return wire


def test_R8_first_contact_learns_and_reads():
    device, _ = meter()
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.OK
    reading = reader.reading
    assert reading.serial == SERIAL
    assert (reading.forward_wh, reading.reverse_wh) == (123456, 789)
    assert reading.voltage_dv == [2398, 0]
    assert reading.status == NO_CLOCK
    assert reader.model == b"FOCUSSIM"


def test_R11_later_polls_read_only_what_is_needed():
    device, tables = meter()
    reader = FocusReader()
    first = poll(reader, device)
    before = device.services
    for i in range(1, 4):
        tables.set(123456 + 100 * i, 789)
        wire = poll(reader, device, 60000 * i)
        assert reader.error == errors.OK
        assert reader.reading.forward_wh == 123456 + 100 * i
        # Identify 24, Logon 32, patch 36, serial 46, energy 38, volts 34, Terminate 20.
        assert wire.bytes == 230
    assert device.services - before == 3 * 7
    assert first.bytes > 500


def test_E3_registers_are_taken_modulo_100000_kWh():
    device, _ = meter(forward=99999999, reverse=100000001)
    reader = FocusReader()
    poll(reader, device)
    assert (reader.reading.forward_wh, reader.reading.reverse_wh) == (99999999, 1)


def test_E8_display_multiplier_is_applied_once():
    device, tables = meter(forward=1234567)
    tables.tables[0x801] = b"WLP\x01\x0a\x00"
    reader = FocusReader()
    poll(reader, device)
    assert reader.reading.forward_wh == 12345670


def test_X3_sentinel_is_a_format_error_and_not_a_value():
    device, tables = meter()
    reader = FocusReader()
    poll(reader, device)
    tables.tables[23] = b"\xff" * 4 + bytes(4)
    poll(reader, device, 60000)
    assert reader.error == errors.BAD_FORMAT
    assert reader.reading.forward_wh == 123456
    tables.set(123500, 789)
    poll(reader, device, 120000)
    assert reader.error == errors.OK
    assert reader.reading.forward_wh == 123500


def test_X3_negative_register_is_a_format_error():
    device, tables = meter()
    tables.tables[23] = b"\xfe\xff\xff\xff" + bytes(4)
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.BAD_FORMAT


def test_F3_missing_or_wrong_patch_is_not_logging():
    for patch in (None, b"WLP\x02\x01\x00", b"\xff" * 6, b"WLP\x01\x00\x00"):
        device, tables = meter()
        reader = FocusReader()
        poll(reader, device)
        assert reader.error == errors.OK
        if patch is None:
            del tables.tables[0x801]
        else:
            tables.tables[0x801] = patch
        poll(reader, device, 60000)  # within one poll cycle
        assert reader.error == errors.NOT_LOGGING
        other = FocusReader()
        poll(other, device, 120000)
        assert other.error == errors.NOT_LOGGING
        tables.tables[0x801] = b"WLP\x01\x01\x00"
        poll(reader, device, 180000)
        assert reader.error == errors.OK


def test_R18_another_serial_is_learned_before_its_registers_are_believed():
    device, _ = meter()
    reader = FocusReader()
    poll(reader, device)
    other, _ = meter(serial=b"SIM0000000000043", forward=5, reverse=6)
    poll(reader, other, 60000)
    assert reader.error == errors.OK
    assert reader.reading.serial == b"SIM0000000000043"
    assert (reader.reading.forward_wh, reader.reading.reverse_wh) == (5, 6)


def test_R18_a_swap_to_another_byte_order_is_noticed_first():
    device, _ = meter()
    reader = FocusReader()
    poll(reader, device)
    other, tables = meter(serial=b"SIM0000000000044")
    tables.tables[0] = b"\x03" + tables.tables[0][1:]
    tables.tables[12] = bytes([0, 2, 0x40, 0, 0, 1, 0x80, 0, 0, 8, 0x29, 8])
    tables.tables[23] = (77000).to_bytes(4, "big") + (3).to_bytes(4, "big")
    tables.tables[28] = (24012).to_bytes(4, "big")
    poll(reader, other, 60000)
    assert reader.error == errors.OK
    assert (reader.reading.forward_wh, reader.reading.reverse_wh) == (77000, 3)
    assert reader.reading.voltage_dv[0] == 2401


def test_R8_another_model_is_unsupported():
    device, tables = meter()
    tables.tables[1] = b"SIML" + b"OTHER   " + tables.tables[1][12:]
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.UNSUPPORTED_METER


def test_R8_meter_without_forward_energy_is_unsupported():
    device, tables = meter()
    tables.tables[22] = b"\x01\xff"
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.UNSUPPORTED_METER


def test_meter_without_reverse_register_reads_zero_and_says_so():
    device, tables = meter()
    tables.tables[22] = b"\x00\xff"
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.OK
    assert reader.reading.status == NO_REVERSE | NO_CLOCK
    assert (reader.reading.forward_wh, reader.reading.reverse_wh) == (123456, 0)


def test_denied_voltage_leaves_the_energy():
    for table in (27, 28):
        for code in (services.ISC, services.IAR, services.DLK):
            device, tables = meter()
            tables.refuse[table] = code
            reader = FocusReader()
            poll(reader, device)
            assert reader.error == errors.OK
            assert reader.reading.status == NO_VOLTAGE | NO_CLOCK
            assert reader.reading.forward_wh == 123456


def test_voltage_sentinel_leaves_the_energy():
    device, tables = meter()
    tables.tables[28] = b"\xff" * 4
    reader = FocusReader()
    poll(reader, device)
    assert (reader.error, reader.reading.status) == (errors.OK, NO_VOLTAGE | NO_CLOCK)


def test_denied_energy_is_refused_with_its_table():
    for code in (services.ISC, services.IAR, services.DLK):
        device, tables = meter()
        tables.refuse[23] = code
        reader = FocusReader()
        poll(reader, device)
        assert reader.error == errors.REFUSED
        assert reader.detail == 23 << 16 | code


def test_busy_meter_is_asked_again():
    device, tables = meter()
    reader = FocusReader()
    poll(reader, device)
    tables.refuse[23] = services.BSY
    wire = Wire(reader, device)
    wire.now_ms = 60000
    reader.start(60000)

    def done():
        if wire.now_ms > 62000:
            tables.refuse.clear()
        return reader.done

    wire.run(done)
    assert reader.error == errors.OK


def test_meter_that_stays_busy_is_given_up():
    device, tables = meter()
    tables.refuse[23] = services.DNR
    reader = FocusReader()
    wire = poll(reader, device)
    assert reader.error == errors.BUSY
    assert 10000 < wire.now_ms < 15000


def test_no_meter_is_no_answer():
    device, _ = meter()
    reader = FocusReader()
    wire = poll(reader, device, 0, lambda direction, data: b"")
    assert reader.error == errors.NO_ANSWER
    assert wire.now_ms < 10000
    poll(reader, device, wire.now_ms)  # waits until the meter has surely forgotten the session
    assert reader.error == errors.OK


def test_link_lost_in_mid_session_is_tried_once_more():
    device, _ = meter()
    reader = FocusReader()
    poll(reader, device)
    left = [3]

    def spoil(direction, data):
        left[0] -= direction == "C"
        return b"" if -3 < left[0] <= 0 else data

    wire = poll(reader, device, 60000, spoil)
    assert reader.error == errors.OK
    assert 13000 < wire.now_ms - 60000 < 15000  # 6 s until it is surely lost, 7 s of quiet


def test_a_session_left_open_is_ended_first():
    device, _ = meter()
    wire = Wire(C1218Client(), device)
    for request in (bytes([services.IDENTIFY]), services.logon_request(7, b"OTHER")):
        wire.client.start(request, wire.now_ms)
        wire.run(lambda: not wire.client.busy)
    reader = FocusReader()
    poll(reader, device, wire.now_ms + 100)
    assert reader.error == errors.OK


def test_meter_that_wants_to_begin_again_gets_one_more_session():
    for code in (services.RNO, services.ISSS):
        device, tables = meter()
        reader = FocusReader()
        tables.refuse[11] = code
        logons = []

        def logon(user_id, user, tables=tables, logons=logons):
            logons.append(user_id)
            if len(logons) == 2:
                tables.refuse.clear()
            return services.OK

        tables.logon = logon
        poll(reader, device)
        assert reader.error == errors.OK, code
        assert len(logons) == 2


def test_a_steady_poll_allocates_nothing():
    device, _ = meter()
    reader = FocusReader()
    for i in range(3):
        poll(reader, device, 60000 * i)
    tx, rx = reader.tx, device.tx
    now = 180000
    micropython.heap_lock()
    reader.start(now)
    while not reader.done:
        count = reader.tx_count
        reader.sent(now)
        now += 30
        device.feed(tx, count, now)
        device.tick(now)
        count = device.tx_count
        device.sent(now)
        now += 30
        reader.feed(rx, count, now)
        reader.tick(now)
        expected = reader.expected_bytes()
        due = reader.deadline_ms()
    micropython.heap_unlock()
    assert reader.error == errors.OK
    assert reader.reading.forward_wh == 123456
    assert expected == 0
    assert due is None


def test_D9_net_register_is_read_when_it_is_the_one_that_counts():
    device, tables = meter()
    tables.tables[12] = bytes([0, 0xC0, 7, 0]) + tables.tables[12][4:]
    reader = FocusReader()
    poll(reader, device)
    assert reader.error == errors.UNSUPPORTED_METER, "net is no forward energy"
    reader = FocusReader(net_only=True)
    poll(reader, device)
    assert (reader.error, reader.reading.forward_wh) == (errors.OK, 123456)
    tables.tables[23] = b"\x9c\xff\xff\xff" + bytes(4)
    poll(reader, device, 60000)
    assert (reader.error, reader.reading.forward_wh) == (errors.OK, 99999900)


def test_E7_reader_tells_by_how_much_the_meter_multiplies():
    device, tables = meter()
    tables.tables[0x801] = b"WLP\x01\x50\x00"
    reader = FocusReader()
    poll(reader, device)
    assert reader.reading.multiplier == 80
