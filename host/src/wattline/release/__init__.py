"""Releases: make them from the sources, sign them, look into them."""
