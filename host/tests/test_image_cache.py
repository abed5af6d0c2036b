"""Complete or absent, one at a time, and a full disk in one sentence."""

import errno
import subprocess
import sys

import pytest

from wattline.errors import RunError
from wattline.image import cache
from wattline.image.run import ProgramFailed, clean_environment, run


def test_folder_appears_only_when_complete(tmp_path):
    folder = tmp_path / "sources"
    with cache.complete_folder(folder) as fresh:
        (fresh / "file").touch()
        assert not folder.exists()
    assert (folder / "file").exists()


@pytest.mark.parametrize("cause", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_folder_and_no_rest(tmp_path, cause):
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(cause), cache.complete_folder(folder) as fresh:
        (fresh / "half").touch()
        raise cause
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]
    assert (folder / "old").exists()


def test_rest_of_a_killed_run_is_removed(tmp_path):
    rest = tmp_path / "sources.part"
    rest.mkdir()
    (rest / "half").touch()
    with cache.complete_folder(tmp_path / "sources") as fresh:
        assert list(fresh.iterdir()) == []


def test_two_builders_take_turns(tmp_path):
    script = (
        "import sys, pathlib; from wattline.image import cache\n"
        "with cache.locked(pathlib.Path(sys.argv[1]), lambda: print('waiting', flush=True)):\n"
        "    print('mine', flush=True)"
    )
    with cache.locked(tmp_path, lambda: pytest.fail("nobody else is there")):
        other = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout.readline() == "waiting\n"
    with other:
        assert other.stdout.read() == "mine\n"


def test_a_child_that_outlives_its_builder_keeps_the_lock(tmp_path):
    script = (
        "import sys, pathlib, os; from wattline.image import cache\n"
        "import subprocess\n"
        "with cache.locked(pathlib.Path(sys.argv[1]), lambda: None):\n"
        "    subprocess.Popen(['cat'], stdin=int(sys.argv[2]), close_fds=False)\n"
        "    os._exit(1)"
    )
    reader, writer = subprocess.os.pipe()
    subprocess.run([sys.executable, "-c", script, tmp_path, str(reader)], pass_fds=[reader])
    subprocess.os.close(reader)
    waits = []

    def release():
        waits.append(True)
        subprocess.os.close(writer)

    with cache.locked(tmp_path, release):
        assert waits == [True]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_names_size_and_place(tmp_path, number):
    with pytest.raises(RunError, match=f"about {cache.NEEDED_MB} MB free in {tmp_path}"):
        with cache.disk_trouble_named(tmp_path):
            raise OSError(number, "no room")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_write_protection_names_the_file(tmp_path, number):
    with pytest.raises(RunError, match=r"x cannot be written: .*WATTLINE_CACHE"):
        with cache.disk_trouble_named(tmp_path):
            raise OSError(number, "no", str(tmp_path / "x"))


def test_other_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError), cache.disk_trouble_named(tmp_path):
        raise FileNotFoundError


def test_full_disk_inside_a_program_is_recognised(tmp_path):
    command = ["sh", "-c", "echo 'ld: cannot write: No space left on device'; exit 1"]
    with pytest.raises(RunError, match="WATTLINE_CACHE"):
        run(command, root=tmp_path)


def test_program_failure_quotes_the_line_that_matters(tmp_path):
    command = ["sh", "-c", "echo start; echo 'a.py:3: SyntaxError: bad'; echo end; exit 2"]
    with pytest.raises(ProgramFailed, match=r"sh failed: a\.py:3: SyntaxError: bad"):
        run(command, root=tmp_path)


def test_missing_program_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="needs the program no-such-program"):
        run(["no-such-program"], root=tmp_path)


def test_compilers_do_not_see_the_callers_flags(monkeypatch):
    for name in ("CFLAGS", "MAKEFLAGS", "MICROPY_BOARD", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    assert not {"CFLAGS", "MAKEFLAGS", "MICROPY_BOARD", "PYTHONPATH"} & set(clean_environment())


def test_damaged_json_counts_as_missing(tmp_path):
    file = tmp_path / "x.json"
    assert cache.read_json(file) is None
    file.write_text('{"half": ')
    assert cache.read_json(file) is None
    cache.write_json(file, {"whole": 1})
    assert cache.read_json(file) == {"whole": 1}
