"""What the premises do: power and voltage as pure functions of simulated time.

Power is constant within each segment of a day, in whole milliwatts, so that energy is an exact
integer at every nanosecond: no rounding error can hide an error of the module.
"""

import math
import random
from bisect import bisect_right
from itertools import accumulate

NS_PER_S = 1_000_000_000
MW_NS_PER_WH = 3_600_000 * NS_PER_S
DAY_S = 86_400
_SLOT_S = 60  # power changes at most once a minute

_PROFILES = {}


def _profile(start_hour):
    """Register a day's shape: a function of (slot, random source) -> net watts at scale 1."""

    def register(function):
        _PROFILES[function.__name__.strip("_")] = (function, start_hour)
        return function

    return register


def _bump(hour, centre, width):
    """Return a bell of height 1 around `centre`, hours of the day."""
    away = min(abs(hour - centre), 24 - abs(hour - centre))
    return math.exp(-((away / width) ** 2))


@_profile(0)
def _steady(_source):
    return [1200] * (DAY_S // _SLOT_S)


@_profile(17.5)
def _house(source):
    watts = []
    for slot in range(DAY_S // _SLOT_S):
        hour = slot * _SLOT_S / 3600
        base = 180 + 350 * _bump(hour, 7.2, 1.3) + 900 * _bump(hour, 19.0, 2.2)
        fridge = 130 if slot % 42 < 16 else 0
        watts.append(base + fridge)
    # Appliances: power in W, run time in minutes, likeliest hour, how many a day.
    for power, minutes, likely, times in (
        (2200, 4, 7, 3),
        (3500, 25, 18, 1),
        (4800, 12, 20, 2),
        (1900, 45, 10, 1),
        (1100, 6, 19, 4),
    ):
        for _ in range(times):
            first = int((likely + source.uniform(-1.5, 1.5)) * 3600 / _SLOT_S)
            for slot in range(first, first + minutes):
                watts[slot % len(watts)] += power
    return watts


@_profile(11.5)
def _solar(source):
    watts = _house(source)
    for slot in range(len(watts)):
        hour = slot * _SLOT_S / 3600
        sun = max(0.0, math.cos((hour - 12.5) * math.pi / 13))
        cloud = source.choice((1.0, 1.0, 0.9, 0.4))
        watts[slot] = watts[slot] - 7500 * sun * cloud
    return watts


@_profile(9)
def _commercial(source):
    watts = []
    for slot in range(DAY_S // _SLOT_S):
        hour = slot * _SLOT_S / 3600
        open_share = 1 / (1 + math.exp(-3 * (hour - 7.5))) - 1 / (1 + math.exp(-3 * (hour - 18)))
        motor = 9000 if slot % 11 < 5 else 0
        watts.append(2500 + open_share * (14000 + motor + source.uniform(-800, 800)))
    return watts


PROFILES = tuple(_PROFILES)


class _Day:
    """One day's segments and the energy at the start of each."""

    def __init__(self, watts, scale):
        self.power_mw = [round(1000 * watt * scale) for watt in watts]
        self.forward = self._sums(max(power, 0) for power in self.power_mw)
        self.reverse = self._sums(max(-power, 0) for power in self.power_mw)

    @staticmethod
    def _sums(powers):
        return [0, *accumulate(power * _SLOT_S * NS_PER_S for power in powers)]


class Load:
    """A named load profile.

    Parameters
    ----------
    profile : str
        One of `PROFILES`.
    scale : float
        Factor on all power.
    seed : int
        Chooses the days' details; equal seeds give equal loads.
    start_hour : float or None
        Hour of the day at simulated time zero; None takes the profile's most telling hour.
    nominal_dv : int
        Nominal voltage in 0.1 V.

    Raises
    ------
    ValueError
        If the profile is unknown or the scale is not positive.
    """

    def __init__(self, profile="house", scale=1.0, seed=1, start_hour=None, nominal_dv=2400):
        if profile not in _PROFILES:
            raise ValueError(
                f"There is no load profile {profile!r}; choose {', '.join(PROFILES)}."
            )
        if not 0 < scale <= 1000:
            raise ValueError("The scale of a load must be above 0 and at most 1000.")
        self._shape, hour = _PROFILES[profile]
        self.profile = profile
        self._scale = scale
        self._seed = seed
        self._nominal_dv = nominal_dv
        self._start_ns = round((hour if start_hour is None else start_hour) * 3600) * NS_PER_S
        self._days = []
        self._before = [(0, 0)]  # forward and reverse energy before each day, mW ns

    def _day(self, index):
        while len(self._days) <= index:
            source = random.Random(self._seed * 100_003 + len(self._days))
            day = _Day(self._shape(source), self._scale)
            self._days.append(day)
            forward, reverse = self._before[-1]
            self._before.append((forward + day.forward[-1], reverse + day.reverse[-1]))
        return self._days[index]

    def _place(self, t_ns):
        """Return day, its index, slot and nanoseconds within the slot."""
        index, rest_ns = divmod(self._start_ns + t_ns, DAY_S * NS_PER_S)
        slot, within_ns = divmod(rest_ns, _SLOT_S * NS_PER_S)
        return self._day(index), index, slot, within_ns

    def _since_midnight(self, t_ns):
        day, index, slot, within_ns = self._place(t_ns)
        power = day.power_mw[slot]
        forward, reverse = self._before[index]
        forward += day.forward[slot] + max(power, 0) * within_ns
        reverse += day.reverse[slot] + max(-power, 0) * within_ns
        return forward, reverse

    def energy(self, t_ns):
        """Return forward and reverse energy since time zero, in mW ns (exact)."""
        forward, reverse = self._since_midnight(t_ns)
        forward_0, reverse_0 = self._since_midnight(0)
        return forward - forward_0, reverse - reverse_0

    def power_mw(self, t_ns):
        """Return the net power in mW at `t_ns`; negative when the premises feed in."""
        day, _, slot, _ = self._place(t_ns)
        return day.power_mw[slot]

    def power_w(self, t_s):
        """Return the net power in W at `t_s` seconds."""
        return self.power_mw(round(t_s * NS_PER_S)) / 1000

    def voltage_dv(self, t_s, phase=0):
        """Return the RMS voltage in 0.1 V at `t_s`: slow wander, and a dip under load."""
        nominal = self._nominal_dv
        wander = math.sin(2 * math.pi * t_s / 3700 + phase) + math.sin(t_s / 97 + 2 * phase) / 3
        dip = self.power_w(t_s) / 1000 * 0.0006
        return round(nominal * (1 + 0.008 * wander - dip))


class Lit:
    """When the service was on; energy counts only then."""

    def __init__(self):
        self._times_ns = [0]
        self._states = [True]

    def set(self, t_ns, lit):
        """Switch the service at `t_ns`, which must not be before the last switch."""
        if t_ns < self._times_ns[-1]:
            raise ValueError("A service cannot be switched in the past.")
        if lit != self._states[-1]:
            self._times_ns.append(t_ns)
            self._states.append(lit)

    def at(self, t_ns):
        """Return whether the service is on at `t_ns`."""
        return self._states[max(0, bisect_right(self._times_ns, t_ns) - 1)]

    def was_dark(self, begin_ns, end_ns):
        """Return whether the service was off at any time between two times."""
        if not self.at(begin_ns):
            return True
        return any(begin_ns < at_ns < end_ns for at_ns in self._times_ns)

    def energy(self, load, t_ns):
        """Return forward and reverse energy of `load` up to `t_ns`, lit time only, in mW ns."""
        forward = reverse = 0
        ends_ns = [*self._times_ns[1:], t_ns]
        for begin_ns, end_ns, lit in zip(self._times_ns, ends_ns, self._states, strict=True):
            if begin_ns >= t_ns:
                break
            if lit:
                more = load.energy(min(end_ns, t_ns))
                less = load.energy(begin_ns)
                forward += more[0] - less[0]
                reverse += more[1] - less[1]
        return forward, reverse


class Loads:
    """One load after another; the energies add up.

    Parameters
    ----------
    load : Load
        From time zero on.
    """

    def __init__(self, load):
        self._starts_ns = [0]
        self._loads = [load]
        self._before = [(0, 0)]

    def switch(self, t_ns, load):
        """Go on with another load from `t_ns`, which must not be before the last switch."""
        if t_ns < self._starts_ns[-1]:
            raise ValueError("A load cannot be changed in the past.")
        before = self.energy(t_ns)
        self._starts_ns.append(t_ns)
        self._loads.append(load)
        self._before.append(before)

    def _place(self, t_ns):
        return max(0, bisect_right(self._starts_ns, t_ns) - 1)

    def energy(self, t_ns):
        """Return forward and reverse energy since time zero, in mW ns (exact)."""
        place = self._place(t_ns)
        load = self._loads[place]
        until, since = load.energy(t_ns), load.energy(self._starts_ns[place])
        return tuple(self._before[place][i] + until[i] - since[i] for i in (0, 1))

    def power_mw(self, t_ns):
        """Return the net power in mW at `t_ns`."""
        return self._loads[self._place(t_ns)].power_mw(t_ns)

    def power_w(self, t_s):
        """Return the net power in W at `t_s` seconds."""
        return self.power_mw(round(t_s * NS_PER_S)) / 1000

    def voltage_dv(self, t_s, phase=0):
        """Return the RMS voltage in 0.1 V at `t_s`."""
        return self._loads[self._place(round(t_s * NS_PER_S))].voltage_dv(t_s, phase)
