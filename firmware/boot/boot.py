"""Second code after reset; frozen, so that a `/boot.py` cannot keep the application away.

A soft reset, with which mpremote begins most of its work, comes through here as well. It stops
whatever fed the watchdog, and stops neither the DMA nor a pin that is high.
"""

import board
import micropython
from machine import Pin

from endpoint.hal import window
from endpoint.hal.dma import abort_all
from endpoint.hal.watchdog import service_window

abort_all()
Pin(board.CARRIER_GATE_PIN, Pin.OUT, value=0)
service_window.open()
window.resume(board.PROGRAM_UART, board.PROGRAM_TX_PIN, board.PROGRAM_RX_PIN)

# Room for the report of an error inside an interrupt, where nothing can be allocated.
micropython.alloc_emergency_exception_buf(100)
