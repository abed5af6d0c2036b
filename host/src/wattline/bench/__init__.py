"""Rigs: module, meter, line and collector put together."""
