"""An RP2040 with exact UART, PIO and flash, for running the real image."""
