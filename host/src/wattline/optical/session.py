"""A C12.18 session in real time: the module's own client role over a port of the host."""

import time

from endpoint.optical import services
from endpoint.optical.client import BAD_REPLY, OWN_ECHO, TOO_LONG, C1218Client
from endpoint.optical.packet import NO_ACK, OVERHEAD_BYTES, SILENCE
from endpoint.optical.services import READ_REPLY_BYTES
from wattline.errors import RunError
from wattline.optical.decode import LARGEST_TABLE_BYTES
from wattline.optical.names import reply_name

_PACKET_BYTES = 1024
_PACKETS = 32
_MESSAGE_BYTES = 32_768
_BASE_S = 7.0  # after so much silence every device is in its Base state
_BUSY_S, _BUSY_TIMES = 0.5, 10
_LINK_ERRORS = {
    NO_ACK: "no acknowledgement came after four attempts",
    SILENCE: "the device acknowledged but did not answer",
    BAD_REPLY: "the reply was not what was asked for",
    TOO_LONG: "the reply did not fit the negotiated packets",
    OWN_ECHO: "the head echoes what is sent, say so with --echo",
}


def error_name(error):
    """Return a reply code or a link error in words."""
    return _LINK_ERRORS.get(error) or reply_name(error)


def is_dead(error):
    """Return whether the link, and with it the session, is gone."""
    return error in (NO_ACK, SILENCE)


class Refused(RunError):
    """A service that the device refused, or that the link lost.

    Attributes
    ----------
    error : int
        Reply code or link error.
    """

    def __init__(self, what, error):
        super().__init__(f"{what}: {error_name(error)}.")
        self.error = error


class Session:
    """One client at one port.

    Parameters
    ----------
    port : OpticalPort
    hear : callable(str, bytes, int) or None
        Sees direction, bytes and monotonic time in ns, as `Listener.hear`.
    echo : bool
        Whether the head echoes what is sent; the echo is taken out.
    packet_bytes, packets : int
        What Negotiate offers.
    """

    def __init__(self, port, hear=None, echo=False, packet_bytes=_PACKET_BYTES, packets=_PACKETS):
        self._port = port
        self._hear = hear
        self._echo = echo
        self._awaited = bytearray()  # of our own bytes, to come back
        self._offer = services.negotiate_request(packet_bytes, packets)
        self.client = C1218Client(packet_bytes, packets, _MESSAGE_BYTES)
        self.identity = b""

    # -- one service ----------------------------------------------------------------

    def ask(self, request):
        """Run one service to its end; return OK, a reply code or a link error."""
        client = self.client
        self._awaited.clear()  # an echo that was lost must not eat another service's bytes
        client.start(request, _now_ms())
        while client.busy:
            self._pump()
            due_ms = client.deadline_ms()
            wait_s = 0.05 if due_ms is None else max(0, due_ms - _now_ms()) / 1000
            self._take(self._port.read(min(wait_s, 0.5)))
            client.tick(_now_ms())
        self._pump()
        return client.error

    def _pump(self):
        client = self.client
        while client.tx_count:
            data = bytes(client.tx[: client.tx_count])
            client.sent(_now_ms())
            if self._hear:
                self._hear("C", data, time.monotonic_ns())
            if self._echo:
                self._awaited += data
            self._port.write(data)

    def _take(self, data):
        if self._awaited:
            data = bytes(byte for byte in data if not self._is_own(byte))
        if data:
            if self._hear:
                self._hear("M", data, time.monotonic_ns())
            self.client.feed(data, len(data), _now_ms())

    def _is_own(self, byte):
        """Return whether a byte is the next one of our own to come back."""
        if self._awaited and byte == self._awaited[0]:
            del self._awaited[0]
            return True
        return False

    def patient(self, request):
        """Run a service, again and again while the device is busy or not ready."""
        for _ in range(_BUSY_TIMES):
            error = self.ask(request)
            if error not in (services.BSY, services.DNR):
                break
            self._rest(_BUSY_S)
        return error

    def _rest(self, seconds):
        """Stay silent; what comes meanwhile is fed, so that late repetitions are answered."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._take(self._port.read(left_s))
            self._pump()

    # -- a session ------------------------------------------------------------------

    def open(self, user_id=0, user="WATTLINE", password=None):
        """Identify, negotiate, log on, and give the password if there is one.

        Raises
        ------
        Refused
            One sentence, if the device does not take part.
        """
        self._identify()
        self.ask(self._offer)  # a device that knows no Negotiate stays at 64 bytes
        error = self.patient(services.logon_request(user_id, user.encode("ascii", "replace")))
        if error:
            raise _refused("The device refuses the logon", error)
        if password is not None:
            error = self.patient(services.security_request(password))
            if error and not is_dead(error):
                error = self.patient(services.security_request(password, b" "))
            if error:
                raise _refused("The device refuses the password", error)

    def _identify(self):
        error = self.ask(bytes([services.IDENTIFY]))
        if error == services.ISSS:
            self.ask(bytes([services.TERMINATE]))
            error = self.ask(bytes([services.IDENTIFY]))
        if error and error != NO_ACK:
            # Somebody's session may still be open, and our Identify may look like its own.
            self._rest(_BASE_S)
            self._port.forget()
            error = self.ask(bytes([services.IDENTIFY]))
        if error:
            raise Refused("Nobody takes part in a session", error)
        client = self.client
        self.identity = bytes(client.message[client.data_at : client.data_at + client.data_count])

    def close(self):
        """Log off and terminate, as far as the device takes part."""
        if self.client.open:
            self.ask(bytes([services.LOGOFF]))
        if self.client.open:
            self.ask(bytes([services.TERMINATE]))

    # -- tables ---------------------------------------------------------------------

    def read(self, table):
        """Return a whole table, in pieces if it must be.

        Raises
        ------
        Refused
            The device refuses the table, or the link is lost.
        """
        error = self.patient(services.read_request(table))
        if error == services.OK:
            return self._data()
        if error in (services.ONP, TOO_LONG):
            return self._read_in_pieces(table, error)
        raise _refused("The device refuses the table", error)

    def _data(self):
        client = self.client
        return bytes(client.message[client.data_at : client.data_at + client.data_count])

    def _read_in_pieces(self, table, whole_error):
        client = self.client
        room = client.packets * (client.packet_bytes - OVERHEAD_BYTES) - READ_REPLY_BYTES
        step = min(room, _MESSAGE_BYTES - READ_REPLY_BYTES)
        data = b""
        while step and len(data) < LARGEST_TABLE_BYTES:
            error = self.patient(services.read_offset_request(table, len(data), step))
            if error == services.OK:
                data += self._data()
            elif error in (services.ONP, TOO_LONG):
                step //= 2
            elif data:
                raise _refused("The device refuses the rest of the table", error)
            else:
                raise Refused("The device refuses the table", whole_error)
        if not data:
            raise Refused("The device refuses the table", whole_error)
        return data


def _refused(what, error):
    """Return the exception for a refusal, or for a link that broke."""
    return Refused("The link broke" if error >= NO_ACK else what, error)


def _now_ms():
    return time.monotonic_ns() // 1_000_000
