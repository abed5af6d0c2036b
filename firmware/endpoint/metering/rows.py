"""The rows that the engine hands out: rings, flags and layouts.

Context: any.
"""

import struct

from micropython import const

INTERVAL = const(0)
HOUR = const(1)
EVENT = const(2)
OUTAGE = const(3)
PERIOD = const(4)
VOLTAGE_DAY = const(5)
DEMAND = const(6)
RINGS = const(7)

# Flags of an interval (rule L-2).
PF = const(0x001)  # dark during some of it
DARK = const(0x002)  # dark during all of it
PARTIAL = const(0x004)  # recording covered less than the interval
LONG = const(0x008)  # ... or more
EST = const(0x010)  # contains energy whose place is estimated
TIME = const(0x020)  # a clock step happened in it
SKIPPED = const(0x040)  # jumped over by the clock
CHG = const(0x080)  # meter replaced, or its register jumped
OOR = const(0x100)  # supply outside the limits
DST = const(0x200)  # daylight time at its start
MISSING = const(0x400)  # no record can be made: the energy fields mean nothing
TEST = const(0x800)  # the meter was in test mode

# An interval with one of these cannot set a peak (rule M-5).
NO_PEAK = const(EST | TIME | CHG | TEST)

NO_VOLTAGE = const(0xFFFF)

INTERVAL_LAYOUT = "<IHHIIiiiBBH"
HOUR_LAYOUT = "<IHHIIiiiIHHHBB"
EVENT_LAYOUT = "<IIBBHqq"
OUTAGE_LAYOUT = "<IIIBBH"
PERIOD_LAYOUT = "<IIIHHIIIIIIqIIIIIIIIqqqqqq"
VOLTAGE_DAY_LAYOUT = "<IHHIIHHHHI"
DEMAND_LAYOUT = "<IHBBI"

_ENERGY = ("end_utc_s", "flags", "covered_s", "forward_wh", "reverse_wh", "value_wh")
_BOUNDS = ("least_wh", "most_wh")
FIELDS = (
    _ENERGY + _BOUNDS + ("clock_bound_s", "interval_min", "spare"),
    _ENERGY
    + _BOUNDS
    + ("register_wh", "minimum_dv", "maximum_dv", "average_dv", "clock_bound_s", "spare"),
    ("utc_s", "life_s", "code", "clock_bound_s", "spare", "a", "b"),
    ("start_utc_s", "duration_s", "end_utc_s", "flags", "clock_bound_s", "spare"),
    (
        "reset_utc_s",
        "identity",
        "life_s",
        "resets",
        "coincident_dv",
        "coincident_w",
        "peak_w",
        "peak_s",
        "previous_w",
        "previous_s",
        "spare",
        "cumulative_w",
        "rate_a_peak_w",
        "rate_a_peak_s",
        "rate_b_peak_w",
        "rate_b_peak_s",
        "rate_c_peak_w",
        "rate_c_peak_s",
        "rate_d_peak_w",
        "rate_d_peak_s",
        "total_wh",
        "rate_a_wh",
        "rate_b_wh",
        "rate_c_wh",
        "rate_d_wh",
        "unplaced_wh",
    ),
    (
        "end_utc_s",
        "minimum_dv",
        "maximum_dv",
        "minimum_utc_s",
        "maximum_utc_s",
        "average_dv",
        "outside_a_min",
        "outside_b_min",
        "excursions",
        "samples",
    ),
    ("end_utc_s", "flags", "rate", "may_set_peak", "demand_w"),
)
LAYOUTS = (
    INTERVAL_LAYOUT,
    HOUR_LAYOUT,
    EVENT_LAYOUT,
    OUTAGE_LAYOUT,
    PERIOD_LAYOUT,
    VOLTAGE_DAY_LAYOUT,
    DEMAND_LAYOUT,
)


def unpack(ring, row):
    """Return a row as a dictionary of its fields."""
    return dict(zip(FIELDS[ring], struct.unpack_from(LAYOUTS[ring], row, 0)))
