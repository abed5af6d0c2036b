"""The layout of each C12.19 table, as a walk through its fields.

Source: ANSI C12.19, decades 0 to 7. Tables whose layout is the manufacturer's stay hex, except
those that the simulator of this package invents.
"""

from endpoint.optical import tables
from wattline.optical.names import EVENTS, PROCEDURE_RESULTS, STATUS_FLAGS, number_name, unit_of

_UNUSED = 255
_MOST_ROWS = 4096
_SIMULATOR = b"SIML"

# Tables without which another one's layout is not known.
NEEDS = {
    12: (11,),
    13: (11,),
    14: (11,),
    15: (11,),
    16: (11,),
    22: (21,),
    23: (21,),
    24: (21,),
    25: (21,),
    26: (21,),
    27: (21,),
    28: (21,),
    32: (31,),
    33: (31,),
    34: (31,),
    42: (41,),
    44: (41,),
    53: (51,),
    62: (61,),
    63: (61,),
    64: (61, 62),
    72: (71,),
    74: (71,),
    76: (71,),
}


def _bit(value, at):
    return value >> at & 1 == 1


class _Numbers:
    """Integers of a dimension table that was seen before."""

    def __init__(self, walk, table):
        self._data = walk.known.data[table]
        self._order = "big" if walk.config.most_first else "little"

    def u(self, at, size=1):
        return int.from_bytes(self._data[at : at + size], self._order)

    def __getitem__(self, at):
        return self._data[at]


# -- decade 0 ---------------------------------------------------------------------


def _config(walk):
    walk.take("byte order", 1, lambda raw: ("least", "most")[raw[0] & 1] + " significant first")
    walk.take("formats", 1, _formats)
    walk.take("number formats", 1, lambda raw: [raw[0] & 15, raw[0] >> 4])
    walk.text("device class", 4)
    walk.take("nameplate", 1, lambda raw: ("gas", "water", "electric")[raw[0]])
    walk.u("default set")
    walk.u("largest procedure parameters", 1, "bytes")
    walk.u("largest procedure response", 1, "bytes")
    walk.u("standard version")
    walk.u("standard revision")
    names = ("standard tables", "manufacturer tables")
    sizes = [walk.u(f"bytes of the set of {name}") for name in names]
    names = ("standard procedures", "manufacturer procedures")
    sizes += [walk.u(f"bytes of the set of {name}") for name in names]
    walk.u("manufacturer status", 1, "bytes")
    walk.u("pending tables")
    if None in sizes:
        return
    a, b, c, d = sizes
    walk.members("standard tables", a)
    walk.members("manufacturer tables", b)
    walk.members("standard procedures", c)
    walk.members("manufacturer procedures", d)
    walk.members("writable standard tables", a)
    walk.members("writable manufacturer tables", b)


def _formats(raw):
    times = ("no time", "BCD time", "byte time", "minutes since 1970", "seconds since 1970")
    access = ("full", "full and offset", "full and index", "full, offset and index")
    integers = ("two's complement", "one's complement", "sign and magnitude", "?")
    value = raw[0]
    return [
        times[value & 7],
        f"{access[value >> 3 & 3]} access",
        "BCD identifiers" if value & 0x20 else "text identifiers",
        integers[value >> 6],
    ]


def _manufacturer(walk):
    walk.text("manufacturer", 4)
    walk.text("model", 8)
    walk.take("hardware", 2, lambda raw: f"{raw[0]}.{raw[1]}")
    walk.take("firmware", 2, lambda raw: f"{raw[0]}.{raw[1]}")
    walk.identifier("serial number", 16)


def _nameplate(walk):
    walk.text("Kh", 6)
    walk.text("Kt", 6)
    walk.u("input scalar")
    walk.text("form", 5)
    walk.u("elements", 2)
    walk.u("voltage codes")
    walk.text("class amperes", 6)
    walk.text("test amperes", 6)


def _status(walk):
    walk.flags("mode", 1, ("metering", "test", "meter shop", "factory"))
    walk.flags("status", 2, STATUS_FLAGS)
    walk.u("status 2")
    count = walk.known.data.get(0, bytes(18))[17]
    if count:
        walk.raw("manufacturer status", count)


def _device(walk):
    walk.identifier("device", 20)


def _utility(walk):
    for name in ("owner", "division", "service point", "address", "device"):
        walk.text(name, 20)
    walk.text("utility serial number", 20)
    walk.text("customer", 20)
    for i in (1, 2, 3):
        walk.text(f"coordinate {i}", 10)
    walk.text("tariff", 8)
    for i in (1, 2):
        walk.text(f"software vendor {i}", 4)
        walk.take(f"software {i}", 2, lambda raw: f"{raw[0]}.{raw[1]}")
    walk.text("programmer", 10)
    walk.text("remarks", 30)


def _response(walk):
    walk.take("procedure", 2, lambda raw: _procedure_name(walk.integer(raw)))
    walk.u("sequence number")
    walk.one_of("result", PROCEDURE_RESULTS)
    if walk.left > 0:
        walk.raw("data", walk.left)


def _initiate(walk):
    walk.take("procedure", 2, lambda raw: _procedure_name(walk.integer(raw)))
    walk.u("sequence number")
    if walk.left > 0:
        walk.raw("parameters", walk.left)


def _procedure_name(word):
    return f"{'manufacturer ' if word & 0x0800 else ''}{word & 0x07FF}"


# -- decade 1 ---------------------------------------------------------------------


def _sources(walk):
    flags = ("power-fail exclusion", "reset exclusion", "block", "sliding", "thermal")
    walk.flags("options", 1, (*flags, "ratios 1", "ratios 2"))
    walk.u("units")
    walk.u("demand controls")
    walk.u("data control", 1, "bytes")
    walk.u("data controls")
    walk.u("constants")
    walk.take("constants are", 1, lambda raw: ("gas AGA3", "gas AGA7", "electric")[raw[0]])
    walk.u("sources")


def _units(walk):
    for i in range(walk.known.data[11][1]):

        def convert(raw):
            unit = tables.Unit(raw, 0, walk.config.most_first)
            name, symbol = unit_of(unit)
            power = f" × 10^{unit.exp10}" if unit.exp10 else ""
            return f"{name}, {symbol or 'count'}{power}"

        walk.take(f"unit {i}", 4, convert)


def _demand_control(walk):
    limits = walk.known.data[11]
    if _bit(limits[0], 1):
        walk.u("reset exclusion", 1, "min")
    if _bit(limits[0], 0):
        walk.u("power-fail recognition", 1, "s")
        walk.u("power-fail exclusion", 1, "min")
        walk.u("cold load pick-up", 1, "min")
    for i in range(limits[2]):
        if _bit(limits[0], 3):
            walk.u(f"demand {i} sub-interval", 1, "min")
            walk.u(f"demand {i} sub-intervals")
        else:
            walk.u(f"demand {i} interval", 2, "min")


def _data_control(walk):
    limits = walk.known.data[11]
    for i in range(limits[4]):
        if limits[3]:
            walk.raw(f"entry {i}", limits[3])


def _constants(walk):
    limits = walk.known.data[11]
    if limits[6] != 2:
        walk.raw("gas constants", walk.left)
        return
    for i in range(limits[5]):
        walk.first(f"constant {i} multiplier")
        walk.first(f"constant {i} offset")
        for part, bit in (("ratios 1", 5), ("ratios 2", 6)):
            if _bit(limits[0], bit):
                walk.flags(f"constant {i} {part}", 1, ("already applied",))
                walk.first(f"constant {i} {part} current")
                walk.first(f"constant {i} {part} voltage")


def _source_flags(walk):
    names = ("unit", "demand control", "data control", "constant", "engineering units")
    for i in range(walk.known.data[11][7]):
        walk.flags(f"source {i}", 1, (*names, "constant to be applied"))


# -- decade 2 ---------------------------------------------------------------------


def _registers(walk):
    names = ("season", "date and time", "demand reset counter", "reset lock", "cumulative")
    walk.flags("options", 1, (*names, "continuous cumulative", "time remaining"))
    walk.flags("self-read options", 1, ("inhibit overflow", "sequence number", "daily", "weekly"))
    for name in ("self-reads", "summations", "demands", "coincidents", "occurrences"):
        walk.u(name)
    for name in ("tiers", "present demands", "present values"):
        walk.u(name)


def _selection(walk):
    limits = walk.known.data[21]

    def source(raw):
        return _source_name(walk, raw[0])

    for i in range(limits[3]):
        walk.take(f"summation {i}", 1, source)
    for i in range(limits[4]):
        walk.take(f"demand {i}", 1, source)
    if limits[4]:
        walk.members("maximum demands", (limits[4] + 7) // 8)
    for i in range(limits[5]):
        walk.take(f"coincident {i}", 1, source)
    for i in range(limits[5]):
        walk.u(f"coincident {i} with demand")


def _source_name(walk, index):
    if index == _UNUSED:
        return "unused"
    found = walk.known.source(index)
    return f"source {index}" + (f", {unit_of(found.unit)[0]}" if found else "")


def _selected(walk, table, at):
    data = walk.known.data.get(table, b"")
    return walk.known.source(data[at]) if at < len(data) else None


def _current(walk):
    limits = walk.known.data[21]
    if _bit(limits[0], 2):
        walk.u("demand resets")
    for tier in range(limits[7] + 1):
        _register_block(walk, limits, f"rate {chr(64 + tier)} " if tier else "")


def _register_block(walk, limits, prefix):
    function, sums, demands, coincidents = limits[0], limits[3], limits[4], limits[5]
    occurrences = limits[6]
    for i in range(sums):
        walk.first(f"{prefix}summation {i}", _selected(walk, 22, i))
    for i in range(demands):
        source = _selected(walk, 22, sums + i)
        if _bit(function, 1):
            for _ in range(occurrences):
                walk.short_time(f"{prefix}demand {i} time")
        if _bit(function, 4):
            walk.first(f"{prefix}demand {i} cumulative", source)
        if _bit(function, 5):
            walk.first(f"{prefix}demand {i} continuous cumulative", source)
        for _ in range(occurrences):
            walk.second(f"{prefix}demand {i}", source)
    first = sums + demands + (demands + 7) // 8
    for i in range(coincidents):
        for _ in range(occurrences):
            walk.second(f"{prefix}coincident {i}", _selected(walk, 22, first + i))


def _previous(walk):
    limits = walk.known.data[21]
    if _bit(limits[0], 1):
        walk.short_time("end")
    if _bit(limits[0], 0):
        walk.u("season")
    _current(walk)


def _self_reads(walk):
    limits = walk.known.data[21]
    _list_head(walk, 1)
    for i in range(limits[2]):
        if _bit(limits[1], 1):
            walk.u(f"self-read {i} sequence number", 2)
        _previous(walk)


def _list_head(walk, size):
    """Name the head of a list, whose counts have `size` bytes."""
    walk.flags("list", 1, ("newest first", "overflow", "circular", "inhibit overflow"))
    walk.u("valid entries", size)
    walk.u("last entry", size)
    walk.u("last sequence number", 2 * size)
    walk.u("unread entries", size)


def _present_selection(walk):
    limits = walk.known.data[21]
    for i in range(limits[8]):
        walk.take(f"present demand {i}", 1, lambda raw: _source_name(walk, raw[0]))
    for i in range(limits[9]):
        walk.take(f"present value {i}", 1, lambda raw: _source_name(walk, raw[0]))


def _present(walk):
    limits = walk.known.data[21]
    for i in range(limits[8]):
        if _bit(limits[0], 6) and walk.config.time_bytes:
            walk.raw(f"present demand {i} time remaining", walk.config.time_bytes)
        walk.second(f"present demand {i}", _selected(walk, 27, i))
    for i in range(limits[9]):
        walk.first(f"present value {i}", _selected(walk, 27, limits[8] + i))


# -- decades 3 and 4 --------------------------------------------------------------


def _display(walk):
    walk.flags("options", 1, ("on time", "off time", "hold time"))
    walk.u("display sources", 2)
    walk.u("display source", 1, "bytes")
    walk.u("primary places", 2)
    walk.u("primary lists")
    walk.u("secondary places", 2)
    walk.u("secondary lists")


def _display_sources(walk):
    limits = _Numbers(walk, 31)
    for i in range(limits.u(1, 2)):
        walk.raw(f"display source {i}", limits[3])


def _display_list(walk, places_at, lists_at):
    limits = _Numbers(walk, 31)
    for i in range(limits[lists_at]):
        walk.take(f"list {i} on, off", 1, lambda raw: [raw[0] & 15, raw[0] >> 4], "s")
        walk.take(f"list {i} hold, kind", 1, lambda raw: [raw[0] & 15, raw[0] >> 4])
        walk.u(f"list {i} items in use")
    for i in range(limits.u(places_at, 2)):
        walk.u(f"place {i} shows display source", 2)


def _primary_list(walk):
    _display_list(walk, 4, 6)


def _secondary_list(walk):
    _display_list(walk, 7, 9)


def _security(walk):
    walk.u("passwords")
    walk.u("password", 1, "bytes")
    walk.u("keys")
    walk.u("key", 1, "bytes")
    walk.u("permissions", 2)


def _passwords(walk):
    limits = walk.known.data[41]
    for i in range(limits[0]):
        walk.raw(f"password {i}", limits[1])
        walk.members(f"password {i} groups", 1)


def _permissions(walk):
    for i in range(_Numbers(walk, 41).u(4, 2)):
        walk.take(f"entry {i} is for", 2, lambda raw: _permission_name(walk.integer(raw)))
        walk.members(f"entry {i} groups that read", 1)
        walk.members(f"entry {i} groups that write", 1)


def _permission_name(word):
    name = f"procedure {_procedure_name(word)}" if word & 0x1000 else number_name(word & 0x0FFF)
    free = [text for bit, text in ((13, "anyone reads"), (14, "anyone writes")) if _bit(word, bit)]
    return ", ".join([name, *free])


# -- decade 5 ---------------------------------------------------------------------


def _time_of_use(walk):
    names = ("self-read", "season self-read", "season demand reset", "season change armed")
    walk.flags("options 1", 1, (*names, "sorted dates", "anchor date"))
    names = ("automatic daylight saving", "separate weekdays", "separate sums and demands")
    walk.flags("options 2", 1, (*names, "sorted tier switches", "time zone"))
    walk.take("seasons, special schedules", 1, lambda raw: [raw[0] & 15, raw[0] >> 4])
    walk.u("single dates")
    walk.u("recurring dates")
    walk.u("tier switches", 2)
    walk.u("calendar", 2, "bytes")


def _clock(walk):
    walk.long_time("clock")
    walk.take("qualifier", 1, _qualifier)


def _qualifier(raw):
    days = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "no day")
    names = ("daylight saving", "GMT", "zone applied", "daylight saving applied", "knows it")
    return [days[raw[0] & 7], *(name for i, name in enumerate(names) if raw[0] >> (3 + i) & 1)]


def _clock_state(walk):
    _clock(walk)
    walk.take("rate", 2, lambda raw: chr(65 + (walk.integer(raw) & 7)))


# -- decade 6 ---------------------------------------------------------------------


class _ProfileSets:
    """ST-61: how the load profile's sets look."""

    def __init__(self, walk):
        numbers = _Numbers(walk, 61)
        self.flags = numbers.u(4, 2)
        self.sets = {}
        at = 7
        for table in (64, 65, 66, 67):
            if walk.config.uses(table) and at + 6 <= len(walk.known.data[61]):
                blocks, intervals = numbers.u(at, 2), numbers.u(at + 2, 2)
                self.sets[table] = (blocks, intervals, numbers[at + 4], numbers[at + 5])
                at += 6


def _profile(walk):
    walk.u("memory", 4, "bytes")
    names = ("inhibit overflow 1", "2", "3", "4", "block end readings", "block end pulses")
    names += ("scalars 1", "scalars 2", "scalars 3", "scalars 4", "extended status")
    walk.flags("options", 2, (*names, "simple status", "end reading indicator"))
    formats = ("u8", "u16", "u32", "i8", "i16", "i32", "number 1", "number 2")
    walk.flags("interval formats", 1, formats)
    for i, table in enumerate((64, 65, 66, 67)):
        if walk.config.uses(table):
            walk.u(f"set {i + 1} blocks", 2)
            walk.u(f"set {i + 1} intervals of a block", 2)
            walk.u(f"set {i + 1} channels")
            walk.u(f"set {i + 1} interval", 1, "min")


def _profile_control(walk):
    profile = _ProfileSets(walk)
    for table, (_, _, channels, _) in profile.sets.items():
        for channel in range(channels):
            name = f"set {table - 63} channel {channel}"
            walk.flags(f"{name} options", 1, ("end reading",))
            walk.take(f"{name} is", 1, lambda raw: _source_name(walk, raw[0]))
            walk.take(f"{name} end reading", 1, lambda raw: _source_name(walk, raw[0]))
        walk.u(f"set {table - 63} interval format")
        if _bit(profile.flags, 6 + table - 64):
            for kind in ("scalar", "divisor"):
                for channel in range(channels):
                    walk.u(f"set {table - 63} channel {channel} {kind}", 2)


def _profile_status(walk):
    names = ("newest first", "overflow", "circular", "inhibit overflow", "interval order")
    for table in _ProfileSets(walk).sets:
        name = f"set {table - 63}"
        walk.flags(name, 1, (*names, "active", "test mode"))
        walk.u(f"{name} valid blocks", 2)
        walk.u(f"{name} last block", 2)
        walk.u(f"{name} last sequence number", 4)
        walk.u(f"{name} unread blocks", 2)
        walk.u(f"{name} valid intervals in the last block", 2)


_INTERVAL_BYTES = {1: 1, 2: 2, 4: 4, 8: 1, 16: 2, 32: 4}


def _interval_bytes(walk, code):
    if code in _INTERVAL_BYTES:
        return _INTERVAL_BYTES[code]
    return walk.config.ni1_bytes if code == 64 else walk.config.ni2_bytes


def _profile_data(walk):
    profile = _ProfileSets(walk)
    blocks, intervals, channels, _ = profile.sets[64]
    code = walk.known.data[62][3 * channels]
    size = _interval_bytes(walk, code)
    status_bytes = channels // 2 + 1 if _bit(profile.flags, 10) else 0

    def row(raw):
        values = []
        for channel in range(channels):
            at = status_bytes + channel * size
            values.append(walk.integer(raw[at : at + size]))
        status = raw[:status_bytes].hex()
        return [*values, f"status {status}"] if status.strip("0") else values

    for block in range(blocks):
        walk.short_time(f"block {block} end")
        for channel in range(channels):
            if _bit(profile.flags, 4):
                walk.first(f"block {block} channel {channel} end reading")
            if _bit(profile.flags, 5):
                walk.u(f"block {block} channel {channel} end pulses", 4)
        if _bit(profile.flags, 11):
            walk.take(
                f"block {block} valid intervals",
                (intervals + 7) // 8,
                lambda raw: sum(byte.bit_count() for byte in raw),
            )
        for interval in range(intervals):
            walk.take(f"block {block} interval {interval}", status_bytes + channels * size, row)


# -- decade 7 ---------------------------------------------------------------------


def _logs(walk):
    names = ("event number", "history date and time", "history sequence number")
    walk.flags("options", 1, (*names, "history inhibits overflow", "events inhibit overflow"))
    walk.u("set of standard events", 1, "bytes")
    walk.u("set of manufacturer events", 1, "bytes")
    walk.u("history argument", 1, "bytes")
    walk.u("event argument", 1, "bytes")
    walk.u("history entries", 2)
    walk.u("event entries", 2)


def _event_sets(walk):
    limits = walk.known.data[71]
    walk.members("standard events", limits[1])
    if limits[2]:
        walk.members("manufacturer events", limits[2])


def _log(walk, entries_at, argument_at, has_time, has_sequence):
    numbers = _Numbers(walk, 71)
    _list_head(walk, 2)
    for i in range(min(numbers.u(entries_at, 2), _MOST_ROWS)):
        name = f"entry {i}"
        if has_time:
            walk.long_time(f"{name} time")
        if _bit(numbers[0], 0):
            walk.u(f"{name} event number", 2)
        if has_sequence:
            walk.u(f"{name} sequence number", 2)
        walk.u(f"{name} user", 2)
        walk.take(f"{name} what", 2, lambda raw: _event_name(walk.integer(raw)))
        if numbers[argument_at]:
            walk.raw(f"{name} argument", numbers[argument_at])


def _event_name(word):
    code = word & 0x07FF
    if word & 0x0800:
        return f"manufacturer event {code}"
    return EVENTS.get(code, f"event {code}")


def _history(walk):
    flags = walk.known.data[71][0]
    _log(walk, 5, 3, _bit(flags, 1), _bit(flags, 2))


def _events(walk):
    _log(walk, 7, 4, True, True)


# -- what the simulator invents ---------------------------------------------------


def _electrical(walk):
    walk.scaled("voltage 1", 2, 1, "V")
    walk.scaled("voltage 2", 2, 1, "V")
    walk.scaled("power", 4, 0, "W")
    walk.scaled("frequency", 2, 2, "Hz")


def _patch(walk):
    walk.raw("patch mark", 4)
    walk.u("display multiplier")
    walk.raw("spare", 1)


def _guests(walk):
    for i in range(walk.left // 4):
        walk.scaled(f"guest value {i}", 4)


def _facts(walk):
    walk.u("diagnostic word", 4)
    walk.u("outages", 2)
    walk.take("purchased", 4, lambda raw: f"{walk.integer(raw[:2]):04d}-{raw[2]:02d}-{raw[3]:02d}")
    walk.u("display multiplier")
    walk.take("registers", 1, lambda raw: ("separate", "net")[raw[0]])


_SIMULATED = {
    tables.MT | 0: _electrical,
    tables.MT | 1: _patch,
    tables.MT | 2: _guests,
    tables.MT | 3: _facts,
}


def own_table(known, table):
    """Return the layout of a manufacturer table if the device is this package's simulator."""
    return _SIMULATED.get(table) if known.data.get(1, b"")[:4] == _SIMULATOR else None


TABLES = {
    0: _config,
    1: _manufacturer,
    2: _nameplate,
    3: _status,
    5: _device,
    6: _utility,
    7: _initiate,
    8: _response,
    10: _sources,
    11: _sources,
    12: _units,
    13: _demand_control,
    14: _data_control,
    15: _constants,
    16: _source_flags,
    20: _registers,
    21: _registers,
    22: _selection,
    23: _current,
    24: _previous,
    25: _previous,
    26: _self_reads,
    27: _present_selection,
    28: _present,
    30: _display,
    31: _display,
    32: _display_sources,
    33: _primary_list,
    34: _secondary_list,
    40: _security,
    41: _security,
    42: _passwords,
    44: _permissions,
    50: _time_of_use,
    51: _time_of_use,
    52: _clock,
    55: _clock_state,
    60: _profile,
    61: _profile,
    62: _profile_control,
    63: _profile_status,
    64: _profile_data,
    70: _logs,
    71: _logs,
    72: _event_sets,
    74: _history,
    76: _events,
}
