"""A simulated FOCUS AL: registers, time, faults; its tables are in `decades`.

What is known of the real meter and what is invented here is listed in docs/tables.md; every
name and serial number is obviously fake. Registers are pure functions of simulated time.
"""

import heapq
import itertools
import math
from bisect import bisect_right
from collections import deque
from datetime import date

from endpoint.meter.layout import MODULUS_WH, PATCH_MARK
from endpoint.optical import formats, schema, services, tables
from endpoint.optical.access import DONE, INVALID, GuardedTables, Provider
from endpoint.optical.device import C1218Device
from wattline.meter import events
from wattline.meter.accounts import Accounts
from wattline.meter.decades.clock import Clock
from wattline.meter.decades.display import Display
from wattline.meter.decades.general import LARGEST_PARAMETERS, LARGEST_RESPONSE, MFG, General
from wattline.meter.decades.log import EVENTS, HISTORY, Logs
from wattline.meter.decades.maker import Maker
from wattline.meter.decades.profile import INTERVALS, Profile
from wattline.meter.decades.registers import Registers
from wattline.meter.decades.security import Security
from wattline.meter.decades.sources import Sources
from wattline.meter.diagnostics import Diagnostics
from wattline.meter.effects import Effects
from wattline.meter.encode import Encoder
from wattline.meter.forms import find_form
from wattline.meter.load import MW_NS_PER_WH, NS_PER_S, Lit, Load, Loads

_MOST_READS = 100_000
_MESSAGE_BYTES = 32_768
_MOST_TIERS = 2
_DAY_S = 86_400
_NOMINAL_CHZ = 6000
_LISTS_OF_PROFILE = (3, 7, 255)
_DEMAND_RESET, _SELF_READ = 1, 2
_REGISTERS = ("separate", "net")


class FocusAL(Provider):
    """The meter.

    Parameters
    ----------
    serial : str
        Serial number, at most 16 characters.
    form : str
        Form of the data sheet, for example ``2S``.
    volts : int or None
        Voltage in V where the form exists at more than one.
    load : Load or None
        What is measured; None takes the default house at the form's voltage.
    forward_wh, reverse_wh : int
        Registers at time zero.
    registers : str
        ``separate`` forward and reverse registers, or one ``net`` register (rule D-9).
    display_multiplier : int
        1 to 240; scales the display, not the registers (rule E-8).
    display : sequence of int
        The display's items in use, indexes into ST-32.
    patch : bytes or None
        Content of the patch table; None is a meter without the patch.
    read_password, write_password, master_password : bytes or None
        None: reading is free; writing, and setting passwords, is impossible.
    most_first, offset_access, index_access, bcd_ids : bool
        Byte order, partial access by offset and by index, and kind of identifiers that ST-0
        announces.
    ni_format, ni_format2 : int
        Number formats of registers and of demands, 0 to 13; the second is as the first if None.
    int_format : int
        0 two's complement, 1 one's complement, 2 sign and magnitude.
    kilo : bool
        Registers in kWh instead of Wh.
    pulse_wh : int or None
        If given, the registers count pulses of so many Wh and ST-15 holds the constant.
    clock : datetime or None
        The meter's local time at simulated time zero; None is a meter without clock.
    tm_format : int
        Time format 1 to 4 of a meter with clock.
    demand : bool
        Block demands, demand reset, previous reading and self-reads.
    tiers : int
        Rates, 0 or 2 (B from 12 to 18 h).
    profile_blocks : int
        Days of load profile, 0 for none; needs a clock.
    logs : bool
        History and event log.
    model : str
        Model text, at most 8 characters.
    firmware : (int, int)
        Version and revision in ST-1.
    purchased : date
        Day of purchase (rule G-4).
    device_id : str or None
        ST-5; None is the serial number.
    packet_bytes, packets : int
        Most that Negotiate grants.

    Raises
    ------
    ValueError
        One sentence, if the description contradicts itself.
    """

    def __init__(
        self,
        serial="SIM0000000000001",
        form="2S",
        volts=None,
        load=None,
        forward_wh=0,
        reverse_wh=0,
        registers="separate",
        display_multiplier=1,
        display=(0, 1, 2, 3),
        patch=PATCH_MARK,
        read_password=None,
        write_password=b"FAKE-WRITE",
        master_password=None,
        most_first=False,
        offset_access=True,
        index_access=False,
        bcd_ids=False,
        ni_format=formats.INT32,
        ni_format2=None,
        int_format=0,
        kilo=False,
        pulse_wh=None,
        clock=None,
        tm_format=2,
        demand=False,
        tiers=0,
        profile_blocks=0,
        logs=False,
        model="FOCUSSIM",
        firmware=(1, 0),
        purchased=date(2010, 1, 4),
        device_id=None,
        packet_bytes=512,
        packets=255,
    ):
        if not 0 < len(serial) <= 16:
            raise ValueError("A serial number has 1 to 16 characters.")
        if not 1 <= display_multiplier <= 240:
            raise ValueError("The display multiplier of a FOCUS AL is 1 to 240.")
        if registers not in _REGISTERS:
            raise ValueError(f"Registers are {' or '.join(_REGISTERS)}, not {registers!r}.")
        if tiers not in (0, _MOST_TIERS):
            raise ValueError(f"A meter has no rates or {_MOST_TIERS}.")
        if clock is None and (tiers or profile_blocks):
            raise ValueError("Rates and a load profile need a clock: say when the meter starts.")
        if clock is not None and tm_format == 0:
            raise ValueError("A meter with a clock has a time format from 1 to 4.")
        self.form = find_form(form, volts)
        self.load = Loads(load or Load(nominal_dv=10 * self.form.volts))
        self.serial = serial
        self.model = model
        self.firmware = firmware
        self.net_only = registers == "net"
        self.display_multiplier = display_multiplier
        self.offset_access = offset_access
        self.index_access = index_access
        self.most_first = most_first
        self.now_ns = 0
        self.reads = deque(maxlen=_MOST_READS)
        self.outages = 0
        self.refuse = {}  # table -> reply code, as a meter that denies it
        self.spoil = {}  # table -> function(data) -> data, as a meter that is wrong
        self.effects = Effects(self)
        self.diagnostics = Diagnostics()
        second = ni_format if ni_format2 is None else ni_format2
        self.encoder = Encoder(
            most_first, ni_format, second, tm_format if clock else 0, int_format, bcd_ids
        )
        self._planned = []
        self._order = itertools.count()
        self._lit = Lit()
        self._preset_ns = [0]
        self._presets = [(forward_wh * MW_NS_PER_WH, reverse_wh * MW_NS_PER_WH)]
        self.accounts = Accounts(
            lambda t_ns: self._lit.energy(self.load, t_ns),
            lambda t_ns: self.voltages_dv(t_ns)[0],
            lambda begin_ns, end_ns: self._lit.was_dark(begin_ns, end_ns),
            tiers,
            _since_midnight_ns(clock),
            profile_blocks * INTERVALS,
        )
        self._accounting = bool(demand or tiers or profile_blocks)
        self.sources = Sources(self, self.net_only, kilo, pulse_wh, demand)
        self.general = General(self, serial if device_id is None else device_id)
        self.registers = Registers(self, self.net_only, kilo, pulse_wh, demand, tiers)
        self.display = Display(self, display)
        self.security_tables = Security(self, read_password, write_password, master_password)
        self.maker = Maker(self, patch, purchased)
        self.clock = Clock(self, clock, tiers) if clock else None
        self.profile = Profile(self, profile_blocks) if profile_blocks else None
        self.logs = Logs(self) if logs else None
        self._assemble()
        self._rules = self.security_tables.rules()
        self.guard = GuardedTables(
            self,
            self._rules,
            self.security_tables.levels,
            self.security_tables.open_groups,
            wrong_limit=0,
            parameter_bytes=LARGEST_PARAMETERS,
            response_bytes=LARGEST_RESPONSE,
        )
        self.device = C1218Device(self.guard, packet_bytes, packets, _MESSAGE_BYTES)

    def _assemble(self):
        """Collect what the parts serve; again after the patch came or went."""
        parts = [
            self.general,
            self.sources,
            self.registers,
            self.display,
            self.security_tables,
            self.maker,
            *(part for part in (self.clock, self.profile, self.logs) if part),
        ]
        self.contents, self.writers = {}, {}
        for part in parts:
            self.contents.update(part.tables())
            if hasattr(part, "writers"):
                self.writers.update(part.writers())
        self.procedures = self._list_procedures()

    def set_patch(self, patch):
        """Install another patch mark, or None for no patch."""
        self.maker.patch = patch
        self._assemble()
        self._rules.clear()
        self._rules.update(self.security_tables.rules())

    # -- truth ----------------------------------------------------------------------

    def register_wh(self, t_ns):
        """Return what the display shows at `t_ns`: forward and reverse energy in Wh."""
        forward, reverse = self.raw_wh(t_ns)
        factor = self.display_multiplier
        return forward * factor % MODULUS_WH, reverse * factor % MODULUS_WH

    def raw_wh(self, t_ns):
        """Return the registers at `t_ns` without display multiplier, in Wh."""
        place = max(0, bisect_right(self._preset_ns, t_ns) - 1)
        base = self._presets[place]
        since = self._lit.energy(self.load, self._preset_ns[place])
        until = self._lit.energy(self.load, t_ns)
        return tuple((base[i] + until[i] - since[i]) // MW_NS_PER_WH % MODULUS_WH for i in (0, 1))

    def voltages_dv(self, t_ns):
        """Return the RMS voltages at `t_ns` in 0.1 V, one for each measured phase."""
        t_s = t_ns / NS_PER_S
        return tuple(self.load.voltage_dv(t_s, i) for i in range(len(self.form.segments)))

    def frequency_chz(self, t_ns):
        """Return the line frequency at `t_ns` in 0.01 Hz."""
        return _NOMINAL_CHZ + round(3 * math.sin(t_ns / NS_PER_S / 211))

    def is_lit(self, t_ns):
        """Return whether the service is energised at `t_ns`."""
        return self._lit.at(t_ns)

    def set_lit(self, t_ns, lit):
        """Switch the service: dark, the registers stand still and the port is dead."""
        was_lit = self._lit.at(t_ns)
        if was_lit and not lit:
            self.outages += 1
            self.device.close()
        if was_lit != lit:
            self.note(2 if lit else 1)
        self._lit.set(t_ns, lit)

    def preset(self, t_ns, forward_wh, reverse_wh):
        """Set the registers at `t_ns`, as a meter shop's tool does."""
        self._preset_ns.append(t_ns)
        self._presets.append((forward_wh * MW_NS_PER_WH, reverse_wh * MW_NS_PER_WH))

    def time_at(self, t_ns):
        """Return the meter's datetime at `t_ns`; None without clock or time."""
        return self.clock.at(t_ns) if self.clock and t_ns is not None else None

    # -- what is to come ------------------------------------------------------------

    def plan(self, at_ns, action):
        """Have `action(t_ns)` called when the meter's time reaches `at_ns`."""
        heapq.heappush(self._planned, (at_ns, next(self._order), action))

    def next_ns(self):
        """Return when the next planned thing is due, or None."""
        return self._planned[0][0] if self._planned else None

    def advance(self, t_ns):
        """Let everything happen that is due up to `t_ns`."""
        while self._planned and self._planned[0][0] <= t_ns:
            at_ns, _, action = heapq.heappop(self._planned)
            self._go_to(at_ns)
            action(at_ns)
        self._go_to(t_ns)

    def _go_to(self, t_ns):
        self.now_ns = t_ns
        if self._accounting:
            self.accounts.advance(t_ns)

    def fault(self, name, at_s=0.0, **options):
        """Inject a fault or a change by name; see `wattline.meter.events.EVENTS`.

        Parameters
        ----------
        name : str
        at_s : float
            Simulated time in s; what lies in the past happens at once.

        Raises
        ------
        ValueError
            One sentence: unknown name or option.
        """
        events.plan(self, name, at_s, options)

    def note(self, code, argument=0):
        """Put an event into the logs, if there are any."""
        if self.logs:
            self.logs.note(self.now_ns, self.guard.user_id, code, argument)

    @property
    def served_serial(self):
        """The serial number that ST-1 shows."""
        return self.effects.serial or self.serial

    # -- what the guard asks --------------------------------------------------------

    def size(self, table):
        """Return a table's length, or the negative reply code that refuses it."""
        if table in self.refuse:
            return -self.refuse[table]
        return len(self._content(table))

    def _content(self, table):
        data = self.effects.content(table)
        return self.spoil[table](data) if table in self.spoil else data

    def read(self, table, offset, count, into, into_at):
        """Serve part of a table as it is at `now_ns`."""
        data = self._content(table)
        into[into_at : into_at + count] = data[offset : offset + count]
        if table == tables.ST_CURRENT:
            served = self.effects.frozen_ns
            shown = self.register_wh(self.now_ns if served is None else served)
            self.reads.append((self.now_ns, *shown))
            self.effects.count_read()
        return services.OK

    def write(self, table, offset, count, source, source_at):
        """Store what a client with write access sends."""
        code = self.writers[table](offset, bytes(source[source_at : source_at + count]))
        if code == services.OK:
            self.note(10, table)
        return code

    def place(self, table, indexes, count):
        """Return (offset, bytes) of elements by index, in the standard tables."""
        dimensions = schema.Dimensions()
        try:
            for needed in schema.needs(table):
                dimensions.learn(needed, self.contents[needed]())
            return schema.place(table, indexes, count, dimensions)
        except (formats.FormatError, KeyError):
            return (0, -services.ONP)

    def procedure(self, number, parameters):
        """Run a procedure."""
        result, data = self.procedures[number](parameters)
        if result == DONE:
            self.note(9, number)
        return result, data

    # -- procedures -----------------------------------------------------------------

    def _list_procedures(self):
        procedures = {
            0: self._cold_start,
            1: lambda _: (DONE, b""),
            2: lambda _: (DONE, b""),
            3: self._clear_data,
            6: self.general.set_mode,
            7: self._clear_flags,
            8: lambda _: (DONE, b""),
            9: self._remote_reset,
            MFG | 0: self.maker.set_multiplier,
            MFG | 1: self.maker.preset,
            MFG | 2: self.maker.clear_outages,
        }
        if self.profile or self.logs:
            procedures[4] = self._reset_lists
        if self.profile:
            procedures[16] = lambda _: self._record(True)
            procedures[17] = lambda _: self._record(False)
        if self.clock:
            procedures[10] = self.clock.set_by_procedure
        return procedures

    def _cold_start(self, parameters):
        self.display_multiplier = 1
        return self._clear_data(parameters)

    def _clear_data(self, _parameters):
        self.preset(self.now_ns, 0, 0)
        self.accounts.clear()
        self.outages = 0
        return DONE, b""

    def _clear_flags(self, _parameters):
        self.diagnostics.clear()
        return DONE, b""

    def _remote_reset(self, parameters):
        """Reset demands; that a billing reset clears the outage counter is known."""
        if len(parameters) != 1:
            return INVALID, b""
        done = 0
        if parameters[0] & _DEMAND_RESET:
            self.registers.reset_demand()
            self.outages = 0
            self.note(20)
            done |= _DEMAND_RESET
        if parameters[0] & _SELF_READ:
            self.registers.read_self()
            self.note(21)
            done |= _SELF_READ
        return DONE, bytes([done])

    def _reset_lists(self, parameters):
        if len(parameters) != 1:
            return INVALID, b""
        which = parameters[0]
        if self.logs and which == 1:
            self.logs.clear(EVENTS)
        elif self.logs and which in (8, 255):
            self.logs.clear(HISTORY)
        elif which not in _LISTS_OF_PROFILE:
            return INVALID, b""
        if self.profile and which in _LISTS_OF_PROFILE:
            self.accounts.intervals.clear()
        return DONE, b""

    def _record(self, on):
        self.accounts.recording = on
        return DONE, b""


def _since_midnight_ns(clock):
    if clock is None:
        return 0
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * NS_PER_S % (_DAY_S * NS_PER_S)
