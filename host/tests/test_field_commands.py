"""`wattline flash`, `update`, `release` and `status` with wrong inputs: one sentence each."""

import os
import tty

import pytest
from serial.tools import list_ports

from wattline.board import bootsel, find
from wattline.cli import main
from wattline.cli.app import COMMANDS, load
from wattline.release import keys
from wattline.release.build import build_release
from wattline.release.package import Release

SYSTEM = ("--role", "mas", "--role-version", "3.2")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    package = tmp_path_factory.mktemp("source") / "endpoint"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "version.py").write_text('VERSION = "18.1.0"\n')
    return package.parent


@pytest.fixture
def release(source, tmp_path):
    """A release's file, signed by a key that stays here."""
    file = tmp_path / "my.release"
    made = build_release("FASY_0624_0004", source=source)
    file.write_bytes(made.signed(keys.create(tmp_path / "key")).pack())
    return file


@pytest.fixture(autouse=True)
def nothing_connected(monkeypatch):
    """No board is on USB, no drive mounted, no picotool installed."""
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr(bootsel, "find_drives", list)
    monkeypatch.setattr(bootsel.shutil, "which", lambda name: None)


def refusal(capsys, *arguments):
    """Return what a command says on its way out: one line and no traceback."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert end.value.code in (1, 2) and out == ""
    assert err.startswith("wattline: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("update", "--rollback", *SYSTEM),
        ("release", "keys", "install", "{key}.pub"),
        ("program", "--poll-s", "30"),
        ("read",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_board_and_two_boards(capsys, monkeypatch, tmp_path, arguments):
    """R42: exactly one is chosen, or the candidates are listed."""
    keys.create(tmp_path / "key")
    arguments = [text.format(key=tmp_path / "key") for text in arguments]
    assert "no module found on USB; connect one, or name its port with --usb" in refusal(
        capsys, *arguments
    )
    boards = [
        type("Port", (), {"device": name, "vid": find.USB_VID, "pid": find.USB_PID})
        for name in ("/dev/ttyACM0", "/dev/ttyACM1")
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: boards)
    listed = refusal(capsys, *arguments)
    assert "2 modules found; name one with --usb: /dev/ttyACM0, /dev/ttyACM1" in listed


def test_flash_without_a_board(capsys):
    for more in ((), ("--dry-run",), ("--json",)):
        assert "hold BOOTSEL while you connect it" in refusal(capsys, "flash", *more)


def test_flash_with_wrong_files(capsys, tmp_path, release):
    assert "cannot be read" in refusal(capsys, "flash", "--image", tmp_path / "none.uf2")
    assert "UF2" in refusal(capsys, "flash", "--image", release)
    assert "is no boot loader drive" in refusal(capsys, "flash", "--drive", tmp_path)


def test_update_with_wrong_files(capsys, tmp_path, release):
    content = release.read_bytes()
    wrongs = {
        "none": None,
        "empty": b"",
        "cut": content[:-1],
        "short": content[:100],
        "long": content + b"x",
        "picture": b"\x89PNG" * 3000,
        "changed": content[:-5] + b"!" + content[-4:],
    }
    for name, data in wrongs.items():
        file = tmp_path / name
        if data is not None:
            file.write_bytes(data)
        said = refusal(capsys, "update", file, *SYSTEM)
        assert str(file) in said and ("cannot be read" in said or "is no release" in said), name
    assert "cannot be read" in refusal(capsys, "update", tmp_path, *SYSTEM)


def test_update_with_wrong_words(capsys, release):
    assert "may not re-flash" in refusal(
        capsys, "update", release, "--role", "mas", "--role-version", "3.1"
    )
    assert "either --usb or --port, not both" in refusal(
        capsys, "update", release, *SYSTEM, "--usb", "a", "--port", "b"
    )
    assert "--rollback" in refusal(capsys, "update", *SYSTEM)


def test_port_that_is_not_there_or_not_ours(capsys, tmp_path, release):
    for arguments in (("status",), ("update", release, *SYSTEM)):
        said = refusal(capsys, *arguments, "--usb", tmp_path / "none")
        assert "cannot be opened; check the cable" in said
    master, slave = os.openpty()
    tty.setraw(slave)
    import fcntl

    fcntl.flock(slave, fcntl.LOCK_EX)
    try:
        for arguments in (("status",), ("update", release, *SYSTEM)):
            said = refusal(capsys, *arguments, "--usb", os.ttyname(slave))
            assert "is in use by another program" in said
    finally:
        os.close(slave)
        os.close(master)


def test_release_with_wrong_keys_and_places(capsys, tmp_path, source, release):
    build = ("release", "build", "--source", source)
    assert "cannot be read" in refusal(capsys, *build, "--key", tmp_path / "no key")
    assert "holds no Ed25519 key" in refusal(capsys, *build, "--key", tmp_path / "key.pub")
    assert "cannot be written" in refusal(capsys, *build, "--output", release / "x.release")
    assert "is no version" in refusal(capsys, *build, "--floor", "newest")
    assert "choose --floor 18.1.0 or older" in refusal(capsys, *build, "--floor", "19.0.0")
    assert "no board" in refusal(capsys, *build, "--board", "FASY_0000")
    assert "cannot be read" in refusal(
        capsys, "release", "sign", release, "--key", tmp_path / "no key"
    )
    assert "cannot be written" in refusal(capsys, "release", "keys", "new", release / "key")
    assert "never replaced" in refusal(capsys, "release", "keys", "new", tmp_path / "key")
    assert "one to three keys" in refusal(
        capsys, "release", "keys", "install", *[tmp_path / "key.pub"] * 4
    )


def test_release_whose_folder_is_read_only(capsys, monkeypatch, release, tmp_path):
    def denied(self, data):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", denied)
    said = refusal(capsys, "release", "sign", release, "--key", tmp_path / "key")
    assert "cannot be written (Permission denied)" in said


def test_unsigned_release_says_so(source):
    made = build_release("FASY_0624_0004", source=source)
    assert isinstance(made, Release) and not made.is_signed


@pytest.mark.parametrize("name", ["status", "flash", "update", "program", "read"])
def test_usb_and_programming_port_have_one_name_everywhere(capsys, name):
    """`--usb` is the module's own port, `--port` a probe at its programming port."""
    assert name in COMMANDS
    load(name)(["--help"], result_action="return_value")
    text = capsys.readouterr().out
    assert "--usb" in text and "--json" in text and "Example" in text
    assert "--no-no" not in text
