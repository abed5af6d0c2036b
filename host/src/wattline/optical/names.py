"""Names of C12.19 tables, quantities, units and events.

Source: ANSI C12.19, tables 0 to 76, UOM codes of table 12, event codes of tables 72 to 76.
"""

MT = 0x0800
PENDING = 0x1000

TABLES = {
    0: "general configuration",
    1: "manufacturer identification",
    2: "nameplate",
    3: "mode and status",
    4: "pending status",
    5: "device identification",
    6: "utility information",
    7: "procedure initiate",
    8: "procedure response",
    10: "sources, limits",
    11: "sources, actual",
    12: "units of measure",
    13: "demand control",
    14: "data control",
    15: "constants",
    16: "source definition",
    20: "registers, limits",
    21: "registers, actual",
    22: "data selection",
    23: "current registers",
    24: "previous season",
    25: "previous demand reset",
    26: "self-reads",
    27: "present register selection",
    28: "present registers",
    30: "display, limits",
    31: "display, actual",
    32: "display sources",
    33: "primary display list",
    34: "secondary display list",
    40: "security, limits",
    41: "security, actual",
    42: "passwords",
    43: "default access",
    44: "access control",
    45: "keys",
    50: "time of use, limits",
    51: "time of use, actual",
    52: "clock",
    53: "time offset",
    54: "calendar",
    55: "clock state",
    56: "time remaining",
    60: "load profile, limits",
    61: "load profile, actual",
    62: "load profile control",
    63: "load profile status",
    64: "load profile, set 1",
    65: "load profile, set 2",
    66: "load profile, set 3",
    67: "load profile, set 4",
    70: "logs, limits",
    71: "logs, actual",
    72: "event identification",
    73: "history log control",
    74: "history log",
    75: "event log control",
    76: "event log",
}

# ID_CODE -> (name, unit); energies gain an h.
QUANTITIES = {
    0: ("active", "W"),
    1: ("reactive", "var"),
    2: ("apparent", "VA"),
    3: ("phasor apparent", "VA"),
    4: ("Q at 60°", "Q"),
    5: ("Q at 45°", "Q"),
    8: ("voltage", "V"),
    9: ("average voltage", "V"),
    10: ("voltage squared", "V²"),
    11: ("instantaneous voltage", "V"),
    12: ("current", "A"),
    14: ("current squared", "A²"),
    15: ("instantaneous current", "A"),
    24: ("power factor", ""),
    25: ("phasor power factor", ""),
    33: ("frequency", "Hz"),
    34: ("counter", ""),
    50: ("power outages", ""),
    51: ("demand resets", ""),
    52: ("times programmed", ""),
    53: ("time on battery", "min"),
}
ENERGIES = (0, 1, 2, 3, 4, 5, 10, 14)

# TIME_BASE beside "bulk".
TIME_BASES = ("", "", "period", "sub-block demand", "block demand", "relative", "thermal", "event")
PHASES = ("", "A-B", "B-C", "C-A", "neutral", "A-N", "B-N", "C-N")
DIRECTIONS = {0b1001: "delivered", 0b0110: "received", 0b0011: "Q1+Q2", 0b1100: "Q3+Q4"}

REPLIES = (
    "ok",
    "error",
    "service not supported",
    "insufficient security clearance",
    "operation not possible",
    "inappropriate action",
    "busy",
    "data not ready",
    "data locked",
    "renegotiate",
    "invalid service sequence state",
)

EVENTS = {
    0: "none",
    1: "power down",
    2: "power up",
    3: "time changed, old time",
    4: "time changed, new time",
    7: "read access",
    8: "write access",
    9: "procedure invoked",
    10: "table written",
    11: "programmed",
    12: "communication ended normally",
    13: "communication ended abnormally",
    14: "list pointers reset",
    15: "list pointers updated",
    16: "history log cleared",
    17: "history log pointers updated",
    18: "event log cleared",
    19: "event log pointers updated",
    20: "demand reset",
    21: "self-read",
    22: "daylight saving on",
    23: "daylight saving off",
    24: "season change",
    25: "rate change",
    26: "special schedule",
    27: "tier switch",
    28: "pending table activated",
    29: "pending table cleared",
    30: "metering mode on",
    31: "metering mode off",
    32: "test mode on",
    33: "test mode off",
    34: "shop mode on",
    35: "shop mode off",
    36: "reprogrammed",
    37: "configuration error",
    38: "self-check error",
    39: "RAM error",
    40: "ROM error",
    41: "nonvolatile memory error",
    42: "clock error",
    43: "measurement error",
    44: "low battery",
    45: "low loss potential",
    46: "demand overload",
    47: "tamper",
    48: "reverse rotation",
}


PROCEDURE_RESULTS = (
    "completed",
    "accepted, not complete",
    "invalid parameter",
    "conflicts with the setup",
    "timing constraint",
    "no authorization",
    "unrecognized",
)


def number_name(table):
    """Return ``ST-23`` or ``MT-1`` for a table number."""
    pending = "pending " if table & PENDING else ""
    return f"{pending}{'MT' if table & MT else 'ST'}-{table & 0x07FF}"


def table_name(table):
    """Return ``ST-23 current registers`` for a table number."""
    name = "" if table & (MT | PENDING) else TABLES.get(table, "")
    return f"{number_name(table)} {name}".rstrip()


def reply_name(code):
    """Return a reply code in words."""
    return REPLIES[code] if code < len(REPLIES) else f"reply code {code:#04x}"


def unit_of(unit):
    """Return (name, symbol) of a `endpoint.optical.tables.Unit`."""
    name, symbol = QUANTITIES.get(unit.id, (f"quantity {unit.id}", ""))
    if unit.time_base in (0, 5) and unit.id in ENERGIES:
        symbol += "h"
        name += " energy"
    elif unit.id in (0, 1, 2):
        name += " power"
    parts = [name, TIME_BASES[unit.time_base]]
    if unit.id <= 5:
        if unit.quadrants == 0b1111:
            parts.append("net" if unit.net else "delivered + received")
        else:
            parts.append(DIRECTIONS.get(unit.quadrants, ""))
    parts.append(PHASES[unit.segment])
    return " ".join(part for part in parts if part), symbol
