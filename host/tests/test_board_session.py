"""A board that does not answer is recovered step by step, and each step is told."""

import pytest
from mpremote.transport import TransportError

from wattline.board import find, session
from wattline.cli import update as command
from wattline.errors import WattlineError


class Line:
    """A serial port that takes everything."""

    def write(self, data):
        return len(data)


class Board:
    """A board whose raw prompt comes at the n-th attempt; `attempts` tells how each was made."""

    def __init__(self, answers_at, opens=True, why="no such device"):
        self.answers_at = answers_at
        self.opens = opens
        self.why = why
        self.attempts = []
        self.touched = False
        self.ran = []

    def transport(self, port, baudrate, wait):
        board = self

        class Transport:
            serial = Line()

            def enter_raw_repl(self, soft_reset):
                board.attempts.append((baudrate, soft_reset))
                if len(board.attempts) != board.answers_at:
                    raise TransportError("could not enter raw repl")

            def exec_raw_no_follow(self, code):
                board.ran.append(code)

            def close(self):
                pass

        return Transport()

    def serial(self, port, baud_bps, exclusive=None):
        if not self.opens:
            raise OSError(self.why)
        self.touched = self.touched or baud_bps == 1200
        return self

    def close(self):
        pass


@pytest.fixture
def plug(monkeypatch):
    """Put a board behind every port; time passes at once."""

    def made(answers_at, **how):
        board = Board(answers_at, **how)
        monkeypatch.setattr(session, "SerialTransport", board.transport)
        monkeypatch.setattr(session.serial, "Serial", board.serial)
        monkeypatch.setattr(session.time, "sleep", lambda s: None)
        return board

    return made


def test_board_that_answers_needs_no_recovery(plug):
    board, said = plug(1), []
    with session.BoardSession("x", 9600, say=said.append):
        pass
    assert said == [] and board.attempts == [(9600, False)]
    assert board.ran == ["import machine; machine.reset()"]


def test_fresh_session_restarts_the_interpreter(plug):
    board = plug(1)
    with session.BoardSession("x", fresh=True):
        pass
    assert board.attempts == [(115200, True)]


@pytest.mark.parametrize(("at", "what"), [(2, "soft reset"), (3, "watchdog")])
def test_each_step_of_a_recovery_is_told(plug, at, what):
    board, said = plug(at), []
    with session.BoardSession("x", say=said.append):
        pass
    assert len(said) == at
    assert what in said[-1] and said[-1].endswith("it answers again")
    assert all("no answer" in text for text in said[:-1])
    assert not board.touched


def test_last_step_asks_for_the_boot_loader(plug):
    board, said = plug(99), []
    with (
        pytest.raises(WattlineError, match="does not answer like a MicroPython module"),
        session.BoardSession("x", say=said.append),
    ):
        pass
    assert board.touched and len(said) == 4 and "wattline flash" in said[-1]


def test_port_that_is_not_there_is_not_recovered(plug):
    said = []
    plug(99, opens=False)
    with (
        pytest.raises(WattlineError, match="check the cable"),
        session.BoardSession("x", say=said.append),
    ):
        pass
    assert said == []


def test_port_of_another_program_is_left_alone(plug):
    """No recovery, no 1200 baud: somebody works there."""
    said = []
    board = plug(99, opens=False, why="Could not exclusively lock port x: [Errno 11]")
    with (
        pytest.raises(WattlineError, match="in use by another program; close that"),
        session.BoardSession("x", say=said.append),
    ):
        pass
    assert said == [] and not board.touched and len(board.attempts) == 1


def test_full_file_system_is_named(plug, monkeypatch):
    class Full:
        def exec_raw(self, code, timeout):
            return b"", b"Traceback:\r\nOSError: [Errno 28] ENOSPC\r\n"

    made = session.BoardSession("x")
    made._transport = Full()
    with pytest.raises(WattlineError, match="file system is full"):
        made.exec("write()")


class Port:
    def __init__(self, device, vid=find.USB_VID, pid=find.USB_PID):
        self.device, self.vid, self.pid = device, vid, pid


def test_exactly_one_board_is_chosen_or_the_candidates_are_listed(monkeypatch):
    ports = [Port("/dev/ttyACM1"), Port("/dev/ttyUSB0", 1, 2), Port("/dev/ttyACM0")]
    monkeypatch.setattr(find.list_ports, "comports", lambda: ports)
    with pytest.raises(find.ManyBoards, match="/dev/ttyACM0, /dev/ttyACM1"):
        find.find_port()
    ports.pop()
    assert find.find_port() == "/dev/ttyACM1"
    ports.clear()
    with pytest.raises(find.NoBoard):
        find.find_port()
    assert find.find_port("COM3") == "COM3"


def test_R43_update_refuses_an_old_system_before_it_looks_for_a_board(tmp_path):
    with pytest.raises(WattlineError, match=r"MAS 3\.1 may not re-flash"):
        command.run(tmp_path / "x", role="mas", role_version="3.1")


def test_update_wants_a_release_or_a_roll_back(tmp_path):
    for release, rollback in ((None, False), (tmp_path / "x", True)):
        with pytest.raises(WattlineError, match="either a release to install or --rollback"):
            command.run(release, role="eas", role_version="3.2", rollback=rollback)
