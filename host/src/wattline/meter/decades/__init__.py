"""The simulated meter's tables, one file per decade; each part lists what it serves."""
