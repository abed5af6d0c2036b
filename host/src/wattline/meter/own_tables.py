"""What is in the simulated meter's manufacturer tables: one description that writes and reads.

All invented; the real meter's are not public.
"""

from endpoint.meter.layout import PATCH_TABLE
from endpoint.optical.fields import U8, U16, U32, Array, Binary, Record, Sint
from endpoint.optical.tables import MT

MAKER = b"SIML"
ELECTRICAL = MT | 0
GUESTS = MT | 2  # values that an endpoint wants to have shown
FACTS = MT | 3
GUEST_ITEMS = 11

LAYOUTS = {
    ELECTRICAL: Record(
        ("VOLTAGE", Array(2, U16)),
        ("POWER", Sint(4)),
        ("FREQUENCY", U16),
    ),
    PATCH_TABLE: Record(("PATCH_MARK", Binary(4)), ("DISPLAY_MULTIPLIER", U8), ("SPARE", U8)),
    GUESTS: Record(("GUEST_VALUE", Array(GUEST_ITEMS, Sint(4)))),
    FACTS: Record(
        ("DIAGNOSTIC_WORD", U32),
        ("OUTAGES", U16),
        ("PURCHASED", Record(("YEAR", U16), ("MONTH", U8), ("DAY", U8))),
        ("DISPLAY_MULTIPLIER", U8),
        ("REGISTERS", U8),
    ),
}
UNITS = {"VOLTAGE": "V", "POWER": "W", "FREQUENCY": "Hz"}
DECIMALS = {"VOLTAGE": 1, "FREQUENCY": 2}
