"""Choose exactly one board: by name if the user gave one, by USB identity otherwise."""

from serial.tools import list_ports

from wattline.errors import WattlineError

# The USB identity of MicroPython's rp2 port, which our images keep.
USB_VID, USB_PID = 0x2E8A, 0x0005


class NoBoard(WattlineError):
    """No port looks like a module."""


class ManyBoards(WattlineError):
    """More than one port looks like a module and none was named."""


def find_console(usb: str | None, port: str | None) -> str:
    """Return where the module's MicroPython console is.

    Parameters
    ----------
    usb
        The module's port on USB; None for the only one.
    port
        Serial device of the probe at the programming port, whose service window is open; None
        for USB.

    Raises
    ------
    WattlineError
        Both are given; or as `find_port`.
    """
    if usb is not None and port is not None:
        raise WattlineError("give either --usb or --port, not both")
    return port if port is not None else find_port(usb)


def find_port(name: str | None = None) -> str:
    """Return the serial port of the one module meant.

    Parameters
    ----------
    name
        A port such as `/dev/ttyACM0` or `COM3`; None to search by USB identity.

    Raises
    ------
    NoBoard, ManyBoards
    """
    if name is not None:
        return name
    found = [p.device for p in list_ports.comports() if (p.vid, p.pid) == (USB_VID, USB_PID)]
    if not found:
        raise NoBoard("no module found on USB; connect one, or name its port with --usb")
    if len(found) > 1:
        raise ManyBoards(
            f"{len(found)} modules found; name one with --usb: {', '.join(sorted(found))}"
        )
    return found[0]
