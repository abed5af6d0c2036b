"""`wattline flash` without a board: a folder plays the drive, a script plays picotool."""

import sys

import pytest

from wattline.board import bootsel
from wattline.board.find import ManyBoards, NoBoard
from wattline.cli import flash as command
from wattline.errors import RunError, WattlineError
from wattline.image import uf2

FACTS = '{"version": "18.0.0", "board": "B", "git": "g", "build_id": "0123", "micropython": "1"}'


def drive(folder, board="RPI-RP2"):
    folder.mkdir(parents=True)
    (folder / "INFO_UF2.TXT").write_text(f"UF2 Bootloader v3.0\nModel: x\nBoard-ID: {board}\n")
    return folder


@pytest.fixture
def image(tmp_path):
    file = tmp_path / "image.uf2"
    file.write_bytes(uf2.pack((uf2.MARK + FACTS).encode().ljust(200_000, b"x")))
    return file


def picotool(tmp_path, body):
    """Return a program that does `body` with its arguments in `sys.argv`."""
    file = tmp_path / "picotool"
    file.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_drive_is_found_below_the_usual_places(tmp_path):
    wanted = drive(tmp_path / "user" / "RPI-RP2")
    drive(tmp_path / "user" / "OTHER", board="SAMD51")
    (tmp_path / "user" / "empty").mkdir()
    assert bootsel.find_drives([tmp_path]) == [wanted]
    assert bootsel.find_drives([tmp_path / "not there"]) == []


def test_several_drives_are_listed(tmp_path, monkeypatch):
    places = [drive(tmp_path / name) for name in ("one", "two")]
    monkeypatch.setattr(bootsel, "find_drives", lambda: places)
    with pytest.raises(ManyBoards, match=r"--drive: .*one, .*two"):
        bootsel.find_target()


def test_folder_that_is_no_drive_is_refused(tmp_path):
    with pytest.raises(NoBoard, match="hold BOOTSEL"):
        bootsel.find_target(drive=tmp_path)


def test_no_board_at_all(monkeypatch):
    monkeypatch.setattr(bootsel, "find_drives", list)
    monkeypatch.setattr(bootsel.shutil, "which", lambda name: None)
    with pytest.raises(NoBoard, match="hold BOOTSEL"):
        bootsel.find_target()


def test_image_is_copied_whole_with_progress(tmp_path, image):
    target = bootsel.find_target(drive=drive(tmp_path / "drive"))
    seen = []
    bootsel.write(target, image, lambda done, total: seen.append((done, total)))
    assert (target.drive / image.name).read_bytes() == image.read_bytes()
    total = image.stat().st_size
    assert seen[-1] == (total, total) and len(seen) > 2


def test_drive_that_goes_away_is_named(tmp_path, image):
    target = bootsel.Target(drive=tmp_path / "gone")
    with pytest.raises(RunError, match="went away after 0 of"):
        bootsel.write(target, image, lambda *_: None)


def test_picotool_is_used_when_there_is_no_drive(tmp_path, image, monkeypatch):
    monkeypatch.setattr(bootsel, "find_drives", list)
    log = tmp_path / "log"
    program = picotool(tmp_path, f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')")
    target = bootsel.find_target(picotool=program)
    bootsel.write(target, image, lambda *_: None)
    assert log.read_text().splitlines() == ["info", f"load -v -x {image}"]


def test_picotool_that_fails_is_quoted(tmp_path, image):
    program = picotool(tmp_path, "print('ERROR: no access', file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(RunError, match="picotool failed: ERROR: no access"):
        bootsel.write(bootsel.Target(picotool=program), image, lambda *_: None)


def test_picotool_that_sees_several_boards(tmp_path):
    program = picotool(tmp_path, "print('Multiple devices in BOOTSEL mode')\nsys.exit(1)")
    with pytest.raises(ManyBoards, match="several boards"):
        bootsel.find_target(picotool=program)


def test_build_id_is_compared_afterwards(tmp_path, image, monkeypatch, capsys):
    place = drive(tmp_path / "drive")
    monkeypatch.setattr(command, "read_status", lambda port: {"build_id": "0123"})
    command.run(image=image, drive=place, usb="x")
    assert "build 0123: runs" in capsys.readouterr().out
    monkeypatch.setattr(command, "read_status", lambda port: {"build_id": "4567"})
    with pytest.raises(RunError, match="runs build 4567 and not 0123"):
        command.run(image=image, drive=place, usb="x")


def test_file_that_is_no_image_is_refused_before_anything(tmp_path):
    file = tmp_path / "x.uf2"
    file.write_bytes(bytes(512))
    with pytest.raises(WattlineError, match="no UF2"):
        command.run(image=file, drive=tmp_path)
