"""FASY-0624-0003: the 120 V module.

Connect: see `wiring.py`; the line coupler and the supply are those for 120 V.
"""

from wiring import *  # noqa: F403 - the family's pins are part of this board

NAME = "FASY_0624_0003"
PART_NUMBER = "FASY-0624-0003"

# Supply in tenths of a volt, limits inclusive.
# Source: data sheet PUBS-0624-0001 Rev G, 120 V +/- 20 %.
NOMINAL_DV = 1200
SUPPLY_MIN_DV = 960
SUPPLY_MAX_DV = 1440

# Input power the module may take in its worst state.
# Source: data sheet PUBS-0624-0001 Rev G, electrical.
POWER_MAX_W = 5
