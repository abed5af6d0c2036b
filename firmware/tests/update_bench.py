"""A module's flash with two slots and its start-up record, small enough to cut power everywhere.

`Bench` does what start-up and the updater do on the chip, on flash models. Signatures are made by
a tiny signer: the secret key of the tests is here, and no module holds its public half.
"""

import hashlib

from flash_model import BLOCK_BYTES, FlashModel

from endpoint.store.journal import Journal
from endpoint.update import ed25519
from endpoint.update.install import Installer
from endpoint.update.manifest import HEADER_BYTES, Manifest, header, key_id
from endpoint.update.record import FROZEN, RECORD_BYTES, Record
from endpoint.update.sha512 import sha512

BOARD = "FASY_0624_0004"
ABI = 4870
SLOT_BLOCKS = 4
START_BLOCKS = 4
_ORDER = (1 << 252) + 27742317777372353535851937790883648493


def _times_base(scalar):
    """Return the encoding of a multiple of the base point; slow and plain, for the tests."""
    total = (0, 1, 1, 0)
    base = ed25519._prepared(ed25519._BASE)
    for bit in range(254, -1, -1):
        total = ed25519._extended(ed25519._double(total))
        if scalar >> bit & 1:
            total = ed25519._add(total, base)
    x, y, z = total[:3]
    inverse = ed25519._power(z, ed25519._P - 2)
    x, y = x * inverse % ed25519._P, y * inverse % ed25519._P
    return (y | (x & 1) << 255).to_bytes(32, "little")


class Signer:
    """Ed25519 signatures of a secret that is written here. RFC 8032, 5.1.5 and 5.1.6."""

    def __init__(self, secret):
        digest = sha512(secret)
        low = int.from_bytes(digest[:32], "little")
        self._scalar = low & ((1 << 254) - 8) | 1 << 254
        self._prefix = digest[32:]
        self.public = _times_base(self._scalar)

    def sign(self, message):
        nonce = int.from_bytes(sha512(self._prefix + message), "little") % _ORDER
        commitment = _times_base(nonce)
        k = int.from_bytes(sha512(commitment + self.public + message), "little") % _ORDER
        return commitment + ((nonce + k * self._scalar) % _ORDER).to_bytes(32, "little")


OWNER = Signer(bytes(32))
STRANGER = Signer(b"\x01" * 32)


def _record(kind, payload):
    assert kind < 128 and len(payload) < 16384
    return bytes([kind, 0x80 | len(payload) >> 7, len(payload) & 0x7F]) + payload


def _named(kind, name, payload):
    return _record(kind, bytes([len(name)]) + name.encode() + payload)


def file_system(files, package="endpoint"):
    """Return a file system that holds `files` (name and content) in one folder."""
    inside = b"".join([_named(5, name, _record(2, content)) for name, content in files])
    body = _named(4, package, inside)
    return b"\xd2\xcd\x31" + bytes([0x80 | len(body) >> 7, len(body) & 0x7F]) + body


def filled(seed, count):
    """Return bytes that no other seed gives."""
    return bytes([(seed * 37 + index * 11 + (index >> 8)) & 0xFF for index in range(count)])


def application(number, size=3000):
    """Return the file system of application `number`."""
    return file_system([("app.mpy", filled(number, size)), ("version.mpy", filled(number, 40))])


def release(version, image, signer=OWNER, board=BOARD, floor=None, **changed):
    """Return the first block and the file system of a release."""
    fields = {
        "interface": 1,
        "abi": ABI,
        "length": len(image),
        "sha256": hashlib.sha256(image).digest(),
        "build": "0123456789abcdef",
    }
    fields.update(changed)
    manifest = Manifest(
        board,
        version,
        version if floor is None else floor,
        fields["interface"],
        fields["abi"],
        fields["length"],
        fields["sha256"],
        fields["build"],
    )
    text = manifest.pack()
    return header(text, key_id(signer.public, hashlib.sha256), signer.sign(text)), image


class Bench:
    """One module: two slots and the record on flash, and what runs."""

    def __init__(self):
        self.slots = [FlashModel(SLOT_BLOCKS), FlashModel(SLOT_BLOCKS)]
        self.start = FlashModel(START_BLOCKS)
        self.record = Record()
        self.journal = None
        self.boot()
        self.record.keys = [OWNER.public]
        self.commit(self.record)

    def load(self):
        """Read the record as start-up does."""
        self.journal = Journal(self.start)
        self.record = Record()
        data = bytearray(RECORD_BYTES)
        if self.journal.mount() == RECORD_BYTES and self.journal.load(data):
            self.record.unpack(data)

    def commit(self, record):
        self.journal.commit(record.pack(), RECORD_BYTES)
        self.journal.prepare()

    def is_sound(self, number):
        from binascii import crc32

        slot = self.record.slots[number]
        return bool(slot.length) and crc32(self.image(number)) == slot.crc

    def image(self, number):
        """Return the file system that a slot holds according to the record."""
        end = HEADER_BYTES + self.record.slots[number].length
        return bytes(self.slots[number].data[HEADER_BYTES:end])

    def boot(self, fault="", faults=0):
        """Start as the chip does; return which application runs, by number."""
        self.load()
        number, changed = self.record.choose(self.is_sound, fault, faults)
        if changed:
            self.commit(self.record)
        return number

    def confirm(self, number, floor):
        self.record.confirm(number, floor)
        self.commit(self.record)

    def installer(self):
        """Return the updater's end, after a fresh start of the interpreter."""
        self.load()
        views = [memoryview(slot.data) for slot in self.slots]
        return Installer(self.record, self.commit, self.slots, views, BOARD, ABI)

    def runs(self, number):
        """Return what runs when start-up has chosen `number`."""
        return None if number == FROZEN else self.image(number)


def send(installer, image, first=1):
    """Send a file system block by block."""
    for number, at in enumerate(range(0, len(image), BLOCK_BYTES), 1):
        if number >= first:
            installer.put(number, [image[at : at + BLOCK_BYTES]])


def install(bench, offered):
    """Install a release without any trouble and let it be confirmed."""
    block, image = offered
    installer = bench.installer()
    installer.begin(block)
    send(installer, image)
    installer.finish()
    number = bench.boot()
    bench.confirm(number, (0, 0, 0))
    return number
