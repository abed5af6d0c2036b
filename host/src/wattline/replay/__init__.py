"""Runs the module's own metering engine over a log or a written scenario, and explains it."""
