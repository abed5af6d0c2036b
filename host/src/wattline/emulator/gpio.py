"""Pins seen from outside: what the chip drives, and what drives the chip."""

from rp2040py.gpio_pin import GPIOPinState

_HIGH = (GPIOPinState.HIGH, GPIOPinState.INPUT_PULL_UP)
_DRIVEN = (GPIOPinState.HIGH, GPIOPinState.LOW)


class Gpio:
    """One pin. `level` is what the chip puts on it (a pull-up alone counts as high)."""

    def __init__(self, rp2040, index):
        self._clock = rp2040.clock
        self._pin = rp2040.gpio[index]
        self._driven = None
        self._watchers = []
        self._pin.add_listener(self._changed)
        self.level = 0

    def on_edge(self, callback):
        """Call ``callback(t_ns, level)`` at every change of what the chip puts on the pin."""
        self._watchers.append(callback)

    def drive(self, level):
        """Drive the pin from outside with 0 or 1 from now on; None lets go of it."""
        if level == self._driven:
            return
        self._driven = level
        if level is None:
            self._pin.release_input()
        else:
            self._pin.set_input_value(level)

    def refresh(self):
        """Notice a change that the chip made without saying so, as a reset does."""
        self._changed(self._pin.value, None)

    def _changed(self, state, _before):
        if self._driven is None:
            self._read_back(state)
        level = 1 if state in _HIGH else 0
        if level == self.level:
            return
        self.level = level
        t_ns = int(self._clock.nanos)
        for watcher in self._watchers:
            watcher(t_ns, level)

    def _read_back(self, state):
        """Let the input side of the pin see what its output side drives."""
        if state in _DRIVEN:
            self._pin.set_input_value(state == GPIOPinState.HIGH)
        elif self._pin._driven:
            self._pin.release_input()


class MainsInput:
    """Drive a pin from an iterator of ``(t_ns, level)``, fetched one edge at a time.

    Parameters
    ----------
    module : wattline.emulator.Module
    gpio : int
        Number of the pin.
    edges : iterable of (int, int)
        Times in nanoseconds from power-on, rising.
    """

    def __init__(self, module, gpio, edges):
        self._module = module
        self._pin = module.gpio(gpio)
        self._edges = iter(edges)
        self._next()

    def _next(self):
        edge = next(self._edges, None)
        if edge is None:
            return
        t_ns, level = edge

        def due():
            self._pin.drive(level)
            self._next()

        self._module.schedule(t_ns, due)
