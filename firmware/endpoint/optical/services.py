"""C12.18 service requests, their codes and the reply codes. All integers big-endian.

Source: ANSI C12.18, application layer (PSEM).
"""

import struct

from micropython import const

from endpoint.optical.kernels import checksum

IDENTIFY = const(0x20)
TERMINATE = const(0x21)
READ = const(0x30)
READ_INDEX_LAST = const(0x39)  # READ + number of indexes
READ_DEFAULT = const(0x3E)
READ_OFFSET = const(0x3F)
WRITE = const(0x40)
WRITE_INDEX_LAST = const(0x49)  # WRITE + number of indexes
WRITE_OFFSET = const(0x4F)
LOGON = const(0x50)
SECURITY = const(0x51)
LOGOFF = const(0x52)
NEGOTIATE = const(0x60)
NEGOTIATE_LAST = const(0x6B)
WAIT = const(0x70)

OK = const(0x00)
ERR = const(0x01)  # rejected for a reason not otherwise listed
SNS = const(0x02)  # service not supported
ISC = const(0x03)  # insufficient security clearance
ONP = const(0x04)  # operation not possible
IAR = const(0x05)  # inappropriate action, such as a table that is not there
BSY = const(0x06)  # busy
DNR = const(0x07)  # data not ready
DLK = const(0x08)  # data locked
RNO = const(0x09)  # renegotiate
ISSS = const(0x0A)  # invalid service sequence state

PASSWORD_BYTES = const(20)
USER_BYTES = const(10)
READ_REPLY_BYTES = const(4)  # code, count, checksum around the data

# Baud code of Negotiate -> bits per second; 0 is "externally defined".
BAUDS = (
    0, 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 57600, 38400, 115200, 128000, 256000,
)  # fmt: skip
_MOST_BAUDS = const(11)  # in one request


def baud_codes(rates_bps):
    """Return the codes of the fastest `rates_bps` of BAUDS, at most 11, fastest first."""
    codes = [code for code in range(1, len(BAUDS)) if BAUDS[code] in rates_bps]
    codes.sort(key=lambda code: -BAUDS[code])
    return bytes(codes[:_MOST_BAUDS])


def read_request(table):
    """Return a full read of `table`."""
    return struct.pack(">BH", READ, table)


def read_offset_request(table, offset, count):
    """Return a read of `count` bytes of `table` from `offset`."""
    return struct.pack(">BHBHH", READ_OFFSET, table, offset >> 16, offset & 0xFFFF, count)


def read_index_request(table, indexes, count):
    """Return a read of `count` elements of `table` from the one that 1 to 9 `indexes` name."""
    return _indexed(READ, table, indexes) + struct.pack(">H", count)


def write_index_request(table, indexes, count, data):
    """Return a write of `count` elements, encoded in `data`, from the one `indexes` name."""
    return _indexed(WRITE, table, indexes) + struct.pack(">H", count) + _sealed(data)


def write_request(table, data):
    """Return a full write of `data` to `table`."""
    return struct.pack(">BHH", WRITE, table, len(data)) + _sealed(data)


def write_offset_request(table, offset, data):
    """Return a write of `data` into `table` from `offset`."""
    head = struct.pack(">BHBHH", WRITE_OFFSET, table, offset >> 16, offset & 0xFFFF, len(data))
    return head + _sealed(data)


def logon_request(user_id, user):
    """Return a Logon of `user`, text of at most 10 characters."""
    return struct.pack(">BH", LOGON, user_id) + _padded(user, USER_BYTES, b" ")


def security_request(password, pad=b"\x00"):
    """Return a Security request; meters differ in how a short password is padded."""
    return bytes([SECURITY]) + _padded(password, PASSWORD_BYTES, pad)


def negotiate_request(packet_bytes, packets, baud_codes=b""):
    """Return an offer of packet size, number of packets and baud codes (none: keep the rate)."""
    return struct.pack(">BHB", NEGOTIATE + len(baud_codes), packet_bytes, packets) + baud_codes


def wait_request(seconds):
    """Return a request to allow `seconds` (at most 255) of silence."""
    return bytes([WAIT, seconds])


def _indexed(code, table, indexes):
    head = struct.pack(">BH", code + len(indexes), table)
    for index in indexes:
        head += struct.pack(">H", index)
    return head


def _sealed(data):
    return bytes(data) + bytes([checksum(data, 0, len(data))])


def _padded(text, width, pad):
    return bytes(text[:width]) + pad * (width - len(text))
