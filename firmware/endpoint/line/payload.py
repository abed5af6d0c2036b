"""The 64-bit payloads: one table entry per frame type, one pair of functions for all.

Context: any. Allocates: a few integers beyond 31 bits per call.
Source: docs/phy.md, "Payloads".
"""

from micropython import const

from endpoint.line import PayloadError

PAYLOAD_BYTES = const(8)

REGISTER = const(1)
JOIN = const(15)

# Field names and widths in bits, most significant first, after the frame type's four bits.
LAYOUTS = {
    REGISTER: (
        ("selector", 3),
        ("time_valid", 1),
        ("flags", 3),
        ("register", 20),
        ("voltage", 10),
        ("demand", 13),
        ("request", 10),
    ),
    JOIN: (("firmware", 4), ("eid", 32), ("capabilities", 24)),
}

# REGISTER, selector 0: sent unasked, `request` is the age of the reading in seconds.
UNASKED = const(0)
# REGISTER, selector 1: `request` is the number of the request that is answered.
ANSWER = const(1)

# Bits of `flags`.
FLAG_OUTAGE = const(4)
FLAG_ALARM = const(2)
FLAG_EVENT = const(1)

# `register` counts 0.1 kWh on five dials and a tenth.
REGISTER_STEP_WH = const(100)
REGISTER_MODULUS = const(1000000)
# `voltage` counts 0.1 % of nominal from 50 %; `demand` counts 10 W.
VOLTAGE_OFFSET_PERMILLE = const(500)
VOLTAGE_MISSING = const(1023)
DEMAND_STEP_W = const(10)
DEMAND_OVERFLOW = const(8190)
DEMAND_MISSING = const(8191)
AGE_OLDER = const(1023)


def pack_into(payload, frame_type, values):
    """Write one payload.

    Parameters
    ----------
    payload : bytearray, 8 bytes
        Receives the bits, most significant first.
    frame_type : int
        Key of `LAYOUTS`.
    values : sequence of int
        One value per field, in the layout's order.

    Raises
    ------
    PayloadError
        Unknown frame type, wrong number of values, or a value wider than its field.
    """
    layout = LAYOUTS.get(frame_type)
    if layout is None or len(values) != len(layout):
        raise PayloadError
    word = frame_type
    i = 0
    for _, bits in layout:
        value = values[i]
        if not 0 <= value < 1 << bits:
            raise PayloadError
        word = word << bits | value
        i += 1
    payload[:] = word.to_bytes(PAYLOAD_BYTES, "big")


def unpack(payload):
    """Return ``(frame_type, fields)`` of 8 bytes; raise PayloadError for an unknown type.

    `fields` maps the layout's names to integers.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise PayloadError
    word = int.from_bytes(payload, "big")
    frame_type = word >> 60
    layout = LAYOUTS.get(frame_type)
    if layout is None:
        raise PayloadError
    fields = {}
    shift = 60
    for name, bits in layout:
        shift -= bits
        fields[name] = word >> shift & ((1 << bits) - 1)
    return frame_type, fields


def pack_join(payload, firmware, eid, capabilities=0):
    """Write a JOIN: who I am. `firmware` is reduced to its low four bits."""
    pack_into(payload, JOIN, (firmware & 15, eid, capabilities))


def pack_register(payload, total_wh, voltage_permille, demand_w, age_s, flags=0, time_valid=0):
    """Write an unasked REGISTER.

    Parameters
    ----------
    payload : bytearray, 8 bytes
        Receives the bits.
    total_wh : int
        Register in Wh; sent in whole 0.1 kWh, modulo 100,000 kWh.
    voltage_permille : int or None
        Voltage in 0.1 % of nominal, limited to what the field can say; None when unknown.
    demand_w : int or None
        Power in W, limited likewise; None when unknown.
    age_s : int
        Whole seconds from the reading to the frame's first symbol.
    flags, time_valid : int
        As on the line.
    """
    voltage = VOLTAGE_MISSING
    if voltage_permille is not None:
        voltage = voltage_permille - VOLTAGE_OFFSET_PERMILLE
        voltage = min(max(voltage, 0), VOLTAGE_MISSING - 1)
    demand = DEMAND_MISSING
    if demand_w is not None:
        demand = min(max(demand_w, 0) // DEMAND_STEP_W, DEMAND_OVERFLOW)
    register = total_wh // REGISTER_STEP_WH % REGISTER_MODULUS
    age = min(max(age_s, 0), AGE_OLDER)
    pack_into(payload, REGISTER, (UNASKED, time_valid, flags, register, voltage, demand, age))
