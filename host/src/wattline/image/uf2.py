"""The UF2 container: write it, read it back, find what an image says about itself.

Source: the UF2 specification: 512-byte blocks of which 256 carry data; RP2040 family 0xE48BFF56.
"""

import json
import struct
from typing import Any

from wattline.errors import WattlineError

FLASH_BASE = 0x1000_0000
_FAMILY = 0xE48B_FF56
_HEADER = struct.Struct("<8I")
_MAGIC = (0x0A32_4655, 0x9E5D_5157)
_MAGIC_END = 0x0AB1_6F30
_FAMILY_PRESENT = 0x2000
_BLOCK_BYTES = 512
_DATA_BYTES = 256
_FLASH_MAX_BYTES = 16 * 1024 * 1024

# `build_info.py` holds one constant that begins like this and continues as JSON.
MARK = "wattline-image "
_IDENTITY_MAX_BYTES = 1024


def pack(binary: bytes, base: int = FLASH_BASE) -> bytes:
    """Return the UF2 file for a flash image that begins at address `base`."""
    chunks = [binary[i : i + _DATA_BYTES] for i in range(0, len(binary), _DATA_BYTES)]
    blocks = []
    for number, chunk in enumerate(chunks):
        address = base + number * _DATA_BYTES
        header = _HEADER.pack(
            *_MAGIC, _FAMILY_PRESENT, address, _DATA_BYTES, number, len(chunks), _FAMILY
        )
        body = (header + chunk).ljust(_BLOCK_BYTES - 4, b"\x00")
        blocks.append(body + struct.pack("<I", _MAGIC_END))
    return b"".join(blocks)


def unpack(content: bytes) -> tuple[int, bytes]:
    """Return base address and flash image of a UF2 file; gaps read as 0xFF.

    Raises
    ------
    WattlineError
        The file is no UF2, is for another chip, or is cut short.
    """
    if not content or len(content) % _BLOCK_BYTES:
        raise WattlineError("this is no UF2 file, or it is cut short: copy or build it again")
    chunks: dict[int, bytes] = {}
    for start in range(0, len(content), _BLOCK_BYTES):
        block = content[start : start + _BLOCK_BYTES]
        *magic, flags, address, count, _, total, family = _HEADER.unpack_from(block)
        end = struct.unpack_from("<I", block, _BLOCK_BYTES - 4)[0]
        if tuple(magic) != _MAGIC or end != _MAGIC_END or count > _BLOCK_BYTES - 36:
            raise WattlineError("this is no UF2 file: block signature missing; build it again")
        if not flags & _FAMILY_PRESENT or family != _FAMILY:
            raise WattlineError("this UF2 file is not for the RP2040: choose a wattline image")
        if total != len(content) // _BLOCK_BYTES:
            raise WattlineError("this UF2 file is cut short: copy or build it again")
        chunks[address] = block[32 : 32 + count]
    base = min(chunks)
    size = max(address + len(chunk) for address, chunk in chunks.items()) - base
    if size > _FLASH_MAX_BYTES:
        raise WattlineError("this UF2 file does not fit any RP2040: choose a wattline image")
    binary = bytearray(b"\xff" * size)
    for address, chunk in chunks.items():
        binary[address - base : address - base + len(chunk)] = chunk
    return base, bytes(binary)


def identity(content: bytes) -> dict[str, Any]:
    """Return what the image in a UF2 file says about itself.

    Returns
    -------
    dict
        ``version``, ``board``, ``git``, ``build_id`` and ``micropython``.

    Raises
    ------
    WattlineError
        The file is no UF2, or not an image of this project.
    """
    _, binary = unpack(content)
    start = binary.find(MARK.encode() + b"{")
    if start >= 0:
        start += len(MARK)
        text = binary[start : start + _IDENTITY_MAX_BYTES].split(b"}")[0] + b"}"
        try:
            return json.loads(text)
        except ValueError:
            pass
    raise WattlineError("this UF2 file is no wattline image: build one with `make uf2`")
