"""Where everything lives in the 2 MB of flash; the one place that says so.

Offsets `_AT` count from the start of the storage area, which is all of `rp2.Flash` and the end
of the chip. Everything is whole erase blocks of 4096 bytes.

Source of the sizes: journal and rings as docs/journal.md reckons their wear; a slot holds the
compiled application, which fills nine tenths of it; files need little.
"""

FLASH_BYTES = 2 * 1024 * 1024
FIRMWARE_BYTES = 704 * 1024  # the image: interpreter, start-up, frozen application
STORAGE_BYTES = FLASH_BYTES - FIRMWARE_BYTES

JOURNAL_AT = 0
JOURNAL_BYTES = 256 * 1024
RINGS_AT = JOURNAL_AT + JOURNAL_BYTES
RINGS_BYTES = 320 * 1024
# Two application slots, executed in place.
SLOT_BYTES = 256 * 1024
SLOTS_AT = (RINGS_AT + RINGS_BYTES, RINGS_AT + RINGS_BYTES + SLOT_BYTES)
# What start-up remembers: state of the slots, keys of releases.
START_AT = SLOTS_AT[1] + SLOT_BYTES
START_BYTES = 16 * 1024
FILES_AT = START_AT + START_BYTES
FILES_BYTES = STORAGE_BYTES - FILES_AT
