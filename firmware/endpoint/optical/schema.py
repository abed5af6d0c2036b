"""The standard C12.19 tables as data: what is in them, and which tables say how much of it.

A consumer learns the dimension tables that `needs` names, then decodes, encodes or finds by
index::

    d = Dimensions()
    d.learn(0, st0)
    d.learn(21, st21)
    decode(23, st23, d)["TOT_DATA_BLOCK"]["SUMMATIONS"]

Values are plain, see `fields`. Where a layout or a meaning rests on one source only, a comment
says so.

Context: host, tests; not meant for the chip's own road. Allocates: values.
Source: ANSI C12.19, decades 0 to 7.
"""

from endpoint.optical.fields import (
    LTIME_DATE,
    NI1,
    NI2,
    STIME_DATE,
    TIME_OF_DAY,
    U8,
    U16,
    U32,
    Array,
    Binary,
    Bits,
    Chosen,
    Ident,
    Members,
    Record,
    Rest,
    Sint,
    Text,
)
from endpoint.optical.formats import NI_BYTES, FormatError
from endpoint.optical.times import LTIME, time_bytes

MT = 0x0800  # manufacturer table n is MT + n
LARGEST_TABLE_BYTES = 0x100_0000  # an offset has 24 bits


class MissingTable(FormatError):
    """A dimension table that is needed has not been learned, or lacks what is needed."""


class Dimensions:
    """What a device tells about its tables; starts with nothing but the decoder's defaults."""

    def __init__(self):
        self._tables = {}
        self.most_first = False
        self.char_format = 1
        self.tm_format = 0
        self.int_format = 0
        self.bcd_ids = False
        self.ni1 = self.ni2 = 0

    def __getitem__(self, number):
        """Return the values of a table that has been learned."""
        if number not in self._tables:
            raise MissingTable
        return self._tables[number]

    def __contains__(self, number):
        return number in self._tables

    def learn(self, number, data):
        """Decode a table and keep its values; return them."""
        values = decode(number, data, self)
        self.take(number, values)
        return values

    def take(self, number, values):
        """Keep a table's values, complete as `decode` returns them."""
        self._tables[number] = values
        if number == 0:
            self._take_config(values)

    def uses(self, number):
        """Return whether ST-0 lists a table as used."""
        name = "MFG_TBLS_USED" if number & MT else "STD_TBLS_USED"
        return number & (MT - 1) in self[0][name]

    def _take_config(self, config):
        one, two, three = [config["FORMAT_CONTROL_%d" % i] for i in (1, 2, 3)]
        if three["NI_FORMAT1"] >= len(NI_BYTES) or three["NI_FORMAT2"] >= len(NI_BYTES):
            raise FormatError
        time_bytes(LTIME, two["TM_FORMAT"])
        self.most_first = one["DATA_ORDER"] == 1
        self.char_format = one["CHAR_FORMAT"]
        self.tm_format = two["TM_FORMAT"]
        self.bcd_ids = two["ID_FORM"] == 1
        self.int_format = two["INT_FORMAT"]
        self.ni1 = three["NI_FORMAT1"]
        self.ni2 = three["NI_FORMAT2"]


def numbers():
    """Return the numbers of all tables that are described here, in order."""
    return sorted(_TABLES)


def name(number):
    """Return a table's name, such as ``CURRENT_REG_DATA_TBL``; None if it is not described."""
    return _TABLES[number][0] if number in _TABLES else None


def needs(number):
    """Return the numbers of the tables that have to be learned before, in that order."""
    return _table(number)[1]


def layout(number, d):
    """Return a table's `Record`; MissingTable unless all that it needs has been learned."""
    _, needed, record = _table(number)
    for other in needed:
        d[other]
    return record


def bootstrap(data):
    """Return dimensions that know what the head of ST-0 says about the sets behind it."""
    d = Dimensions()
    return _itself(_CONFIG_HEAD.read(d, _long_enough(data, _CONFIG_HEAD.size(d)), 0))


def size(number, d):
    """Return a table's length in bytes; of ST-7 and ST-8 the least length."""
    return layout(number, d).size(d)


def decode(number, data, d):
    """Return a table's values by name.

    Parameters
    ----------
    number : int
        Standard table number.
    data : bytes-like
        The whole table; bytes behind what the dimensions tell are not looked at.
    d : Dimensions

    Raises
    ------
    FormatError
        The table is not described here, too short, or larger than LARGEST_TABLE_BYTES.
    MissingTable
        A table of `needs` has not been learned.
    """
    if number == 0:
        d = bootstrap(data)
    record = layout(number, d)
    _long_enough(data, record.size(d))
    return record.read(d, data, 0)


def encode(number, values, d):
    """Return the bytes of a table; fields that `values` leaves out are zero or blank.

    Raises
    ------
    FormatError
        A value does not fit its field, or a name is not in this table.
    """
    if number == 0:
        d = _itself(values)
    return layout(number, d).write(d, values)


def place(number, indexes, count, d):
    """Return (offset, bytes) of `count` elements from the one that `indexes` name.

    The first index is the field, from 0, counting also fields that this device leaves out; each
    further one an element of an array or a field within the last.

    Raises
    ------
    FormatError
        There are no such elements.
    """
    kind = layout(number, d)
    offset = 0
    for index in indexes[:-1]:
        step, kind = kind.child(d, index)
        offset += step
    length = kind.span(d, indexes[-1], count)
    step, _ = kind.child(d, indexes[-1])
    return offset + step, length


def _table(number):
    if number not in _TABLES:
        raise FormatError
    return _TABLES[number]


def _long_enough(data, count):
    if len(data) < count or count > LARGEST_TABLE_BYTES:
        raise FormatError
    return data


def _itself(config):
    """Return dimensions that know the head of ST-0: the sets behind it are sized by it."""
    d = Dimensions()
    d._tables[0] = {}
    for key in _SET_SIZES:
        d._tables[0][key] = config.get(key, 0)
    return d


def _of(table, *names):
    """Return the function that finds a value in a learned table."""

    def find(d):
        value = d[table]
        for key in names:
            if key not in value:
                raise MissingTable  # a part of it, such as a set of the load profile
            value = value[key]
        return value

    return find


def _flags(*names):
    """Return the parts of a bit field whose bits have these names; None: no name."""
    return tuple((key, bit, 1) for bit, key in enumerate(names) if key)


# -- decade 0: general -----------------------------------------------------------------

_SET_SIZES = (
    "DIM_STD_TBLS_USED",
    "DIM_MFG_TBLS_USED",
    "DIM_STD_PROC_USED",
    "DIM_MFG_PROC_USED",
    "DIM_MFG_STATUS_USED",
)
_STD_TABLES = Members(_of(0, "DIM_STD_TBLS_USED"))
_MFG_TABLES = Members(_of(0, "DIM_MFG_TBLS_USED"))
_STD_PROCEDURES = Members(_of(0, "DIM_STD_PROC_USED"))
_MFG_PROCEDURES = Members(_of(0, "DIM_MFG_PROC_USED"))

_CONFIG_FIELDS = (
    (
        "FORMAT_CONTROL_1",
        Bits(1, (("DATA_ORDER", 0, 1), ("CHAR_FORMAT", 1, 3), ("MODEL_SELECT", 4, 3))),
    ),
    (
        "FORMAT_CONTROL_2",
        Bits(
            1,
            (
                ("TM_FORMAT", 0, 3),
                ("DATA_ACCESS_METHOD", 3, 2),
                ("ID_FORM", 5, 1),
                ("INT_FORMAT", 6, 2),
            ),
        ),
    ),
    ("FORMAT_CONTROL_3", Bits(1, (("NI_FORMAT1", 0, 4), ("NI_FORMAT2", 4, 4)))),
    ("DEVICE_CLASS", Binary(4)),  # text in the edition of 1997, an object id in 2008
    ("NAMEPLATE_TYPE", U8),
    ("DEFAULT_SET_USED", U8),
    ("MAX_PROC_PARM_LENGTH", U8),
    ("MAX_RESP_DATA_LEN", U8),
    ("STD_VERSION_NO", U8),
    ("STD_REVISION_NO", U8),
    ("DIM_STD_TBLS_USED", U8),
    ("DIM_MFG_TBLS_USED", U8),
    ("DIM_STD_PROC_USED", U8),
    ("DIM_MFG_PROC_USED", U8),
    ("DIM_MFG_STATUS_USED", U8),
    ("NBR_PENDING", U8),
)
_CONFIG_HEAD = Record(*_CONFIG_FIELDS)
_CONFIG = Record(
    *(
        _CONFIG_FIELDS
        + (
            ("STD_TBLS_USED", _STD_TABLES),
            ("MFG_TBLS_USED", _MFG_TABLES),
            ("STD_PROC_USED", _STD_PROCEDURES),
            ("MFG_PROC_USED", _MFG_PROCEDURES),
            ("STD_TBLS_WRITE", _STD_TABLES),
            ("MFG_TBLS_WRITE", _MFG_TABLES),
        )
    )
)
_MANUFACTURER = Record(
    ("MANUFACTURER", Text(4)),
    ("ED_MODEL", Text(8)),
    ("HW_VERSION_NUMBER", U8),
    ("HW_REVISION_NUMBER", U8),
    ("FW_VERSION_NUMBER", U8),
    ("FW_REVISION_NUMBER", U8),
    ("MFG_SERIAL_NUMBER", Ident(16, 8)),
)


def _electric(d):
    if d[0]["NAMEPLATE_TYPE"] != 2:
        raise FormatError  # gas and water have other nameplates
    return True


_NAMEPLATE = Record(
    ("E_KH", Text(6), _electric),
    ("E_KT", Text(6)),
    ("E_INPUT_SCALAR", U8),
    ("E_ED_CONFIG", Text(5)),
    (
        "E_ELEMENTS",
        Bits(
            2,
            (
                ("E_FREQUENCY", 0, 3),
                ("E_NO_OF_ELEMENTS", 3, 3),
                ("E_BASE_TYPE", 6, 4),
                ("E_ACCURACY_CLASS", 10, 6),
            ),
        ),
    ),
    ("E_VOLTS", Bits(1, (("E_ELEMENT_VOLTS", 0, 4), ("E_ED_SUPPLY_VOLTS", 4, 4)))),
    ("E_CLASS_MAX_AMPS", Text(6)),
    ("E_TA", Text(6)),
)
_MODE_STATUS = Record(
    ("ED_MODE", Bits(1, _flags("METERING", "TEST_MODE", "METER_SHOP_MODE", "FACTORY"))),
    (
        "ED_STD_STATUS1",
        Bits(
            2,
            _flags(
                "UNPROGRAMMED",
                "CONFIGURATION_ERROR",
                "SELF_CHK_ERROR",
                "RAM_FAILURE",
                "ROM_FAILURE",
                "NONVOL_MEM_FAILURE",
                "CLOCK_ERROR",
                "MEASUREMENT_ERROR",
                "LOW_BATTERY",
                "LOW_LOSS_POTENTIAL",
                "DEMAND_OVERLOAD",
                "POWER_FAILURE",
                "TAMPER_DETECT",
                "REVERSE_ROTATION",
            ),
        ),
    ),
    ("ED_STD_STATUS2", U8),
    ("ED_MFG_STATUS", Binary(_of(0, "DIM_MFG_STATUS_USED"))),
)
_TEXT20 = Text(20)
_COORDINATE = Binary(10)
_UTILITY = Record(
    ("OWNER_NAME", _TEXT20),
    ("UTILITY_DIV", _TEXT20),
    ("SERVICE_POINT_ID", _TEXT20),
    ("ELEC_ADDR", _TEXT20),
    ("DEVICE_ID", _TEXT20),
    ("UTIL_SER_NO", _TEXT20),
    ("CUSTOMER_ID", _TEXT20),
    ("COORDINATE_1", _COORDINATE),
    ("COORDINATE_2", _COORDINATE),
    ("COORDINATE_3", _COORDINATE),
    ("TARIFF_ID", Text(8)),
    ("EX1_SW_VENDOR", Text(4)),
    ("EX1_SW_VERSION_NUMBER", U8),
    ("EX1_SW_REVISION_NUMBER", U8),
    ("EX2_SW_VENDOR", Text(4)),
    ("EX2_SW_VERSION_NUMBER", U8),
    ("EX2_SW_REVISION_NUMBER", U8),
    ("PROGRAMMER_NAME", Text(10)),
    ("MISC_ID", Text(30)),
)
_PROCEDURE_ID = Bits(2, (("PROC_NBR", 0, 11), ("MFG_FLAG", 11, 1), ("SELECTOR", 12, 4)))
_PROCEDURE = Record(("TABLE_IDB", _PROCEDURE_ID), ("SEQ_NBR", U8), ("PARAMETERS", Rest()))
_RESPONSE = Record(
    ("TABLE_IDB", _PROCEDURE_ID), ("SEQ_NBR", U8), ("RESULT_CODE", U8), ("RESP_DATA", Rest())
)

# -- decade 1: data sources ------------------------------------------------------------

_SOURCES_LIMITS = Record(
    (
        "SOURCE_FLAGS",
        Bits(
            1,
            _flags(
                "PF_EXCLUDE",
                "RESET_EXCLUDE",
                "BLOCK_DEMAND",
                "SLIDING_DEMAND",
                "THERMAL_DEMAND",
                "SET1_PRESENT",
                "SET2_PRESENT",
                "CONVERSION_ALG",
            ),
        ),
    ),
    ("NBR_UOM_ENTRIES", U8),
    ("NBR_DEMAND_CTRL_ENTRIES", U8),
    ("DATA_CTRL_LENGTH", U8),
    ("NBR_DATA_CTRL_ENTRIES", U8),
    ("NBR_CONSTANTS_ENTRIES", U8),
    ("CONSTANTS_SELECTOR", U8),
    ("NBR_SOURCES", U8),
)


def _source_flag(key):
    return _of(11, "SOURCE_FLAGS", key)


_UNIT = Bits(
    4,
    (
        ("ID_CODE", 0, 8),
        ("TIME_BASE", 8, 3),
        ("MULTIPLIER", 11, 3),
        ("Q1_ACCOUNTABILITY", 14, 1),
        ("Q2_ACCOUNTABILITY", 15, 1),
        ("Q3_ACCOUNTABILITY", 16, 1),
        ("Q4_ACCOUNTABILITY", 17, 1),
        ("NET_FLOW_ACCOUNTABILITY", 18, 1),
        ("SEGMENTATION", 19, 3),
        ("HARMONIC", 22, 1),
        ("ID_RESOURCE", 23, 5),
        ("NFS", 31, 1),
    ),
)
_UNITS = Record(("UOM_ENTRY", Array(_of(11, "NBR_UOM_ENTRIES"), _UNIT)))
_DEMAND_CONTROL = Record(
    ("RESET_EXCLUSION", U8, _source_flag("RESET_EXCLUDE")),
    ("P_FAIL_RECOGNTN_TM", U8, _source_flag("PF_EXCLUDE")),
    ("P_FAIL_EXCLUSION", U8, _source_flag("PF_EXCLUDE")),
    ("COLD_LOAD_PICKUP", U8, _source_flag("PF_EXCLUDE")),
    (
        "INTERVAL_VALUE",
        Array(
            _of(11, "NBR_DEMAND_CTRL_ENTRIES"),
            Record(
                ("SUB_INT", U8, _source_flag("SLIDING_DEMAND")),
                ("INT_MULTIPLIER", U8, _source_flag("SLIDING_DEMAND")),
                (
                    "INT_LENGTH",
                    U16,
                    lambda d: not d[11]["SOURCE_FLAGS"]["SLIDING_DEMAND"],
                ),
            ),
        ),
    ),
)
_DATA_CONTROL = Record(
    (
        "SOURCE_ID",
        Array(_of(11, "NBR_DATA_CTRL_ENTRIES"), Binary(_of(11, "DATA_CTRL_LENGTH"))),
    )
)


def _ratios(number):
    there = _source_flag("SET%d_PRESENT" % number)
    return (
        ("SET%d_FLAGS" % number, Bits(1, _flags("RATIOS_APPLIED")), there),
        ("RATIO_F%d" % number, NI1, there),
        ("RATIO_P%d" % number, NI1, there),
    )


def _constants_selector(d):
    if d[11]["CONSTANTS_SELECTOR"] != 2:
        raise FormatError  # gas constants have another layout
    return True


_CONSTANTS = Record(
    (
        "SELECTION",
        Array(
            _of(11, "NBR_CONSTANTS_ENTRIES"),
            Record(
                *(
                    (("MULTIPLIER", NI1, _constants_selector), ("OFFSET", NI1))
                    + _ratios(1)
                    + _ratios(2)
                )
            ),
        ),
    )
)
_SOURCE_DEFINITION = Record(
    (
        "SOURCES_LIST",
        Array(
            _of(11, "NBR_SOURCES"),
            Bits(
                1,
                _flags(
                    "UOM_ENTRY_FLAG",
                    "DEMAND_CTRL_FLAG",
                    "DATA_CTRL_FLAG",
                    "CONSTANTS_FLAG",
                    "ENGINEERING_UNITS",
                    "CONSTANT_TO_BE_APPLIED",
                ),
            ),
        ),
    )
)

# -- decade 2: registers ---------------------------------------------------------------

_REGISTER_LIMITS = Record(
    (
        "REG_FUNC1_FLAGS",
        Bits(
            1,
            _flags(
                "SEASON_INFO_FIELD",
                "DATE_TIME_FIELD",
                "DEMAND_RESET_CTR",
                "DEMAND_RESET_LOCK",
                "CUM_DEMAND",
                "CONT_CUM_DEMAND",
                "TIME_REMAINING",
            ),
        ),
    ),
    (
        "REG_FUNC2_FLAGS",
        Bits(
            1,
            (
                ("SELF_READ_INHIBIT_OVF", 0, 1),
                ("SELF_READ_SEQ_NBR", 1, 1),
                ("DAILY_SELF_READ", 2, 1),
                ("WEEKLY_SELF_READ", 3, 1),
                ("SELF_READ_DEMAND_RESET", 4, 2),
            ),
        ),
    ),
    ("NBR_SELF_READS", U8),
    ("NBR_SUMMATIONS", U8),
    ("NBR_DEMANDS", U8),
    ("NBR_COIN_VALUES", U8),
    ("NBR_OCCUR", U8),
    ("NBR_TIERS", U8),
    ("NBR_PRESENT_DEMANDS", U8),
    ("NBR_PRESENT_VALUES", U8),
)


def _register_flag(key):
    return _of(21, "REG_FUNC1_FLAGS", key)


_SUMS = _of(21, "NBR_SUMMATIONS")
_DEMANDS = _of(21, "NBR_DEMANDS")
_COINCIDENTS = _of(21, "NBR_COIN_VALUES")
_OCCURRENCES = _of(21, "NBR_OCCUR")

_SELECTION = Record(
    ("SUMMATION_SELECT", Array(_SUMS, U8)),
    ("DEMAND_SELECT", Array(_DEMANDS, U8)),
    ("MIN_OR_MAX_FLAGS", Members(lambda d: (_DEMANDS(d) + 7) // 8)),
    ("COINCIDENT_SELECT", Array(_COINCIDENTS, U8)),
    ("COIN_DEMAND_ASSOC", Array(_COINCIDENTS, U8)),
)
_BLOCK = Record(
    ("SUMMATIONS", Array(_SUMS, NI1)),
    (
        "DEMANDS",
        Array(
            _DEMANDS,
            Record(
                ("EVENT_TIME", Array(_OCCURRENCES, STIME_DATE), _register_flag("DATE_TIME_FIELD")),
                ("CUM_DEMAND", NI1, _register_flag("CUM_DEMAND")),
                ("CONT_CUM_DEMAND", NI1, _register_flag("CONT_CUM_DEMAND")),
                ("DEMAND", Array(_OCCURRENCES, NI2)),
            ),
        ),
    ),
    (
        "COINCIDENTS",
        Array(_COINCIDENTS, Record(("COINCIDENT_VALUES", Array(_OCCURRENCES, NI2)))),
    ),
)
_REGISTERS = (
    ("NBR_DEMAND_RESETS", U8, _register_flag("DEMAND_RESET_CTR")),
    ("TOT_DATA_BLOCK", _BLOCK),
    ("TIER_DATA_BLOCK", Array(_of(21, "NBR_TIERS"), _BLOCK)),
)
_SNAPSHOT = (
    ("END_DATE_TIME", STIME_DATE, _register_flag("DATE_TIME_FIELD")),
    ("SEASON", U8, _register_flag("SEASON_INFO_FIELD")),
) + _REGISTERS
_LIST_FLAGS = Bits(1, _flags("ORDER", "OVERFLOW_FLAG", "LIST_TYPE", "INHIBIT_OVERFLOW_FLAG"))
_SELF_READS = Record(
    ("LIST_STATUS", _LIST_FLAGS),
    ("NBR_VALID_ENTRIES", U8),
    ("LAST_ENTRY_ELEMENT", U8),
    ("LAST_ENTRY_SEQ_NBR", U16),
    ("NBR_UNREAD_ENTRIES", U8),
    (
        "SELF_READS_ENTRIES",
        Array(
            _of(21, "NBR_SELF_READS"),
            Record(
                *(
                    (("SELF_READ_SEQ_NBR", U16, _of(21, "REG_FUNC2_FLAGS", "SELF_READ_SEQ_NBR")),)
                    + _SNAPSHOT
                )
            ),
        ),
    ),
)
_PRESENT_SELECTION = Record(
    ("PRESENT_DEMAND_SELECT", Array(_of(21, "NBR_PRESENT_DEMANDS"), U8)),
    ("PRESENT_VALUE_SELECT", Array(_of(21, "NBR_PRESENT_VALUES"), U8)),
)
_PRESENT = Record(
    (
        "PRESENT_DEMAND",
        Array(
            _of(21, "NBR_PRESENT_DEMANDS"),
            Record(
                ("TIME_REMAINING", TIME_OF_DAY, _register_flag("TIME_REMAINING")), ("DEMAND", NI2)
            ),
        ),
    ),
    ("PRESENT_VALUE", Array(_of(21, "NBR_PRESENT_VALUES"), NI1)),
)

# -- decade 3: local display -----------------------------------------------------------

_DISPLAY_LIMITS = Record(
    ("DISPLAY_CTRL", Bits(1, _flags("ON_TIME_FLAG", "OFF_TIME_FLAG", "HOLD_TIME_FLAG"))),
    ("NBR_DISP_SOURCES", U16),
    ("WIDTH_DISP_SOURCES", U8),
    ("NBR_PRI_DISP_LIST_ITEMS", U16),
    ("NBR_PRI_DISP_LISTS", U8),
    ("NBR_SEC_DISP_LIST_ITEMS", U16),
    ("NBR_SEC_DISP_LISTS", U8),
)
_DISPLAY_SOURCES = Record(
    ("DISPLAY_SOURCES", Array(_of(31, "NBR_DISP_SOURCES"), Binary(_of(31, "WIDTH_DISP_SOURCES"))))
)


def _display_list(prefix):
    head = Record(
        ("ON_OFF", Bits(1, (("ON_TIME", 0, 4), ("OFF_TIME", 4, 4)))),
        ("HOLD", Bits(1, (("HOLD_TIME", 0, 4), ("DEFAULT_LIST", 4, 4)))),
        ("NBR_LIST_ITEMS", U8),
    )
    return Record(
        (prefix + "_DISP_LIST", Array(_of(31, "NBR_" + prefix + "_DISP_LISTS"), head)),
        (prefix + "_DISP_SOURCES", Array(_of(31, "NBR_" + prefix + "_DISP_LIST_ITEMS"), U16)),
    )


# -- decade 4: security ----------------------------------------------------------------

_SECURITY_LIMITS = Record(
    ("NBR_PASSWORDS", U8),
    ("PASSWORD_LEN", U8),
    ("NBR_KEYS", U8),
    ("KEY_LEN", U8),
    ("NBR_PERM_USED", U16),
)
_GROUPS = Members(1)
_SECURITY = Record(
    (
        "SECURITY_ENTRIES",
        Array(
            _of(41, "NBR_PASSWORDS"),
            Record(("PASSWORD", Binary(_of(41, "PASSWORD_LEN"))), ("ACCESS_PERMISSIONS", _GROUPS)),
        ),
    )
)
_ACCESS = Record(
    (
        "ACCESS_TABLE_DEF",
        Bits(
            2,
            (
                ("TBL_PROC_NBR", 0, 11),
                ("MFG_FLAG", 11, 1),
                ("PROC_FLAG", 12, 1),
                ("ANYONE_MAY_READ", 13, 1),
                ("ANYONE_MAY_WRITE", 14, 1),
            ),
        ),
    ),
    ("READ", _GROUPS),
    ("WRITE", _GROUPS),
)
_DEFAULT_ACCESS = Record(("TABLE_DEFAULT", _ACCESS), ("PROCEDURE_DEFAULT", _ACCESS))  # one source
_ACCESS_CONTROL = Record(("ACCESS_CONTROL", Array(_of(41, "NBR_PERM_USED"), _ACCESS)))
_KEYS = Record(("KEYS", Array(_of(41, "NBR_KEYS"), Binary(_of(41, "KEY_LEN")))))

# -- decade 5: time and time of use ----------------------------------------------------

_TIME_LIMITS = Record(
    (
        "TIME_FUNC_FLAG1",
        Bits(
            1,
            _flags(
                "TOU_SELF_READ_FLAG",
                "SEASON_SELF_READ_FLAG",
                "SEASON_DEMAND_RESET_FLAG",
                "SEASON_CHNG_ARMED_FLAG",
                "SORT_DATES_FLAG",
                "ANCHOR_DATE_FLAG",
            ),
        ),
    ),
    (
        "TIME_FUNC_FLAG2",
        Bits(
            1,
            _flags(
                "CAP_DST_AUTO_FLAG",
                "SEPARATE_WEEKDAYS_FLAG",
                "SEPARATE_SUM_DEMANDS_FLAG",
                "SORT_TIER_SWITCHES_FLAG",
                "CAP_TM_ZN_OFFSET_FLAG",
            ),
        ),
    ),
    ("CALENDAR_FUNC", Bits(1, (("NBR_SEASONS", 0, 4), ("NBR_SPECIAL_SCHED", 4, 4)))),
    ("NBR_NON_RECURR_DATES", U8),
    ("NBR_RECURR_DATES", U8),
    ("NBR_TIER_SWITCHES", U16),
    ("CALENDAR_TBL_SIZE", U16),
)
_SEPARATE_SUMS = _of(51, "TIME_FUNC_FLAG2", "SEPARATE_SUM_DEMANDS_FLAG")
_TIME_QUALIFIER = Bits(
    1,
    (
        ("DAY_OF_WEEK", 0, 3),
        ("DST_FLAG", 3, 1),
        ("GMT_FLAG", 4, 1),
        ("TM_ZN_APPLIED_FLAG", 5, 1),
        ("DST_APPLIED_FLAG", 6, 1),
        ("DST_SUPPORTED_FLAG", 7, 1),
    ),
)
_CLOCK_FIELDS = (("CLOCK_CALENDAR", LTIME_DATE), ("TIME_DATE_QUAL", _TIME_QUALIFIER))
_CLOCK = Record(*_CLOCK_FIELDS)
_TIME_OFFSET = Record(  # one source
    ("DST_TIME_EFF", TIME_OF_DAY),
    ("DST_TIME_AMT", U8),
    ("TIME_ZONE_OFFSET", Sint(2), _of(51, "TIME_FUNC_FLAG2", "CAP_TM_ZN_OFFSET_FLAG")),
    ("STD_TIME_EFF", TIME_OF_DAY, lambda d: d[0]["STD_VERSION_NO"] > 1),
)
_DATE = Bits(2, (("YEAR", 0, 7), ("MONTH", 7, 4), ("DAY", 11, 5)))  # one source
_RECURRING = Bits(2, (("MONTH", 0, 4), ("OFFSET", 4, 4), ("WEEKDAY", 8, 3), ("DAY", 11, 5)))
_ACTION = Bits(1, (("CALENDAR_CTRL", 0, 5), ("DEMAND_RESET_FLAG", 5, 1), ("SELF_READ_FLAG", 6, 1)))
_SWITCH = Bits(
    2,
    (
        ("NEW_TIER", 0, 3),
        ("SUMMATION_SWITCH_FLAG", 3, 1),
        ("DEMANDS_SWITCH_FLAG", 4, 1),
        ("SWITCH_MIN", 5, 6),
        ("SWITCH_HOUR", 11, 5),
    ),
)


def _schedules(d):
    days = 7 if d[51]["TIME_FUNC_FLAG2"]["SEPARATE_WEEKDAYS_FLAG"] else 3
    return days + d[51]["CALENDAR_FUNC"]["NBR_SPECIAL_SCHED"]


_CALENDAR = Record(  # one source; the order of the days is not certain
    ("ANCHOR_DATE", _DATE, _of(51, "TIME_FUNC_FLAG1", "ANCHOR_DATE_FLAG")),
    (
        "NON_RECURR_DATES",
        Array(
            _of(51, "NBR_NON_RECURR_DATES"),
            Record(("NON_RECURR_DATE", _DATE), ("CALENDAR_ACTION", _ACTION)),
        ),
    ),
    (
        "RECURR_DATES",
        Array(
            _of(51, "NBR_RECURR_DATES"),
            Record(("RECURR_DATE", _RECURRING), ("CALENDAR_ACTION", _ACTION)),
        ),
    ),
    (
        "TIER_SWITCHES",
        Array(_of(51, "NBR_TIER_SWITCHES"), Record(("TIER_SWITCH", _SWITCH), ("DAY_SCH_NUM", U8))),
    ),
    (
        "DAILY_SCHEDULE_ID_MATRIX",
        Array(_of(51, "CALENDAR_FUNC", "NBR_SEASONS"), Array(_schedules, U8)),
    ),
)
_CLOCK_STATUS = (("TIER_DRIVE", 6, 2), ("SPECIAL_SCHD_ACTIVE", 8, 4), ("SEASON", 12, 4))
_SEPARATE_STATUS = Bits(2, (("CURR_SUMM_TIER", 0, 3), ("CURR_DEMAND_TIER", 3, 3)) + _CLOCK_STATUS)
_COMMON_STATUS = Bits(2, (("CURR_TIER", 0, 3),) + _CLOCK_STATUS)
_CLOCK_STATE = Record(
    *(
        _CLOCK_FIELDS
        + (
            (
                "STATUS",
                Chosen(lambda d: _SEPARATE_STATUS if _SEPARATE_SUMS(d) else _COMMON_STATUS),
            ),
        )
    )
)
_TIME_REMAINING = Record(
    ("SUMM_TIER_TIME_REMAIN", U16, _SEPARATE_SUMS),
    ("DEMAND_TIER_TIME_REMAIN", U16, _SEPARATE_SUMS),
    ("TIER_TIME_REMAIN", U16, lambda d: not _SEPARATE_SUMS(d)),
    ("SELF_READ_DAYS_REMAIN", U8),
)

# -- decade 6: load profile ------------------------------------------------------------

_PROFILE_SETS = (1, 2, 3, 4)
_FIRST_PROFILE = 64  # the table of set 1


def _has_set(number):
    return lambda d: d.uses(_FIRST_PROFILE + number - 1)


def _set_name(number):
    return "SET%d" % number


_SET_LIMITS = Record(
    ("NBR_BLKS_SET", U16),
    ("NBR_BLK_INTS_SET", U16),
    ("NBR_CHNS_SET", U8),
    ("MAX_INT_TIME_SET", U8),
)
_PROFILE_LIMITS = Record(
    *(
        (
            ("LP_MEMORY_LEN", U32),
            (
                "LP_FLAGS",
                Bits(
                    2,
                    _flags(
                        "LP_SET1_INHIBIT_OVF_FLAG",
                        "LP_SET2_INHIBIT_OVF_FLAG",
                        "LP_SET3_INHIBIT_OVF_FLAG",
                        "LP_SET4_INHIBIT_OVF_FLAG",
                        "BLK_END_READ_FLAG",
                        "BLK_END_PULSE_FLAG",
                        "SCALAR_DIVISOR_FLAG_SET1",
                        "SCALAR_DIVISOR_FLAG_SET2",
                        "SCALAR_DIVISOR_FLAG_SET3",
                        "SCALAR_DIVISOR_FLAG_SET4",
                        "EXTENDED_INT_STATUS_FLAG",
                        "SIMPLE_INT_STATUS_FLAG",
                        "BLK_END_RD_INDICATOR_FLAG",
                    ),
                ),
            ),
            (
                "LP_FMATS",
                Bits(
                    1,
                    _flags(
                        "INV_UINT8_FLAG",
                        "INV_UINT16_FLAG",
                        "INV_UINT32_FLAG",
                        "INV_INT8_FLAG",
                        "INV_INT16_FLAG",
                        "INV_INT32_FLAG",
                        "INV_NI_FMAT1_FLAG",
                        "INV_NI_FMAT2_FLAG",
                    ),
                ),
            ),
        )
        + tuple((_set_name(n), _SET_LIMITS, _has_set(n)) for n in _PROFILE_SETS)
    )
)


def _profile_control(number):
    channels = _of(61, _set_name(number), "NBR_CHNS_SET")
    scaled = _of(61, "LP_FLAGS", "SCALAR_DIVISOR_FLAG_SET%d" % number)
    return Record(
        (
            "LP_SEL_SET",
            Array(
                channels,
                Record(
                    ("CHNL_FLAG", Bits(1, _flags("END_RDG_FLAG"))),
                    ("LP_SOURCE_SELECT", U8),
                    ("END_BLK_RDG_SOURCE_SELECT", U8),
                ),
            ),
        ),
        ("INT_FMT_CDE", U8),
        ("SCALARS_SET", Array(channels, U16), scaled),
        ("DIVISOR_SET", Array(channels, U16), scaled),
    )


_PROFILE_CONTROL = Record(
    *tuple((_set_name(n), _profile_control(n), _has_set(n)) for n in _PROFILE_SETS)
)
_PROFILE_STATUS = Record(
    (
        "LP_SET_STATUS_FLAGS",
        Bits(
            1,
            _flags(
                "BLOCK_ORDER",
                "OVERFLOW_FLAG",
                "LIST_TYPE",
                "BLOCK_INHIBIT_OVERFLOW_FLAG",
                "INTERVAL_ORDER",
                "ACTIVE_MODE_FLAG",
                "TEST_MODE",
            ),
        ),
    ),
    ("NBR_VALID_BLOCKS", U16),
    ("LAST_BLOCK_ELEMENT", U16),
    ("LAST_BLOCK_SEQ_NBR", U32),
    ("NBR_UNREAD_BLOCKS", U16),
    ("NBR_VALID_INT", U16),
)
_PROFILE_STATES = Record(
    *tuple((_set_name(n), _PROFILE_STATUS, _has_set(n)) for n in _PROFILE_SETS)
)
_INTERVAL_KINDS = {
    1: U8,
    2: U16,
    4: U32,
    8: Sint(1),
    16: Sint(2),
    32: Sint(4),
    64: NI1,
    128: NI2,
}


def _profile_data(number):
    set_name = _set_name(number)
    channels = _of(61, set_name, "NBR_CHNS_SET")
    intervals = _of(61, set_name, "NBR_BLK_INTS_SET")

    def interval_kind(d):
        code = d[62][set_name]["INT_FMT_CDE"]
        if code not in _INTERVAL_KINDS:
            raise FormatError
        return _INTERVAL_KINDS[code]

    return Record(
        (
            "LP_DATA_SET",
            Array(
                _of(61, set_name, "NBR_BLKS_SET"),
                Record(
                    ("BLK_END_TIME", STIME_DATE),
                    (
                        "END_READINGS",
                        Array(
                            channels,
                            Record(
                                ("BLK_END_READ", NI1, _of(61, "LP_FLAGS", "BLK_END_READ_FLAG")),
                                ("BLK_END_PULSE", U32, _of(61, "LP_FLAGS", "BLK_END_PULSE_FLAG")),
                            ),
                        ),
                    ),
                    (
                        "SIMPLE_INT_STATUS",
                        Members(lambda d: (intervals(d) + 7) // 8),
                        _of(61, "LP_FLAGS", "SIMPLE_INT_STATUS_FLAG"),
                    ),
                    (
                        "LP_INT",
                        Array(
                            intervals,
                            Record(
                                (
                                    "EXTENDED_INT_STATUS",
                                    Binary(lambda d: channels(d) // 2 + 1),
                                    _of(61, "LP_FLAGS", "EXTENDED_INT_STATUS_FLAG"),
                                ),
                                ("INT_DATA", Array(channels, Chosen(interval_kind))),
                            ),
                        ),
                    ),
                ),
            ),
        )
    )


# -- decade 7: logs --------------------------------------------------------------------


def _second_edition(d):
    return d[0]["STD_VERSION_NO"] > 1


_LOG_LIMITS = Record(
    (
        "LOG_FLAGS",
        Bits(
            1,
            _flags(
                "EVENT_NUMBER_FLAG",
                "HIST_DATE_TIME_FLAG",
                "HIST_SEQ_NBR_FLAG",
                "HIST_INHIBIT_OVF_FLAG",
                "EVENT_INHIBIT_OVF_FLAG",
            ),
        ),
    ),
    ("NBR_STD_EVENTS", U8),
    ("NBR_MFG_EVENTS", U8),
    ("HIST_DATA_LENGTH", U8),
    ("EVENT_DATA_LENGTH", U8),
    ("NBR_HISTORY_ENTRIES", U16),
    ("NBR_EVENT_ENTRIES", U16),
    ("EXT_LOG_FLAGS", U8, _second_edition),
    ("NBR_PROGRAM_TABLES", U16, _second_edition),
)
_STD_EVENTS = Members(_of(71, "NBR_STD_EVENTS"))
_MFG_EVENTS = Members(_of(71, "NBR_MFG_EVENTS"))
_EVENTS_USED = Record(("STD_EVENTS_USED", _STD_EVENTS), ("MFG_EVENTS_USED", _MFG_EVENTS))
_LOG_CONTROL = Record(  # one source
    ("STD_EVENTS_MONITORED_FLAGS", _STD_EVENTS),
    ("MFG_EVENTS_MONITORED_FLAGS", _MFG_EVENTS),
    ("STD_TBLS_MONITORED_FLAGS", _STD_TABLES),
    ("MFG_TBLS_MONITORED_FLAGS", _MFG_TABLES),
    ("STD_PROC_MONITORED_FLAGS", _STD_PROCEDURES),
    ("MFG_PROC_MONITORED_FLAGS", _MFG_PROCEDURES),
)
_LOG_HEAD = (
    ("LIST_STATUS", _LIST_FLAGS),
    ("NBR_VALID_ENTRIES", U16),
    ("LAST_ENTRY_ELEMENT", U16),
    ("LAST_ENTRY_SEQ_NBR", U32),
    ("NBR_UNREAD_ENTRIES", U16),
)
_EVENT_CODE = Bits(2, (("EVENT_NBR", 0, 11), ("MFG_FLAG", 11, 1), ("SELECTOR", 12, 4)))
_HISTORY_LOG = Record(
    *(
        _LOG_HEAD
        + (
            (
                "ENTRIES",
                Array(
                    _of(71, "NBR_HISTORY_ENTRIES"),
                    Record(
                        (
                            "HISTORY_TIME",
                            LTIME_DATE,
                            _of(71, "LOG_FLAGS", "HIST_DATE_TIME_FLAG"),
                        ),
                        ("EVENT_NUMBER", U16, _of(71, "LOG_FLAGS", "EVENT_NUMBER_FLAG")),
                        ("HISTORY_SEQ_NBR", U16, _of(71, "LOG_FLAGS", "HIST_SEQ_NBR_FLAG")),
                        ("USER_ID", U16),
                        ("HISTORY_CODE", _EVENT_CODE),
                        ("HISTORY_ARGUMENT", Binary(_of(71, "HIST_DATA_LENGTH"))),
                    ),
                ),
            ),
        )
    )
)
_EVENT_LOG = Record(
    *(
        _LOG_HEAD
        + (
            (
                "ENTRIES",
                Array(
                    _of(71, "NBR_EVENT_ENTRIES"),
                    Record(
                        ("EVENT_TIME", LTIME_DATE),
                        ("EVENT_NUMBER", U16, _of(71, "LOG_FLAGS", "EVENT_NUMBER_FLAG")),
                        ("EVENT_SEQ_NBR", U16),
                        ("USER_ID", U16),
                        ("EVENT_CODE", _EVENT_CODE),
                        ("EVENT_ARGUMENT", Binary(_of(71, "EVENT_DATA_LENGTH"))),
                    ),
                ),
            ),
        )
    )
)

# Table number -> name, tables that have to be known before, layout.
_TABLES = {
    0: ("GEN_CONFIG_TBL", (), _CONFIG),
    1: ("GENERAL_MFG_ID_TBL", (0,), _MANUFACTURER),
    2: ("DEVICE_NAMEPLATE_TBL", (0,), _NAMEPLATE),
    3: ("ED_MODE_STATUS_TBL", (0,), _MODE_STATUS),
    5: ("DEVICE_IDENT_TBL", (0,), Record(("IDENTIFICATION", Ident(20, 10)))),
    6: ("UTIL_INFO_TBL", (0,), _UTILITY),
    7: ("PROC_INITIATE_TBL", (0,), _PROCEDURE),
    8: ("PROC_RESPONSE_TBL", (0,), _RESPONSE),
    10: ("DIM_SOURCES_LIM_TBL", (0,), _SOURCES_LIMITS),
    11: ("ACT_SOURCES_LIM_TBL", (0,), _SOURCES_LIMITS),
    12: ("UOM_ENTRY_TBL", (0, 11), _UNITS),
    13: ("DEMAND_CONTROL_TBL", (0, 11), _DEMAND_CONTROL),
    14: ("DATA_CONTROL_TBL", (0, 11), _DATA_CONTROL),
    15: ("CONSTANTS_TBL", (0, 11), _CONSTANTS),
    16: ("SOURCE_DEFINITION_TBL", (0, 11), _SOURCE_DEFINITION),
    20: ("DIM_REGS_TBL", (0,), _REGISTER_LIMITS),
    21: ("ACT_REGS_TBL", (0,), _REGISTER_LIMITS),
    22: ("DATA_SELECTION_TBL", (0, 21), _SELECTION),
    23: ("CURRENT_REG_DATA_TBL", (0, 21), Record(*_REGISTERS)),
    24: ("PREVIOUS_SEASON_DATA_TBL", (0, 21), Record(*_SNAPSHOT)),
    25: ("PREVIOUS_DEMAND_RESET_DATA_TBL", (0, 21), Record(*_SNAPSHOT)),
    26: ("SELF_READ_DATA_TBL", (0, 21), _SELF_READS),
    27: ("PRESENT_REGISTER_SELECT_TBL", (0, 21), _PRESENT_SELECTION),
    28: ("PRESENT_REGISTER_DATA_TBL", (0, 21), _PRESENT),
    30: ("DIM_DISP_TBL", (0,), _DISPLAY_LIMITS),
    31: ("ACT_DISP_TBL", (0,), _DISPLAY_LIMITS),
    32: ("DISP_SOURCE_TBL", (0, 31), _DISPLAY_SOURCES),
    33: ("PRI_DISP_LIST_TBL", (0, 31), _display_list("PRI")),
    34: ("SEC_DISP_LIST_TBL", (0, 31), _display_list("SEC")),
    40: ("DIM_SECURITY_LIMITING_TBL", (0,), _SECURITY_LIMITS),
    41: ("ACT_SECURITY_LIMITING_TBL", (0,), _SECURITY_LIMITS),
    42: ("SECURITY_TBL", (0, 41), _SECURITY),
    43: ("DEFAULT_ACCESS_CONTROL_TBL", (0,), _DEFAULT_ACCESS),
    44: ("ACCESS_CONTROL_TBL", (0, 41), _ACCESS_CONTROL),
    45: ("KEY_TBL", (0, 41), _KEYS),
    50: ("DIM_TIME_TOU_TBL", (0,), _TIME_LIMITS),
    51: ("ACT_TIME_TOU_TBL", (0,), _TIME_LIMITS),
    52: ("CLOCK_TBL", (0,), _CLOCK),
    53: ("TIME_OFFSET_TBL", (0, 51), _TIME_OFFSET),
    54: ("CALENDAR_TBL", (0, 51), _CALENDAR),
    55: ("CLOCK_STATE_TBL", (0, 51), _CLOCK_STATE),
    56: ("TIME_REMAIN_TBL", (0, 51), _TIME_REMAINING),
    60: ("DIM_LP_TBL", (0,), _PROFILE_LIMITS),
    61: ("ACT_LP_TBL", (0,), _PROFILE_LIMITS),
    62: ("LP_CTRL_TBL", (0, 61), _PROFILE_CONTROL),
    63: ("LP_STATUS_TBL", (0, 61), _PROFILE_STATES),
    64: ("LP_DATA_SET1_TBL", (0, 61, 62), _profile_data(1)),
    65: ("LP_DATA_SET2_TBL", (0, 61, 62), _profile_data(2)),
    66: ("LP_DATA_SET3_TBL", (0, 61, 62), _profile_data(3)),
    67: ("LP_DATA_SET4_TBL", (0, 61, 62), _profile_data(4)),
    70: ("DIM_LOG_TBL", (0,), _LOG_LIMITS),
    71: ("ACT_LOG_TBL", (0,), _LOG_LIMITS),
    72: ("EVENTS_ID_TBL", (0, 71), _EVENTS_USED),
    73: ("HISTORY_LOG_CTRL_TBL", (0, 71), _LOG_CONTROL),
    74: ("HISTORY_LOG_DATA_TBL", (0, 71), _HISTORY_LOG),
    75: ("EVENT_LOG_CTRL_TBL", (0, 71), _LOG_CONTROL),
    76: ("EVENT_LOG_DATA_TBL", (0, 71), _EVENT_LOG),
}
