"""Payloads, coding, line phase and carrier arithmetic. Pure."""
