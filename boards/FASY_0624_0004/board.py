"""FASY-0624-0004: the 240 V module.

Connect: see `wiring.py`; the line coupler and the supply are those for 240 V.
"""

from wiring import *  # noqa: F403 - the family's pins are part of this board

NAME = "FASY_0624_0004"
PART_NUMBER = "FASY-0624-0004"

# Supply in tenths of a volt, limits inclusive.
# Source: data sheet PUBS-0624-0001 Rev G, 240 V +/- 20 %.
NOMINAL_DV = 2400
SUPPLY_MIN_DV = 1920
SUPPLY_MAX_DV = 2880

# Input power the module may take in its worst state.
# Source: data sheet PUBS-0624-0001 Rev G, electrical.
POWER_MAX_W = 8
