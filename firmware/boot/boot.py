"""Second code after reset; frozen, so that a `/boot.py` cannot keep the application away."""

import micropython

# Room for the report of an error inside an interrupt, where nothing can be allocated.
micropython.alloc_emergency_exception_buf(100)
