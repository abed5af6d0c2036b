"""A FOCUS AL simulator in the C12.18 device role."""
