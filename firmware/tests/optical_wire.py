"""A simulated 9600 baud wire between two ends of the link, for both worlds."""

BYTE_US = 1042


class Wire:
    """Carries bytes between a client side and a device; time moves as the bytes do.

    The client side is a `C1218Client` or a `FocusReader`; `spoil(direction, data)` may change
    what arrives.
    """

    def __init__(self, client, device, spoil=None):
        self.client = client
        self.device = device
        self.now_ms = 0
        self.spoil = spoil
        self.bytes = 0

    def run(self, is_done, limit_ms=200000):
        """Move bytes and time until the client side is done; never for ever."""
        client, device = self.client, self.device
        end_ms = self.now_ms + limit_ms
        while True:
            moved = self._carry("C", client, device) + self._carry("M", device, client)
            if is_done() and not moved:
                return
            if moved:
                continue
            due = client.deadline_ms()
            if device.deadline_ms() is not None and (due is None or device.deadline_ms() < due):
                due = device.deadline_ms()
            assert due is not None, "nobody has anything to do"
            self.now_ms = max(self.now_ms, due)
            assert self.now_ms < end_ms, "the session does not end"
            device.tick(self.now_ms)
            client.tick(self.now_ms)

    def _carry(self, direction, source, target):
        count = source.tx_count
        if not count:
            return 0
        data = bytes(source.tx[:count])
        source.sent(self.now_ms)
        self.bytes += count
        self.now_ms += count * BYTE_US // 1000 + 1
        if self.spoil is not None:
            data = self.spoil(direction, data)
        if data:
            target.feed(data, len(data), self.now_ms)
        return count
