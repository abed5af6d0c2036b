"""What is billed: the choice of detent and net, and the five dials of an energy total.

Context: any. Source: PUBS-0624-0001 Rev G, detent and net metering.
"""

from micropython import const

from endpoint.metering import NetNeedsDetent, NetNeedsFirmware, NotADetent, OneRegisterOnly

NET_FIRMWARE = const(17)

_DIAL_WH = const(1000)
_DIALS = const(100_000)


def check(detent, net, firmware_version, net_register_only=False):
    """Refuse settings that do not go together.

    Parameters
    ----------
    detent, net : bool
        Detent Yes measures one direction; net is forward minus reverse.
    firmware_version : int
    net_register_only : bool
        The meter shows no forward and reverse registers, only their difference.

    Raises
    ------
    NotADetent, NetNeedsDetent, NetNeedsFirmware, OneRegisterOnly
    """
    if not isinstance(detent, bool) or not isinstance(net, bool):
        raise NotADetent
    if net and not detent:
        raise NetNeedsDetent
    if net and firmware_version < NET_FIRMWARE:
        raise NetNeedsFirmware
    if net_register_only and not detent:
        raise OneRegisterOnly


def dial(wh):
    """Return the whole kWh a five-dial register shows, 0 to 99999; its sign is `wh < 0`.

    Toward minus infinity, as dials that turn backwards: -1 Wh shows 99999.
    """
    return wh // _DIAL_WH % _DIALS
