"""A meter, a service and a module that live random histories; the same in CPython and the VM.

Energy is kept in watt-seconds beside the engine, so that what every interval truly used is known
to the watt-hour. A history is a seed: `World(seed).live(operations)`.
"""

from binascii import crc32

from endpoint.metering import replies, rows
from endpoint.metering.engine import POWER, RECORD_BYTES, WATCHDOG, Engine
from endpoint.metering.tou import EVER_DAY, ScheduleRefused, pack

_MODULUS_WH = 100_000_000
_CAP_W = 72_000
_START_S = 1_804_990_000  # 14 March 2027, some hours before the clocks move
_WS = 3600
_MOST_WH_A_SECOND = 27  # 48 kW each way


class Mismatch(AssertionError):
    """The engine and the world disagree."""


class Sink:
    """Keeps sums and the newest rows; rows of an abandoned future are superseded."""

    def __init__(self):
        self.rows = [[] for _ in range(rows.RINGS)]

    def put(self, ring, sequence, row):
        kept = self.rows[ring]
        if sequence > len(kept):
            raise Mismatch
        del kept[sequence:]
        kept.append(bytes(row))

    def mount(self, sequences):
        """Forget the rows that an older record does not know, as the rings do at a start."""
        for kept, sequence in zip(self.rows, sequences):
            del kept[sequence:]

    def digest(self):
        crc = 0
        for kept in self.rows:
            for row in kept:
                crc = crc32(row, crc)
        return crc


class Digest:
    """Keeps nothing of the rows but what they were, so that a year fits."""

    def __init__(self):
        self.crc = 0
        self.count = 0

    def put(self, ring, sequence, row):
        self.crc = crc32(b"%d %d" % (ring, sequence), crc32(row, self.crc))
        self.count += 1

    def mount(self, sequences):
        """Nothing is kept that could be forgotten."""

    def digest(self):
        return self.crc


class Dice:
    """A small generator that is equal everywhere."""

    def __init__(self, seed):
        self._state = (seed * 2_654_435_761 + 12_345) & 0xFFFFFFFF

    def below(self, limit):
        self._state = (self._state * 1_664_525 + 1_013_904_223) & 0xFFFFFFFF
        return (self._state >> 8) % limit


class World:
    """One life of meter and module.

    Parameters
    ----------
    seed : int
    honest : bool
        No clock error, no meter faults and no change of settings: what the intervals truly used
        is known, and the bounds have to contain it.
    make_engine : callable, optional
    poll_s : int
    """

    def __init__(self, seed, honest=False, make_engine=Engine, poll_s=60, sink=None):
        self.dice = Dice(seed)
        self.honest = honest
        self.poll_s = poll_s
        self.make_engine = make_engine
        self.sink = sink or Sink()
        self.true_s = _START_S
        self.boot_s = _START_S
        self.used_ws = [0, 0]  # true energy, forward and reverse, ever
        self.base_wh = [99_990_000, 77]  # register when nothing was used
        self.serial = 1
        self.is_dark = False
        self.is_timed = True
        self.late_s = 0
        self.truth_ws = {}  # end of quarter hour: watt-seconds forward
        self.resets = 0
        self.detent, self.net = True, False
        if seed % 3 == 1:
            self.detent = False
        elif seed % 3 == 2:
            self.net = True
        self.engine = self.new_engine()
        self.engine.on_time(self.true_s, 0)
        self.engine.configure_site(-300, True)
        self.engine.configure_profile((15, 5, 30, 60)[seed % 4])
        self.engine.configure_demand(15, (15, 5)[seed % 2], 10 * (seed % 3), 300, 0)
        self.engine.install_schedule(self.schedule(seed), 0, 0)
        self.record = bytearray(RECORD_BYTES)
        self.old = bytearray(RECORD_BYTES)
        self.schedules = bytearray(1024)
        self.old_is_dark = self.record_is_dark = False
        self.poll()
        self.commit()
        self.commit()

    def new_engine(self):
        return self.make_engine(
            _CAP_W, self.detent, self.net, 20, sink=self.sink, poll_s=self.poll_s
        )

    def schedule(self, number):
        tables = [[(0, number % 4), (60 * (6 + number % 5), 1), (1020, 2), (1200, 3)]]
        return pack(number, 4, number % 4, EVER_DAY, [(1, 1, 0, 0, 0, 0)], tables)

    def mono(self):
        return self.true_s - self.boot_s

    def use(self, seconds, watts, back_w=0):
        """Let time pass, and energy flow while there is power."""
        end_s = self.true_s + seconds
        if not self.is_dark:
            at_s = self.true_s
            while self.honest and at_s < end_s:
                quarter_s = at_s - at_s % 900 + 900
                part_s = min(quarter_s, end_s) - at_s
                net_w = watts
                if self.net:
                    net_w -= back_w
                elif not self.detent:
                    net_w += back_w
                self.truth_ws[quarter_s] = self.truth_ws.get(quarter_s, 0) + part_s * net_w
                at_s += part_s
            self.used_ws[0] += watts * seconds
            self.used_ws[1] += back_w * seconds
        self.true_s = end_s

    def register_wh(self, which):
        return (self.base_wh[which] + self.used_ws[which] // _WS) % _MODULUS_WH

    def poll(self, forward_wh=None):
        if self.is_dark:
            return
        if forward_wh is None:
            forward_wh = self.register_wh(0)
        self.engine.on_read(b"%d" % self.serial, forward_wh, self.register_wh(1), self.mono())
        self.engine.on_voltage(self.mono() * 1000, 2400 - self.dice.below(100))

    def commit(self):
        self.old, self.record = self.record, self.old
        self.old_is_dark, self.record_is_dark = self.record_is_dark, self.is_dark
        self.engine.pack_into(self.record)
        self.engine.pack_schedules_into(self.schedules)

    def restart(self, cause, record, known):
        self.engine = self.new_engine()
        self.engine.unpack_schedules_from(self.schedules)
        self.engine.unpack_from(record)
        self.sink.mount(self.engine.placement.sequences)
        if record is self.old:  # the newer one was lost with what it knew
            self.record[:] = self.old
            self.record_is_dark = self.old_is_dark
        self.boot_s = self.true_s
        self.is_timed = known
        self.engine.on_restart(cause, 0, self.true_s if known else 0)
        self.commit()

    def watts(self):
        return (0, 300, 1500, 6000, 48_000)[self.dice.below(5)]

    def polls(self, count):
        for _ in range(count):
            self.use(self.poll_s, self.watts(), self.watts() // 2 if self.dice.below(2) else 0)
            self.poll()
            self.commit()

    def sync(self):
        if not self.is_dark:
            self.engine.on_time(self.true_s, self.mono())
            self.is_timed = True
            self.commit()

    def reset(self):
        self.resets += 1
        if self.engine.reset_demand(self.resets, self.mono()) != replies.DONE:
            raise Mismatch("a reset was refused")
        self.commit()

    def do(self, kind):
        """One thing that happens."""
        dice = self.dice
        if kind <= 3:
            self.polls(1 + dice.below(40))
        elif kind == 4:  # missed polls
            self.use(dice.below(7200), self.watts(), self.watts())
        elif kind == 5:  # outage, the module lives
            self.use(dice.below(60), self.watts())
            self.engine.on_dark(self.mono() * 1000)
            self.is_dark = True
            self.commit()
            dark_s = dice.below(9000)
            self.use(dark_s // 3, 0)
            if dark_s & 3 == 0:
                self.reset()
            self.use(dark_s - dark_s // 3, 0)
            self.is_dark = False
            self.engine.on_lit(self.mono() * 1000)
            self.commit()
        elif kind == 6:  # outage, the module dies
            self.use(dice.below(60), self.watts())
            self.engine.on_dark(self.mono() * 1000)
            self.is_dark = True
            self.commit()
            self.use(dice.below(20_000), 0)
            self.is_dark = False
            self.restart(POWER, self.record, bool(dice.below(2)))
            self.use(dice.below(600), self.watts(), self.watts())
            self.polls(dice.below(30))
            if dice.below(4):
                self.sync()
        elif kind == 7:  # watchdog, perhaps with an older record
            self.use(dice.below(60), self.watts())
            record = self.old if dice.below(2) and not self.old_is_dark else self.record
            self.use(dice.below(20), self.watts())
            self.restart(WATCHDOG, record, bool(dice.below(2)))
            self.polls(dice.below(5))
            if dice.below(4):
                self.sync()
        elif kind == 8:
            self.sync()
        elif kind == 9:
            self.reset()
        elif not self.honest:
            self._fault(kind)
        self.check()

    def _fault(self, kind):
        dice = self.dice
        if kind == 10:  # the clock is wrong
            by_s = (-4000, -20, -5, 5, 20, 4000, 90_000)[dice.below(7)]
            self.engine.on_time(self.true_s + by_s, self.mono())
            self.is_timed = True
        elif kind == 11:
            self.poll(dice.below(_MODULUS_WH))  # one bad read
        elif kind == 12:  # the register is set
            self.base_wh[dice.below(2)] += dice.below(_MODULUS_WH)
            self.polls(4)
        elif kind == 13:
            self.serial += 1
            self.base_wh = [dice.below(1000), dice.below(1000)]
            self.used_ws = [0, 0]
        elif kind == 14:
            if self.dice.below(2):
                self.engine.configure(True, bool(dice.below(2)))
            else:
                self.engine.configure(False, False)
        elif kind == 15:
            number = dice.below(1000)
            now_s = self.engine.utc_s(self.mono())
            if now_s:
                try:
                    self.engine.install_schedule(
                        self.schedule(number), now_s + dice.below(20_000), self.mono()
                    )
                except ScheduleRefused:
                    pass  # the clock was set back behind what has its rate already
        elif kind == 16:
            self.engine.configure_profile((5, 15, 30, 60)[dice.below(4)])
            self.engine.configure_demand(
                (15, 30, 60)[dice.below(3)], (15, 5)[dice.below(2)], 5, 300, 0
            )
        elif kind == 17:
            self.engine.on_no_table(self.mono())
        elif kind == 18:
            self.engine.freeze(self.mono())
            self.engine.on_supply(bool(dice.below(2)), self.mono())
        self.commit()

    def check(self):
        engine = self.engine
        utc_s = engine.utc_s(self.mono())
        if utc_s:
            self.late_s = max(self.late_s, abs(utc_s - self.true_s))
        ledger = engine.ledger()
        if ledger[2]:
            raise Mismatch("the ledger shows %d" % ledger[2])
        if not self.honest:
            return
        opening_wh = (99_990_000 if self.detent else 99_990_077) if not self.net else 99_989_923
        waiting_wh = 0
        forward_wh, reverse_wh = engine.forward_wh, engine.reverse_wh
        owed_wh = opening_wh + forward_wh
        if self.net:
            owed_wh -= reverse_wh
        elif not self.detent:
            owed_wh += reverse_wh
        if engine.total_wh != owed_wh + waiting_wh:
            raise Mismatch("total")
        if self.late_s > 1:
            raise Mismatch("the clock is wrong")

    def close(self):
        """Let everything reach its place, and compare the rows with the truth."""
        self.sync()
        self.polls(2)
        # Reach the end of every open interval.
        self.use(3600 - (self.true_s % 3600), 0)
        self.poll()
        for _ in range(400):
            self.engine.on_tick(self.mono())
        self.check()
        for ring in (rows.INTERVAL, rows.HOUR):
            self._check_rows(ring)

    def _check_rows(self, ring):
        last_s = 0
        total_wh = 0
        for row in self.sink.rows[ring]:
            fields = rows.unpack(ring, row)
            end_s = fields["end_utc_s"]
            if end_s <= last_s and not fields["flags"] & rows.MISSING:
                raise Mismatch("ends do not rise")
            last_s = end_s
            value_wh = fields["value_wh"]
            if not fields["least_wh"] <= value_wh <= fields["most_wh"]:
                raise Mismatch("bounds do not contain the value")
            total_wh += value_wh
            if self.honest:
                length_s = 60 * fields["interval_min"] if ring == rows.INTERVAL else 3600
                self._check_truth(fields, length_s)
        cell = (
            self.engine.placement.profile if ring == rows.INTERVAL else self.engine.placement.hour
        )
        if total_wh != cell.closed_wh:
            raise Mismatch("rows do not add up")

    def _check_truth(self, fields, length_s):
        if fields["flags"] & rows.MISSING or length_s < 900:
            return
        end_s = fields["end_utc_s"]
        used_ws = 0
        for quarter_s in range(end_s - length_s + 900, end_s + 1, 900):
            used_ws += self.truth_ws.get(quarter_s, 0)
        # Registers floor, forward and reverse: 1 Wh each at either end. Bounds are those of the
        # label clock; a restart in no time puts that a second ahead.
        room_wh = 2 + 2 * self.late_s * _MOST_WH_A_SECOND
        least_ws = (fields["least_wh"] - room_wh) * _WS
        most_ws = (fields["most_wh"] + room_wh) * _WS
        if not least_ws <= used_ws <= most_ws:
            raise Mismatch("%r used %d Wh" % (fields, used_ws // _WS))

    def live(self, operations):
        """Live a history; return its digest."""
        for _ in range(operations):
            self.do(self.dice.below(10 if self.honest else 19))
        self.close()
        self.engine.pack_into(self.record)
        return self.sink.digest() ^ crc32(self.record)


def live_long(seed, days, faults):
    """Return (digest, rows) of a life of `days` with that many faults spread over it."""
    world = World(seed, sink=Digest())
    end_s = world.true_s + 86_400 * days
    polls = 1440 * days // faults
    while world.true_s < end_s:
        for _ in range(polls):
            world.use(60, 1500, 200)
            world.poll()
        world.commit()
        world.do(4 + world.dice.below(15))
    world.engine.pack_into(world.record)
    return world.sink.digest() ^ crc32(world.record), world.sink.count
