"""The only rooms that touch machine, rp2 and time."""
