"""What the module knows while nobody tells it the time (M-14, T-8), and the cap it reads (E-7)."""

from endpoint.metering import BadSetting
from endpoint.metering.engine import RECORD_BYTES, Engine
from endpoint.metering.tou import EVER_DAY, pack

SERIAL = b"1"
CAP_W = 72_000
POLL_S = 300
NOON_S = 1_811_851_200  # 2027-06-01 12:00 UTC


def house(hours, fallback=3):
    """Return an engine that read one Wh a minute, and twenty in its third quarter hour."""
    engine = Engine(CAP_W, True, False, 18, poll_s=POLL_S)
    engine.configure_demand(15, 15)
    season = ((1, 1, 0, 0, 0, 0),)
    engine.install_schedule(pack(1, 4, fallback, EVER_DAY, season, [[(0, 0)]]), 0, 0)
    wh = 0
    engine.on_read(SERIAL, wh, 0, 0)
    for at_s in range(POLL_S, hours * 3600 + 1, POLL_S):
        wh += 100 if 1800 < at_s <= 2700 else 5
        engine.on_read(SERIAL, wh, 0, at_s)
    return engine


def again(engine):
    """Return an engine that goes on from the record of another."""
    record = bytearray(RECORD_BYTES)
    engine.pack_into(record)
    other = Engine(CAP_W, True, False, 18, poll_s=POLL_S)
    other.unpack_from(record)
    copy = bytearray(RECORD_BYTES)
    other.pack_into(copy)
    assert copy == record
    return other


def test_M14_a_peak_without_a_time_has_an_uptime():
    engine = house(2)
    assert engine.undated.is_on and engine.undated.last_w == 60
    assert (engine.undated.peak_w, engine.undated.peak_up_s) == (1200, 2700)
    assert engine.demand.peak_w == 0 and engine.unplaced_wh == 405
    assert again(engine).undated.peak_w == 1200
    engine.on_time(NOON_S + 7200, 7200)
    assert not engine.undated.is_on
    assert (engine.demand.peak_w, engine.demand.peak_s) == (1200, NOON_S + 2700)


def test_T8_a_full_buffer_gives_the_oldest_to_the_fallback_rate():
    engine = house(40)
    gone_wh = engine.rates_wh[3]
    assert 285 + 12 * 60 <= gone_wh + 60 and engine.estimated_wh == gone_wh
    assert engine.total_wh == 40 * 60 + 285 == gone_wh + engine.unplaced_wh
    assert engine.ledger()[2] == 0
    engine.on_time(NOON_S + 40 * 3600, 40 * 3600)
    engine.on_tick(40 * 3600)
    assert engine.unplaced_wh == 0 and engine.rates_wh[0] == engine.total_wh - gone_wh
    assert engine.ledger()[2] == 0
    assert (engine.demand.peak_w, engine.demand.peak_s) == (1200, NOON_S + 2700)


def test_T8_a_day_waits_whole():
    engine = house(24)
    assert engine.rates_wh[3] == 0 and engine.unplaced_wh == engine.total_wh


def test_E7_the_cap_follows_the_multiplier_and_the_record_keeps_it():
    engine = Engine(7_200, True, False, 18)
    engine.configure_cap(40)
    engine.on_read(SERIAL, 0, 0, 0)
    other = Engine(7_200, True, False, 18)
    record = bytearray(RECORD_BYTES)
    engine.pack_into(record)
    other.unpack_from(record)
    assert other.multiplier == 40
    assert engine.on_read(SERIAL, 250_000, 0, 3600) == 250_000
    for nonsense in (0, 65_536, "40"):
        try:
            engine.configure_cap(nonsense)
        except BadSetting:
            assert engine.multiplier == 40
        else:
            raise AssertionError(nonsense)


def test_V1_artefacts_do_not_say_out_of_limits():
    engine = Engine(CAP_W, True, False, 18, nominal_dv=1200)
    engine.on_time(NOON_S, 0)
    engine.on_read(SERIAL, 0, 0, 0)
    engine.on_voltage(1_000, 1184)
    engine.on_voltage(59_600, 710)
    engine.on_dark(60_000)
    engine.on_lit(90_000)
    engine.on_voltage(91_000, 952)
    engine.on_read(SERIAL, 10, 0, 120)
    assert engine.voltage.is_fit and not engine.placement.hour.flags & 0x100
    engine.on_voltage(120_000, 952)
    engine.on_read(SERIAL, 20, 0, 180)
    assert not engine.voltage.is_fit and engine.placement.hour.flags & 0x100
