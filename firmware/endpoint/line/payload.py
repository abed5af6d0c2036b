"""The 64-bit payloads: one table for all frame types, one table for what a code means.

`LAYOUTS` says which fields a frame type has, `CODES` how a field's code becomes a number with
a unit; `pack_*` and `read` go both ways through the same tables, on the module and the host.

Nothing that is streamed can be a net value: the functions for stream frames have no argument
that could carry one (rule D-7). They take the two directions apart, and counts that are not
negative; with net on they take delivered energy and say so in the frame type.

Context: any. Allocates: a few integers beyond 31 bits per call.
Source: docs/phy.md, "Payloads".
"""

from micropython import const

from endpoint.line import PayloadError

PAYLOAD_BYTES = const(8)

STREAM_PROFILE = const(0)
REGISTER = const(1)
BLOCK = const(2)
TOU = const(3)
DEMAND = const(4)
VOLTAGE = const(5)
EVENT = const(6)
ACK = const(7)
STREAM_REGISTER = const(8)
DIGEST = const(9)
# The stream frames while net is on: delivered energy only, and labelled so.
STREAM_REGISTER_DELIVERED = const(10)
STREAM_PROFILE_DELIVERED = const(11)
STATUS = const(12)
JOIN = const(15)

NAMES = {
    STREAM_PROFILE: "stream profile",
    REGISTER: "register",
    BLOCK: "block",
    TOU: "TOU",
    DEMAND: "demand",
    VOLTAGE: "voltage",
    EVENT: "event",
    ACK: "acknowledgement",
    STREAM_REGISTER: "stream register",
    DIGEST: "digest",
    STREAM_REGISTER_DELIVERED: "stream register, delivered",
    STREAM_PROFILE_DELIVERED: "stream profile, delivered",
    STATUS: "status",
    JOIN: "join",
}
STREAMS = (
    STREAM_PROFILE,
    STREAM_REGISTER,
    STREAM_PROFILE_DELIVERED,
    STREAM_REGISTER_DELIVERED,
)

_PROFILE = (
    ("hour_slot", 3),
    ("time_valid", 1),
    ("flags", 3),
    ("rotating", 24),
    ("minimum", 8),
    ("maximum", 8),
    ("energy", 13),
)
_REGISTER = (
    ("hour_slot", 3),
    ("time_valid", 1),
    ("flags", 3),
    ("extreme_is_maximum", 1),
    ("rotating", 24),
    ("register", 20),
    ("extreme", 8),
)
_HEAD = (("flags", 3), ("time_valid", 1))

# Field names and widths in bits, most significant first, after the frame type's four bits.
LAYOUTS = {
    STREAM_PROFILE: _PROFILE,
    STREAM_PROFILE_DELIVERED: _PROFILE,
    STREAM_REGISTER: _REGISTER,
    STREAM_REGISTER_DELIVERED: _REGISTER,
    REGISTER: (
        ("selector", 3),
        ("time_valid", 1),
        ("flags", 3),
        ("register", 20),
        ("voltage", 10),
        ("demand", 13),
        ("request", 10),
    ),
    # Four hours from unix hour 4 · block on, block modulo 256.
    BLOCK: (
        ("block", 8),
        ("energy_0", 13),
        ("energy_1", 13),
        ("energy_2", 13),
        ("energy_3", 13),
    ),
    # Rates A and B (pair 0) or C and D (pair 1).
    TOU: (
        ("pair", 1),
        ("flags", 3),
        ("register_0", 20),
        ("register_1", 20),
        ("schedule", 8),
        ("rate", 2),
        ("net", 1),
        ("negative_0", 1),
        ("negative_1", 1),
        ("zero", 3),
    ),
    DEMAND: _HEAD
    + (
        ("peak", 13),
        ("peak_day", 5),
        ("peak_half_hour", 6),
        ("previous", 13),
        ("previous_day", 5),
        ("previous_half_hour", 6),
        ("resets", 8),
    ),
    VOLTAGE: _HEAD
    + (
        ("minimum", 8),
        ("minimum_at", 7),
        ("maximum", 8),
        ("maximum_at", 7),
        ("average", 8),
        ("below_range", 8),
        ("above_range", 8),
        ("zero", 2),
    ),
    EVENT: _HEAD + (("code", 8), ("minute", 24), ("data", 24)),
    ACK: _HEAD + (("command", 8), ("result", 8), ("reference", 16), ("data", 24)),
    # Day modulo 256; six nibbles and 28 bits as in `endpoint.line.digest`.
    DIGEST: (("day", 8), ("blocks", 24), ("whole", 28)),
    STATUS: _HEAD
    + (
        ("interface", 8),
        ("firmware", 8),
        ("detent", 1),
        ("net", 1),
        ("stream", 2),
        ("outages", 8),
        ("restarts", 8),
        ("schedule", 8),
        ("dropped_items", 4),
        ("uptime_h", 8),
    ),
    JOIN: (("firmware", 4), ("eid", 32), ("capabilities", 24)),
}
# Rotating part of stream frames, by the hour slot: total, rates A to D, peak, status.
ROTATING_TOTAL = (0, 4)
ROTATING_RATES = (1, 2, 5, 6)
ROTATING_PEAK = const(3)
ROTATING_STATUS = const(7)
# `unit` says what the register is; so a register cannot pass for another.
UNIT_TOTAL = const(0)
UNIT_RATE_A = const(1)
UNIT_DELIVERED = const(5)
UNIT_NONE = const(15)
ROTATING_LAYOUTS = {
    "register": (("register", 20), ("unit", 4)),
    "peak": (("peak", 13), ("peak_day", 5), ("peak_half_hour", 6)),
    "status": (("firmware", 8), ("interface", 8), ("outages", 8)),
}

# REGISTER, selector: bit 0 set when `request` is the number of the request that is answered,
# clear when it is the age of the reading; bit 1: a net value; bit 2: negative.
UNASKED = const(0)
ANSWER = const(1)
SELECTOR_NET = const(2)
SELECTOR_NEGATIVE = const(4)

# Bits of `flags`.
FLAG_OUTAGE = const(4)
FLAG_ALARM = const(2)
FLAG_EVENT = const(1)

# InterfaceBIT, the field `interface`.
INTERFACE_NOT_LOGGING = const(0x01)
INTERFACE_DISPLAY_FULL = const(0x02)
INTERFACE_CLOCK = const(0x04)
INTERFACE_METER_LINK = const(0x08)
INTERFACE_MISMATCH = const(0x10)
INTERFACE_MEMORY = const(0x20)
INTERFACE_REVERSE = const(0x40)
INTERFACE_TAMPER = const(0x80)
INTERFACE_TEXTS = (
    "the module is not logging the meter",
    "maximum number of display records reached",
    "the module's clock is not set or not certain",
    "the link to the meter fails",
    "settings and meter do not agree",
    "the module's memory is damaged or full",
    "energy flows against the detent",
    "the meter reports tampering",
)

# `register` counts 0.1 kWh on five dials and a tenth.
REGISTER_STEP_WH = const(100)
REGISTER_MODULUS = const(1000000)
REGISTER_MISSING = const(0xFFFFF)
# `energy` of an hour counts 10 Wh, `demand` and `peak` 10 W.
ENERGY_STEP_WH = const(10)
ENERGY_OVERFLOW = const(8190)
ENERGY_MISSING = const(8191)
# `voltage` counts 0.1 % of nominal from 50 %.
VOLTAGE_OFFSET_PERMILLE = const(500)
VOLTAGE_MISSING = const(1023)
DEMAND_STEP_W = const(10)
DEMAND_OVERFLOW = const(8190)
DEMAND_MISSING = const(8191)
AGE_OLDER = const(1023)
# An hour's or day's extreme counts 0.25 % of nominal from 75 %.
_EXTREME_STEP_X4 = const(10)
_EXTREME_OFFSET_X4 = const(3000)
EXTREME_MISSING = const(255)
# Minutes since 2020-01-01 00:00 UTC.
EVENT_EPOCH_UNIX_S = const(1577836800)
NO_DAY = const(0)


def register_code(wh):
    """Return 0.1 kWh modulo 10^6, or the code for missing (None)."""
    return REGISTER_MISSING if wh is None else wh // REGISTER_STEP_WH % REGISTER_MODULUS


def energy_code(wh):
    """Return an hour's energy in 10 Wh, rounded half up; None is missing.

    Raises PayloadError for less than nothing: no interval's energy is negative here.
    """
    if wh is None:
        return ENERGY_MISSING
    if wh < 0:
        raise PayloadError
    return min((wh + ENERGY_STEP_WH // 2) // ENERGY_STEP_WH, ENERGY_OVERFLOW)


def demand_code(w):
    """Return a power in 10 W, cut; None is missing."""
    return DEMAND_MISSING if w is None else min(max(w, 0) // DEMAND_STEP_W, DEMAND_OVERFLOW)


def extreme_code(permille):
    """Return a voltage in steps of 0.25 % of nominal from 75 %; None is missing."""
    if permille is None:
        return EXTREME_MISSING
    code = (permille * 4 - _EXTREME_OFFSET_X4 + _EXTREME_STEP_X4 // 2) // _EXTREME_STEP_X4
    return min(max(code, 0), EXTREME_MISSING - 1)


def voltage_code(permille):
    """Return a voltage in 0.1 % of nominal from 50 %; None is missing."""
    if permille is None:
        return VOLTAGE_MISSING
    return min(max(permille - VOLTAGE_OFFSET_PERMILLE, 0), VOLTAGE_MISSING - 1)


def _register(code):
    return None if code >= REGISTER_MODULUS else code * REGISTER_STEP_WH


def _energy(code):
    return None if code == ENERGY_MISSING else code * ENERGY_STEP_WH


def _extreme(code):
    # 0.25 % steps in tenths of a per mille: exact.
    return None if code == EXTREME_MISSING else 7500 + 25 * code


def _voltage(code):
    return None if code == VOLTAGE_MISSING else (code + VOLTAGE_OFFSET_PERMILLE) * 10


# Field: (name with unit, function of the code). Fields that are not here are plain numbers.
CODES = {
    "register": ("register_wh", _register),
    "register_0": ("register_0_wh", _register),
    "register_1": ("register_1_wh", _register),
    "energy": ("energy_wh", _energy),
    "energy_0": ("energy_0_wh", _energy),
    "energy_1": ("energy_1_wh", _energy),
    "energy_2": ("energy_2_wh", _energy),
    "energy_3": ("energy_3_wh", _energy),
    "demand": ("demand_w", _energy),
    "peak": ("peak_w", _energy),
    "previous": ("previous_w", _energy),
    "minimum": ("minimum_e4", _extreme),
    "maximum": ("maximum_e4", _extreme),
    "average": ("average_e4", _extreme),
    "extreme": ("extreme_e4", _extreme),
    "voltage": ("voltage_e4", _voltage),
}


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
    if layout is None:
        raise PayloadError
    payload[:] = _join(frame_type, layout, values).to_bytes(PAYLOAD_BYTES, "big")


def _join(word, layout, values):
    if len(values) != len(layout):
        raise PayloadError
    i = 0
    for _, bits in layout:
        value = values[i]
        if not 0 <= value < 1 << bits:
            raise PayloadError
        word = word << bits | value
        i += 1
    return word


def _split(word, layout, shift):
    fields = {}
    for name, bits in layout:
        shift -= bits
        fields[name] = word >> shift & ((1 << bits) - 1)
    return fields


def unpack(payload):
    """Return ``(frame_type, fields)`` of 8 bytes.

    Raises PayloadError for an unknown type, and for bits set that must be zero.

    `fields` maps the layout's names to integers.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise PayloadError
    word = int.from_bytes(payload, "big")
    frame_type = word >> 60
    layout = LAYOUTS.get(frame_type)
    if layout is None:
        raise PayloadError
    fields = _split(word, layout, 60)
    if fields.get("zero"):
        raise PayloadError
    return frame_type, fields


def rotating_kind(hour_slot):
    """Return which of `ROTATING_LAYOUTS` a stream frame of this slot carries."""
    if hour_slot == ROTATING_STATUS:
        return "status"
    return "peak" if hour_slot == ROTATING_PEAK else "register"


def read(fields):
    """Return the fields of `unpack` as numbers with units in their names; None is missing.

    Voltages are in 1e-4 of nominal (`_e4`). A stream frame's rotating part is taken apart.
    """
    out = {}
    for name in fields:
        if name == "rotating":
            layout = ROTATING_LAYOUTS[rotating_kind(fields["hour_slot"])]
            part = read(_split(fields[name], layout, 24))
            for key in part:
                out["rotating_" + key] = part[key]
        elif name in CODES:
            unit_name, of_code = CODES[name]
            out[unit_name] = of_code(fields[name])
        else:
            out[name] = fields[name]
    return out


def missing_is(name):
    """Return the code that means "missing" for a field, or None if it has none."""
    if name in ("demand", "peak", "previous"):
        return DEMAND_MISSING
    if name.startswith("register"):
        return REGISTER_MISSING
    if name.startswith("energy"):
        return ENERGY_MISSING
    if name == "voltage":
        return VOLTAGE_MISSING
    return EXTREME_MISSING if name in CODES else None


def rotating_register(wh, unit):
    """Return the 24 bits of a rotating register; `wh` None is missing.

    Raises PayloadError for a negative register: none is streamed (D-7).
    """
    if wh is not None and wh < 0:
        raise PayloadError
    layout = ROTATING_LAYOUTS["register"]
    return _join(0, layout, (register_code(wh), UNIT_NONE if wh is None else unit))


def rotating_peak(peak_w, day, half_hour):
    """Return the 24 bits of a peak; day 1 … 31, or `NO_DAY` for a peak that never was (M-6)."""
    return _join(0, ROTATING_LAYOUTS["peak"], (demand_code(peak_w), day, half_hour))


def rotating_status(firmware, interface, outages):
    """Return the 24 bits of a short status; counts are modulo 256."""
    return _join(0, ROTATING_LAYOUTS["status"], (firmware & 255, interface, outages & 255))


def streamed_wh(forward_wh, reverse_wh, both_count):
    """Return an hour's streamable energy from its two directions.

    Parameters
    ----------
    forward_wh, reverse_wh : int or None
        What the hour's record holds, neither negative; None when there is no record.
    both_count : bool
        Detent No. With net on the detent is Yes, so net can only give delivered energy.

    Raises
    ------
    PayloadError
        A negative direction.
    """
    if forward_wh is None or reverse_wh is None:
        return None
    if forward_wh < 0 or reverse_wh < 0:
        raise PayloadError
    return forward_wh + reverse_wh if both_count else forward_wh


def pack_stream_profile(
    payload, hour, energy_wh, minimum, maximum, rotating, flags=0, time_valid=1, net=False
):
    """Write an hour in load-profile mode.

    Parameters
    ----------
    payload : bytearray, 8 bytes
        Receives the bits.
    hour : int
        Unix hour that the record covers (its beginning / 3600).
    energy_wh : int or None
        From `streamed_wh`.
    minimum, maximum : int or None
        Voltage in 0.1 % of nominal; the one that is not selected is None (L-6).
    rotating : int
        24 bits of the slot `hour` mod 8, from `rotating_…`.
    flags, time_valid : int
        As on the line.
    net : bool
        Whether net is on: the frame then says that it holds delivered energy.

    Raises
    ------
    PayloadError
        Both extremes given, or a value that has no code.
    """
    if minimum is not None and maximum is not None:
        raise PayloadError
    values = (
        hour & 7,
        time_valid,
        flags,
        rotating,
        extreme_code(minimum),
        extreme_code(maximum),
        energy_code(energy_wh),
    )
    pack_into(payload, STREAM_PROFILE_DELIVERED if net else STREAM_PROFILE, values)


def pack_stream_register(
    payload, hour, register_wh, extreme, is_maximum, rotating, flags=0, time_valid=1, net=False
):
    """Write an hour in direct-register mode; `register_wh` is the register at its end.

    With `net` it must be the delivered register; the frame says so. Otherwise as
    `pack_stream_profile`.
    """
    if register_wh is not None and register_wh < 0:
        raise PayloadError
    values = (
        hour & 7,
        time_valid,
        flags,
        1 if is_maximum else 0,
        rotating,
        register_code(register_wh),
        extreme_code(extreme),
    )
    pack_into(payload, STREAM_REGISTER_DELIVERED if net else STREAM_REGISTER, values)


def pack_block(payload, block, energies_wh):
    """Write four hours of energy from unix hour 4 · block on; None is missing."""
    values = [block & 255]
    for wh in energies_wh:
        values.append(energy_code(wh))
    pack_into(payload, BLOCK, values)


def pack_tou(payload, pair, registers_wh, schedule, rate, net=False, flags=0):
    """Write two rate registers (A, B or C, D); with `net` they may be negative (T-11)."""
    first, second = registers_wh
    values = (
        pair,
        flags,
        register_code(first),
        register_code(second),
        schedule & 255,
        rate,
        1 if net else 0,
        1 if net and first < 0 else 0,
        1 if net and second < 0 else 0,
        0,
    )
    if not net and (first < 0 or second < 0):
        raise PayloadError
    pack_into(payload, TOU, values)


def pack_demand(payload, peak, previous, resets, flags=0, time_valid=1):
    """Write two peaks, each ``(w or None, day of month, half-hour)`` of its end, local time."""
    w, day, half = peak
    old_w, old_day, old_half = previous
    values = (
        flags,
        time_valid,
        demand_code(w),
        day,
        half,
        demand_code(old_w),
        old_day,
        old_half,
        resets & 255,
    )
    pack_into(payload, DEMAND, values)


def pack_voltage(
    payload, minimum, minimum_min, maximum, maximum_min, average, below_min, above_min, flags=0
):
    """Write a day's voltage: extremes and average in 0.1 % of nominal, times in minutes of day.

    `below_min`, `above_min`: minutes outside range A, in units of 6 minutes, 255 at most.
    """
    values = (
        flags,
        1,
        extreme_code(minimum),
        minimum_min * 4 // 45,
        extreme_code(maximum),
        maximum_min * 4 // 45,
        extreme_code(average),
        min(below_min // 6, 255),
        min(above_min // 6, 255),
        0,
    )
    pack_into(payload, VOLTAGE, values)


def pack_event(payload, code, unix_s, data, flags=0, time_valid=1):
    """Write one event; `data` is cut to 24 bits."""
    minute = max(unix_s - EVENT_EPOCH_UNIX_S, 0) // 60
    pack_into(payload, EVENT, (flags, time_valid, code, minute & 0xFFFFFF, data & 0xFFFFFF))


def pack_ack(payload, command, result, reference, data=0, flags=0, time_valid=0):
    """Write the answer to a command; `reference` from `Accepted`."""
    values = (flags, time_valid, command, result, reference & 0xFFFF, data & 0xFFFFFF)
    pack_into(payload, ACK, values)


def pack_digest(payload, day, blocks, whole):
    """Write a day's digest; `day` counts from 1970."""
    pack_into(payload, DIGEST, (day & 255, blocks, whole))


def pack_status(
    payload,
    interface,
    firmware,
    detent,
    net,
    stream,
    outages,
    restarts,
    schedule,
    dropped_items,
    uptime_h,
    flags=0,
    time_valid=0,
):
    """Write the status; counts are modulo 256, items and hours cut to what fits."""
    values = (
        flags,
        time_valid,
        interface,
        firmware & 255,
        1 if detent else 0,
        1 if net else 0,
        stream,
        outages & 255,
        restarts & 255,
        schedule & 255,
        min(dropped_items, 15),
        min(uptime_h, 255),
    )
    pack_into(payload, STATUS, values)


def pack_join(payload, firmware, eid, capabilities=0):
    """Write a JOIN: who I am. `firmware` is reduced to its low four bits."""
    pack_into(payload, JOIN, (firmware & 15, eid, capabilities))


def pack_register(
    payload, total_wh, voltage_permille, demand_w, age_s, flags=0, time_valid=0, net=False
):
    """Write an unasked REGISTER.

    Parameters
    ----------
    payload : bytearray, 8 bytes
        Receives the bits.
    total_wh : int
        Register in Wh; sent in whole 0.1 kWh, modulo 100,000 kWh; may be negative with `net`.
    voltage_permille : int or None
        Voltage in 0.1 % of nominal, limited to what the field can say; None when unknown.
    demand_w : int or None
        Power in W, limited likewise; None when unknown.
    age_s : int
        Whole seconds from the reading to the frame's first symbol.
    flags, time_valid : int
        As on the line.
    net : bool
        Whether `total_wh` is a net value.
    """
    selector = _selector(UNASKED, total_wh, net)
    age = min(max(age_s, 0), AGE_OLDER)
    _pack_register(payload, selector, total_wh, voltage_permille, demand_w, age, flags, time_valid)


def pack_answer(
    payload, total_wh, voltage_permille, demand_w, request, flags=0, time_valid=0, net=False
):
    """Write the REGISTER that answers READ number `request`; otherwise as `pack_register`."""
    selector = _selector(ANSWER, total_wh, net)
    request &= 1023
    _pack_register(
        payload, selector, total_wh, voltage_permille, demand_w, request, flags, time_valid
    )


def _selector(selector, total_wh, net):
    # Only a net register can be negative.
    if total_wh < 0:
        return selector | SELECTOR_NET | SELECTOR_NEGATIVE
    return selector | SELECTOR_NET if net else selector


def _pack_register(payload, selector, total_wh, permille, demand_w, request, flags, time_valid):
    values = (
        selector,
        time_valid,
        flags,
        register_code(total_wh),
        voltage_code(permille),
        demand_code(demand_w),
        request,
    )
    pack_into(payload, REGISTER, values)
