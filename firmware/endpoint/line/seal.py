"""Readings that only their endpoint can have sent, and that only its collector can read.

The frame number k (global line cycles / frame length) is known to both ends, so nothing is
added to a frame: the CRC-16 is replaced by 16 bits of a MAC over k, identity and payload, and
the payload is added to a key stream of k. A frame with a wrong MAC looks like a frame with a
wrong CRC, so noise is refused exactly as before.

Context: task only. Allocates: what hashing needs, per frame.
Source: docs/authority.md, "Readings".
"""

from endpoint.line.mac import hmac


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
