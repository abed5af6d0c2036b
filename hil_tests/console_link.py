"""The MicroPython prompt at either end of the module, spoken as mpremote speaks it, and counted.

Only the two ends' own speeds take time: the host answers at once. A real host adds its latency to
every one of `turns`.
"""

from wattline.errors import RunError

NS_PER_MS = 1_000_000
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_LIMIT_MS = 400_000


class ConsoleLink:
    """An `Executor` over USB or a UART.

    Parameters
    ----------
    module : Module
    uart : Pl011, optional
        The programming port's; USB without it. Its service window is open.

    Attributes
    ----------
    sent, received : int
        Bytes.
    turns : int
        How often the host waited for an answer.
    """

    def __init__(self, module, uart=None):
        self._module = module
        self._uart = uart
        self._heard = bytearray()
        self.sent = self.received = self.turns = 0
        if uart is None:
            module.console.on_data = self._arrived
        else:
            uart.on_byte = lambda value, t_ns: self._arrived(bytes([value]))

    def _arrived(self, data):
        self._heard += data
        self.received += len(data)
        self._module.stop()

    def _write(self, data):
        self.sent += len(data)
        if self._uart is None:
            self._module.console.write(data)
        else:
            self._uart.send(data)

    def _read(self, count):
        until_ns = self._module.now_ns + _LIMIT_MS * NS_PER_MS
        self.turns += len(self._heard) < count
        while len(self._heard) < count and self._module.now_ns < until_ns:
            self._module.run_until_ns(until_ns)
        found = bytes(self._heard[:count])
        del self._heard[:count]
        return found

    def _until(self, mark):
        found = b""
        while not found.endswith(mark):
            byte = self._read(1)
            assert byte, f"no {mark!r} after {found[-200:]!r}"
            found += byte
        return found[: -len(mark)]

    def enter(self):
        """Stop what runs, restart the interpreter, stay at the raw prompt."""
        self._write(b"\r\x03")
        self._module.run_for_ns(300 * NS_PER_MS)
        self._heard.clear()
        self._write(b"\r\x01")
        self._until(_RAW + b">")
        self._write(b"\x04")
        self._until(b"soft reboot\r\n")
        self._until(_RAW)

    def exec(self, code):
        """Run code with the prompt's flow control; return what it prints."""
        self._until(b">")
        self._write(b"\x05A\x01")
        assert self._read(2) == b"R\x01"
        step = int.from_bytes(self._read(2), "little")
        data, window = code.encode(), step
        while data:
            while window == 0 or self._heard:
                assert self._read(1) == b"\x01"
                window += step
            self._write(data[:window])
            data, window = data[window:], max(0, window - len(data))
        self._write(b"\x04")
        self._until(b"\x04")
        output, complaint = self._until(b"\x04"), self._until(b"\x04")
        if complaint:
            raise RunError(complaint.decode())
        return output.decode()
