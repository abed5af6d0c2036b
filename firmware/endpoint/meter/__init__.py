"""The FOCUS AL: what to read and what it means. Pure."""
