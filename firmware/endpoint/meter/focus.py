"""A polite session with a FOCUS AL: from silence to a `MeterReading` or a named error.

The first session learns the meter (identity, formats, where the registers are); each later
one fetches the proof of the patch, the serial number and the needed registers, and nothing
else. Any refusal or odd field makes the reader forget what it learned and learn again; it does so
once an hour in any case, since nothing else would tell of a display that somebody has changed.

Context: any. Allocates: when it learns and when something fails; a steady poll of a meter with
integer formats allocates nothing.
Source: ANSI C12.18 session; metering rules E-8, X-3, F-3.
"""

from micropython import const

from endpoint.meter import display, errors
from endpoint.meter.clock import date_s
from endpoint.meter.layout import (
    CLOCK,
    MODULUS_WH,
    MOST_VOLTAGES,
    PATCH,
    PATCH_MARK,
    PATCH_TABLE,
    PIECE_BYTES,
    VOLTAGE,
    Layout,
)
from endpoint.optical import services, tables
from endpoint.optical.client import C1218Client
from endpoint.optical.formats import FormatError
from endpoint.optical.kernels import copy, same
from endpoint.optical.packet import NO_ACK, OVERHEAD_BYTES

# Status bits of a reading.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NO_REVERSE = const(1)  # the meter has no register for reverse energy; reverse_wh stays 0
NO_VOLTAGE = const(2)  # no voltage could be read; voltage_dv is as it was
NO_CLOCK = const(4)  # the meter has no clock or does not show it; clock_s is as it was

_PACKET_BYTES = const(128)
_PACKETS = const(8)
_MESSAGE_BYTES = const(960)
_SERIAL_AT = const(16)  # in ST-1
_IDENTIFY_REPLY_BYTES = const(5)
_NEGOTIATE_REPLY_BYTES = const(5)

_ATTEMPTS = const(2)  # sessions per poll: one more after a lost link or a changed meter
_QUIET_MS = const(7000)  # after a lost link: longer than the meter's own 6 s of patience
_BUSY_MS = const(500)
_BUSY_TRIES = const(20)  # per poll
_LEARN_AGAIN_MS = const(3_600_000)

_TERMINATE = bytes([services.TERMINATE])
_IDENTIFY = bytes([services.IDENTIFY])


class MeterReading:
    """What the meter showed; meant to be looked at when a poll has ended with `error` OK.

    Attributes
    ----------
    serial : bytes
        The meter's serial number, without padding.
    forward_wh, reverse_wh : int
        Displayed energy in Wh, modulo 100 000 kWh. Of a meter that shows only net energy,
        `forward_wh` is that register and `reverse_wh` 0.
    voltage_dv : list of int
        RMS voltages in 0.1 V, in the meter's order; 0 where the meter has no second one.
    clock_s : int
        The meter's own clock, seconds since 1970 as it counts them; it never places energy.
    multiplier : int
        By how much the meter multiplies what it measures, at least 1: sizes the largest
        believable power and nothing else (rule E-7).
    status : int
        Bits NO_REVERSE, NO_VOLTAGE, NO_CLOCK.
    """

    def __init__(self):
        self.serial = b""
        self.forward_wh = 0
        self.reverse_wh = 0
        self.voltage_dv = [0] * MOST_VOLTAGES
        self.clock_s = 0
        self.multiplier = 1
        self.status = 0


class FocusReader:
    """Reads one meter. The caller moves `tx`, received bytes and time, as with `Link`.

    Parameters
    ----------
    user_id : int
    user : bytes
        Name for the meter's log, at most 10 characters.
    password : bytes or None
        Read password, or None to read with default access.
    password_pad : bytes
        How a short password is filled up.
    models : tuple of bytes
        Texts of which one must occur in the model field of ST-1.
    patch : bool
        Whether the meter must carry the patch table.
    net_only : bool
        Whether the register wanted is the net of both directions (rule D-9).

    Attributes
    ----------
    display : DisplayList or None
        The meter's display list as it was last read; None if it shows none.
    shows : int
        Which energies that list shows, SHOWS_ bits of `endpoint.meter.display`.
    items_error : int
        Reply or link code that kept the wanted items off the display, 0 if none did.
    """

    def __init__(
        self,
        user_id=1,
        user=b"WATTLINE",
        password=None,
        password_pad=b"\x00",
        models=(b"FOCUS",),
        patch=True,
        net_only=False,
    ):
        self._client = C1218Client(_PACKET_BYTES, _PACKETS, _MESSAGE_BYTES)
        self._logon = services.logon_request(user_id, user)
        self._security = None
        if password is not None:
            self._security = services.security_request(password, password_pad)
        self._negotiate = services.negotiate_request(_PACKET_BYTES, _PACKETS, b"\x06")
        self._models = models
        self._patch = patch
        self._net_only = net_only
        self._layout = None
        self._learned_ms = 0
        self._items: Any = None
        self.display = None
        self.shows = 0
        self.items_error = 0
        self.serial = b""
        self._serial_raw = b""
        self._request = None
        self._reply_bytes = 0
        self._resume_ms = None
        self._quiet_until_ms = 0
        self._patience = 0
        self._now_ms = 0
        self._table = 0
        self.model = b""
        self.manufacturer = b""
        self.reading = MeterReading()
        self.error = errors.OK
        self.detail = 0  # on an error: table << 16 | last reply or link code
        self.done = True
        self.tx = self._client.tx
        self.tx_count = 0
        self._life = self._live()
        next(self._life)

    # -- the caller's side ----------------------------------------------------------

    def start(self, now_ms):
        """Begin a poll; it is over when `done` is true."""
        self._now_ms = now_ms
        self.done = False
        self.error = errors.OK
        self.detail = 0
        self._patience = _BUSY_TRIES
        self._request = None
        self._resume_ms = self._quiet_until_ms
        self._advance()

    def sent(self, now_ms):
        """Note that the caller has taken all of `tx`."""
        self._client.sent(now_ms)
        self.tx_count = 0

    def feed(self, buffer, count, now_ms):
        """Take `count` received bytes from the start of `buffer`."""
        self._now_ms = now_ms
        self._client.feed(buffer, count, now_ms)
        self._advance()

    def tick(self, now_ms):
        """Act on every time-out that is due."""
        self._now_ms = now_ms
        self._client.tick(now_ms)
        self._advance()

    def deadline_ms(self):
        """Return the time of the next `tick` that is needed, or None."""
        due = self._client.deadline_ms()
        if (
            self._resume_ms is not None
            and not self.done
            and (due is None or self._resume_ms < due)
        ):
            due = self._resume_ms
        return due

    def expected_bytes(self):
        """Return how many bytes are still to come until the reply is whole."""
        return self._client.expected_bytes()

    def give_up(self, now_ms):
        """End the poll at once as NO_ANSWER; the meter comes back by its own time-out."""
        self._client.abandon()
        self._life = self._live()
        self._request = None
        self._resume_ms = None
        self._quiet_until_ms = now_ms + _QUIET_MS
        self._layout = None
        self.error = errors.NO_ANSWER
        self.detail = self._table << 16 | self._client.error
        next(self._life)

    def show(self, base, items):
        """Have the next poll put `items` behind the first `base` records of the display.

        See `DisplayList.change`; `display` and `items_error` tell how it went.
        """
        self._items = (base, items)

    # -- the session ----------------------------------------------------------------

    def _ask(self, request, reply_bytes=1):
        self._request = request
        self._reply_bytes = reply_bytes
        self._client.start(request, self._now_ms, reply_bytes)

    def _advance(self):
        client = self._client
        while not client.busy and not self.done:
            if self._resume_ms is not None:
                if self._now_ms < self._resume_ms:
                    break
                self._resume_ms = None
                if self._request is not None:
                    self._ask(self._request, self._reply_bytes)
                    continue
            elif client.error and self._request is not None and self._is_busy() and self._patience:
                self._patience -= 1
                self._resume_ms = self._now_ms + _BUSY_MS
                break
            next(self._life)
        self.tx_count = client.tx_count

    def _live(self):
        """Run one poll after the other; each bare `yield` waits for a reply or for `start`."""
        client = self._client
        while True:
            self.done = True
            yield
            attempts = _ATTEMPTS
            if self._now_ms - self._learned_ms >= _LEARN_AGAIN_MS:
                self._layout = None
            while attempts:
                attempts -= 1
                learned = self._layout is not None
                answered = False
                self.error = errors.OK
                self._table = 0
                try:
                    self._ask(_IDENTIFY, _IDENTIFY_REPLY_BYTES)
                    yield
                    if client.error == services.ISSS:
                        self._ask(_TERMINATE)
                        yield
                        self._ask(_IDENTIFY, _IDENTIFY_REPLY_BYTES)
                        yield
                    self._must()
                    answered = True
                    if self._layout is None or self._layout.negotiate:
                        self._ask(self._negotiate, _NEGOTIATE_REPLY_BYTES)
                        yield
                        if client.error > 0xFF:
                            self._must()
                    self._ask(self._logon)
                    yield
                    self._must()
                    if self._security is not None:
                        self._ask(self._security)
                        yield
                        self._must()
                    if self._layout is None:
                        yield from self._learn()
                    layout = self._layout
                    self.reading.status = 0
                    for step in layout.steps:
                        self._table = step.table
                        self._ask(step.request, step.reply_bytes)
                        yield
                        self._gather(step)
                    self._check_serial(layout)
                    self._decode(layout)
                    attempts = 0
                    if self._items is not None:
                        yield from self._show(layout.config)
                except FormatError:
                    self.error = errors.BAD_FORMAT
                except errors.MeterError as error:
                    self.error = error.code
                if self.error:
                    self.detail = self._table << 16 | client.error
                    if self.error != errors.NO_ANSWER:
                        self._layout = None
                        # From RNO upwards the session was wrong, not the meter.
                        if self.error == errors.NOT_LOGGING or (
                            not learned and client.error < services.RNO
                        ):
                            attempts = 0
                    elif not answered and client.error == NO_ACK:
                        attempts = 0
                if client.open:
                    self._ask(_TERMINATE)
                    yield
                if client.error > 0xFF:
                    self._quiet_until_ms = self._now_ms + _QUIET_MS
                    if attempts:
                        self._request = None
                        self._resume_ms = self._quiet_until_ms
                        yield

    def _is_busy(self):
        error = self._client.error
        return error == services.BSY or error == services.DNR

    def _must(self):
        """Raise what the last service's error means for the session."""
        error = self._client.error
        if error == services.OK:
            return
        if self._is_busy():
            raise errors.Busy
        if error < 0x100:
            raise errors.Refused
        if self._client.open:
            raise FormatError
        raise errors.NoAnswer

    def _gather(self, step):
        client = self._client
        error = client.error
        if error == services.OK:
            if client.data_count < step.skip + step.count:
                raise FormatError
            copy(
                self._layout.data,
                step.at,
                client.message,
                client.data_at + step.skip,
                step.count,
            )
            if step.kind == PATCH and not self._is_patched(self._layout.data, step.at):
                raise errors.NotLogging
            return
        if error < 0x100 and step.kind in (VOLTAGE, CLOCK):
            self.reading.status |= NO_VOLTAGE if step.kind == VOLTAGE else NO_CLOCK
            return
        if error == services.IAR and step.kind == PATCH:
            raise errors.NotLogging
        self._must()

    def _is_patched(self, data, at):
        return same(data, at, PATCH_MARK, 0, len(PATCH_MARK)) and 0 < data[at + len(PATCH_MARK)]

    def _check_serial(self, layout):
        count = layout.serial_count
        if not same(layout.data, layout.serial_at, self._serial_raw, 0, count):
            raise errors.MeterError  # another meter: learn it before its registers are believed

    def _decode(self, layout):
        reading = self.reading
        data = layout.data
        multiplier = data[len(PATCH_MARK)] if self._patch else 1
        forward_wh = layout.forward.value(data) * multiplier
        reverse_wh = 0
        if layout.reverse is None:
            reading.status |= NO_REVERSE
        else:
            reverse_wh = layout.reverse.value(data) * multiplier
        if reverse_wh < 0 or (forward_wh < 0 and not self._net_only):
            raise FormatError
        if not layout.volts:
            reading.status |= NO_VOLTAGE
        elif not reading.status & NO_VOLTAGE:
            try:
                i = 0
                for field in layout.volts:
                    volts_dv = field.value(data)
                    if volts_dv < 0:
                        raise FormatError
                    reading.voltage_dv[i] = volts_dv
                    i += 1
            except FormatError:
                reading.status |= NO_VOLTAGE
        if layout.clock_at is None:
            reading.status |= NO_CLOCK
        elif not reading.status & NO_CLOCK:
            try:
                reading.clock_s = date_s(data, layout.clock_at, layout.config)
            except FormatError:
                reading.status |= NO_CLOCK
        reading.serial = self.serial
        reading.multiplier = multiplier * layout.forward.factor()
        reading.forward_wh = forward_wh % MODULUS_WH
        reading.reverse_wh = reverse_wh % MODULUS_WH

    # -- the first contact ----------------------------------------------------------

    def _learn(self):
        """Learn identity and layout; a generator that runs within the session."""
        config = tables.Config((yield from self._read_config()))
        identity = yield from self._read(tables.ST_MANUFACTURER, _SERIAL_AT + config.serial_bytes)
        self.manufacturer = bytes(identity[:4]).strip()
        self.model = bytes(identity[4:12]).strip()
        if not config.electric or not any(text in self.model for text in self._models):
            raise errors.UnsupportedMeter
        if self._patch and not config.uses(PATCH_TABLE):
            self._table = PATCH_TABLE
            raise errors.NotLogging
        place = (tables.ST_MANUFACTURER, len(identity), _SERIAL_AT, config.serial_bytes)
        raw = identity[_SERIAL_AT : _SERIAL_AT + config.serial_bytes]
        if _is_blank(raw):
            raw = yield from self._read(tables.ST_DEVICE, config.device_bytes)
            place = (tables.ST_DEVICE, len(raw), 0, len(raw))
        if _is_blank(raw):
            raise FormatError
        for table in (tables.ST_ACTUAL_SOURCES, tables.ST_UNITS, tables.ST_SOURCES):
            if not config.uses(table):
                raise errors.UnsupportedMeter
        dimensions = tables.Sources((yield from self._read(tables.ST_ACTUAL_SOURCES, 8)))
        units = yield from self._read(tables.ST_UNITS, 4 * dimensions.units)
        flags = yield from self._read(tables.ST_SOURCES, dimensions.sources)
        constants = b""
        if dimensions.constants and config.uses(tables.ST_CONSTANTS):
            size = dimensions.constants * dimensions.constant_bytes(config)
            constants = yield from self._read(tables.ST_CONSTANTS, size)
        sources = tables.read_sources(config, dimensions, units, flags, constants)
        registers = tables.Registers((yield from self._read(tables.ST_ACTUAL_REGISTERS, 10)))
        selection = yield from self._read(tables.ST_SELECTION, registers.selection_bytes)
        present = yield from self._read_present(config, registers)
        yield from self._read_display(config, sources)
        self._layout = Layout(
            config,
            registers,
            sources,
            selection[: registers.sums],
            present,
            place,
            self._patch,
            self._net_only,
        )
        self._learned_ms = self._now_ms
        self._serial_raw = raw
        self.serial = _text(raw, config.bcd_ids)

    def _read_config(self):
        """Read ST-0, whose length only its own first 19 bytes tell."""
        self._table = tables.ST_CONFIG
        self._ask(services.read_request(tables.ST_CONFIG), PIECE_BYTES)
        yield
        if self._client.error != services.ONP:
            return self._data()
        head = yield from self._read(tables.ST_CONFIG, 19, 0)
        size = 19 + 2 * (head[13] + head[14]) + head[15] + head[16]
        return head + (yield from self._read(tables.ST_CONFIG, size - 19, 19))

    def _read_present(self, config, registers):
        """Return the selection of the present values, empty if the meter does not tell."""
        if not config.uses(tables.ST_PRESENT_SELECTION) or not config.uses(tables.ST_PRESENT):
            return b""
        demands = registers.present_demands
        try:
            size = demands + registers.present_values
            return (yield from self._read(tables.ST_PRESENT_SELECTION, size))[demands:]
        except errors.Refused:
            return b""

    def _read_display(self, config, sources):
        """Learn what the display shows; a meter that does not tell is read all the same."""
        self.display = None
        self.shows = 0
        for table in (
            display.ST_ACTUAL_DISPLAY,
            display.ST_DISPLAY_SOURCES,
            display.ST_PRIMARY_LIST,
        ):
            if not config.uses(table):
                return
        try:
            actual = yield from self._read(display.ST_ACTUAL_DISPLAY, display.ACTUAL_DISPLAY_BYTES)
            self.display = yield from self._read_list(config, actual)
            count, width, _, _ = display.dimensions(config, actual)
            entries = yield from self._read(display.ST_DISPLAY_SOURCES, count * width)
            self.shows = display.shown(self.display.items, entries, width, sources)
        except (errors.Refused, FormatError):
            pass

    def _read_list(self, config, actual):
        _, _, places, lists = display.dimensions(config, actual)
        size = display.list_bytes(places, lists)
        primary = yield from self._read(display.ST_PRIMARY_LIST, size)
        return display.DisplayList(config, actual, primary)

    def _show(self, config):
        """Write the wanted items; whatever goes wrong here does not harm the reading."""
        base, items = self._items
        self._items = None
        self.items_error = 0
        try:
            actual = yield from self._read(display.ST_ACTUAL_DISPLAY, display.ACTUAL_DISPLAY_BYTES)
            self.display = yield from self._read_list(config, actual)
            if not config.offset_access:
                raise errors.Refused
            for offset, data in self.display.change(base, items):
                self._ask(services.write_offset_request(self._table, offset, data))
                yield
                self._must()
            self.display = yield from self._read_list(config, actual)
        except (errors.MeterError, FormatError):
            self.items_error = self._client.error or services.ONP

    def _read(self, table, size, offset=None):
        """Read a table of `size` bytes, or that many from `offset`, in as few reads as fit."""
        client = self._client
        self._table = table
        room = client.packets * (client.packet_bytes - OVERHEAD_BYTES)
        room = min(room, len(client.message)) - services.READ_REPLY_BYTES
        if not size:
            raise FormatError
        if offset is None and size <= room:
            self._ask(services.read_request(table), size + services.READ_REPLY_BYTES)
            yield
            return self._data(size)
        at = offset or 0
        end = at + size
        data = b""
        while at < end:
            part = min(room, end - at)
            self._ask(
                services.read_offset_request(table, at, part), part + services.READ_REPLY_BYTES
            )
            yield
            data += self._data(part)
            at += part
        return data

    def _data(self, least=1):
        self._must()
        client = self._client
        if client.data_count < least:
            raise FormatError
        return bytes(client.message[client.data_at : client.data_at + client.data_count])


def _is_blank(raw):
    for byte in raw:
        if byte not in b" \x00\xff":
            return False
    return True


def _text(raw, bcd):
    """Return an identifier as text without padding."""
    if not bcd:
        return raw.strip(b" \x00")
    text = bytearray()
    for byte in raw:
        for digit in (byte >> 4, byte & 0x0F):
            if digit <= 9:
                text.append(0x30 + digit)
    return bytes(text)
