"""Message authentication: HMAC-SHA256, truncated, and the keys derived with it.

SHA-256 is in every MicroPython build for this chip and is all that a pure room may import;
AES is not. One frame costs four compressions, which is nothing beside its 7 s on the line.

Context: task only. Allocates: a few short byte strings per call.
Source: RFC 2104, RFC 4231 (test cases), docs/authority.md, "Keys".
"""

import hashlib

from micropython import const

KEY_BYTES = const(16)
FRAME_MAC_BYTES = const(4)
PORT_MAC_BYTES = const(8)

_BLOCK_BYTES = const(64)


def hmac(key, message):
    """Return the 32 bytes of HMAC-SHA256; `key` has at most 64 bytes."""
    fill = bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key + fill))
    inner.update(message)
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key + fill))
    outer.update(inner.digest())
    return outer.digest()


def equal(a, b):
    """Compare without leaving early, so that time tells nothing about the first difference."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return not difference


def working_key(root, generation):
    """Return the key of a generation: for commands and readings, in the module and collector."""
    return hmac(root, b"work" + generation.to_bytes(2, "big"))[:KEY_BYTES]


def change_key(root):
    """Return the key that only authenticates KEY_CHANGE; the collector does not hold it."""
    return hmac(root, b"change")[:KEY_BYTES]


def frame_mac(key, version, destination, counter, command):
    """Return the 4-byte MAC of a downlink frame.

    Parameters
    ----------
    key : bytes
        Working key, change key, or a released element.
    version : int
        First byte of the frame.
    destination, counter : int
        32 bits each; the counter in full, though only 24 bits of it travel.
    command : bytes
        Code and nine argument bytes.
    """
    head = b"D" + bytes((version,)) + destination.to_bytes(4, "big") + counter.to_bytes(4, "big")
    return hmac(key, head + command)[:FRAME_MAC_BYTES]


def port_mac(key, eid, counter, command):
    """Return the 8-byte MAC of a command on the programming port."""
    head = b"P" + eid.to_bytes(4, "big") + counter.to_bytes(4, "big")
    return hmac(key, head + command)[:PORT_MAC_BYTES]
