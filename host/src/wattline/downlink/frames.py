"""Frames that modules accept: individual, released later, and the beacon."""

from endpoint.line import LineError
from endpoint.line.authority import BEACON, BROADCAST, GROUP_BASE, INDIVIDUAL, RELEASED
from endpoint.line.command import (
    INDIVIDUAL_ONLY,
    TRANSFER_BEGIN,
    TRANSFER_PART,
    filled,
    pack,
)
from endpoint.line.framing import FRAME_BYTES, add_crc
from endpoint.line.loop import CYCLES_FOLD
from endpoint.line.mac import frame_mac, port_mac
from endpoint.line.transfer import PART_BYTES, check_of
from wattline.errors import WattlineError


def group_address(group: int) -> int:
    """Return the address of group 1 … 255."""
    if not 1 <= group <= 255:
        raise WattlineError(f"group {group} does not exist: groups are 1 to 255")
    return GROUP_BASE + group


def individual(key: bytes, eid: int, counter: int, command: bytes) -> bytes:
    """Return the frame of a command to one endpoint.

    Parameters
    ----------
    key : bytes
        Its working key; its change key for KEY_CHANGE.
    eid : int
    counter : int
        Above every counter used with it before; take it from `registry.Registry`.
    command : bytes
        At most ten bytes, from `endpoint.line.command.pack`.
    """
    body = _filled(command)
    mac = frame_mac(key, INDIVIDUAL, eid, counter, body)
    return _finished(INDIVIDUAL, eid, counter & 0xFFFFFF, body + mac)


def released(element: bytes, destination: int, slot: int, command: bytes) -> bytes:
    """Return the frame of a command to a group or to all.

    Parameters
    ----------
    element : bytes
        The chain's element of `slot`, still secret while the frame is on the line.
    destination : int
        `BROADCAST` or `group_address(…)`.
    slot : int
        The slot whose beacon will open it.
    command : bytes

    Raises
    ------
    WattlineError
        When modules take this command individually only.
    """
    body = _filled(command)
    if body[0] in INDIVIDUAL_ONLY:
        raise WattlineError(
            f"command {body[0]:#04x} is for one endpoint only: send it to each one by itself"
        )
    mac = frame_mac(element, RELEASED, destination, slot, body)
    return _finished(RELEASED, destination, slot, body + mac)


def beacon(element: bytes, slot: int, cycle: int, fraction_q8: int) -> bytes:
    """Return the beacon that releases an element and tells the time.

    Parameters
    ----------
    element : bytes
    slot : int
        Its slot, which has just begun.
    cycle : int
        Global cycle count at the frame's first sync symbol.
    fraction_q8 : int
        Time from the slot's beginning to that symbol, 1/256 s; below one second.
    """
    if not 0 <= fraction_q8 < 256:
        raise WattlineError("a beacon starts within a second of its slot: send the next one")
    frame = bytearray(FRAME_BYTES)
    frame[0] = BEACON
    frame[1:4] = slot.to_bytes(3, "big")
    frame[4:16] = element
    frame[16:20] = (cycle % CYCLES_FOLD).to_bytes(4, "big")
    frame[20] = fraction_q8
    add_crc(frame)
    return bytes(frame)


def port_message(key: bytes, eid: int, counter: int, command: bytes) -> bytes:
    """Return a command for the programming port: counter, command, MAC."""
    return counter.to_bytes(4, "big") + command + port_mac(key, eid, counter, command)


def transfer(number: int, kind: int, body: bytes, parts: list[int] | None = None) -> list[bytes]:
    """Return the commands that carry a long body.

    Parameters
    ----------
    number : int
        Identity of this transfer, 8 bits; the same for every try.
    kind : int
        Code of the body.
    body : bytes
    parts : list of int, optional
        Only these parts, after an endpoint has said what it misses.
    """
    commands = [pack(TRANSFER_BEGIN, (number, kind, len(body), check_of(kind, body)))]
    count = -(-len(body) // PART_BYTES)
    for index in range(count) if parts is None else parts:
        piece = body[index * PART_BYTES : (index + 1) * PART_BYTES].ljust(PART_BYTES, b"\0")
        commands.append(pack(TRANSFER_PART, (number, index, int.from_bytes(piece, "big"))))
    return commands


def missing_parts(report: int, length: int) -> list[int]:
    """Return the parts that an ACK's 24 bits say are missing; empty when complete.

    Raises
    ------
    WattlineError
        When the endpoint does not know the transfer: begin it again.
    """
    first = report >> 16
    if first == 0xFE:
        raise WattlineError("the endpoint does not know this transfer: begin it again")
    if first == 0xFF:
        return []
    count = -(-length // PART_BYTES)
    seen = [first + i for i in range(16) if report & 0x8000 >> i]
    return seen + list(range(min(first + 16, count), count))


def _filled(command: bytes) -> bytes:
    try:
        return filled(command)
    except LineError:
        raise WattlineError(
            f"a command of {len(command)} bytes does not fit a frame: send it as a transfer"
        ) from None


def _finished(version: int, destination: int, counter: int, rest: bytes) -> bytes:
    frame = bytearray(FRAME_BYTES)
    frame[0] = version
    frame[1:5] = destination.to_bytes(4, "big")
    frame[5:8] = counter.to_bytes(3, "big")
    frame[8:22] = rest
    add_crc(frame)
    return bytes(frame)


__all__ = [
    "BROADCAST",
    "beacon",
    "group_address",
    "individual",
    "missing_parts",
    "port_message",
    "released",
    "transfer",
]
