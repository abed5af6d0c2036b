"""Find exactly one board and talk to it."""
