"""The simulated meter's optical port: bytes with times in, bytes with times out.

It knows neither the emulator nor a serial line: whoever owns the wire passes two functions.
"""

from wattline.meter.faults import Faults

TURNAROUND_NS = 175_000  # shortest silence before answering in the other direction
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_STP = 0xEE
_BITS_PER_BYTE = 10
_NOISE_NS = 100_000_000


class MeterPort:
    """Connects a `FocusAL` to a wire.

    Parameters
    ----------
    meter : FocusAL
    send : callable(bytes, int)
        Takes bytes and the time in ns at which the first start bit may begin.
    schedule : callable(int, callable(int))
        Calls the function with the time, at or after the given time in ns.
    turnaround_ns : int
        Silence before an answer.
    faults : Faults, FaultChain or None
        What the wire does to the bytes, both ways.
    log : callable(str, bytes, int) or None
        Sees the direction (``C`` from the client, ``M`` from the meter), bytes and time.
    """

    def __init__(self, meter, send, schedule, turnaround_ns=TURNAROUND_NS, faults=None, log=None):
        self.meter = meter
        self._send = send
        self._schedule = schedule
        self._turnaround_ns = turnaround_ns
        self._faults = faults or Faults()
        self._log = log
        self._wake_ns = None
        self._heard_ns = 0
        self._sent_ns = 0
        self._plan_wake(0)
        if self._faults.is_noisy():
            self._make_noise(meter.now_ns)

    def _make_noise(self, t_ns):
        noise = self._faults.noise(t_ns)
        if noise:
            self._send(noise, t_ns)
        self._schedule(t_ns + _NOISE_NS, self._make_noise)

    def on_byte(self, value, t_ns):
        """Take one byte whose stop bit ended at `t_ns`."""
        self.on_bytes(bytes([value]), t_ns)

    def on_bytes(self, data, t_ns):
        """Take bytes that had all arrived at `t_ns`."""
        self.meter.advance(t_ns)
        if self._faults.echoes(t_ns):
            self._send(data, t_ns)
        if not self.meter.is_lit(t_ns):
            return
        for part, delay_ns in self._faults.apply(data, t_ns, "C"):
            # A wire delays; it does not change the order.
            self._heard_ns = max(self._heard_ns, t_ns + delay_ns)
            if self._heard_ns > t_ns:
                self._schedule(self._heard_ns, lambda now_ns, late=part: self._take(late, now_ns))
            else:
                self._take(part, t_ns)

    def _take(self, data, t_ns):
        if self._log:
            self._log("C", data, t_ns)
        self.meter.advance(t_ns)
        if not self.meter.is_lit(t_ns):
            return
        device = self.meter.device
        now_ms = t_ns // _NS_PER_MS
        device.tick(now_ms)
        device.feed(data, len(data), now_ms)
        self._flush(t_ns)

    def _on_time(self, t_ns):
        self._wake_ns = None
        self.meter.advance(t_ns)
        if self.meter.is_lit(t_ns):
            self.meter.device.tick(t_ns // _NS_PER_MS)
            self._flush(t_ns)
        else:
            self._plan_wake(t_ns)

    def _flush(self, t_ns):
        device = self.meter.device
        if device.tx_count:
            data = bytes(device.tx[: device.tx_count])
            at_ns = t_ns + self._turnaround_ns
            device.sent(at_ns // _NS_PER_MS)
            data = self._broken_off(data, at_ns)
            for part, delay_ns in self._faults.apply(data, at_ns, "M"):
                self._sent_ns = max(self._sent_ns, at_ns + delay_ns)
                if self._log:
                    self._log("M", part, self._sent_ns)
                self._send(part, self._sent_ns)
        self._plan_wake(t_ns)

    def _broken_off(self, data, at_ns):
        """Return what leaves the meter before a brown-out, if one is due in this packet."""
        effects = self.meter.effects
        start = data.find(_STP)
        if effects.break_off is None or start < 0:
            return data
        (count, dark_ns), effects.break_off = effects.break_off, None
        data = data[: start + count]
        byte_ns = _BITS_PER_BYTE * _NS_PER_S // self.meter.device.baud_bps
        down_ns = at_ns + len(data) * byte_ns
        self.meter.plan(down_ns, lambda t_ns: self.meter.set_lit(t_ns, False))
        self.meter.plan(down_ns + dark_ns, lambda t_ns: self.meter.set_lit(t_ns, True))
        return data

    def _plan_wake(self, t_ns):
        due_ms = self.meter.device.deadline_ms()
        planned_ns = self.meter.next_ns()
        due = [] if due_ms is None else [due_ms * _NS_PER_MS]
        due += [] if planned_ns is None else [planned_ns]
        if not due:
            return
        due_ns = max(min(due), t_ns + 1)
        if self._wake_ns is None or due_ns < self._wake_ns:
            self._wake_ns = due_ns
            self._schedule(due_ns, self._on_time)
