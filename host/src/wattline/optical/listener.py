"""Says in words what passes on an optical link: packets, services, tables, acknowledgements."""

from endpoint.optical import services
from endpoint.optical.kernels import checksum, crc16
from wattline.optical.decode import Decoder
from wattline.optical.names import number_name, reply_name

_STP = 0xEE
_HEADER_BYTES = 6
_CONTROLS = {0x06: "ACK", 0x15: "NAK"}
_INTER_CHARACTER_NS = 500_000_000
_PASSWORD_TABLE = 42

_PLAIN = {
    services.IDENTIFY: "Identify",
    services.TERMINATE: "Terminate",
    services.LOGOFF: "Logoff",
    services.READ_DEFAULT: "Read of the default table",
}


def describe_request(data):
    """Return a service request in words; never raises on odd bytes."""
    code = data[0]
    if code in _PLAIN:
        return _PLAIN[code]
    if services.NEGOTIATE <= code <= services.NEGOTIATE_LAST and len(data) >= 4:
        bauds = [services.BAUDS[b] if b < len(services.BAUDS) else b for b in data[4:]]
        size = int.from_bytes(data[1:3], "big")
        return f"Negotiate {size} bytes × {data[3]} packets" + (f", baud {bauds}" if bauds else "")
    if code == services.WAIT and len(data) == 2:
        return f"Wait {data[1]} s"
    if code == services.LOGON and len(data) >= 3:
        user = data[3:].decode("ascii", "replace").rstrip()
        return f"Logon as {user!r}, id {int.from_bytes(data[1:3], 'big')}"
    if code == services.SECURITY:
        return "Security (password not shown)"
    if services.READ <= code <= services.WRITE_OFFSET and len(data) >= 3:
        return _describe_access(code, data)
    return f"unknown service {data[:16].hex(' ')}"


def _describe_access(code, data):
    table = number_name(int.from_bytes(data[1:3], "big"))
    verb = "Read" if code < services.WRITE else "Write"
    if code in (services.READ_OFFSET, services.WRITE_OFFSET) and len(data) >= 8:
        offset = int.from_bytes(data[3:6], "big")
        return f"{verb} {table}, {int.from_bytes(data[6:8], 'big')} bytes from {offset}"
    if code in (services.READ, services.WRITE):
        return f"{verb} {table}"
    return f"{verb} {table} by index"


def describe_reply(data, request):
    """Return the reply to the service code `request` in words; never raises on odd bytes."""
    code = data[0]
    name = reply_name(code)
    if code or len(data) == 1:
        return name
    if request == services.IDENTIFY and len(data) >= 4:
        return f"{name}, standard {data[1]}, version {data[2]}.{data[3]}"
    if services.NEGOTIATE <= request <= services.NEGOTIATE_LAST and len(data) >= 4:
        return f"{name}, {int.from_bytes(data[1:3], 'big')} bytes × {data[3]} packets"
    count = int.from_bytes(data[1:3], "big")
    if len(data) == count + 4 and checksum(data, 3, count) == data[-1]:
        return f"{name}, {count} bytes: {_shown(data[3:-1])}"
    return f"{name}: {data[1:].hex(' ')}"


def _shown(data):
    text = "".join(chr(b) if 0x20 <= b < 0x7F else "·" for b in data)
    return f"{data[:48].hex(' ')}{' …' if len(data) > 48 else ''}  |{text[:48]}|"


def _place(data):
    """Return (table, offset) of a read or write request, or None."""
    code = data[0]
    if code in (services.READ, services.WRITE) and len(data) >= 3:
        return int.from_bytes(data[1:3], "big"), 0
    if code in (services.READ_OFFSET, services.WRITE_OFFSET) and len(data) >= 8:
        return int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:6], "big")
    return None


class Listener:
    """Follows both directions of a link and reports what it hears, packet by packet.

    Parameters
    ----------
    report : callable(dict)
        Called with ``t_ns``, ``direction``, ``kind`` (ack, nak, packet, damaged, noise),
        ``text``, ``hex`` and ``fields`` (a table's fields in words) for each thing heard.
        Passwords are neither in the text nor in the bytes.
    decoder : Decoder or None
        What is known of the device; learns from what passes.
    """

    def __init__(self, report, decoder=None):
        self._report = report
        self._decoder = decoder or Decoder()
        self._held = {"C": bytearray(), "M": bytearray()}
        self._message = {"C": bytearray(), "M": bytearray()}
        self._last_ns = {"C": 0, "M": 0}
        self._request = 0
        self._place = None
        self._whole = False

    def hear(self, direction, data, t_ns):
        """Take bytes from the client (``C``) or from the meter (``M``)."""
        held = self._held[direction]
        if held and t_ns - self._last_ns[direction] > _INTER_CHARACTER_NS:
            count = len(held)
            self._say(t_ns, direction, "damaged", f"broken off after {count} bytes", bytes(held))
            held.clear()
        self._last_ns[direction] = t_ns
        held += data
        while held and self._take(direction, t_ns):
            pass

    def _take(self, direction, t_ns):
        held = self._held[direction]
        if held[0] in _CONTROLS:
            control = held.pop(0)
            name = _CONTROLS[control]
            self._say(t_ns, direction, name.lower(), name, bytes([control]))
            return True
        if held[0] != _STP:
            noise = bytearray()
            while held and held[0] != _STP and held[0] not in _CONTROLS:
                noise.append(held.pop(0))
            text = f"{len(noise)} byte{'s' if len(noise) > 1 else ''} outside any packet"
            self._say(t_ns, direction, "noise", text, bytes(noise))
            return True
        if len(held) < _HEADER_BYTES:
            return False
        total = int.from_bytes(held[4:6], "big") + 8
        if len(held) < total:
            return False
        packet = bytes(held[:total])
        if crc16(packet, total - 2) != int.from_bytes(packet[-2:], "little"):
            del held[0]
            self._say(t_ns, direction, "damaged", "CRC wrong", packet)
            return True
        del held[:total]
        text, fields, raw = self._describe(direction, packet)
        self._say(t_ns, direction, "packet", text, raw, fields)
        return True

    def _describe(self, direction, packet):
        """Return text, fields and the bytes that may be shown of a packet."""
        control, sequence = packet[2], packet[3]
        message = self._message[direction]
        if not control & 0x80 or control & 0x40:
            message.clear()
        message += packet[6:-2]
        secret = direction == "C" and self._is_secret(message)
        raw = b"" if secret else packet
        if control & 0x80 and sequence:
            return f"part of a message, {sequence} more to come", [], raw
        if not message:
            return "empty packet", [], raw
        data = bytes(message)
        if direction == "M":
            return describe_reply(data, self._request), self._reply_fields(data), raw
        self._request = data[0]
        self._place = _place(data)
        self._whole = data[0] in (services.READ, services.WRITE)
        return describe_request(data), [] if secret else self._request_fields(data), raw

    def _is_secret(self, message):
        place = _place(message) if message else None
        if place and services.WRITE <= message[0] <= services.WRITE_OFFSET:
            return place[0] == _PASSWORD_TABLE
        return bool(message) and message[0] == services.SECURITY

    def _reply_fields(self, data):
        count = int.from_bytes(data[1:3], "big")
        reads = services.READ <= self._request <= services.READ_OFFSET
        if data[0] or not reads or self._place is None or len(data) != count + 4:
            return []
        table, offset = self._place
        if self._whole:
            self._decoder.learn(table, data[3:-1])
        return self._fields(table, data[3:-1], offset)

    def _request_fields(self, data):
        writes = services.WRITE <= data[0] <= services.WRITE_OFFSET
        if not writes or self._place is None:
            return []
        table, offset = self._place
        return self._fields(table, data[5 if self._whole else 8 : -1], offset)

    def _fields(self, table, data, offset):
        fields, remark = self._decoder.fields(table, data, offset)
        words = [f"{field.name}: {field.text}" for field in fields]
        return [*words, f"({remark})"] if remark else words

    def _say(self, t_ns, direction, kind, text, raw, fields=()):
        self._report(
            {
                "t_ns": t_ns,
                "direction": direction,
                "kind": kind,
                "text": text,
                "hex": raw.hex(),
                "fields": list(fields),
            }
        )
