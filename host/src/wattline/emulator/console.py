"""The host end of the module's USB serial port.

A transfer towards the chip is held until there is a byte for it; rp2040py completes it empty,
over and over, which keeps the chip from ever idling.
"""

from rp2040py.usb.cdc import USBCDC


class UsbConsole:
    """Bytes to and from the module's USB console.

    Attributes
    ----------
    connected : bool
        True once the module has been enumerated, until its next reset.
    on_data : callable or None
        Called with each piece of bytes from the module; without it they wait for `read`.
    on_connect : callable or None
        Called whenever the module has been enumerated.
    """

    def __init__(self, rp2040):
        self.connected = False
        self.on_data = None
        self.on_connect = None
        self._usb = rp2040.usb_ctrl
        self._cdc = USBCDC(self._usb)
        self._cdc.on_serial_data = self._received
        self._cdc.on_device_connected = self._enumerated
        self._complete_control = self._usb.on_endpoint_read
        self._usb.on_endpoint_read = self._transfer_offered
        self._forget = self._usb.on_reset
        self._usb.on_reset = self._reset
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._offered = []

    def write(self, data):
        """Send bytes to the module as soon as it takes them."""
        self._outgoing += data
        self._hand_over()

    def read(self):
        """Return and forget the bytes that have come from the module."""
        data = bytes(self._incoming)
        self._incoming.clear()
        return data

    def _received(self, data):
        if self.on_data:
            self.on_data(bytes(data))
        else:
            self._incoming += data

    def _enumerated(self):
        self.connected = True
        if self.on_connect:
            self.on_connect()

    def _reset(self):
        self._forget()
        self.connected = False
        self._outgoing.clear()
        self._offered.clear()

    def _transfer_offered(self, endpoint, size):
        if endpoint and endpoint == self._cdc._out_endpoint:
            self._offered.append(size)
            self._hand_over()
        else:
            self._complete_control(endpoint, size)

    def _hand_over(self):
        if self._offered and self._outgoing:
            size = self._offered.pop(0)
            packet = bytes(self._outgoing[:size])
            del self._outgoing[:size]
            self._usb.endpoint_read_done(self._cdc._out_endpoint, packet)
