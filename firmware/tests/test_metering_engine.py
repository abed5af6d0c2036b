"""Rules D-1 to D-9, E-2, E-9, E-10, X-3 to X-8, C-4 and Q19 on the whole engine."""

import micropython
from flash_model import TEARS, FlashModel, PowerCut
from micropython import const

from endpoint.metering import (
    BadReading,
    MeteringError,
    NetNeedsDetent,
    NetNeedsFirmware,
    NotADetent,
    NotStarted,
    OneRegisterOnly,
    UnknownFormat,
)
from endpoint.metering.engine import RECORD_BYTES, UNKNOWN_GAP_S, Engine
from endpoint.metering.events import (
    FORWARD_AMBIGUOUS,
    FORWARD_JUMPED,
    METER_CHANGED,
    PRESET,
    REVERSE_AMBIGUOUS,
    REVERSE_JUMPED,
    SETTINGS_CHANGED,
    STARTED,
    Events,
)
from endpoint.metering.quantity import check, dial
from endpoint.store.journal import Journal

_CAP_W = const(72_000)
_FIRMWARE = const(20)
_METER = b"12345678"


def raises(error, action, *arguments):
    try:
        action(*arguments)
    except error:
        return True
    return False


class Bench:
    """An engine and a meter that is read once a minute."""

    def __init__(self, detent=True, net=False, **options):
        self.engine = Engine(_CAP_W, detent, net, _FIRMWARE, **options)
        self.mono_s = 0
        self.serial = _METER

    def read(self, forward_wh, reverse_wh=0, after_s=60, **options):
        self.mono_s += after_s
        return self.engine.on_read(self.serial, forward_wh, reverse_wh, self.mono_s, **options)

    def events(self):
        found = []
        while len(self.engine.events):
            found.append(self.engine.events.take())
        return found

    def restart(self):
        """Carry the engine through its record, as a restart does."""
        record = bytearray(RECORD_BYTES)
        assert self.engine.pack_into(record) <= RECORD_BYTES
        again = bytearray(RECORD_BYTES)
        self.engine = Engine(_CAP_W, True, False, _FIRMWARE)
        self.engine.unpack_from(record)
        self.engine.pack_into(again)
        assert again == record
        self.mono_s = 0


def test_E1_no_float_anywhere():
    bench = Bench()
    bench.read(99_999_998)
    bench.read(99_999_999)
    assert bench.engine.total_wh == 99_999_999
    assert isinstance(bench.engine.total_wh, int)
    assert dial(bench.engine.total_wh) == 99_999
    bench = Bench()
    bench.read(16_777_216)
    bench.read(16_777_217)
    assert bench.engine.total_wh == 16_777_217


def test_E2_dial_read():
    cases = ((0, 0), (999, 0), (1_000, 1), (99_999_999, 99_999), (100_000_000, 0))
    for wh, shown in cases + ((123_456_789, 23_456),):
        assert dial(wh) == shown


def test_E3_dial_over_a_turn():
    bench = Bench()
    bench.read(99_998_400)
    assert dial(bench.engine.total_wh) == 99_998
    assert bench.read(1_250, after_s=3600) == 2_850
    assert dial(bench.engine.total_wh) == 1
    assert bench.engine.total_wh == 100_001_250


def test_E4_a_step_backwards_credits_nothing():
    bench = Bench()
    bench.read(50_000_000)
    assert bench.read(49_999_000) == 0
    assert not bench.engine.is_good
    assert bench.engine.total_wh == 50_000_000


def test_E5_ambiguous_turns_are_flagged():
    bench = Bench()
    bench.read(40_000_000)
    bench.events()
    assert bench.read(39_000_000, after_s=60 * 86_400) == 99_000_000
    # The turns of the reverse register are just as unknowable.
    assert bench.events() == [
        (FORWARD_AMBIGUOUS, 99_000_000, 60 * 86_400),
        (REVERSE_AMBIGUOUS, 0, 60 * 86_400),
    ]
    assert bench.read(39_000_100) == 100
    assert bench.engine.ambiguous_steps == 1  # one read


def test_E6_the_engine_multiplies_nothing():
    bench = Bench()
    bench.read(1_000_000)
    assert bench.read(1_040_000, after_s=3600) == 40_000


def test_E9_the_sum_of_dials_is_not_the_dial_of_the_sum():
    rates = (10_750, 10_750, 10_750, 10_750)
    assert [dial(wh) for wh in rates] == [10] * 4
    assert dial(sum(rates)) == 43


_D_CASES = (  # forward, reverse, detent No, detent Yes, net
    (500, 200, 700, 500, 300),
    (0, 650, 650, 0, -650),
    (120, 120, 240, 120, 0),
    (500, 0, 500, 500, 500),
)


def test_D1_D2_D3_R66_to_R71_what_is_billed():
    for forward, reverse, both, one, net in _D_CASES:
        for detent, is_net, expected in (
            (False, False, both),
            (True, False, one),
            (True, True, net),
        ):
            bench = Bench(detent, is_net)
            bench.read(1_000, 2_000)
            before = bench.engine.total_wh
            assert bench.read(1_000 + forward, 2_000 + reverse) == expected
            assert bench.engine.total_wh == before + expected


def test_D3_R65_R73_R77_refusals_change_nothing():
    assert raises(NetNeedsDetent, check, False, True, 20)
    assert raises(NetNeedsFirmware, check, True, True, 16)
    check(True, True, 17)
    check(False, False, 11)
    for third in (2, None, "yes", 0, 1):
        assert raises(NotADetent, check, third, False, 20)
        assert raises(NotADetent, check, True, third, 20)
    for detent, net in ((True, False), (True, True), (False, False)):
        bench = Bench(detent, net)
        assert raises(NetNeedsDetent, bench.engine.configure, False, True)
        bench.read(5)
        assert (bench.engine.detent, bench.engine.net) == (detent, net)
    assert raises(NetNeedsFirmware, Engine, _CAP_W, True, True, 16)


def test_Q19_the_total_starts_where_the_meter_stands():
    for detent, net, opening in ((True, False, 7_000), (False, False, 7_400), (True, True, 6_600)):
        bench = Bench(detent, net)
        assert bench.read(7_000, 400) == 0
        assert bench.engine.total_wh == opening
        assert bench.events()[0] == (STARTED, 7_000, 400)


def test_D4_R74_net_passes_zero():
    bench = Bench()
    bench.read(5_000_000, 5_400_000)
    bench.engine.configure(True, True)
    assert bench.read(5_000_000, 5_400_000) == 0
    assert bench.engine.total_wh == -400_000
    assert dial(bench.engine.total_wh) == 99_600
    assert bench.read(5_000_000, 5_400_600) == -600
    assert bench.engine.total_wh == -400_600
    assert dial(bench.engine.total_wh) == 99_599
    bench.engine.preset(-100)
    assert bench.read(5_000_300, 5_400_600) == 300
    assert bench.engine.total_wh == 200
    # The bill by detent went on all the time.
    assert bench.engine.billed_wh == 5_000_300


def test_D5_dial_of_a_negative_net():
    for wh, shown in ((-1, 99_999), (-1_000, 99_999), (-1_001, 99_998), (-25_300, 99_974), (0, 0)):
        assert dial(wh) == shown


def test_D6_a_change_is_never_retroactive():
    bench = Bench()
    bench.read(1_000, 300_000)
    bench.read(1_000, 305_000, after_s=3600)
    bench.events()
    bench.engine.configure(False, False)
    assert bench.engine.detent  # until the meter has answered
    assert bench.read(1_000, 305_000) == 0
    assert not bench.engine.detent
    assert bench.events() == [(SETTINGS_CHANGED, False, False)]
    assert bench.read(1_000, 305_250, after_s=600) == 250
    assert bench.engine.total_wh == 1_250


def test_D6_the_change_closes_the_step_under_the_old_setting():
    bench = Bench()
    bench.read(1_000, 0)
    bench.engine.configure(False, False)
    assert bench.read(1_100, 500) == 100
    assert bench.read(1_200, 600) == 200


def test_D6_a_change_waits_for_a_good_read_and_survives_a_restart():
    bench = Bench()
    bench.read(12_000_000, 0)
    bench.engine.configure(False, False)
    bench.read(0, 0)
    assert bench.engine.pending == (False, False)
    bench.restart()
    assert bench.engine.pending == (False, False)
    assert bench.read(12_000_100, 300) == 100
    assert not bench.engine.detent and bench.engine.pending is None
    bench.restart()
    assert not bench.engine.detent


def test_D6_net_off_and_on_again_starts_from_the_meter():
    bench = Bench(True, True)
    bench.read(900, 400)
    bench.read(1_000, 400)
    assert bench.engine.total_wh == 600
    bench.engine.configure(True, False)
    bench.read(1_000, 400)
    assert bench.engine.total_wh == 1_000
    bench.engine.preset(50_000)
    bench.engine.configure(True, True)
    bench.read(1_100, 450)
    assert bench.engine.total_wh == 650
    assert bench.engine.billed_wh == 50_100


def test_D4_net_starts_from_the_meter_each_time():
    bench = Bench(True, True)
    bench.read(900, 400)
    bench.engine.preset(77_000)
    bench.serial = b"other"
    bench.read(10_000, 3_000)
    assert bench.engine.total_wh == 77_000
    bench.engine.configure(True, False)
    bench.read(10_000, 3_000)
    bench.engine.configure(True, True)
    bench.read(10_100, 3_000)
    assert bench.engine.total_wh == 7_100


def test_D9_a_net_register_alone():
    assert raises(OneRegisterOnly, Engine, _CAP_W, False, False, 20, True)
    bench = Bench(True, True, net_register_only=True)
    bench.read(100)
    assert bench.read(99_999_900) == -200
    assert bench.engine.total_wh == -100
    assert bench.read(100) == 200
    bench = Bench(True, False, net_register_only=True)
    bench.read(100)
    assert bench.read(99_999_900) == 0
    assert bench.read(100) == 200
    assert raises(OneRegisterOnly, bench.engine.configure, False, False)
    record = bytearray(RECORD_BYTES)
    bench.engine.pack_into(record)
    assert raises(UnknownFormat, Engine(_CAP_W, True, False, 20).unpack_from, record)


def test_X3_one_outlier():
    bench = Bench()
    bench.read(12_000_000)
    assert bench.read(0) == 0
    assert bench.read(12_000_900) == 900
    assert bench.engine.forward.transients == 1
    assert bench.engine.total_wh == 12_000_900


def test_X3_error_sentinels_are_no_reads():
    bench = Bench()
    bench.read(12_000_000)
    for value in (0xFFFFFFFF, 0x1FFFFFFFF, -1):
        assert raises(BadReading, bench.read, value)
        assert raises(BadReading, bench.read, 12_000_000, value)
    for serial in (b"", b"x" * 21, b"ends\0"):
        assert raises(BadReading, bench.engine.on_read, serial, 0, 0, 9_999)
    assert raises(BadReading, bench.engine.on_read, _METER, 0, 0, 9_999, 1 << 32)
    assert bench.engine.forward.transients == 0
    assert bench.read(12_000_100) == 100


def test_X4_X5_reset_and_preset():
    cases = (
        ((30_000_000, 50, 250, 450), 400, 50),
        ((12_000_000, 20_000_000, 20_000_300, 20_000_700), 700, 20_000_000),
    )
    for values, credited, new in cases:
        bench = Bench()
        assert sum([bench.read(wh) for wh in values]) == credited
        assert bench.engine.total_wh == values[0] + credited
        assert bench.events()[1:] == [(FORWARD_JUMPED, values[0], new)]


def test_X6_replacement():
    bench = Bench()
    bench.read(44_100_000)
    bench.events()
    bench.serial = b"87654321"
    assert bench.read(3_000) == 0
    assert bench.read(4_200) == 1_200
    engine = bench.engine
    assert engine.total_wh == 44_101_200
    assert dial(engine.total_wh) == 44_101
    assert bench.events() == [(METER_CHANGED, 44_100_000, 3_000)]
    assert (engine.old_serial, engine.serial, engine.meter_changes) == (_METER, b"87654321", 1)
    engine.preset(4_200)
    assert dial(engine.total_wh) == 4
    assert bench.events() == [(PRESET, 44_101_200, 4_200)]


def test_X6_the_identity_is_copied():
    bench = Bench()
    bench.serial = bytearray(_METER)
    bench.read(44_100_000)
    bench.serial[0] += 1
    assert bench.read(3_000) == 0
    assert bench.engine.old_serial == _METER
    assert bench.engine.meter_changes == 1


def test_X7_a_repeat_is_not_a_read():
    bench = Bench()
    bench.read(109_554_016, stamp=17)
    assert bench.read(109_554_016, after_s=3600, stamp=17) == 0
    assert (bench.engine.stale_reads, bench.engine.is_good) == (1, False)
    assert (bench.engine.forward_step_wh, bench.engine.reverse_step_wh) == (0, 0)
    # The two hours are one gap.
    assert bench.read(109_562_072, after_s=3600, stamp=19) == 8_056
    assert bench.engine.forward.gap_s == 7_200


def test_X8_the_reverse_register_is_judged_alone():
    bench = Bench(detent=False)
    bench.read(1_000, 7_000)
    assert bench.read(1_500, 0) == 500
    assert bench.read(2_000, 7_100) == 600
    engine = bench.engine
    assert (engine.forward_wh, engine.reverse_wh) == (1_000, 100)
    assert (engine.forward.transients, engine.reverse.transients) == (0, 1)
    for reverse in (60_000_000, 60_000_001, 60_000_002):
        bench.read(2_000, reverse)
    assert bench.events()[1:] == [(REVERSE_JUMPED, 7_100, 60_000_000)]


def test_C4_gaps_are_monotonic():
    bench = Bench()
    bench.read(1_000)
    assert bench.read(1_000 + 1_211) == 0
    assert bench.read(1_000 + 1_212) == 1_212
    assert raises(BadReading, bench.read, 3_000, 0, -1)


def test_restart_judges_the_first_read_by_the_unknown_gap():
    # A minute since the start, and a second at least for the start itself.
    most_wh = _CAP_W * (UNKNOWN_GAP_S + 61) // 3600 + 10
    for step, credited in ((260, 260), (most_wh, most_wh), (most_wh + 1, 0), (-1, 0)):
        bench = Bench()
        bench.read(5_000_000)
        bench.restart()
        assert bench.read(5_000_000 + step) == credited


def test_restart_with_a_known_absence():
    for gap_s, step, credited in (
        (90, 1_810, 1_810),
        (90, 1_811, 0),
        (864_000, 9_000_000, 9_000_000),
    ):
        bench = Bench()
        bench.read(5_000_000)
        bench.restart()
        bench.engine.absent(gap_s - 30, 30)
        assert bench.read(5_000_000 + step) == credited


def test_restart_keeps_suspects():
    bench = Bench()
    bench.read(30_000_000)
    bench.read(50)
    bench.restart()
    bench.read(250)
    bench.restart()
    assert bench.read(450) == 400
    assert bench.engine.forward.jumps == 1


def test_nothing_counts_before_the_first_read():
    bench = Bench()
    assert bench.engine.total_wh == bench.engine.net_wh == 0
    assert raises(NotStarted, bench.engine.preset, 0)
    bench.engine.configure(False, False)
    bench.restart()
    assert raises(NotStarted, bench.engine.preset, 0)
    bench.serial = b"7"
    assert bench.read(7_000, 400, stamp=0xFFFFFFFF) == 0
    assert bench.engine.total_wh == 7_400
    assert bench.engine.meter_changes == 0
    assert bench.engine.stale_reads == 0


def test_the_first_read_is_no_repeat():
    for stamp in (0, 1, 0xFFFFFFFF):
        bench = Bench()
        bench.read(5, stamp=stamp)
        assert bench.engine.is_good


def test_records_of_another_format_are_refused():
    bench = Bench()
    bench.read(5)
    record = bytearray(RECORD_BYTES)
    count = bench.engine.pack_into(record)
    assert raises(UnknownFormat, bench.engine.unpack_from, record[: count - 1])
    assert raises(UnknownFormat, bench.engine.unpack_from, record[:150])
    record[0] += 1
    assert raises(UnknownFormat, bench.engine.unpack_from, record)
    assert bench.engine.total_wh == 5
    assert issubclass(UnknownFormat, MeteringError)


def test_counters_wrap_at_their_width():
    bench = Bench()
    bench.read(5, stamp=1)
    bench.engine.stale_reads = bench.engine.meter_changes = 0x1FFFE
    bench.read(5, stamp=1)
    bench.restart()
    assert (bench.engine.stale_reads, bench.engine.meter_changes) == (0xFFFF, 0xFFFE)


def test_events_are_bounded():
    events = Events(3)
    for number in range(5):
        events.put(number, -number, 1 << 40)
    assert (len(events), events.lost) == (3, 2)
    assert events.take() == (0, 0, 1 << 40)
    events.put(9, 8, 7)
    assert [events.take()[0] for _ in range(3)] == [1, 2, 9]
    assert events.take() is None


def test_a_read_inside_an_interval_allocates_nothing():
    bench = Bench(False)
    engine = bench.engine
    engine.on_time(1_805_007_600, 0)
    for number in range(3):
        engine.on_read(_METER, 1_000 + number, 2_000, number)
    micropython.heap_lock()
    for number in range(3, 30):
        engine.on_read(_METER, 1_000 + number, 2_000, number)
    micropython.heap_unlock()
    assert engine.total_wh == 3_029


class Life:
    """The engine over its journal: what the module does between two losses of power."""

    def __init__(self, flash):
        self._journal = Journal(flash)
        self._record = bytearray(RECORD_BYTES)
        self.engine = Engine(_CAP_W, False, False, _FIRMWARE)
        self._journal.mount()
        if self._journal.load(self._record):
            self.engine.unpack_from(self._record)
        self._mono_s = 0

    def poll(self, forward_wh, reverse_wh):
        self._mono_s += 60
        self.engine.on_read(_METER, forward_wh, reverse_wh, self._mono_s)
        self._journal.commit(self._record, self.engine.pack_into(self._record))
        self._journal.prepare()


def test_E10_numbers_of_the_rule():
    for operation in (1, 2):
        for tear in TEARS:
            flash = FlashModel(2)
            life = Life(flash)
            for wh in range(4_999_987, 5_000_001):
                life.poll(wh, 0)
            # After the 15th record the next block is erased: that is operation 2.
            flash.cut("%d:%s:1" % (operation, tear))
            assert raises(PowerCut, life.poll, 5_000_640, 0)
            flash.power_on()
            life = Life(flash)
            life.poll(5_000_900, 0)
            assert life.engine.total_wh == 5_000_900


def test_E10_O6_no_watt_hour_is_lost_or_doubled_at_any_cut():
    # Three turns of a ring of two blocks; the meter runs on while the module is dark.
    cuts = 0
    for operation in range(1, 104):
        for tear in TEARS:
            flash = FlashModel(2)
            flash.cut("%d:%s:%d" % (operation, tear, operation))
            life = Life(flash)
            forward, reverse = 99_999_000, 500
            opening = forward + reverse
            used = 0
            while True:
                try:
                    life.poll(forward % 100_000_000, reverse)
                except PowerCut:
                    break
                forward += 37
                reverse += 11
                used += 48
            flash.power_on()
            life = Life(flash)
            # A cut of the first erase or program leaves no record: the meter's registers open it.
            if operation > 2 or (operation == 2 and tear == "all"):
                forward += 901
                used += 901
            life.poll(forward % 100_000_000, reverse)
            assert life.engine.total_wh == opening + used, operation
            cuts += 1
    assert cuts == len(TEARS) * 103
