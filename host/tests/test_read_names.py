"""What the chip calls its values is what the replay calls them, with equal contents."""

from pathlib import Path

import pytest

from endpoint.readings import readings
from wattline.replay.run import replay

_SCENARIOS = sorted((Path(__file__).parents[2] / "docs" / "scenarios").glob("*.toml"))
# What only one of both has: the replay keeps rows and judges, the module knows about now.
_ONLY_NOW = {
    ("settings", "waiting"),
    ("voltage", "now_dv"),
    ("voltage", "hour"),
}


def both(ours, theirs, path=()):
    """Yield each value that both have."""
    for key, value in ours.items():
        here = (*path, key)
        if here in _ONLY_NOW:
            assert key not in theirs, here
        elif isinstance(value, dict):
            yield from both(value, theirs[key], here)
        else:
            yield here, value, theirs[key]


@pytest.mark.parametrize("path", _SCENARIOS[::4], ids=lambda path: path.stem)
def test_readings_equal_the_replay_s_report(path):
    run = replay(path)
    runner = run.runner
    found = readings(runner.engine, runner.mono_ms(runner.now_ms) // 1000)
    compared = 0
    for name, ours, theirs in both(found, run.report):
        assert ours == theirs, name
        compared += 1
    assert compared > 100
