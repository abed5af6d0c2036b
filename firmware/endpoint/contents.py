"""What each frame of the uplink says: values of the engine and rows of the rings as payloads.

`Schedule` chooses a type; here its numbers are found. A type that there is nothing to tell of
yet (no schedule, no peak, no day of voltage) is replaced by a register reading, so that no
frame is spent on saying nothing.

Context: task only. Allocates: integers and tuples of one frame.
Source: docs/phy.md, "Payloads".
"""

import struct

from micropython import const

from endpoint.line import BudgetError, CommandError, payload
from endpoint.line.digest import digest
from endpoint.line.schedule import ASKABLE, MODE_PROFILE, Schedule, carries_digest
from endpoint.metering import rows
from endpoint.metering.calendar import DAY_S, date
from endpoint.metering.engine import MAXIMUM
from endpoint.metering.tou import NO_RATE
from endpoint.metering.voltage import ABOVE_B, B_HIGH, B_LOW, BELOW_B, classify

_HOUR_S = const(3600)
_HALF_HOUR_S = const(1800)
_DAY_HOURS = const(24)
_BLOCK_HOURS = const(4)
_RATES_PER_FRAME = const(2)
_DV_PER_V = const(10)
_ROW_BYTES = const(40)
# Rows are asked for by their hour; this often a guess is mended by what was found there.
_GUESSES = const(6)
# Who is speaking and what the meter shows come before what has happened.
_FIRST_FRAMES = const(3)
# A clock that is not set yet is no alarm; every start begins so.
_NO_ALARM = payload.INTERFACE_CLOCK


class Contents:
    """The uplink's source of payloads.

    Parameters
    ----------
    module : Module
        `eid`, `version`, `bits()`, `dropped`.
    engine : Engine
    rings : list of Ring
    poll : Poll
        `read_ms`, `power_w`, `voltage_dv` of the newest reading.
    clock : Monotonic
    profile : Profile
    nominal_dv : int
        Nominal voltage in 0.1 V.
    key : callable
        ``key()`` returns the working key of digests, b"" while there is none.
    first_event : int
        Number of the first row of events that is to be told of.

    Attributes
    ----------
    schedule : Schedule
    refused : str
        What did not fit into the frames there are, in words; "" when all does.
    """

    def __init__(self, module, engine, rings, poll, clock, profile, nominal_dv, key, first_event):
        self.schedule = Schedule(profile)
        self.refused = ""
        self._module = module
        self._engine = engine
        self._rings = rings
        self._poll = poll
        self._clock = clock
        self._nominal_dv = nominal_dv
        self._key = key
        self._row = bytearray(_ROW_BYTES)
        self._told = first_event
        self._newest = bytearray(payload.PAYLOAD_BYTES)
        self._was_cut = False
        self._frames = 0
        self._write = {
            payload.REGISTER: self._register,
            payload.BLOCK: self._block,
            payload.TOU: self._tou,
            payload.DEMAND: self._demand,
            payload.VOLTAGE: self._voltage,
            payload.EVENT: self._event,
            payload.ACK: self._ack,
            payload.DIGEST: self._digest,
            payload.STATUS: self._status,
            payload.STREAM_PROFILE: self._stream,
            payload.STREAM_REGISTER: self._stream,
        }

    # What is asked for.

    def fits(self, mode):
        """Return whether streaming in a mode fits; if not, `refused` has the numbers."""
        needed, available = self.schedule.needs_x1000(mode)
        return needed <= available or self._refuse("streaming", needed, available)

    def read(self, number):
        """Queue a reading that answers READ `number`; return whether it fits."""
        try:
            self.schedule.add_read(number)
        except BudgetError:
            return self._refuse("READ", *self.schedule.needs_x1000(self.schedule.mode, 1))
        return True

    def request(self, frame_type, first, count):
        """Queue frames of a type; return whether they fit.

        Raises
        ------
        CommandError
            Nobody can ask for that type.
        """
        schedule = self.schedule
        if frame_type not in ASKABLE:
            self.refused = "CommandError: frames of type %d cannot be asked for" % frame_type
            raise CommandError
        try:
            schedule.add_request(frame_type, first, count)
        except BudgetError:
            extra = schedule.waiting + count
            return self._refuse("REQUEST", *schedule.needs_x1000(schedule.mode, extra))
        return True

    def _refuse(self, what, needed_x1000, available_x1000):
        if needed_x1000 <= available_x1000:
            self.refused = "BudgetError: %s would be the ninth request that waits" % what
        else:
            self.refused = "BudgetError: %s needs %d of %d frames a day" % (
                what,
                needed_x1000 // 1000,
                available_x1000 // 1000,
            )
        return False

    # What is sent.

    def write(self, into, starts_ms):
        """Write the payload of the frame that starts at `starts_ms`; return its type."""
        if self._was_cut:
            self._was_cut = False
            into[:] = self._newest
            return into[0] >> 4
        engine, schedule = self._engine, self.schedule
        utc_s = engine.utc_s(starts_ms // 1000)
        if schedule.mode != engine.streaming:
            self._follow()
        frame_type = schedule.next(self._newest_hour() if utc_s else None, self._waiting())
        self._frames += 1
        # What cannot be told gives way to a reading, and that to a name, as long as there is none.
        write = self._write.get(frame_type)
        if write is None or not (
            write(into, starts_ms, utc_s) or self._register(into, starts_ms, utc_s)
        ):
            payload.pack_join(into, self._module.version, self._module.eid)
        self._newest[:] = into
        return into[0] >> 4

    def again(self):
        """Say once more what is said only once: the frame under way was cut off."""
        self._was_cut = self._newest[0] >> 4 in (payload.ACK, payload.EVENT)

    def _follow(self):
        """Stream what the engine was told to; a command has made sure that it fits."""
        try:
            self.schedule.set_mode(self._engine.streaming)
        except BudgetError:
            self.fits(self._engine.streaming)

    def _waiting(self):
        """Return how many events have not been told of."""
        if self._frames < _FIRST_FRAMES:
            return 0
        ring = self._rings[rows.EVENT]
        self._told = max(self._told, ring.first)
        return ring.next - self._told

    def _flags(self):
        flags = payload.FLAG_OUTAGE if self._engine.clock.is_dark else 0
        if self._module.bits() & ~_NO_ALARM:
            flags |= payload.FLAG_ALARM
        return flags | payload.FLAG_EVENT if self._waiting() else flags

    def _permille(self, dv):
        return (
            None
            if dv == rows.NO_VOLTAGE
            else (dv * 1000 + self._nominal_dv // 2) // (self._nominal_dv)
        )

    def _register(self, into, starts_ms, utc_s):
        poll, engine = self._poll, self._engine
        if poll.read_ms is None:
            return False
        permille = self._permille(poll.voltage_dv) if poll.voltage_dv else None
        about = (self._flags(), 1 if utc_s else 0, engine.net)
        number = self.schedule.asked
        if number is not None:
            payload.pack_answer(into, engine.total_wh, permille, poll.power_w, number, *about)
        else:
            age_s = (starts_ms - poll.read_ms + 500) // 1000
            payload.pack_register(into, engine.total_wh, permille, poll.power_w, age_s, *about)
        return True

    def _ack(self, into, starts_ms, utc_s):
        code, result, reference, data = self.schedule.answer
        payload.pack_ack(into, code, result, reference, data, self._flags(), 1 if utc_s else 0)
        return True

    def _status(self, into, starts_ms, utc_s):
        engine, module = self._engine, self._module
        schedule = engine.tariff.schedule_at(utc_s)
        payload.pack_status(
            into,
            module.bits(),
            module.version,
            engine.detent,
            engine.net,
            engine.streaming,
            engine.outages.power_fail,
            sum(engine.outages.restarts),
            schedule.identity if schedule else 0,
            module.dropped,
            starts_ms // 1000 // _HOUR_S,
            self._flags(),
            1 if utc_s else 0,
        )
        return True

    def _tou(self, into, starts_ms, utc_s):
        engine = self._engine
        schedule = engine.tariff.schedule_at(utc_s)
        rate = engine.tariff.rate_at(utc_s) if utc_s else 0
        if schedule is None or rate == NO_RATE:
            return False
        pair = self.schedule.argument & 1
        at = _RATES_PER_FRAME * pair
        registers = engine.rates_wh[at : at + _RATES_PER_FRAME]
        payload.pack_tou(into, pair, registers, schedule.identity, rate, engine.net, self._flags())
        return True

    def _demand(self, into, starts_ms, utc_s):
        demand = self._engine.demand
        peak = self._peak(demand.peak_w, demand.peak_s)
        previous = self._peak(demand.previous_w, demand.previous_s)
        if peak[0] is None and previous[0] is None and not demand.resets:
            return False
        payload.pack_demand(into, peak, previous, demand.resets, self._flags(), 1 if utc_s else 0)
        return True

    def _peak(self, w, utc_s):
        """Return a peak with local day and half-hour of its end; M-6: none is no zero."""
        if not utc_s:
            return None, payload.NO_DAY, 0
        local_s = self._engine.site.local_s(utc_s)
        return w, date(local_s // DAY_S)[2], local_s % DAY_S // _HALF_HOUR_S

    def _voltage(self, into, starts_ms, utc_s):
        ring = self._rings[rows.VOLTAGE_DAY]
        if not ring.read(ring.next - 1, self._row):
            return False
        _, low_dv, high_dv, low_s, high_s, mean_dv, outside_min, _, _, samples = (
            struct.unpack_from(rows.VOLTAGE_DAY_LAYOUT, self._row)
        )
        if not samples:
            return False
        nominal_v = self._nominal_dv // _DV_PER_V
        is_low = classify(low_dv, nominal_v) in (BELOW_B, B_LOW)
        is_high = classify(high_dv, nominal_v) in (B_HIGH, ABOVE_B)
        payload.pack_voltage(
            into,
            self._permille(low_dv),
            self._minute(low_s),
            self._permille(high_dv),
            self._minute(high_s),
            self._permille(mean_dv),
            # The day's row has one sum; a day with both sides says it twice.
            outside_min if is_low else 0,
            outside_min if is_high else 0,
            self._flags(),
        )
        return True

    def _minute(self, utc_s):
        return self._engine.site.local_s(utc_s) % DAY_S // 60 if utc_s else 0

    def _event(self, into, starts_ms, utc_s):
        found = self._rings[rows.EVENT].read(self._told, self._row)
        self._told += 1
        if not found:
            return False
        at_s, _, code, _, _, a, _ = struct.unpack_from(rows.EVENT_LAYOUT, self._row)
        payload.pack_event(into, code, at_s, a, self._flags(), 1 if at_s else 0)
        return True

    # Hours.

    def _newest_hour(self):
        """Return the unix hour of the newest complete record, or None."""
        ring = self._rings[rows.HOUR]
        if not ring.read(ring.next - 1, self._row):
            return None
        return self._row_end_s() // _HOUR_S - 1

    def _row_end_s(self):
        return struct.unpack_from("<I", self._row)[0]

    def _find(self, hour):
        """Return the fields of an hour's row, or None.

        Hours follow each other in the ring but where the clock was set.
        """
        ring = self._rings[rows.HOUR]
        number = ring.next - 1
        for _ in range(_GUESSES):
            if not ring.read(number, self._row):
                break
            ahead = hour + 1 - self._row_end_s() // _HOUR_S
            if not ahead:
                return struct.unpack_from(rows.HOUR_LAYOUT, self._row)
            number = min(max(number + ahead, ring.first), ring.next - 1)
        return None

    def _energy_wh(self, hour):
        """Return an hour's streamable energy, or None; never a net value (D-7)."""
        row = self._find(hour)
        if row is None or row[1] & rows.MISSING:
            return None
        return payload.streamed_wh(row[3], row[4], not self._engine.detent)

    def _block(self, into, starts_ms, utc_s):
        block = self.schedule.argument
        hours = range(block * _BLOCK_HOURS, (block + 1) * _BLOCK_HOURS)
        payload.pack_block(into, block, [self._energy_wh(hour) for hour in hours])
        return True

    def _digest(self, into, starts_ms, utc_s):
        found = self._day_digest(self.schedule.argument)
        if found is None:
            return False
        payload.pack_digest(into, self.schedule.argument, found[0], found[1])
        return True

    def _day_digest(self, day):
        key = self._key()
        if not key:
            return None
        first = day * _DAY_HOURS
        codes = [
            payload.energy_code(self._energy_wh(hour)) for hour in range(first, first + _DAY_HOURS)
        ]
        return digest(key, self._module.eid, day, codes)

    def _stream(self, into, starts_ms, utc_s):
        engine, hour = self._engine, self.schedule.argument
        rotating = self._rotating(hour)
        row = self._find(hour)
        flags = self._flags()
        energy_wh = register_wh = extreme = None
        if row is not None and not row[1] & rows.MISSING:
            energy_wh = payload.streamed_wh(row[3], row[4], not engine.detent)
            register_wh = row[8]
            extreme = self._permille(row[10] if engine.extreme == MAXIMUM else row[9])
            if row[1] & (rows.PF | rows.DARK):
                flags |= payload.FLAG_OUTAGE
        is_maximum = engine.extreme == MAXIMUM
        if self.schedule.mode == MODE_PROFILE:
            payload.pack_stream_profile(
                into,
                hour,
                energy_wh,
                None if is_maximum else extreme,
                extreme if is_maximum else None,
                rotating,
                flags,
                1,
                engine.net,
            )
        else:
            payload.pack_stream_register(
                into, hour, register_wh, extreme, is_maximum, rotating, flags, 1, engine.net
            )
        return True

    def _rotating(self, hour):
        """Return the 24 bits of a stream frame that its hour chooses."""
        engine, slot = self._engine, hour & 7
        if slot in payload.ROTATING_TOTAL:
            unit = payload.UNIT_DELIVERED if engine.net else payload.UNIT_TOTAL
            return payload.rotating_register(engine.stream_wh, unit)
        if slot in payload.ROTATING_RATES:
            rate = payload.ROTATING_RATES.index(slot)
            # With net on the rates are net values: none of them is streamed (D-7).
            is_there = not engine.net and engine.tariff.schedule_at(hour * _HOUR_S) is not None
            wh = engine.rates_wh[rate] if is_there else None
            return payload.rotating_register(wh, payload.UNIT_RATE_A + rate)
        if slot == payload.ROTATING_PEAK:
            return payload.rotating_peak(*self._peak(engine.demand.peak_w, engine.demand.peak_s))
        if carries_digest(hour):
            found = self._day_digest(hour // _DAY_HOURS)
            if found is not None:
                return found[2]
        return payload.rotating_status(
            self._module.version, self._module.bits(), engine.outages.power_fail
        )
