"""One short word per day over its 24 hourly values, so that both ends can prove equality (N6).

The digest is keyed: it also proves, with 28 bits beside the 16 of every frame, that the day's
values came from the module. Six nibbles say which blocks of four hours differ.

Context: task only. Allocates: what hashing needs, once a day.
Source: docs/phy.md, "Payloads"; docs/authority.md, "Readings".
"""

from micropython import const

from endpoint.line.mac import hmac

HOURS = const(24)
BLOCK_HOURS = const(4)
BLOCKS = const(6)


def digest(key, eid, day, codes):
    """Return ``(nibbles, whole, short)`` of one UTC day.

    Parameters
    ----------
    key : bytes
        The endpoint's working key.
    eid, day : int
        Identity; days since 1970.
    codes : sequence of int, 24
        The hours' energy as sent, 13 bits each, missing hours included.

    Returns
    -------
    tuple
        24 bits, 4 per block, first block highest; 28 bits over the day; 24 bits over the day
        for the status place of a stream frame.
    """
    head = b"N" + eid.to_bytes(4, "big") + day.to_bytes(3, "big")
    body = b""
    nibbles = 0
    for block in range(BLOCKS):
        part = b""
        for i in range(block * BLOCK_HOURS, (block + 1) * BLOCK_HOURS):
            part += codes[i].to_bytes(2, "big")
        nibbles = nibbles << 4 | hmac(key, head + bytes((block,)) + part)[0] >> 4
        body += part
    whole = hmac(key, head + b"\xff" + body)
    return nibbles, int.from_bytes(whole[:4], "big") >> 4, int.from_bytes(whole[4:7], "big")


def differing(ours, theirs):
    """Return the blocks (0 … 5) whose nibbles differ; all six when only the whole differs.

    Parameters
    ----------
    ours, theirs : tuple
        Results of `digest`, or at least their first two members.
    """
    blocks = [b for b in range(BLOCKS) if (ours[0] ^ theirs[0]) >> 4 * (BLOCKS - 1 - b) & 15]
    if not blocks and ours[1] != theirs[1]:
        return list(range(BLOCKS))
    return blocks
