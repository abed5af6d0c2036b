"""Registers become steps, totals and records. Pure."""
