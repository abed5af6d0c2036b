"""The main job, end to end: real image, meter, line and collector."""

import pytest
from rich.console import Console

from wattline.bench.options import Options
from wattline.bench.rig import Rig
from wattline.bench.run import run_bench
from wattline.bench.view import View
from wattline.errors import RunError

# Long enough for JOIN, a reading, another frame and a second poll.
MINUTES = 1.4


@pytest.fixture
def console():
    return Console(quiet=True)


def test_every_reading_is_what_the_meter_showed(built, console):
    """R11, R15, R16: with noise at 8 dB every frame arrives and tells the truth."""
    record = run_bench(Options.checked(minutes=MINUTES, seed=3), built, console)
    assert record.problems == []
    assert next(v.kind for v in record.verdicts) == "JOIN"
    assert len(record.verdicts) >= 3
    assert any(v.reading_dkwh is not None for v in record.verdicts)
    assert record.passed and record.frames_lost == 0
    assert len(record.polls) == 2
    assert record.identity["build_id"] == built.report["build_id"]


def test_a_reading_that_is_not_the_meters_fails_the_run(built, console, monkeypatch):
    """A meter that shows one step more than it told is noticed at poll and frame."""
    real = Rig.truth_wh
    monkeypatch.setattr(Rig, "truth_wh", lambda self, t_s: real(self, t_s) + 100)
    record = run_bench(Options.checked(minutes=1, seed=3, noise="off"), built, console)
    assert record.disagreements and record.problems
    assert not record.passed


def test_another_image_than_the_built_one_is_refused(built):
    foreign = type(built)(built.uf2, {**built.report, "build_id": "0" * 16}, False)
    rig = Rig(Options.checked(), foreign)
    with pytest.raises(RunError, match="not the image that was built"):
        rig.commission()


def test_stopped_in_the_middle_keeps_what_is_known(built, console, monkeypatch):
    """Ctrl-C after the first poll: a record with that poll, marked as interrupted."""

    def stop(self, poll):
        raise KeyboardInterrupt

    monkeypatch.setattr(View, "poll", stop)
    record = run_bench(Options.checked(minutes=1), built, console)
    assert record.interrupted and len(record.polls) == 1
    assert record.problems == []
