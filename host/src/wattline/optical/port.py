"""A serial port before an optical head, or a pseudo terminal that stands for both."""

import select
import time

import serial

from wattline.errors import RunError, WattlineError

_MOST_BYTES = 4096  # of one read
_WRITE_S = 2.0  # longest wait for a port that takes no bytes


class OpticalPort:
    """An open port, 8 data bits, 1 stop bit.

    Parameters
    ----------
    name : str
        Device or pseudo terminal.
    baud : int
    dtr, rts : bool
        Lines that power most optical heads.

    Attributes
    ----------
    lines : bool
        Whether the port has DTR and RTS at all; a pseudo terminal has none.

    Raises
    ------
    WattlineError
        One sentence, if the port cannot be opened.
    """

    def __init__(self, name, baud=9600, dtr=True, rts=True):
        self.name = str(name)
        self.baud = baud
        try:
            self._port = serial.Serial(self.name, baud, timeout=0, write_timeout=0)
        except (OSError, ValueError) as error:
            raise WattlineError(_why(self.name, error)) from None
        self.lines = self._set_lines(dtr, rts)

    def _set_lines(self, dtr, rts):
        try:
            self._port.dtr = dtr
            self._port.rts = rts
            return isinstance(self._port.cts, bool)
        except OSError:
            return False

    def set_lines(self, dtr, rts):
        """Switch DTR and RTS; return whether the port has them."""
        return self._set_lines(dtr, rts)

    def set_baud(self, baud):
        """Go to another rate."""
        self._port.baudrate = baud
        self.baud = baud

    def read(self, wait_s):
        """Return the bytes that arrive, waiting for the first at most `wait_s`.

        Raises
        ------
        RunError
            One sentence, if the port goes away.
        """
        try:
            ready, _, _ = select.select([self._port], [], [], max(0.0, wait_s))
            return self._port.read(_MOST_BYTES) if ready else b""
        except (OSError, ValueError):
            raise RunError(f"The port {self.name} went away: plug it in again.") from None

    def write(self, data):
        """Send bytes.

        Raises
        ------
        RunError
            One sentence, if the port goes away or takes nothing.
        """
        end_s = time.monotonic() + _WRITE_S
        try:
            while data:
                wait_s = end_s - time.monotonic()
                _, ready, _ = select.select([], [self._port], [], max(0.0, wait_s))
                if not ready:
                    raise RunError(
                        f"The port {self.name} takes no bytes: switch its flow control off."
                    )
                data = data[self._port.write(data[:_MOST_BYTES]) or 0 :]
        except (OSError, ValueError):
            raise RunError(f"The port {self.name} went away: plug it in again.") from None

    def forget(self):
        """Drop what has come in."""
        try:
            self._port.reset_input_buffer()
        except OSError:
            raise RunError(f"The port {self.name} went away: plug it in again.") from None

    def close(self):
        """Close the port."""
        self._port.close()

    def __enter__(self):
        """Return the port."""
        return self

    def __exit__(self, *_):
        """Close the port."""
        self.close()


def _why(name, error):
    """Return cause and cure of a port that does not open."""
    number = getattr(error, "errno", None)
    if number == 2:
        return f"There is no port {name}: plug the optical head in and check the name."
    if number == 13:
        return f"You may not use the port {name}: join the group dialout and log in again."
    if number == 16 or "lock" in str(error):
        return f"Another program uses the port {name}: end that program."
    return f"{name} is no serial port: name a serial device or a pseudo terminal."
