"""Bad and hostile releases: each is refused with its own reason, and the old one still runs."""

from update_bench import (
    BLOCK_BYTES,
    OWNER,
    STRANGER,
    Bench,
    application,
    file_system,
    filled,
    install,
    release,
    send,
)

from endpoint import update
from endpoint.store import StoreError
from endpoint.update.manifest import HEADER_BYTES, unpack
from endpoint.update.record import CONFIRMED
from endpoint.update.romfs import files

V11, V12, V18 = (11, 0, 0), (12, 0, 0), (18, 0, 0)
OLD = application(11)
NEW = application(18, 5000)


def running():
    """Return a module that runs version 11 from slot a, and what it runs."""
    bench = Bench()
    install(bench, release(V11, OLD))
    return bench


def refusal(action, *arguments):
    """Return the class of the refusal, None when there was none."""
    try:
        action(*arguments)
    except update.UpdateError as error:
        return type(error)
    return None


def attack(bench, offered, first=1):
    """Try the whole road with a release; return how it was refused."""
    installer = bench.installer()
    block, image = offered
    reason = refusal(installer.begin, block)
    if reason is None:
        reason = refusal(send, installer, image, first)
    return reason or refusal(installer.finish)


def still_runs_old(bench):
    """Return whether version 11 is what starts now, and again after that."""
    return all(bench.runs(bench.boot()) == OLD for _ in range(2))


def refused_as(reason, offered):
    bench = running()
    before = [bytes(slot.data) for slot in bench.slots]
    found = attack(bench, offered)
    assert found is reason, found
    assert bench.slots[0].data == before[0]
    assert still_runs_old(bench)
    return bench


def test_a_good_release_is_installed():
    bench = running()
    assert attack(bench, release(V18, NEW)) is None
    assert bench.runs(bench.boot()) == NEW


def test_unsigned():
    block, image = release(V18, NEW)
    block = bytearray(block)
    end = len(unpack(block).pack())
    block[end : end + 72] = bytes(72)
    refused_as(update.Unsigned, (bytes(block), image))


def test_signed_by_a_stranger():
    refused_as(update.Unsigned, release(V18, NEW, signer=STRANGER))


def test_stranger_under_the_owner_s_name():
    """The key's short name is only a name."""
    ours, image = release(V18, NEW)
    theirs, _ = release(V18, NEW, signer=STRANGER)
    end = len(unpack(ours).pack())
    block = ours[: end + 8] + theirs[end + 8 :]
    refused_as(update.Unsigned, (block, image))


def test_manifest_changed_after_signing():
    block, image = release(V11, NEW)
    for at in range(0, len(unpack(block).pack()), 7):
        changed = bytearray(block)
        changed[at] ^= 0x04
        found = attack(running(), (bytes(changed), image))
        assert found in (update.Unsigned, update.NotARelease), (at, found)


def test_module_without_keys_takes_nothing():
    bench = running()
    bench.record.keys = []
    bench.commit(bench.record)
    assert attack(bench, release(V18, NEW)) is update.Unsigned
    assert still_runs_old(bench)


def test_wrong_board():
    refused_as(update.WrongBoard, release(V18, NEW, board="FASY_0624_0003"))


def test_wrong_interpreter():
    refused_as(update.WrongInterpreter, release(V18, NEW, abi=4870 + 256))
    refused_as(update.WrongInterpreter, release(V18, NEW, interface=2))


def test_downgrade():
    """Below what was confirmed last, unless that release itself has allowed it."""
    refused = running()
    refused.record.floor = V12
    refused.commit(refused.record)
    assert attack(refused, release(V11, NEW)) is update.TooOld
    assert still_runs_old(refused)


def test_replay_old_release():
    """A release that was good and signed once is not good for ever."""
    bench = running()
    old = release(V12, application(12))
    install(bench, old)
    new = release(V18, NEW)
    assert attack(bench, new) is None
    bench.confirm(bench.boot(), V18)
    assert attack(bench, old) is update.TooOld
    assert bench.runs(bench.boot()) == NEW


def test_truncated_release():
    block, image = release(V18, NEW)
    refused_as(update.Truncated, (block[:2000], image))
    refused_as(update.Truncated, (block, image[:-1]))
    # A whole block that never came: what the flash holds is not what was signed.
    refused_as(update.Mixed, (block, image[:BLOCK_BYTES]))
    refused_as(update.Mixed, (block, b""))


def test_truncated_file_system_that_is_signed():
    short = NEW[:-200]
    refused_as(update.Truncated, release(V18, short))


def test_endless_data():
    block, image = release(V18, NEW)
    refused_as(update.Oversized, (block, image + bytes(3 * BLOCK_BYTES)))
    bench = running()
    installer = bench.installer()
    installer.begin(block)
    assert refusal(installer.put, 1, [bytes(BLOCK_BYTES + 1)]) is update.Oversized
    assert refusal(installer.put, 1, [bytes(1000)] * 5) is update.Oversized
    for number in (-1, 0, 3, 4, 1000, 1 << 40):
        assert refusal(installer.put, number, [bytes(BLOCK_BYTES)]) is update.Oversized
    assert still_runs_old(bench)


def test_oversized():
    refused_as(update.Oversized, release(V18, NEW, length=3 * BLOCK_BYTES + 1))
    refused_as(update.Oversized, release(V18, NEW, length=0xFFFFFFFF))
    refused_as(update.Oversized, release(V18, NEW, length=0))
    block, image = release(V18, NEW)
    refused_as(update.Oversized, (block + b"\xff", image))


def test_mixed_files():
    """Blocks of two good releases of the same length."""
    block, image = release(V18, NEW)
    _, other = release(V18, application(19, 5000))
    assert len(image) == len(other) and image != other
    refused_as(update.Mixed, (block, other))
    refused_as(update.Mixed, (block, image[:BLOCK_BYTES] + other[BLOCK_BYTES:]))


def test_rubbish_behind_the_manifest():
    block, image = release(V18, NEW)
    refused_as(update.NotARelease, (block[:-1] + b"\0", image))


def test_no_release_at_all():
    for block in (bytes(HEADER_BYTES), b"\xff" * HEADER_BYTES, b"UF2\n" * 1024):
        refused_as(update.NotARelease, (block, NEW))
    refused_as(update.Truncated, (b"", NEW))


def test_path_escape():
    """Signed, and yet: no file may stand before a frozen module or leave the slot."""
    good = filled(1, 50)
    for package in ("boot", "board", "..", "endpoint/x", "", "Endpoint"):
        found = refusal(files, file_system([("app.mpy", good)], package))
        assert found is update.BadPath, package
    names = ("../app.mpy", "/app.mpy", "app.py", "app", ".mpy", "a..mpy", "a.b.mpy", "a b.mpy")
    for name in names + ("x" * 60 + ".mpy", "a\0b.mpy", "a\\b.mpy"):
        found = refusal(files, file_system([(name, good)]))
        assert found is update.BadPath, name
    refused_as(update.BadPath, release(V18, file_system([("../boot.mpy", good)])))


def test_copy_from_outside_the_running_slot():
    bench = running()
    installer = bench.installer()
    installer.begin(release(V18, NEW)[0])
    room = len(bench.slots[0].data)
    for piece in ((-1, 10), (room, 1), (room - 5, 10), (0, BLOCK_BYTES + 1), (5, -1)):
        assert refusal(installer.put, 1, [piece]) is update.Oversized
    assert still_runs_old(bench)


def test_data_before_the_manifest():
    bench = running()
    installer = bench.installer()
    assert refusal(installer.put, 1, [bytes(10)]) is update.NotStarted
    assert refusal(installer.finish) is update.NotStarted
    assert refusal(installer.checks) is update.NotStarted
    assert still_runs_old(bench)


def test_refused_manifest_opens_nothing():
    """A second, refused manifest ends the session of the first."""
    bench = running()
    installer = bench.installer()
    installer.begin(release(V18, NEW)[0])
    assert refusal(installer.begin, release(V18, NEW, signer=STRANGER)[0]) is update.Unsigned
    assert refusal(installer.put, 1, [NEW[:BLOCK_BYTES]]) is update.NotStarted


def test_unchanged_files_are_copied_from_the_running_slot():
    bench = running()
    new = file_system([("app.mpy", filled(11, 3000)), ("version.mpy", filled(18, 40))])
    installer = bench.installer()
    installer.begin(release(V18, new)[0])
    by_path = {path: (at, length) for path, at, length, _ in installer.running_files()}
    at = new.find(filled(11, 3000))
    installer.put(1, [new[:at], by_path["endpoint/app.mpy"], new[at + 3000 :]])
    installer.finish()
    assert bench.runs(bench.boot()) == new


def test_update_goes_on_where_it_stopped():
    bench = running()
    block, image = release(V18, NEW)
    installer = bench.installer()
    installer.begin(block)
    installer.put(1, [image[:BLOCK_BYTES]])
    programs = bench.slots[1].programs
    again = bench.installer()
    again.begin(block)
    checks = again.checks()
    assert len(checks) == 3
    again.put(1, [image[:BLOCK_BYTES]])
    assert bench.slots[1].programs == programs
    send(again, image, 2)
    again.finish()
    assert bench.runs(bench.boot()) == NEW


def test_flash_that_does_not_keep_a_bit():
    bench = running()
    bench.slots[1].bad.add((1, 3))
    assert attack(bench, release(V18, NEW)) is update.FlashFailed
    assert still_runs_old(bench)


def test_owner_s_key_is_not_in_the_module():
    assert OWNER.public != STRANGER.public
    assert running().record.slots[0].state == CONFIRMED


def test_one_name_twice():
    """What is read and what is verified would be two different files."""
    one, other = filled(1, 50), filled(2, 50)
    for names in (("app.mpy", "app.mpy"), ("b.mpy", "a.mpy"), ("a.mpy", "b.mpy", "a.mpy")):
        twice = file_system([(name, one) for name in names])
        assert refusal(files, twice) is update.BadPath, names
    refused_as(update.BadPath, release(V18, file_system([("app.mpy", one), ("app.mpy", other)])))


def test_package_twice():
    first, second = file_system([("app.mpy", filled(1, 50))]), file_system([("z.mpy", b"x" * 9)])
    body = first[5:] + second[5:]
    both = first[:3] + bytes([0x80 | len(body) >> 7, len(body) & 0x7F]) + body
    refused_as(update.BadPath, release(V18, both))


def test_file_longer_than_its_folder():
    """A length inside the file system that leads out of the slot."""
    for at in range(3, 40):
        for value in (0x7F, 0xFF):
            image = bytearray(application(18))
            image[at] = value
            found = refusal(files, image)
            assert found in (None, update.BadPath, update.Truncated), (at, value, found)
    image = bytearray(application(18))
    at = bytes(image).find(b"\x07app.mpy") + 8
    image[at + 1 : at + 3] = b"\xff\x7f"
    assert refusal(files, image) is update.Truncated


def test_floor_above_the_release_itself():
    """Confirmed once, it would lock every later release out."""
    refused_as(update.NotARelease, release(V18, NEW, floor=(65535, 0, 0)))
    refused_as(update.NotARelease, release(V18, NEW, floor=(18, 0, 1)))


def test_every_folder_depth_ends():
    """No tree is so deep that the walk through it does not return."""
    inside = filled(1, 20)
    for _ in range(40):
        inside = bytes([4, 0x80 | len(inside) + 2 >> 7, len(inside) + 2 & 0x7F, 1, 97]) + inside
    head = bytes([0x80 | len(inside) >> 7, len(inside) & 0x7F])
    assert refusal(files, b"\xd2\xcd\x31" + head + inside) is update.BadPath


def test_header_half_written():
    """The slot's own first block torn: the record decides, not what lies in the slot."""
    bench = running()
    block, image = release(V18, NEW)
    installer = bench.installer()
    installer.begin(block)
    send(installer, image)
    bench.slots[1].data[: HEADER_BYTES // 2] = block[: HEADER_BYTES // 2]
    assert still_runs_old(bench)
    assert attack(bench, (block, image)) is None


def test_blocks_of_the_slot_that_runs_are_out_of_reach():
    """However the session is twisted, what runs is never written to."""
    bench = running()
    before = bytes(bench.slots[0].data), bench.slots[0].operations
    installer = bench.installer()
    for offered in (release(V18, NEW), release(V12, OLD), release(V18, NEW)):
        installer.begin(offered[0])
        send(installer, offered[1])
    installer.roll_back()
    assert (bytes(bench.slots[0].data), bench.slots[0].operations) == before


def test_changed_between_verification_and_start():
    """What was right when it was verified and is not when it starts does not start."""
    bench = running()
    assert attack(bench, release(V18, NEW)) is None
    bench.slots[1].data[HEADER_BYTES + 2000] ^= 0x10
    assert still_runs_old(bench)
    assert bench.record.slots[1].reason == "damaged in flash"


def test_record_of_an_update_cannot_be_written():
    """The start-up record's blocks are worn out: the release is refused, the old one runs."""
    bench = running()
    bench.start.bad = {(block, page) for block in range(4) for page in range(16)}
    block, image = release(V18, NEW)
    installer = bench.installer()
    installer.begin(block)
    send(installer, image)
    try:
        installer.finish()
    except StoreError:
        pass
    else:
        raise AssertionError("nothing was written, and nobody said so")
    assert still_runs_old(bench)
