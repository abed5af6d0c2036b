"""Power-fail-safe records on a block device that is passed in. Pure."""
