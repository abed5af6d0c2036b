"""Many lives of one flash: foreign content, bad pages and one cut after another."""

import runpy
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.store import WornOut
from endpoint.store.journal import RECORD_MAX_BYTES, Journal

_FLASH = runpy.run_path(
    str(Path(__file__).parents[2] / "firmware" / "tests" / "flash_model.py"),
    run_name="flash_model",
)
FlashModel, PowerCut, TEARS = (_FLASH[name] for name in ("FlashModel", "PowerCut", "TEARS"))

_BLOCKS = 3


def content(number, count):
    """Return a record that no other number has."""
    return (number.to_bytes(4, "little") * (count // 4 + 1))[:count]


def newest(flash):
    journal = Journal(flash)
    buffer = bytearray(RECORD_MAX_BYTES)
    journal.mount()
    return bytes(buffer[: journal.load(buffer)])


_LIVES = st.lists(
    st.tuples(
        st.integers(1, 40),  # commits before the end, if the power lasts
        st.integers(4, 900) | st.just(RECORD_MAX_BYTES),
        st.booleans(),  # prepare() between commits
        st.integers(1, 60),  # operation at which the power goes
        st.sampled_from(TEARS),
        st.integers(0, 1 << 16),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    lives=_LIVES,
    foreign=st.binary(max_size=64),
    bad=st.sets(st.tuples(st.integers(0, _BLOCKS - 1), st.integers(0, 15)), max_size=6),
)
def test_every_life_finds_the_last_record_or_the_one_being_written(lives, foreign, bad):
    flash = FlashModel(_BLOCKS)
    if foreign:
        copies = len(flash.data) // len(foreign) + 1
        flash.data[:] = (foreign * copies)[: len(flash.data)]
    flash.bad |= bad
    number = 0
    last = b""
    for commits, count, prepare, operation, tear, seed in lives:
        journal = Journal(flash)
        journal.mount()
        flash.cut(f"{operation}:{tear}:{seed}")
        trying = last
        try:
            for _ in range(commits):
                number += 1
                trying = content(number, count)
                journal.commit(trying, count)
                last = trying
                if prepare:
                    journal.prepare()
        except PowerCut:
            pass
        except WornOut:  # a record as long as a block needs one without a bad page
            assert count > 240
        flash.power_on()
        found = newest(flash)
        assert found in (last, trying)
        last = found
