"""wattline: build, flash, program, test and collect from the TS2 FOCUS AL compatible endpoint."""

from endpoint.version import VERSION as __version__

__all__ = ["__version__"]
