"""Decade 1: what is measured, in which unit."""

from dataclasses import dataclass

# ID_CODE, TIME_BASE, MULTIPLIER, quadrants and NET_FLOW; see docs/tables.md.
WH_DELIVERED = 0b1001 << 14
WH_RECEIVED = 0b0110 << 14
WH_NET = 0b1111 << 14 | 1 << 18
WH_TOTAL = 0b1111 << 14
W_NET = 1 << 8 | 0b1111 << 14 | 1 << 18
W_BLOCK_DELIVERED = 4 << 8 | 0b1001 << 14
V_RMS_HUNDREDTHS = 8 | 1 << 8 | 5 << 11
HZ_HUNDREDTHS = 33 | 1 << 8 | 5 << 11
OUTAGES = 50
_KILO = 2 << 11

_ENGINEERING = 0x11
_WITH_DEMAND = 0x13
_PULSES = 0x29  # unit, constants, constant still to be applied


@dataclass(frozen=True)
class Places:
    """Source numbers by what they are."""

    sums: tuple
    volts: tuple
    power: int
    outages: int
    hertz: int
    total: int | None
    demand: int | None


class Sources:
    """ST-11 to ST-16.

    Parameters
    ----------
    meter : FocusAL
    net_only : bool
        One net register instead of separate ones.
    kilo : bool
        Registers in kWh.
    pulse_wh : int or None
        Registers count pulses of so many Wh.
    demand : bool
    """

    def __init__(self, meter, net_only, kilo, pulse_wh, demand):
        self._meter = meter
        self._pulse_wh = pulse_wh
        self._demand = demand
        energy = [WH_NET] if net_only else [WH_DELIVERED, WH_RECEIVED, WH_NET]
        volts = [V_RMS_HUNDREDTHS | segment << 19 for segment in meter.form.segments]
        self._units = [unit | (_KILO if kilo else 0) for unit in energy]
        self._units += [*volts, W_NET, OUTAGES, HZ_HUNDREDTHS]
        count = len(energy)
        after = count + len(volts)
        self._flags = [_PULSES if pulse_wh else _ENGINEERING] * count
        self._flags += [_ENGINEERING] * (len(volts) + 3)
        if not net_only:
            self._units.append(WH_TOTAL | (_KILO if kilo else 0))  # only ever displayed
            self._flags.append(_ENGINEERING)
        if demand:
            self._units.append(W_BLOCK_DELIVERED)
            self._flags.append(_WITH_DEMAND)
        self.at = Places(
            tuple(range(count)),
            tuple(range(count, after)),
            after,
            after + 1,
            after + 2,
            None if net_only else after + 3,
            len(self._units) - 1 if demand else None,
        )
        self.count = len(self._units)

    def tables(self):
        """Return the functions that make the tables' contents."""
        u = self._meter.encoder.u
        made = {
            11: self._limits,
            12: lambda: b"".join(u(unit, 4) for unit in self._units),
            16: lambda: bytes(self._flags),
        }
        if self._demand:
            made[13] = lambda: bytes([10, 5, 0]) + u(15, 2)
            made[14] = lambda: b"\x00\x00"
        if self._pulse_wh:
            made[15] = self._constants
        return made

    def _limits(self):
        count = len(self._units)
        demands = 1 if self._demand else 0
        flags = 0x05 if self._demand else 0  # power-fail exclusion, block demand
        constants = len(self.at.sums) if self._pulse_wh else 0
        return bytes([flags, count, demands, 2 * demands, demands, constants, 2, count])

    def _constants(self):
        first = self._meter.encoder.first
        return (first(self._pulse_wh) + first(0)) * len(self.at.sums)
