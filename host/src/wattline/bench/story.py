"""What the bench shows of the downlink: one exchange after the other, each judged.

A script in simulated time: it queues commands at the head-end, waits for what the collector
hears, resets the module in the middle of an upload, and notes for each claim whether it held.
"""

from collections.abc import Callable, Iterator
from typing import Any

from endpoint.line import payload
from endpoint.line.command import (
    ALREADY_DONE,
    DEMAND_RESET,
    DONE,
    EXTREME_MAXIMUM,
    FREEZE,
    PENDING,
    SCHEDULE,
    SCHEDULE_ACTIVATE,
    SET_GROUP,
    STREAM_REGISTER,
    TRANSFER_QUERY,
    pack,
)
from endpoint.metering import tou
from wattline.bench.headend import Ticket
from wattline.bench.record import Claim
from wattline.bench.rig import Rig
from wattline.collector.records import Frame
from wattline.downlink import frames
from wattline.errors import WattlineError

# An answer waits for the frame under way, for those queued before it, and takes one itself.
_ANSWER_S = 170.0
_TIME_S = 120.0
_STREAM_S = 200.0
# A module that has just started is listening by then.
_BOOT_S = 6.0
# A frame of the downlink and what follows it in the module.
_FRAME_S = 9.0
_GROUP = 7
_RESET = 4711
_TRANSFER = 9
_SCHEDULE = 2026
_WH_PER_STEP = 100
_MODULUS = 1_000_000
_HOUR_S = 3600


def schedule_body() -> bytes:
    """Return a schedule of two rates: B from 16:00 to 21:00 UTC on weekdays, else A."""
    seasons = [(1, 1, 0, 1, 1, 1)]
    tables = [[(0, 0), (16 * 60, 1), (21 * 60, 0)], [(0, 0)]]
    return tou.pack(_SCHEDULE, 2, 0, tou.EVER_DAY, seasons, tables)


class Story:
    """The exchanges of one run.

    Parameters
    ----------
    rig : Rig
        Commissioned, with a head-end.
    claims : list of Claim
        Receives what was shown.
    note : callable
        Told of every claim in words.
    """

    def __init__(self, rig: Rig, claims: list[Claim], note: Callable[[str], None]) -> None:
        if rig.headend is None:
            raise WattlineError("this rig has no head-end: make it with downlink=True")
        self._rig = rig
        self._headend = rig.headend
        self._claims = claims
        self._note = note
        self._frames: list[Frame] = []
        self._script = self._play()
        self._first_half: list[Ticket] = []
        self.is_over = False

    def step(self, heard: list[Frame]) -> None:
        """Go on with what the collector has heard since the last call."""
        for frame in heard:
            self._frames.append(frame)
            ticket = self._headend.hear(frame)
            if ticket is not None:
                self._note(f"answer to {ticket.text}: {_words(ticket)}")
        if not self.is_over:
            self.is_over = next(self._script, True) is True

    def _claim(self, text: str, holds: bool, detail: Any = "") -> None:
        self._claims.append(Claim(self._rig.now_s, text, bool(holds), str(detail)))
        self._note(f"{'shown' if holds else 'NOT SHOWN'}: {text} {detail}".rstrip())

    def _wait(self, until: Callable[[], object], limit_s: float) -> Iterator[None]:
        end_s = self._rig.now_s + limit_s
        while not until() and self._rig.now_s < end_s:
            yield None

    def _answers(self, *tickets: Ticket) -> Iterator[None]:
        limit_s = _ANSWER_S + 20 * len(tickets)
        yield from self._wait(lambda: all(t.answer is not None for t in tickets), limit_s)

    def _play(self) -> Iterator[None]:
        headend = self._headend
        yield from self._wait(lambda: False, _BOOT_S)
        self._gates()
        group = headend.send("SET_GROUP", pack(SET_GROUP, (0, _GROUP)))
        reset = pack(DEMAND_RESET, (_RESET,))
        first, second = headend.send("DEMAND_RESET", reset), headend.send("the same again", reset)
        yield from self._wait(lambda: headend.beacons > 0, _TIME_S)
        stream = headend.stream(STREAM_REGISTER, EXTREME_MAXIMUM, True, True)
        frozen = headend.send_group("FREEZE to the group", _GROUP, pack(FREEZE, (1,)))
        begun, half, parts = self._begin_upload()
        yield from self._wait(self._knows_time, _TIME_S)
        self._claim("a beacon sets the module's clock", self._knows_time())
        yield from self._answers(group, first, second, stream, frozen, begun)
        self._claim("a group is joined", group.result == DONE, _words(group))
        self._claim("a demand reset is done", first.result == DONE, _words(first))
        self._claim(
            "the same reset is known again (M-8)",
            second.result == ALREADY_DONE,
            _words(second),
        )
        self._claim("streaming is activated", stream.result == DONE, _words(stream))
        self._claim("a group command is carried out", frozen.result == DONE, _words(frozen))
        self._claim("an upload is begun", begun.result == PENDING, _words(begun))
        yield from self._go_on_with_upload(half, parts)
        yield from self._stream()

    def _knows_time(self) -> bool:
        return any(frame.fields.get("time_valid") for frame in self._frames)

    def _gates(self) -> None:
        """G-2: without both ends' ability nothing goes onto the line."""
        headend = self._headend
        before = len(headend.tickets), headend.frames_sent
        refused = 0
        for collector_can, headend_can in ((False, True), (True, False), (False, False)):
            try:
                headend.stream(STREAM_REGISTER, EXTREME_MAXIMUM, collector_can, headend_can)
            except WattlineError:
                refused += 1
        unsent = (len(headend.tickets), headend.frames_sent) == before
        self._claim(
            "streaming is refused before it is sent unless both ends can (G-2)",
            refused == 3 and unsent,
        )

    def _begin_upload(self) -> tuple[Ticket, int, list[bytes]]:
        """Send the beginning and the first half of the parts of a schedule."""
        begin, *parts = frames.transfer(_TRANSFER, SCHEDULE, schedule_body())
        half = len(parts) // 2
        begun = self._headend.send("TRANSFER_BEGIN", begin)
        self._first_half = [
            self._headend.send(f"part {i}", part) for i, part in enumerate(parts[:half])
        ]
        return begun, half, parts

    def _go_on_with_upload(self, half: int, parts: list[bytes]) -> Iterator[None]:
        """Reset the module in the middle, ask what is missing, and bring it."""
        headend, rig = self._headend, self._rig
        sent = self._first_half
        yield from self._wait(lambda: all(t.on_line is not None for t in sent), _ANSWER_S)
        last_s = max((t.on_line for t in sent if t.on_line is not None), default=0.0)
        yield from self._wait(lambda: rig.now_s > last_s + _FRAME_S, _ANSWER_S)
        self._note("the module is reset in the middle of the upload")
        rig.module.reset()
        yield from self._wait(lambda: False, _BOOT_S)
        query = headend.send("TRANSFER_QUERY", pack(TRANSFER_QUERY, (_TRANSFER,)))
        yield from self._answers(query)
        length = len(schedule_body())
        missing = frames.missing_parts(query.answer["data"], length) if query.answer else []
        self._claim(
            "the upload goes on where it was",
            missing == list(range(half, len(parts))),
            f"missing {missing}",
        )
        rest = [headend.send(f"part {i}", parts[i]) for i in missing]
        if not rest:
            return
        yield from self._answers(rest[-1])
        self._claim("the schedule arrives whole", rest[-1].result == DONE, _words(rest[-1]))
        active = headend.send("SCHEDULE_ACTIVATE", pack(SCHEDULE_ACTIVATE, (_SCHEDULE & 0xFF, 0)))
        yield from self._answers(active)
        self._claim("the schedule is activated", active.result == DONE, _words(active))

    def _stream(self) -> Iterator[None]:
        yield from self._wait(lambda: self._streams(), _STREAM_S)
        streams = self._streams()
        self._claim("an hour is streamed", bool(streams))
        for frame in streams:
            value = frame.fields["register"]
            allowed = self._register_at_hour(frame)
            self._claim(
                "the streamed register is the meter's at the hour's end",
                value in allowed,
                f"{value / 10:.1f} kWh",
            )

    def _streams(self) -> list[Frame]:
        return [f for f in self._frames if f.payload[0] >> 4 == payload.STREAM_REGISTER]

    def _register_at_hour(self, frame: Frame) -> set[int]:
        """Return what the meter's register was within a poll of the hour's end."""
        rig = self._rig
        unix_s = rig.headend.unix_at(frame.start_s) if rig.headend else 0.0
        end_unix_s = unix_s // _HOUR_S * _HOUR_S
        end_s = end_unix_s - (unix_s - frame.start_s)
        span = range(-rig.poll_s - 3, rig.poll_s + 4)
        return {rig.truth_wh(end_s + d) // _WH_PER_STEP % _MODULUS for d in span}


def _words(ticket: Ticket) -> str:
    if ticket.answer is None:
        return "no answer"
    names = {DONE: "done", ALREADY_DONE: "already done", PENDING: "pending"}
    result = ticket.answer["result"]
    return names.get(result, f"result {result}")
