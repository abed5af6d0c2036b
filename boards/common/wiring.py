"""Pins and flash that the boards of the FASY-0624 family share.

Connect:
  optical port       GP0 TX, GP1 RX: infrared LED and photo diode facing the meter
  programming port   GP4 TX, GP5 RX: infrared LED and photo diode facing the opto probe
  power fail         GP13, high while the supply is good, low 20 ms before it ends
  zero crossing      GP14, high while the line voltage is positive, isolated
  carrier gate       GP15, drives the line coupler's switch; low = silent
  line sense         GP26, line voltage behind the band filter, biased to 1.65 V
  LED                GP25
"""

from flash_layout import *  # noqa: F403 - the family's flash is part of every board

OPTICAL_UART = 0
OPTICAL_TX_PIN = 0
OPTICAL_RX_PIN = 1

PROGRAM_UART = 1
PROGRAM_TX_PIN = 4
PROGRAM_RX_PIN = 5

POWER_FAIL_PIN = 13
ZERO_CROSSING_PIN = 14
CARRIER_GATE_PIN = 15
LED_PIN = 25
LINE_SENSE_PIN = 26

SYSTEM_CLOCK_HZ = 125_000_000

# Line frequency inside which the module works to its figures, in hundredths of a hertz.
# Source: data sheet PUBS-0624-0001 Rev G, 60 Hz +/- 5 %.
FREQUENCY_MIN_X100_HZ = 5700
FREQUENCY_MAX_X100_HZ = 6300

# Band the carrier may use. Source: the line's PHY, gaps between the harmonics 6 and 17.
CARRIER_MIN_HZ = 366
CARRIER_MAX_HZ = 1014
