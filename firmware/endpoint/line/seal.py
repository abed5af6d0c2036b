"""Readings that only their endpoint can have sent, and that only its collector can read.

The frame number k (global line cycles / frame length) is known to both ends, so nothing is
added to a frame: the CRC-16 is replaced by 16 bits of a MAC over k, identity and payload, and
the payload is added to a key stream of k. A frame with a wrong MAC looks like a frame with a
wrong CRC, so noise is refused exactly as before.

Context: task only. Allocates: what hashing needs, per frame.
Source: docs/authority.md, "Readings".
"""

from micropython import const

from endpoint.line.loop import CYCLES_FOLD
from endpoint.line.mac import hmac
from endpoint.line.payload import JOIN

# 2020-01-01; a collector starts its cycle count at 60 per second since then.
_EPOCH_UNIX_S = const(1577836800)


def frame_number(cycle, unix_s, frame_cycles):
    """Return k of the frame that starts at a global cycle; it is never the same again.

    Parameters
    ----------
    cycle : int
        Global cycle count, modulo `CYCLES_FOLD`.
    unix_s : int
        Time of that cycle, right to within days: it only counts the folds.
    frame_cycles : int
        Line cycles per frame.
    """
    folds = ((unix_s - _EPOCH_UNIX_S) * 60 - cycle + CYCLES_FOLD // 2) // CYCLES_FOLD
    return (folds * CYCLES_FOLD + cycle) // frame_cycles


def _about(label, eid, frame):
    return label + eid.to_bytes(4, "big") + frame.to_bytes(6, "big")


def check16(key, eid, frame, payload):
    """Return the 16 bits that take the place of the CRC.

    Parameters
    ----------
    key : bytes
        The endpoint's working key.
    eid, frame : int
        Identity, 32 bits, and frame number, 48 bits.
    payload : bytes-like, 8 bytes
        As it is sent, encrypted or not.
    """
    return int.from_bytes(hmac(key, _about(b"U", eid, frame) + bytes(payload))[:2], "big")


def crypt_into(payload, key, eid, frame):
    """Encrypt or decrypt 8 payload bytes in place."""
    stream = hmac(key, _about(b"S", eid, frame))
    for i in range(8):
        payload[i] ^= stream[i]


class Seal:
    """Authenticates, and if asked encrypts, the frames of one endpoint.

    Parameters
    ----------
    authority : Authority
        Whose working key is used.
    frame_cycles : int
        Line cycles per frame.
    unix_s : callable
        ``unix_s()`` returns the time, or None while it is unknown: frames are then sent with
        a plain CRC, as JOIN frames always are.
    encrypt : bool
        Whether payloads are encrypted as well.
    """

    def __init__(self, authority, frame_cycles, unix_s, encrypt=False):
        self._authority = authority
        self._frame_cycles = frame_cycles
        self._unix_s = unix_s
        self._encrypt = encrypt

    def __call__(self, payload, cycle):
        """Seal the payload of the frame that starts at a global cycle; return its check."""
        unix_s = self._unix_s()
        if unix_s is None or payload[0] >> 4 == JOIN:
            return None
        frame = frame_number(cycle, unix_s, self._frame_cycles)
        authority = self._authority
        if self._encrypt:
            crypt_into(payload, authority.key, authority.eid, frame)
        return check16(authority.key, authority.eid, frame, payload)


def opened(key, eid, frame, payload, check, encrypted=False):
    """Return the plain payload of a received frame, or None when its check is wrong.

    For the collector: `payload` and `check` as decoded, `frame` from `frame_number`.
    """
    if check16(key, eid, frame, payload) != check:
        return None
    plain = bytearray(payload)
    if encrypted:
        crypt_into(plain, key, eid, frame)
    return plain
