"""The main job: run the rig, judge every frame and every poll, leave a record."""

import random
import time

import numpy as np
from rich.console import Console

from wattline.bench.options import Options
from wattline.bench.record import TAIL_S, Poll, Record, Truth, Verdict
from wattline.bench.rig import Rig
from wattline.bench.story import Story
from wattline.bench.view import View
from wattline.collector.records import Frame, Reading
from wattline.image.build import Image
from wattline.line.scene import RATE_SPS

_STEP_S = 0.5
_OFF_S = (1.0, 5.0)
# A reading names its time to the whole second, half a second either way; the module learns of
# it up to a quarter of a second after the meter has latched it.
_NAMED_S = 0.75
# The meter's registers in a poll were latched within the session before it was told.
_SESSION_S = 3.0
_MODULUS_DKWH = 1_000_000
_WH_PER_DKWH = 100
# From here on every frame has to arrive.
_GOOD_EBN0_DB = 8.0
# A frame is announced when it is put into the ring, up to 0.6 s before it starts, and noted
# here at the end of a step.
_ANNOUNCED_S = 1.5
# From the word that a frame begins to its decoding: the ring's lead, 280 symbols, the delay of
# the collector's filters.
_FRAME_S = 0.4 + 280 * 4 / 60 + 2.0


def run_bench(options: Options, image: Image, console: Console) -> Record:
    """Run for `options.minutes` of simulated time; Ctrl-C ends it with what is known so far."""
    record = Record(options.to_json(), rate_sps=RATE_SPS)
    run = _Run(options, image, record)
    with View(record, options.minutes * 60, console) as view:
        try:
            run.go(view)
        except KeyboardInterrupt:
            record.interrupted = True
    run.conclude()
    return record


class _Run:
    def __init__(self, options: Options, image: Image, record: Record) -> None:
        self._options = options
        self._record = record
        self._rig = Rig(options, image)
        record.options["cycles_per_symbol"] = self._rig.profile.cycles_per_symbol
        self._announced: list[float] = []
        self._due = 0
        self._commits = 0
        self._rig.module.on_reset = self._reset
        self._story: Story | None = None
        self._tail: list[np.ndarray] = []
        self._started = time.monotonic()
        self._cuts = _cut_times(options)

    def go(self, view: View) -> None:
        """Boot, program and run to the end, telling `view` of everything."""
        record, rig = self._record, self._rig
        view.note("the module boots on a blank flash")
        record.identity = rig.commission()
        view.note(f"programmed: EID {rig.eid:08x}, form {self._options.form}")
        if self._options.downlink:
            self._story = Story(rig, record.claims, view.note)
        end_s = rig.now_s + self._options.minutes * 60
        while rig.now_s < end_s:
            if self._cuts and rig.now_s >= self._cuts[0][0]:
                self._cut(view, self._cuts.pop(0)[1])
            self._advance(min(_STEP_S, end_s - rig.now_s), view)

    def _advance(self, seconds: float, view: View) -> None:
        """Let time pass and judge whatever arrives in it."""
        frames, events = self._rig.step(seconds)
        self._keep()
        for event in events:
            self._event(event, view)
        for frame in frames:
            self._frame(frame, view)
        self._count_lost()
        if self._story is not None:
            self._story.step(frames)
        view.update(*self._state())

    def conclude(self) -> None:
        """Judge the run as a whole."""
        record = self._record
        record.current = np.concatenate(self._tail) if self._tail else record.current
        ebn0_db = self._options.ebn0_db
        if record.frames_lost and (ebn0_db is None or ebn0_db >= _GOOD_EBN0_DB):
            record.problems.append(
                f"{record.frames_lost} of {self._due} frames did not arrive on a line that is "
                "good enough for all"
            )
        record.problems += [
            f"at {claim.t_s:.0f} s it was not shown that {claim.text}"
            for claim in record.claims
            if not claim.holds
        ]
        if self._story is not None and not self._story.is_over and not record.interrupted:
            record.problems.append(
                "the run ended before the downlink had shown all; give more --minutes"
            )
        expected = int(record.simulated_s // self._options.poll_s)
        if len(record.polls) < expected and not record.interrupted:
            record.problems.append(
                f"the module told of {len(record.polls)} reads of the meter; {expected} were due"
            )
        if not any(v.reading_dkwh is not None for v in record.verdicts) and not record.interrupted:
            record.problems.append(
                "no reading arrived; a run needs a minute for the first one, and a line above 2 dB"
            )

    def _reset(self, cause: str) -> None:
        self._give_up_frames()
        if cause == "watchdog":
            self._record.problems.append(
                f"at {self._rig.now_s:.0f} s the module restarted by itself"
            )

    def _cut(self, view: View, off_s: float) -> None:
        module = self._rig.module
        module.power_cut()
        self._give_up_frames()
        view.note(f"POWER CUT for {off_s:.1f} s")
        # What was sent before the cut may still come out of the collector's filters.
        self._advance(off_s, view)
        module.power_on()

    def _give_up_frames(self) -> None:
        """Expect nothing of the frames under way: the module has ended them."""
        self._due -= len(self._announced)
        self._announced.clear()

    def _keep(self) -> None:
        """Note what only a simulation can know: the meter's own state and the line's tail."""
        record, rig = self._record, self._rig
        now_s = rig.now_s
        record.simulated_s = now_s
        record.host_s = time.monotonic() - self._started
        record.truths.append(
            Truth(
                now_s,
                rig.truth_wh(now_s),
                rig.meter.load.power_w(now_s),
                rig.meter.voltages_dv(rig.module.now_ns)[0] / 10,
            )
        )
        self._tail.append(rig.current)
        while sum(map(len, self._tail[1:])) >= TAIL_S * RATE_SPS:
            self._tail.pop(0)

    def _event(self, event: dict, view: View) -> None:
        if event["event"] == "frame":
            self._announced.append(self._rig.now_s - _STEP_S)
            self._due += 1
        elif event["event"] == "read":
            poll = Poll(
                self._rig.now_s,
                event["forward_wh"],
                event["reverse_wh"],
                event["total_wh"],
                event["voltage_dv"],
                event["session_ms"],
                event["commits"],
            )
            self._record.polls.append(poll)
            self._judge(poll)
            view.poll(poll)
        elif event["event"] == "moved":
            # The bus's cycle count is another: the frame under way has ended.
            self._give_up_frames()
        elif event["event"] == "no_read":
            self._record.problems.append(
                f"at {self._rig.now_s:.0f} s the module could not read the meter "
                f"(error {event['error']}, detail {event['detail']})"
            )

    def _judge(self, poll: Poll) -> None:
        """No watt-hour lost: the total is the meter's own register, to the watt-hour.

        A module that had lost its record would begin anew at that register, so the record's
        number must grow, over power cuts too.
        """
        rig = self._rig
        if poll.commits <= self._commits:
            self._record.problems.append(
                f"at {poll.t_s:.0f} s the module's record is number {poll.commits}, after "
                f"{self._commits}: the journal was lost"
            )
        self._commits = poll.commits
        early, late = rig.truth_wh(poll.t_s - _SESSION_S), rig.truth_wh(poll.t_s)
        expected = rig.billing_wh(poll.forward_wh, poll.reverse_wh)
        if poll.total_wh != expected or not early <= expected <= late:
            self._record.problems.append(
                f"at {poll.t_s:.0f} s the module holds {poll.total_wh} Wh; the meter showed "
                f"{early} to {late} Wh and answered {expected} Wh"
            )

    def _frame(self, frame: Frame, view: View) -> None:
        self._announced = [
            t_s for t_s in self._announced if not 0 <= frame.start_s - t_s < _ANNOUNCED_S
        ]
        rig, meter = self._rig, ()
        reading = frame.register_dkwh if isinstance(frame, Reading) else None
        agrees = frame.eid == rig.eid
        if reading is not None:
            if frame.named_s is not None:
                meter = tuple(
                    sorted(
                        {
                            rig.truth_wh(frame.named_s + d / 20) // _WH_PER_DKWH % _MODULUS_DKWH
                            for d in range(round(-20 * _NAMED_S), round(20 * _NAMED_S) + 1)
                        }
                    )
                )
            agrees = agrees and reading in meter
        verdict = Verdict(
            frame.kind,
            frame.start_s,
            frame.named_s,
            frame.eid,
            frame.channel,
            reading,
            meter,
            agrees,
            frame.ebn0_db,
            frame.corrected_bits,
            frame.symbols,
        )
        self._record.verdicts.append(verdict)
        view.frame(verdict)

    def _count_lost(self) -> None:
        now_s = self._rig.now_s
        while self._announced and self._announced[0] + _FRAME_S < now_s:
            self._announced.pop(0)
            self._record.frames_lost += 1

    def _state(self) -> tuple[tuple[int, int], str]:
        receiver = self._rig.receiver
        progress = receiver.progress()
        symbols = (progress[0].symbols, progress[0].of) if progress else (0, 280)
        locked = "locked" if receiver.locked else "searching the line"
        return (
            symbols,
            f"{locked}, {receiver.frequency_hz:.3f} Hz, collector knows {len(progress)}",
        )


def _cut_times(options: Options) -> list[tuple[float, float]]:
    """Return (when, how long) of every power cut, in simulated seconds, in order."""
    rng = random.Random(f"cuts {options.seed}")
    last_s = options.minutes * 60
    return sorted((rng.uniform(5.0, last_s), rng.uniform(*_OFF_S)) for _ in range(options.cuts))
