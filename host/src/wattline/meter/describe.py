"""Says in words what passes on an optical link: packets, services, acknowledgements."""

from endpoint.optical import services
from endpoint.optical.kernels import checksum, crc16

_STP = 0xEE
_HEADER_BYTES = 6
_CONTROLS = {0x06: "ACK", 0x15: "NAK"}

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

_PLAIN = {
    services.IDENTIFY: "Identify",
    services.TERMINATE: "Terminate",
    services.LOGOFF: "Logoff",
    services.READ_DEFAULT: "Read of the default table",
}


def table_name(number):
    """Return ``ST-23`` or ``MT-1`` for a table number."""
    pending = "pending " if number & 0x1000 else ""
    return f"{pending}{'MT' if number & 0x0800 else 'ST'}-{number & 0x07FF}"


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
    table = table_name(int.from_bytes(data[1:3], "big"))
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
    name = REPLIES[code] if code < len(REPLIES) else f"reply {code:#04x}"
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


class Listener:
    """Follows both directions of a link and reports what it hears, packet by packet.

    Parameters
    ----------
    report : callable(dict)
        Called with ``t_ns``, ``direction``, ``kind`` (ack, nak, packet, damaged, noise),
        ``text`` and ``hex`` for each thing heard.
    """

    def __init__(self, report):
        self._report = report
        self._held = {"C": bytearray(), "M": bytearray()}
        self._message = {"C": bytearray(), "M": bytearray()}
        self._request = 0

    def hear(self, direction, data, t_ns):
        """Take bytes from the client (``C``) or from the meter (``M``)."""
        self._held[direction] += data
        while self._held[direction] and self._take(direction, t_ns):
            pass

    def _take(self, direction, t_ns):
        held = self._held[direction]
        if held[0] != _STP:
            control = held.pop(0)
            name = _CONTROLS.get(control)
            text = name or "a byte outside any packet"
            self._say(t_ns, direction, name.lower() if name else "noise", text, bytes([control]))
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
        self._say(t_ns, direction, "packet", self._describe(direction, packet), packet)
        return True

    def _describe(self, direction, packet):
        control, sequence = packet[2], packet[3]
        message = self._message[direction]
        if not control & 0x80 or control & 0x40:
            message.clear()
        message += packet[6:-2]
        if control & 0x80 and sequence:
            return f"part of a message, {sequence} more to come"
        if not message:
            return "empty packet"
        if direction == "M":
            return describe_reply(bytes(message), self._request)
        self._request = message[0]
        return describe_request(bytes(message))

    def _say(self, t_ns, direction, kind, text, raw):
        self._report(
            {"t_ns": t_ns, "direction": direction, "kind": kind, "text": text, "hex": raw.hex()}
        )
