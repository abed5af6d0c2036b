"""What the engine answers to a command.

Context: any.
"""

from micropython import const

DONE = const(0)
ALREADY_DONE = const(1)  # the same command came before; nothing was done now
TOO_SOON = const(2)  # refused by the lock-out after a demand reset
NOTHING_TO_DO = const(3)
TIME_UNKNOWN = const(4)
NOT_CAPABLE = const(5)  # firmware, collector or head-end cannot do it
NET_IS_ON = const(6)  # net values are not streamed
NOT_STARTED = const(7)

NAMES = (
    "done",
    "already done",
    "too soon after the last reset",
    "nothing to do",
    "the time is not known yet",
    "firmware, collector or head-end cannot do that",
    "net values cannot be streamed",
    "nothing has been read from the meter yet",
)
