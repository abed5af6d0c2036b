"""The metering engine: reads of the meter in, the endpoint's own totals out.

Every total is an opening value plus credited steps, so that the sums can be checked: what is
billed is opening + forward + counted reverse, net is its own opening + forward - reverse.

Context: one task. Integers only: Wh and s.
"""

import struct

from micropython import const

from endpoint.metering import BadReading, NotStarted, UnknownFormat
from endpoint.metering.events import (
    FORWARD_AMBIGUOUS,
    FORWARD_JUMPED,
    METER_CHANGED,
    PRESET,
    REVERSE_AMBIGUOUS,
    REVERSE_JUMPED,
    SETTINGS_CHANGED,
    STARTED,
    Events,
)
from endpoint.metering.forms import turn_gap_s
from endpoint.metering.quantity import check
from endpoint.metering.register import DISCONTINUITY, STATE_BYTES, SUSPECT, Register, signed

SERIAL_MAX_BYTES = const(20)  # utility and manufacturer identities of C12.19 tables are no longer

# How long the module is taken to have been away when nobody can tell. Three days at the largest
# power are a twentieth of a turn on a 2S meter: energy used while a restart took its time passes,
# a register that fell to zero does not. A longer absence needs `absent()`.
UNKNOWN_GAP_S = const(259_200)

_READING_LIMIT_WH = const(0xFFFFFFFF)  # all ones is an error, not a value
_STAMP_MAX = const(0xFFFFFFFF)

_FORMAT = const(1)
_HEAD = "<BBHHHI20s20sqqqqq"
_HEAD_BYTES = const(92)
RECORD_BYTES = const(148)

_DETENT = const(0x01)
_NET = const(0x02)
_NET_REGISTER_ONLY = const(0x04)
_PENDING = const(0x08)
_PENDING_DETENT = const(0x10)
_PENDING_NET = const(0x20)
_READ = const(0x40)


class Engine:
    """One meter's energy, carried through everything that can happen to its registers.

    Parameters
    ----------
    cap_w : int
        Largest believable average power, W; see `forms`.
    detent, net : bool
        What is billed until `configure` says otherwise.
    firmware_version : int
        Decides whether net metering exists.
    net_register_only : bool
        The meter's one register runs both ways; it is passed as the forward register.

    Raises
    ------
    MeteringError
        The settings do not go together; see `quantity.check`.

    Attributes
    ----------
    forward, reverse : Register
        `baseline_wh` is the meter's own register at the last good read.
    forward_wh, reverse_wh, counted_reverse_wh : int
        Energy credited since the start; the last counts toward the bill (detent No).
    forward_step_wh, reverse_step_wh : int
        Steps of the last read.
    is_good : bool
        The last read was believed in full.
    serial, old_serial : bytes
        The meter now, and the one before it.
    meter_changes, stale_reads, ambiguous_steps : int
        Counters; the record keeps 16 bits of each.
    events : Events
        What happened; for the caller to take.
    """

    def __init__(self, cap_w, detent, net, firmware_version, net_register_only=False):
        check(detent, net, firmware_version, net_register_only)
        self._cap_w = cap_w
        self._turn_gap_s = turn_gap_s(cap_w)
        self._firmware_version = firmware_version
        self._net_register_only = net_register_only
        self.detent = detent
        self.net = net
        self.pending = None
        self.forward = Register(net_register_only)
        self.reverse = Register()
        self.events = Events()
        self.serial = self.old_serial = b""
        self.meter_changes = self.stale_reads = self.ambiguous_steps = 0
        self.forward_wh = self.reverse_wh = self.counted_reverse_wh = 0
        self.forward_step_wh = self.reverse_step_wh = 0
        self.is_good = False
        self._opening_wh = 0
        self._net_opening_wh = 0
        self._is_started = False
        self._stamp = 0
        self._read_s = None

    @property
    def billed_wh(self):
        """Energy since the start as detent counts it, in Wh; goes on while net is shown."""
        return self._opening_wh + self.forward_wh + self.counted_reverse_wh

    @property
    def net_wh(self):
        """Forward minus reverse since net was switched on, in Wh, signed."""
        return self._net_opening_wh + self.forward_wh - self.reverse_wh

    @property
    def total_wh(self):
        """The billing quantity, in Wh: the one total that the endpoint reports."""
        return self.net_wh if self.net else self.billed_wh

    def configure(self, detent, net):
        """Change what is billed, from the next good read on.

        Raises
        ------
        MeteringError
            The settings do not go together; nothing has changed.
        """
        check(detent, net, self._firmware_version, self._net_register_only)
        self.pending = (detent, net)

    def preset(self, total_wh):
        """Let the billing quantity go on from `total_wh`; the meter stays as it is.

        Raises
        ------
        NotStarted
            The first read would overwrite it.
        """
        if not self._is_started:
            raise NotStarted
        before = self.total_wh
        if self.net:
            self._net_opening_wh += total_wh - before
        else:
            self._opening_wh += total_wh - before
        self.events.put(PRESET, before, total_wh)

    def absent(self, gap_s, mono_s):
        """Tell, after a restart, that at `mono_s` the last read was `gap_s` seconds ago."""
        self._read_s = mono_s - gap_s

    def on_read(self, serial, forward_wh, reverse_wh, mono_s, stamp=0):
        """Take one read of the meter.

        Parameters
        ----------
        serial : bytes
            The meter's identity, at most 20 bytes.
        forward_wh, reverse_wh : int
            Its registers.
        mono_s : int
            Monotonic seconds since this start of the module.
        stamp : int, optional
            The meter's own clock or table sequence, 32 bits; an unchanged one makes the read a
            repeat. 0: the meter shows none.

        Returns
        -------
        int
            Wh added to the billing quantity.

        Raises
        ------
        BadReading
            Not a read at all; nothing has changed.
        """
        self._refuse_nonsense(serial, forward_wh, reverse_wh, mono_s)
        if not 0 <= stamp <= _STAMP_MAX:
            raise BadReading
        self.forward_step_wh = self.reverse_step_wh = 0
        self.is_good = False
        if stamp and stamp == self._stamp:
            self.stale_reads += 1
            return 0
        elapsed_s = UNKNOWN_GAP_S if self._read_s is None else mono_s - self._read_s
        self._read_s = mono_s
        self._stamp = stamp
        if serial != self.serial:
            self._follow(serial, forward_wh, reverse_wh)
            return 0
        return self._credit(forward_wh, reverse_wh, elapsed_s)

    def _refuse_nonsense(self, serial, forward_wh, reverse_wh, mono_s):
        if not 0 < len(serial) <= SERIAL_MAX_BYTES or serial[-1] == 0:
            raise BadReading
        if not 0 <= forward_wh < _READING_LIMIT_WH or not 0 <= reverse_wh < _READING_LIMIT_WH:
            raise BadReading
        if self._read_s is not None and mono_s < self._read_s:
            raise BadReading

    def _follow(self, serial, forward_wh, reverse_wh):
        """Go on with a meter that was not there before, crediting nothing."""
        old_wh = self.forward.baseline_wh
        self.forward.start(forward_wh)
        self.reverse.start(reverse_wh)
        self.is_good = True
        self.old_serial, self.serial = self.serial, bytes(serial)  # the caller's buffer may change
        if self._is_started:
            self.meter_changes += 1
            self.events.put(METER_CHANGED, old_wh, self.forward.baseline_wh)
        self._apply_pending()
        if not self._is_started:
            self._is_started = True
            self._open()

    def _open(self):
        """Let every total begin where the meter stands."""
        self._opening_wh = self.forward.baseline_wh
        if not self.detent:
            self._opening_wh += self.reverse.baseline_wh
        self._open_net()
        self.events.put(STARTED, self.forward.baseline_wh, self.reverse.baseline_wh)

    def _open_net(self):
        forward_wh = self.forward.baseline_wh
        if self._net_register_only:
            forward_wh = signed(forward_wh)
        self._net_opening_wh = (
            forward_wh - self.reverse.baseline_wh - self.forward_wh + self.reverse_wh
        )

    def _credit(self, forward_wh, reverse_wh, elapsed_s):
        before_wh = self.total_wh
        forward = self.forward.offer(forward_wh, elapsed_s, self._cap_w)
        reverse = self.reverse.offer(reverse_wh, elapsed_s, self._cap_w)
        self._note(self.forward, forward, FORWARD_JUMPED, FORWARD_AMBIGUOUS)
        self._note(self.reverse, reverse, REVERSE_JUMPED, REVERSE_AMBIGUOUS)
        # A register that runs both ways gives its backward steps to the other direction.
        step_wh = self.forward.step_wh
        self.forward_step_wh = max(step_wh, 0)
        self.reverse_step_wh = self.reverse.step_wh + max(-step_wh, 0)
        self.forward_wh += self.forward_step_wh
        self.reverse_wh += self.reverse_step_wh
        if not self.detent:
            self.counted_reverse_wh += self.reverse_step_wh
        credited_wh = self.total_wh - before_wh
        self.is_good = forward != SUSPECT and reverse != SUSPECT
        if self.is_good:
            self._apply_pending()
        return credited_wh

    def _note(self, register, outcome, jumped, ambiguous):
        if outcome == DISCONTINUITY:
            self.events.put(jumped, register.jumped_from_wh, register.jumped_to_wh)
        elif register.gap_s > self._turn_gap_s:
            self.ambiguous_steps += 1
            self.events.put(ambiguous, register.step_wh, register.gap_s)

    def _apply_pending(self):
        """Put new settings into force, now that the old ones have had all that was theirs."""
        if self.pending is None:
            return
        detent, net = self.pending
        self.pending = None
        if net and not self.net:
            self._open_net()
        self.detent = detent
        self.net = net
        self.events.put(SETTINGS_CHANGED, detent, net)

    def pack_into(self, buffer):
        """Write the whole state at the start of `buffer`.

        Returns
        -------
        int
            `RECORD_BYTES`.

        Allocates: nothing for integers below 2^30.
        """
        struct.pack_into(
            _HEAD,
            buffer,
            0,
            _FORMAT,
            self._flags(),
            self.meter_changes & 0xFFFF,
            self.stale_reads & 0xFFFF,
            self.ambiguous_steps & 0xFFFF,
            self._stamp,
            self.serial,
            self.old_serial,
            self._opening_wh,
            self._net_opening_wh,
            self.forward_wh,
            self.reverse_wh,
            self.counted_reverse_wh,
        )
        self.forward.pack_into(buffer, _HEAD_BYTES)
        self.reverse.pack_into(buffer, _HEAD_BYTES + STATE_BYTES)
        return RECORD_BYTES

    def _flags(self):
        flags = _DETENT * self.detent | _NET * self.net | _READ * self._is_started
        flags |= _NET_REGISTER_ONLY * self._net_register_only
        if self.pending is not None:
            flags |= _PENDING | _PENDING_DETENT * self.pending[0] | _PENDING_NET * self.pending[1]
        return flags

    def unpack_from(self, buffer):
        """Go on from a state that `pack_into` wrote; the settings are those of the record.

        Until `absent()` says how long the module was away, the first read is judged as if it
        had been `UNKNOWN_GAP_S`.

        Parameters
        ----------
        buffer : bytes-like
            At least `RECORD_BYTES` bytes.

        Raises
        ------
        UnknownFormat
            Too short, another format version, or another kind of meter; nothing has changed.
        """
        if len(buffer) < RECORD_BYTES or buffer[0] != _FORMAT:
            raise UnknownFormat
        flags = buffer[1]
        if bool(flags & _NET_REGISTER_ONLY) != self._net_register_only:
            raise UnknownFormat
        (
            _,
            _,
            self.meter_changes,
            self.stale_reads,
            self.ambiguous_steps,
            self._stamp,
            serial,
            old_serial,
            self._opening_wh,
            self._net_opening_wh,
            self.forward_wh,
            self.reverse_wh,
            self.counted_reverse_wh,
        ) = struct.unpack_from(_HEAD, buffer, 0)
        self.serial = serial.rstrip(b"\0")
        self.old_serial = old_serial.rstrip(b"\0")
        self.detent = bool(flags & _DETENT)
        self.net = bool(flags & _NET)
        self._is_started = bool(flags & _READ)
        self.pending = None
        if flags & _PENDING:
            self.pending = (bool(flags & _PENDING_DETENT), bool(flags & _PENDING_NET))
        self.forward.unpack_from(buffer, _HEAD_BYTES)
        self.reverse.unpack_from(buffer, _HEAD_BYTES + STATE_BYTES)
        self._read_s = None
