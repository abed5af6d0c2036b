"""Every billing value by name, and what the console shows of it (E-2, D-5, N2)."""

import json

from endpoint import programming
from endpoint.metering.engine import MAXIMUM, PROGRAMMED, RECORD_BYTES, STREAM_REGISTER, Engine
from endpoint.metering.tou import EVER_DAY, pack
from endpoint.optical.access import GuardedTables
from endpoint.readings import dials, readings, utc_text
from endpoint.tasks.console import Console

_START_S = 1_804_990_000
_SCHEDULE = pack(7, 2, 0, EVER_DAY, ((1, 1, 0, 0, 0, 0),), (((0, 0), (7 * 60, 1), (21 * 60, 0)),))


def engine(**more):
    made = Engine(
        **dict({"cap_w": 72_000, "detent": True, "net": False, "firmware_version": 18}, **more)
    )
    made.on_time(_START_S, 0)
    return made


def lived(**more):
    """Return an engine that has measured an hour with a schedule."""
    made = engine(**more)
    made.install_schedule(_SCHEDULE, 0, 0)
    for i in range(62):
        made.on_read(b"SIM-42", 5_000_000 + 50 * i, 10 * i, 60 * i)
        made.on_voltage(60_000 * i, 2400 - i)
        made.on_tick(60 * i)
    return made, 60 * 61


def leaves(value):
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def test_E2_dials_have_five_digits_and_roll():
    assert dials(123_456_789)["dial"] == "23456"
    assert dials(999)["dial"] == "00000"
    assert dials(99_999_999)["dial"] == "99999"
    assert dials(100_000_000)["dial"] == "00000"


def test_D5_a_negative_net_has_its_sign_beside_the_dials():
    assert dials(-1) == {"wh": -1, "dial": "99999", "sign": "-"}
    assert dials(-1000)["dial"] == "99999"
    assert dials(-1001)["dial"] == "99998"
    assert dials(0)["sign"] == "+"


def test_times_are_iso_8601_and_unknown_is_none():
    assert utc_text(0) is None
    assert utc_text(1_804_990_000) == "2027-03-14T02:06:40Z"
    assert utc_text(951_782_399) == "2000-02-28T23:59:59Z"
    assert utc_text(951_868_799) == "2000-02-29T23:59:59Z"


def test_a_module_that_has_seen_nothing_has_no_values_that_are_no_values():
    found = readings(Engine(72_000, True, False, 18), 5)
    assert found["state"] == "NOT_STARTED"
    assert found["voltage"]["now_dv"] is None
    assert found["voltage"]["today"]["minimum_dv"] is None
    assert found["demand"]["peak"] == {"w": 0, "at": None, "uptime_s": None}
    assert found["clock"]["utc"] is None and not found["clock"]["known"]
    assert found["tou"]["rate_now"] is None
    assert found["streaming"]["quantity"] is None


def test_N2_everything_that_was_credited_is_read_and_the_ledger_is_zero():
    made, now_s = lived()
    found = readings(made, now_s)
    assert found["state"] == "LOGGING"
    assert found["energy"]["meter"] == "SIM-42"
    assert found["energy"]["forward_register_wh"] == 5_000_000 + 50 * 61
    assert found["energy"]["reverse_wh"] == 610
    assert found["total"]["wh"] == made.total_wh == found["energy"]["billed_wh"]
    placed_wh = sum([rate["wh"] for rate in found["rates"].values()])
    energy, base_wh = found["energy"], found["rateless_wh"] + found["unplaced_wh"]
    assert placed_wh + base_wh == energy["forward_wh"] + energy["counted_reverse_wh"]
    assert found["ledger"]["difference_wh"] == 0
    assert found["demand"]["peak"]["w"] == 3000
    assert found["demand"]["peak"]["at"].startswith("2027-03-14T")
    assert found["voltage"]["now_dv"] == made.voltage.now_dv() < 2400
    assert found["tou"]["schedule"] == 7 and found["tou"]["rate_now"] == "A"
    assert found["clock"]["utc"] == utc_text(_START_S + now_s)


def test_a_setting_that_waits_for_a_good_read_says_so():
    made, now_s = lived()
    assert not readings(made, now_s)["settings"]["waiting"]
    made.configure(True, True)
    assert readings(made, now_s)["settings"]["waiting"]
    made.on_read(b"SIM-42", 5_000_000 + 50 * 62, 620, now_s + 60)
    found = readings(made, now_s + 60)["settings"]
    assert (found["quantity"], found["waiting"]) == ("net", False)


def test_D7_streaming_and_frozen_values_and_restarts_are_read():
    made, now_s = lived()
    made.activate_streaming(STREAM_REGISTER, MAXIMUM, True, True)
    made.freeze(now_s)
    made.reset_demand(9, now_s)
    record = bytearray(RECORD_BYTES)
    made.pack_into(record)
    made = Engine(72_000, True, False, 18)
    made.unpack_from(record)
    made.on_restart(PROGRAMMED, 0, _START_S + now_s)
    found = readings(made, 1)
    assert found["streaming"] == {
        "mode": "register",
        "quantity": "delivered",
        "extreme": "maximum",
    }
    assert found["demand"]["frozen"]["count"] == 1
    assert found["demand"]["frozen"]["peak"]["w"] == 3000
    assert found["demand"]["resets"] == 1 and found["demand"]["previous"]["w"] == 3000
    assert found["demand"]["peak"]["w"] == 0
    assert found["restarts"]["programmed"] == 1


def test_a_json_text_takes_all_of_it():
    made, now_s = lived()
    found = readings(made, now_s)
    assert json.loads(json.dumps(found)) == found
    for leaf in leaves(found):
        assert leaf is None or isinstance(leaf, (int, bool, str)), leaf


class Ring:
    row_bytes = 4
    first = 7
    next = 500

    def read(self, number, buffer):
        buffer[:] = bytes([number & 0xFF] * 4)
        return True


class Module:
    def __init__(self):
        self.rings = [Ring()]
        made, now_s = lived()
        self._text = json.dumps(readings(made, now_s)).encode()
        self.served = []

    def text(self, table):
        self.served.append(table)
        return self._text


def console():
    module = Module()
    rights = programming.rules(len(module.rings))
    tables = GuardedTables(
        programming.ModuleTables(module), rights, open_groups=programming.READERS
    )
    return module, Console(lambda: {"state": "running"}, tables)


def test_the_console_gives_all_readings_in_one_line():
    _, shown = console()
    text = shown.reply("readings")
    assert "\n" not in text
    assert json.loads(text)["ledger"]["difference_wh"] == 0


def test_the_console_shows_parts_of_tables_with_their_length():
    module, shown = console()
    whole = b""
    while True:
        part = json.loads(shown.reply("table 2050 %d 100" % len(whole)))
        assert (part["table"], part["offset"]) == (2050, len(whole))
        whole += bytes.fromhex(part["hex"])
        if len(whole) == part["bytes"]:
            break
    assert json.loads(whole) == json.loads(shown.reply("readings"))
    assert module.served.count(2050) == 2, "a text read in pieces is of one moment"
    part = json.loads(shown.reply("table 2064"))
    assert part["bytes"] == 12 + 4 * 493 and len(part["hex"]) == 2 * 512
    assert json.loads(shown.reply("table 2064 1976 100"))["hex"] == "f2" * 4 + "f3" * 4
    assert json.loads(shown.reply("table 2064 9999 100"))["hex"] == ""


def test_the_console_shows_no_keys_and_no_table_that_is_not_there():
    module, shown = console()
    for number in (programming.KEYS, 7, 999, 2049 + 1000, 2065, 4096):
        answer = json.loads(shown.reply("table %d" % number))
        assert answer["bytes"] < 0 and "hex" not in answer, number
    assert module.served == []


def test_the_console_helps_whoever_writes_something_else():
    _, shown = console()
    for line in ("table", "table x", "table 1 2", "table -1", "table 1 2 3 4", "rows", "?"):
        assert shown.reply(line).startswith("wattline endpoint"), line
    assert shown.reply("") == ""
    assert Console(dict).reply("readings").startswith("wattline endpoint")


def test_M14_a_peak_without_a_date_has_an_uptime():
    made = Engine(72_000, True, False, 18)
    for i in range(62):
        made.on_read(b"SIM-42", 5_000_000 + 50 * i, 0, 60 * i)
        made.on_tick(60 * i)
    peak = readings(made, 60 * 61)["demand"]["peak"]
    assert peak["w"] == 3000 and peak["at"] is None
    assert 0 < peak["uptime_s"] <= 60 * 61
