"""An opto probe before the module's programming port, on the emulator's own time."""

from endpoint.line import command
from endpoint.optical import services
from endpoint.optical.client import C1218Client

NS_PER_MS = 1_000_000
_STEP_NS = 2 * NS_PER_MS
_PACKET_BYTES = 256
_PACKETS = 8
_MESSAGE_BYTES = 4096
_BASE_S = 7
PROCEDURE_RESPONSE = 8


class Probe:
    """A C12.18 client wired to one UART of an emulated module.

    Parameters
    ----------
    module : Module
    uart : Pl011
    """

    def __init__(self, module, uart):
        self._module = module
        self._uart = uart
        self._heard = bytearray()
        uart.on_byte = lambda value, t_ns: self._heard.append(value)
        self.client = C1218Client(_PACKET_BYTES, _PACKETS, _MESSAGE_BYTES)
        self._sequence = 0

    @property
    def data(self):
        """What the last good read brought."""
        client = self.client
        return bytes(client.message[client.data_at : client.data_at + client.data_count])

    def ask(self, request):
        """Run one service to its end; return OK, a reply code or a link error."""
        client = self.client
        client.start(request, self._now_ms())
        while client.busy or client.tx_count:
            if client.tx_count:
                self._uart.send(bytes(client.tx[: client.tx_count]))
                client.sent(self._now_ms())
            self._module.run_for_ns(_STEP_NS)
            heard, self._heard[:] = bytes(self._heard), b""
            if heard:
                client.feed(heard, len(heard), self._now_ms())
            due = client.deadline_ms()
            if due is not None and self._now_ms() >= due:
                client.tick(self._now_ms())
        return client.error

    def open(self, password=None, user=b"TEST", packet_bytes=_PACKET_BYTES):
        """Identify, negotiate, log on, give a password; return the last service's error."""
        requests = [
            bytes([services.IDENTIFY]),
            services.negotiate_request(packet_bytes, _PACKETS),
            services.logon_request(1, user),
        ]
        if password is not None:
            requests.append(services.security_request(password))
        for request in requests:
            error = self.ask(request)
            if error:
                break
        return error

    def close(self):
        """Terminate."""
        return self.ask(bytes([services.TERMINATE]))

    def wait_until_base(self):
        """Stay silent until the module has given a broken session up."""
        self._module.run_for_ns(_BASE_S * 1000 * NS_PER_MS)

    def read(self, table):
        """Return a table's data; AssertionError when it is refused."""
        error = self.ask(services.read_request(table))
        assert error == services.OK, (hex(table), error)
        return self.data

    def procedure(self, number, parameters=b""):
        """Run a manufacturer procedure; return (result, response data)."""
        self._sequence = (self._sequence + 1) & 0xFF
        head = bytes([number, 0x08, self._sequence])
        assert self.ask(services.write_request(7, head + parameters)) == services.OK
        data = self.read(PROCEDURE_RESPONSE)
        assert data[:3] == head
        return data[3], data[4:]

    def command(self, code, values=()):
        """Run a command of `endpoint.line.command`; return (procedure result, command result)."""
        result, data = self.procedure(code, command.pack(code, values)[1:])
        return result, data[0] if data else None

    def _now_ms(self):
        return self._module.now_ns // NS_PER_MS
