"""One file, one asyncio task; tasks carry data from hal to a pure room and on."""
