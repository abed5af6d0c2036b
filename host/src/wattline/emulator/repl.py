"""MicroPython's raw REPL on the emulated console."""

_INTERRUPT = b"\r\x03\x03"
_RAW = b"\x01"
_RUN = b"\x04"
_READY = b"raw REPL; CTRL-B to exit\r\n>"
_END = b"\x04"


class DeviceError(Exception):
    """Python on the module ended in this traceback."""


class RawRepl:
    """Executes code on a module; time passes only inside its methods."""

    def __init__(self, module):
        self._module = module
        self._seen = bytearray()

    def start(self, code, timeout_ns):
        """Send `code` and return once the module has accepted it."""
        console = self._module.console
        deadline_ns = self._module.now_ns + timeout_ns
        if not console.connected:
            self._until_connected(deadline_ns)
        self._listen()
        console.write(_INTERRUPT)
        self._module.run_for_ns(2_000_000)
        self._seen.clear()
        console.write(_RAW)
        self._until(_READY, deadline_ns)
        console.write(code.encode() + _RUN)
        self._until(b"OK", deadline_ns)

    def finish(self, timeout_ns):
        """Return what the code prints until it ends."""
        deadline_ns = self._module.now_ns + timeout_ns
        output = self._until(_END, deadline_ns)
        error = self._until(_END + b">", deadline_ns)
        self._module.console.on_data = self._relay
        if error:
            raise DeviceError(error.decode(errors="replace").replace("\r\n", "\n"))
        return output.decode(errors="replace").replace("\r\n", "\n")

    def _listen(self):
        self._relay = self._module.console.on_data
        self._module.console.on_data = self._received

    def _received(self, data):
        self._seen += data
        self._module.stop()

    def _until_connected(self, deadline_ns):
        module = self._module
        module.console.on_connect = module.stop
        while not module.console.connected:
            if module.now_ns >= deadline_ns:
                raise TimeoutError("the module did not show up on USB: is it powered?")
            module.run_until_ns(deadline_ns)
        module.console.on_connect = None

    def _until(self, mark, deadline_ns):
        while mark not in self._seen:
            if self._module.now_ns >= deadline_ns:
                raise TimeoutError(
                    f"the module did not answer; its last words: {bytes(self._seen[-200:])!r}"
                )
            self._module.run_until_ns(deadline_ns)
        found, _, rest = bytes(self._seen).partition(mark)
        self._seen[:] = rest
        return found
