"""Sources, build, frozen manifest and UF2."""
