"""Decade 2: the registers, and what they were at the last reset."""

from endpoint.meter.layout import MODULUS_WH
from wattline.meter.encode import is_unsigned

_DATE_TIME, _RESETS, _CUMULATIVE = 0x02, 0x04, 0x10
_SELF_READ_NUMBERS = 0x02
_SELF_READS = 4


class Registers:
    """ST-21 to ST-28.

    Parameters
    ----------
    meter : FocusAL
    net_only, kilo : bool
    pulse_wh : int or None
    demand : bool
    tiers : int
    """

    def __init__(self, meter, net_only, kilo, pulse_wh, demand, tiers):
        self._meter = meter
        self._net_only = net_only
        self._exp10 = 3 if kilo else 0
        self._divisor = pulse_wh or 1
        self._demand = demand
        self._tiers = tiers
        self._history = []  # ST-25 records, one for each reset or self-read
        self._self_reads = []
        self._self_read_count = 0

    def tables(self):
        """Return the functions that make the tables' contents."""
        places = self._meter.sources.at
        present = [*places.volts, places.power, places.outages, places.hertz]
        demands = [places.demand] if self._demand else []
        selection = [*places.sums, *demands]
        if self._demand:
            selection += [1, places.volts[0], 0]  # maximum; the voltage at the first demand
        made = {
            21: self._limits,
            22: lambda: bytes(selection),
            23: self.current,
            27: lambda: bytes([*demands, *present]),
            28: self._present,
        }
        if self._demand:
            made[25] = lambda: self._history[-1] if self._history else self._record()
            made[26] = self._self_read_table
        return made

    def _limits(self):
        function = self_reads = 0
        if self._demand:
            function = _RESETS | _CUMULATIVE
            function |= _DATE_TIME if self._meter.encoder.tm_format else 0
            self_reads = _SELF_READS
        demands = 1 if self._demand else 0
        places = self._meter.sources.at
        return bytes(
            [
                function,
                _SELF_READ_NUMBERS if self._demand else 0,
                self_reads,
                len(places.sums),
                demands,
                demands,
                demands,
                self._tiers,
                demands,
                len(places.volts) + 3,
            ]
        )

    def _sum(self, forward, reverse):
        encoder = self._meter.encoder
        net = forward - reverse
        if self._net_only or is_unsigned(encoder.ni1):
            net %= MODULUS_WH
        values = (net,) if self._net_only else (forward, reverse, net)
        return b"".join(encoder.first(value // self._divisor, self._exp10) for value in values)

    def current(self):
        """Return ST-23."""
        meter = self._meter
        accounts = meter.accounts
        data = bytes([accounts.resets & 0xFF]) if self._demand else b""
        data += self._sum(*meter.raw_wh(meter.now_ns))
        if self._demand:
            data += self._demand_block(accounts.peaks[0])
        for tier in range(self._tiers):
            data += self._sum(*accounts.tier_wh(tier, meter.now_ns))
            if self._demand:
                data += self._demand_block(accounts.peaks[1 + tier])
        return data

    def _demand_block(self, peak):
        meter, encoder = self._meter, self._meter.encoder
        when = encoder.short_time(meter.time_at(peak.end_ns)) if encoder.tm_format else b""
        return (
            when
            + encoder.first(peak.cumulative)
            + encoder.second(peak.watts)
            + encoder.second(peak.volts_dv * 10)
        )

    def _record(self):
        meter, encoder = self._meter, self._meter.encoder
        when = encoder.short_time(meter.time_at(meter.now_ns)) if encoder.tm_format else b""
        return when + self.current()

    def reset_demand(self):
        """Keep the registers as ST-25 and start new demands."""
        self._history = [self._record()]
        self._meter.accounts.reset_demand()

    def read_self(self):
        """Add a self-read to ST-26."""
        self._self_reads.append((self._self_read_count & 0xFFFF, self._record()))
        del self._self_reads[:-_SELF_READS]
        self._self_read_count += 1

    def _self_read_table(self):
        u = self._meter.encoder.u
        blank = bytes(2 + len(self._record()))
        entries = [u(number, 2) + record for number, record in self._self_reads]
        valid = len(entries)
        head = bytes([0, valid, max(valid - 1, 0)])
        head += u(max(self._self_read_count - 1, 0) & 0xFFFF, 2) + bytes([valid])
        return head + b"".join(entries) + blank * (_SELF_READS - valid)

    def _present(self):
        meter, encoder = self._meter, self._meter.encoder
        power_w = meter.load.power_mw(meter.now_ns) // 1000
        if is_unsigned(encoder.ni1):
            power_w = max(power_w, 0)
        values = [dv * 10 for dv in meter.voltages_dv(meter.now_ns)]
        values += [power_w, meter.outages, meter.frequency_chz(meter.now_ns)]
        demand = b""
        if self._demand:
            demand = encoder.second(meter.accounts.present_w(meter.now_ns))
        return demand + b"".join(encoder.first(value) for value in values)
