"""Values of C12.19 fields as a person reads them: codes by their names, numbers with units."""

from decimal import Decimal

from endpoint.optical import tables
from endpoint.optical.fields import INVALID, OTHER, Binary, Bits, Number, Rest, Time
from wattline.optical.names import EVENTS, PROCEDURE_RESULTS, number_name, unit_of
from wattline.optical.words import words

_TIMES = ("no time", "BCD time", "byte time", "minutes since 1970", "seconds since 1970")
_ACCESS = ("full", "full and offset", "full and index", "full, offset and index")
_INTEGERS = ("two's complement", "one's complement", "sign and magnitude", "?")
_NAMEPLATES = ("gas", "water", "electric")
_CONSTANTS = ("gas AGA3", "gas AGA7", "electric")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "no day")

# Units of plain integers; those of numbers come with their sources.
UNITS = {
    "MAX_PROC_PARM_LENGTH": "bytes",
    "MAX_RESP_DATA_LEN": "bytes",
    "DIM_MFG_STATUS_USED": "bytes",
    "DATA_CTRL_LENGTH": "bytes",
    "RESET_EXCLUSION": "min",
    "P_FAIL_RECOGNTN_TM": "s",
    "P_FAIL_EXCLUSION": "min",
    "COLD_LOAD_PICKUP": "min",
    "SUB_INT": "min",
    "INT_LENGTH": "min",
    "WIDTH_DISP_SOURCES": "bytes",
    "ON_OFF": "s",
    "PASSWORD_LEN": "bytes",
    "KEY_LEN": "bytes",
    "CALENDAR_TBL_SIZE": "bytes",
    "LP_MEMORY_LEN": "bytes",
    "MAX_INT_TIME_SET": "min",
    "NBR_STD_EVENTS": "bytes",
    "NBR_MFG_EVENTS": "bytes",
    "HIST_DATA_LENGTH": "bytes",
    "EVENT_DATA_LENGTH": "bytes",
}


def shown(name, kind, value, raw, decoder, source=None):
    """Return a field's value for a person; None if it has none.

    Parameters
    ----------
    name : str
        The field's name in the standard.
    kind : Kind
    value
        As `endpoint.optical.fields` reads it.
    raw : bytes
    decoder : Decoder
    source : endpoint.optical.tables.Source or None
        What a number measures.
    """
    if isinstance(value, dict) and INVALID in value:
        return None
    if name in _BY_NAME:
        return _BY_NAME[name](value, raw, decoder)
    if isinstance(kind, Bits):
        return _bits(kind, value)
    if isinstance(kind, (Binary, Rest)):
        return raw.hex(" ")
    if isinstance(kind, Time) and value is None:
        return "never"
    if isinstance(kind, Number):
        return _scaled(value, source)
    return value


def _bits(kind, value):
    found = []
    for name, _, width in kind.parts:
        if width > 1:
            found.append(f"{words(name)} {value[name]}")
        elif value[name]:
            found.append(words(name))
    return [*found, f"bits {value[OTHER]:#x}"] if OTHER in value else found


def _scaled(value, source):
    scaled = Decimal(value)
    if source is not None:
        if source.multiplier_e6 is not None:
            scaled = (scaled * source.multiplier_e6 + source.offset_e6).scaleb(-6)
        scaled = scaled.scaleb(source.unit.exp10)
    return int(scaled) if scaled == scaled.to_integral_value() else float(scaled)


def _order(value, raw, decoder):
    return f"{('least', 'most')[value['DATA_ORDER']]} significant first"


def _formats(value, raw, decoder):
    return [
        _named(_TIMES, value["TM_FORMAT"]),
        f"{_ACCESS[value['DATA_ACCESS_METHOD']]} access",
        ("text identifiers", "BCD identifiers")[value["ID_FORM"]],
        _INTEGERS[value["INT_FORMAT"]],
    ]


def _text(value, raw, decoder):
    return raw.decode("ascii", "replace").strip(" \x00")


def _unit(value, raw, decoder):
    unit = tables.Unit(raw, 0, decoder.config.most_first)
    name, symbol = unit_of(unit)
    power = f" × 10^{unit.exp10}" if unit.exp10 else ""
    return f"{name}, {symbol or 'count'}{power}"


def _source(value, raw, decoder):
    if value == tables.UNUSED:
        return "unused"
    found = decoder.source(value)
    return f"source {value}" + (f", {unit_of(found.unit)[0]}" if found else "")


def _procedure(value, raw, decoder):
    return f"{'manufacturer ' if value['MFG_FLAG'] else ''}{value['PROC_NBR']}"


def _permission(value, raw, decoder):
    number = value["TBL_PROC_NBR"]
    if value["PROC_FLAG"]:
        what = f"procedure {'manufacturer ' if value['MFG_FLAG'] else ''}{number}"
    else:
        what = number_name(value["MFG_FLAG"] * tables.MT | number)
    free = (("ANYONE_MAY_READ", "anyone reads"), ("ANYONE_MAY_WRITE", "anyone writes"))
    return ", ".join([what, *(text for name, text in free if value[name])])


def _qualifier(value, raw, decoder):
    flags = ("daylight saving", "GMT", "zone applied", "daylight saving applied", "knows it")
    return [_DAYS[raw[0] & 7], *(text for i, text in enumerate(flags) if raw[0] >> (3 + i) & 1)]


def _event(value, raw, decoder):
    if value["MFG_FLAG"]:
        return f"manufacturer event {value['EVENT_NBR']}"
    return EVENTS.get(value["EVENT_NBR"], f"event {value['EVENT_NBR']}")


def _clock_status(value, raw, decoder):
    rates = [f"{words(key)} {chr(65 + value[key])}" for key in value if key.endswith("_TIER")]
    return [*rates, f"season {value['SEASON']}"]


def _interval(value, raw, decoder):
    """Return the channels of one interval, and its status if it says anything."""
    channels = [None if isinstance(one, dict) else one for one in value["INT_DATA"]]
    status = value.get("EXTENDED_INT_STATUS", b"")
    return [*channels, f"status {status.hex()}"] if any(status) else channels


def _named(names, code):
    return names[code] if code < len(names) else code


_BY_NAME = {
    "FORMAT_CONTROL_1": _order,
    "FORMAT_CONTROL_2": _formats,
    "FORMAT_CONTROL_3": lambda value, raw, decoder: [value["NI_FORMAT1"], value["NI_FORMAT2"]],
    "DEVICE_CLASS": _text,
    "NAMEPLATE_TYPE": lambda value, raw, decoder: _named(_NAMEPLATES, value),
    "COORDINATE_1": _text,
    "COORDINATE_2": _text,
    "COORDINATE_3": _text,
    "TABLE_IDB": _procedure,
    "RESULT_CODE": lambda value, raw, decoder: _named(PROCEDURE_RESULTS, value),
    "CONSTANTS_SELECTOR": lambda value, raw, decoder: _named(_CONSTANTS, value),
    "UOM_ENTRY": _unit,
    "SUMMATION_SELECT": _source,
    "DEMAND_SELECT": _source,
    "COINCIDENT_SELECT": _source,
    "PRESENT_DEMAND_SELECT": _source,
    "PRESENT_VALUE_SELECT": _source,
    "LP_SOURCE_SELECT": _source,
    "END_BLK_RDG_SOURCE_SELECT": _source,
    "ACCESS_TABLE_DEF": _permission,
    "TIME_DATE_QUAL": _qualifier,
    "STATUS": _clock_status,
    "SIMPLE_INT_STATUS": lambda value, raw, decoder: len(value),
    "LP_INT": _interval,
    "EVENT_CODE": _event,
    "HISTORY_CODE": _event,
}
# Fields with parts that are shown as one.
WHOLE = ("LP_INT",)
