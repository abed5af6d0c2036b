"""Both ways over waveforms: commands through the converter, answers through the carrier."""

import pytest
from station import BOARD

from endpoint.line import payload
from endpoint.line.command import DEMAND_RESET, DONE, pack
from endpoint.metering import rows
from endpoint.store.layout import REGION_BLOCKS, Rings
from wattline.bench.story import Story
from wattline.image import boards

ERASE_BLOCK_BYTES = 4096
_LISTENING_S = 6.0
_ANSWERED_S = 42.0
_STORY_S = 480.0


class Region:
    """The rings' part of a module's flash, to be read."""

    def __init__(self, flash):
        wiring = boards.data(BOARD)
        start = wiring.FIRMWARE_BYTES + wiring.RINGS_AT
        self._content = flash[start : start + wiring.RINGS_BYTES]

    def readblocks(self, block, buffer, offset=0):
        at = block * ERASE_BLOCK_BYTES + offset
        buffer[:] = self._content[at : at + len(buffer)]

    def ioctl(self, request, argument):
        return {4: REGION_BLOCKS, 5: ERASE_BLOCK_BYTES}.get(request, 0)


def hours(flash):
    """Return the hour rows of a module's record."""
    rings = Rings(Region(flash))
    rings.mount()
    ring, row, found = rings.rings[rows.HOUR], bytearray(40), []
    for number in range(ring.first, ring.next):
        if ring.read(number, row):
            found.append(rows.unpack(rows.HOUR, row))
    return found


def test_M8_C7_a_command_is_answered_and_a_beacon_sets_the_clock(rig):
    """One command down, its answer up; the beacon half a minute after the start."""
    made = rig(minutes=1, seed=1, noise="10", poll_s=60, downlink=True)
    events, answers, ticket = [], [], None
    while made.now_s < _ANSWERED_S:
        frames, told = made.step(0.5)
        events += told
        answers += [made.headend.hear(frame) for frame in frames]
        if ticket is None and made.now_s > _LISTENING_S:
            ticket = made.headend.send("DEMAND_RESET", pack(DEMAND_RESET, (31,)))
    assert ticket in answers
    assert ticket.result == DONE
    commands = [
        (event["code"], event["result"]) for event in events if event["event"] == "command"
    ]
    assert commands == [(DEMAND_RESET, DONE), (1, DONE)]
    # The bus's count is not the module's own: a shift of the frames tells that it was taken.
    assert [event["event"] for event in events].count("moved") == 1


@pytest.mark.soak
def test_the_whole_story(rig):
    """Gates, group, repeated reset, interrupted upload, streaming; every reading the meter's."""
    made = rig(minutes=8, seed=1, noise="10", poll_s=20, downlink=True)
    claims, heard, resets = [], [], []
    made.module.on_reset = resets.append
    story = Story(made, claims, print)
    while not story.is_over and made.now_s < _STORY_S:
        frames, _ = made.step(0.5)
        heard += frames
        story.step(frames)
    assert story.is_over
    assert [claim.text for claim in claims if not claim.holds] == []
    assert len(claims) >= 11
    assert resets == ["run"]
    recorded = {row["register_wh"] // 100 for row in hours(made.module.flash)}
    streamed = [f for f in heard if f.payload[0] >> 4 == payload.STREAM_REGISTER]
    assert streamed
    assert {frame.fields["register"] for frame in streamed} <= recorded
    readings = [frame for frame in heard if frame.payload[0] >> 4 == payload.REGISTER]
    assert readings
    for reading in readings:
        shown = {made.truth_wh(reading.named_s + d / 10) // 100 for d in range(-8, 9)}
        assert reading.register_dkwh in {dkwh % 1_000_000 for dkwh in shown}
