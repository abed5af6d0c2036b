"""Commands as bytes: one code, then its arguments; the same on the line and on the port.

A command is ``code (1 byte) | arguments``. Arguments are the bit fields of `ARGUMENTS`, most
significant first, filled with zero bits to whole bytes. A frame of the line always has room
for nine bytes of arguments, so zero bytes behind the last field are allowed and others are not.
What is longer travels as a transfer (`endpoint.line.transfer`) and arrives as the same thing:
a code of `BODIES` and its body.

Who may send a command is not decided here: see `endpoint.line.authority`.

Context: any. Allocates: integers of up to 72 bits and one dictionary per call.
Source: docs/authority.md, "Commands".
"""

from micropython import const

from endpoint.line import CommandError

LINE_ARGUMENT_BYTES = const(9)
BODY_MAX_BYTES = const(504)

SET_TIME = const(0x01)
SET_ZONE = const(0x02)
READ = const(0x10)
REQUEST = const(0x11)
SET_STREAM = const(0x12)
SET_CHANNEL = const(0x13)
SET_GROUP = const(0x15)
TRANSFER_BEGIN = const(0x20)
TRANSFER_PART = const(0x21)
TRANSFER_QUERY = const(0x22)
SCHEDULE_ACTIVATE = const(0x23)
SCHEDULE_CANCEL = const(0x24)
CRITICAL_PEAK = const(0x25)
DEMAND_RESET = const(0x28)
FREEZE = const(0x29)
SET_DETENT = const(0x2A)
SET_NET = const(0x2B)
KEY_CHANGE = const(0x33)
IDENTIFY = const(0x3F)
# Bodies that only a transfer can carry.
SCHEDULE = const(0x40)
DISPLAY_ITEMS = const(0x41)
ANCHOR = const(0x42)

# Code: fields and widths in bits, in order.
ARGUMENTS = {
    # UTC at the start of the frame's first sync symbol; its cycle count, modulo CYCLES_FOLD.
    SET_TIME: (("unix_s", 32), ("fraction_q8", 8), ("cycle", 32)),
    # Offset from UTC in quarter hours + 64; observe US daylight time.
    SET_ZONE: (("quarter_hours", 8), ("daylight", 8)),
    # One REGISTER frame, marked with this number (10 bits count).
    READ: (("request", 16),),
    # `count` frames of a type, from block (BLOCK: hour/4; DIGEST: day; TOU: pair) on.
    REQUEST: (("frame_type", 8), ("first", 24), ("count", 8)),
    # STREAM_OFF, _REGISTER or _PROFILE; EXTREME_MINIMUM or _MAXIMUM.
    SET_STREAM: (("mode", 8), ("extreme", 8)),
    SET_CHANNEL: (("profile", 8), ("channel", 16)),
    # Membership `slot` (0 … 3) becomes `group` (1 … 255), or none (0).
    SET_GROUP: (("slot", 8), ("group", 8)),
    # `kind` is the code of the body; for `check` see transfer.
    TRANSFER_BEGIN: (("transfer", 8), ("kind", 8), ("length", 16), ("check", 32)),
    # Seven bytes at 7 · index.
    TRANSFER_PART: (("transfer", 8), ("index", 8), ("data", 56)),
    # Answered with the first parts that are missing.
    TRANSFER_QUERY: (("transfer", 8),),
    SCHEDULE_ACTIVATE: (("schedule", 8), ("at_unix_s", 32)),
    SCHEDULE_CANCEL: (("schedule", 8),),
    CRITICAL_PEAK: (("event", 8), ("start_unix_s", 32), ("minutes", 16), ("rate", 8)),
    # `reset` is the command's identity (M-8), not the frame's counter.
    DEMAND_RESET: (("reset", 16),),
    FREEZE: (("freeze", 16),),
    SET_DETENT: (("detent", 8),),
    SET_NET: (("net", 8),),
    KEY_CHANGE: (("generation", 16),),
    IDENTIFY: (),
}

# Code: longest body in bytes. SCHEDULE is the metering room's own format; DISPLAY_ITEMS one
# byte per item; ANCHOR slot 3, element 12, slot length in s 2.
BODIES = {SCHEDULE: 504, DISPLAY_ITEMS: 16, ANCHOR: 17}

# Allowed ranges, inclusive, where a field may not take every value.
_RANGES = {
    (SET_ZONE, "quarter_hours"): (0, 128),
    (SET_ZONE, "daylight"): (0, 1),
    (READ, "request"): (0, 1023),
    (REQUEST, "frame_type"): (0, 15),
    (REQUEST, "count"): (1, 24),
    (SET_STREAM, "mode"): (0, 2),
    (SET_STREAM, "extreme"): (0, 1),
    (SET_GROUP, "slot"): (0, 3),
    (TRANSFER_BEGIN, "length"): (1, BODY_MAX_BYTES),
    (CRITICAL_PEAK, "minutes"): (1, 1440),
    (CRITICAL_PEAK, "rate"): (0, 3),
    (SET_DETENT, "detent"): (0, 1),
    (SET_NET, "net"): (0, 1),
}

STREAM_OFF = const(0)
STREAM_REGISTER = const(1)
STREAM_PROFILE = const(2)
EXTREME_MINIMUM = const(0)
EXTREME_MAXIMUM = const(1)

# What an ACK frame may say.
DONE = const(0)
ALREADY_DONE = const(1)
PENDING = const(2)  # accepted, waits for the meter (D-6) or for its hour
NOT_SUPPORTED = const(3)  # by this version or product (G-1)
BAD_ARGUMENT = const(4)
LOCKED_OUT = const(5)  # M-8
NEEDS_DETENT = const(6)  # D-3
DOES_NOT_FIT = const(7)  # more than the profile can send
INCOMPLETE = const(8)  # parts of a transfer are missing
OUTCOME_UNKNOWN = const(9)  # power failed between acceptance and result: ask, then send anew
FAILED = const(10)

# A command that only an individual frame or the port may carry, never group or broadcast.
INDIVIDUAL_ONLY = (SET_CHANNEL, SET_GROUP, KEY_CHANGE, ANCHOR, SET_DETENT, SET_NET, SET_TIME)


def pack(code, values=()):
    """Return a command's bytes.

    Parameters
    ----------
    code : int
        Key of `ARGUMENTS`.
    values : sequence of int
        One per field, in order.

    Raises
    ------
    CommandError
        Unknown code, wrong number of values, or a value out of its range.
    """
    fields = ARGUMENTS.get(code)
    if fields is None or len(values) != len(fields):
        raise CommandError
    word = total = 0
    for (name, bits), value in zip(fields, values):
        _check(code, name, bits, value)
        word = word << bits | value
        total += bits
    return bytes((code,)) + word.to_bytes(total // 8, "big")


def unpack(command):
    """Return ``(code, fields)``; `fields` maps names to integers, or is the body as bytes.

    Raises
    ------
    CommandError
        Unknown code, wrong length, a value out of its range, or bits set behind the last field.
    """
    if not command:
        raise CommandError
    code = command[0]
    if code not in BODIES:
        return code, arguments(command)
    if not 1 < len(command) <= 1 + BODIES[code]:
        raise CommandError
    return code, bytes(command[1:])


def arguments(command):
    """Return the fields of a command that is not a body, by name; raises as `unpack` does."""
    code = command[0]
    layout = ARGUMENTS.get(code)
    if layout is None:
        raise CommandError
    size = sum(bits for _, bits in layout) // 8
    if not size < len(command) <= 1 + LINE_ARGUMENT_BYTES or any(command[1 + size :]):
        raise CommandError
    word = int.from_bytes(command[1 : 1 + size], "big")
    fields = {}
    shift = 8 * size
    for name, bits in layout:
        shift -= bits
        fields[name] = word >> shift & ((1 << bits) - 1)
        _check(code, name, bits, fields[name])
    return fields


def filled(command):
    """Return a short command with zero bytes up to a frame's ten; raise CommandError."""
    if len(command) > 1 + LINE_ARGUMENT_BYTES:
        raise CommandError
    return command + bytes(1 + LINE_ARGUMENT_BYTES - len(command))


def _check(code, name, bits, value):
    least, most = _RANGES.get((code, name), (0, (1 << bits) - 1))
    if not least <= value <= most:
        raise CommandError
