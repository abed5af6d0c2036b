"""Hears the collector: samples of the line in, commands out to whoever carries them out.

Order of every command: its acceptance is stored, then it is executed, then its result is
stored and queued as an answer. A command whose execution may write flash waits until neither
meter nor programming port talk.
"""

import asyncio

from micropython import const

from endpoint.hal.clock import TIME_MASK, timer_us
from endpoint.line import AuthorityError, CommandError
from endpoint.line.authority import BEACON
from endpoint.line.command import (
    ANCHOR,
    BAD_ARGUMENT,
    BODIES,
    DOES_NOT_FIT,
    DONE,
    FAILED,
    KEY_CHANGE,
    PENDING,
    READ,
    REQUEST,
    SET_GROUP,
    SET_TIME,
    TRANSFER_BEGIN,
    TRANSFER_PART,
    TRANSFER_QUERY,
    arguments,
)
from endpoint.line.detector import COUNT_MASK, CYCLE_SAMPLES
from endpoint.line.loop import CYCLES_FOLD
from endpoint.line.pace import Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STEP_MS = const(240)
# The converter has taken its first samples by then.
_START_MS = const(2)
_BATCH_CYCLES = const(16)
_CYCLE_BYTES = const(128)  # 64 samples
_MHZ = const(1_000_000)
# Without an edge for so long there is no line, whatever the loop last said of it.
_EDGE_US = const(900000)
# Commands that wait for quiet; a frame takes seven seconds, a read of the meter two.
_HELD = const(8)
# How wrong a named time may be: the whole second of the engine's clock, and in a beacon the
# fraction, which nothing proves.
_BOUND_S = const(1)
_BEACON_BOUND_S = const(2)
_Q8_MS = const(1000)


class Listen:
    """The downlink task. Context: task only.

    Parameters
    ----------
    sampler : LineSampler
    uplink : Uplink
        Its loop leads the sampler; it takes over the bus's cycle count.
    downlink : Downlink
    state : LineState
        Already opened.
    books : Books
    commands : Commands
    contents : Contents
        Takes answers and requests.
    clock : Monotonic
    clock_hz : int
        System clock.
    has_key : bool
        Without a key of its own a module takes the time and nothing else.
    say : callable
        Told of every command.

    Attributes
    ----------
    is_quiet : callable
        Tells whether a flash erase would do no harm now.
    commands_taken : int
        Since start.
    """

    def __init__(
        self,
        sampler,
        uplink,
        downlink,
        state,
        books,
        commands,
        contents,
        clock,
        clock_hz,
        has_key,
        say,
    ):
        self._sampler = sampler
        self._uplink = uplink
        self._downlink = downlink
        self._state = state
        self._books = books
        self._commands = commands
        self._contents = contents
        self._clock = clock
        self._has_key = has_key
        self._say = say
        self._pace = Pace(uplink.loop, clock_hz // _MHZ)
        self._samples = bytearray(_BATCH_CYCLES * _CYCLE_BYTES)
        self._view = memoryview(self._samples)
        self._is_running = False
        self._epoch = 0
        self._base = 0
        self._held = []
        self.is_quiet: Any = _always
        self.commands_taken = 0

    async def run(self, beat):
        """Listen for ever."""
        while True:
            beat()
            await asyncio.sleep_ms(_STEP_MS)
            if not self._has_line():
                self._end()
            elif not self._is_running:
                self._sampler.start(self._pace.divider)
                await asyncio.sleep_ms(_START_MS)
                self._begin()
            else:
                self._step()
            if self._held and self.is_quiet():
                self._act(*self._held.pop(0))
            elif self.is_quiet():
                self._state.prepare()

    def stop(self):
        """Release the converter."""
        self._end()

    def report(self):
        """Return the part of the status that is about the downlink."""
        downlink = self._downlink
        authority = downlink.authority
        return {
            "listening": self._is_running,
            "down_frames": downlink.frames,
            "down_broken": downlink.broken,
            "down_forged": authority.forged,
            "down_refused": authority.refused,
            "down_commands": self.commands_taken,
            "down_samples_lost": self._sampler.lost,
            "down_state_failures": self._state.failures,
        }

    def _has_line(self):
        loop = self._uplink.loop
        return loop.locked and (timer_us() - loop.now_us) & TIME_MASK < _EDGE_US

    def _end(self):
        if self._is_running:
            self._sampler.stop()
            self._is_running = False

    def _begin(self):
        """Lay the cycles of samples on those of the line; what comes next does not follow on."""
        sampler, pace, detector = self._sampler, self._pace, self._downlink.detector
        sampler.steer(pace.divider)
        sampler.skip(pace.begin(timer_us(), sampler.skip_all()))
        detector.reset()
        self._base = detector.cycle
        self._epoch = self._uplink.loop.epoch
        self._is_running = True

    def _step(self):
        """Steer, take what waits, and hear it."""
        sampler = self._sampler
        if sampler.worn and not self._downlink.detector.receiving:
            self._end()
            return
        divider = self._pace.steer(timer_us(), sampler.count())
        waiting = sampler.pending()
        if not divider or waiting < 0 or self._epoch != self._uplink.loop.epoch:
            self._begin()
            return
        sampler.steer(divider)
        cycles = waiting // CYCLE_SAMPLES
        while cycles > 0:
            count = min(cycles, _BATCH_CYCLES)
            sampler.take(self._samples, count * CYCLE_SAMPLES)
            self._feed(count)
            cycles -= count
        self._hear()

    def _feed(self, count):
        engine, downlink = self._books.engine, self._downlink
        now_s = self._clock.s()
        utc_s = engine.utc_s(now_s) or None
        bound_s = engine.clock_bound_s(now_s)
        done = downlink.feed(self._view, count, now_s, utc_s, bound_s)
        while done < count:
            self._hear()
            rest = self._view[done * _CYCLE_BYTES :]
            done += downlink.feed(rest, count - done, now_s, utc_s, bound_s)

    def _hear(self):
        """Keep what may be executed until it is quiet; one part of a long proof at a time."""
        accepted = self._downlink.next()
        while accepted is not None:
            if (self._has_key or accepted.source == BEACON) and len(self._held) < _HELD:
                block = (accepted.cycle - self._base) & COUNT_MASK
                self._held.append((accepted, self._pace.cycle_of(block)))
            accepted = self._downlink.next()

    def _act(self, accepted, cycle):
        """Store the acceptance, execute, store the result, answer."""
        code = accepted.command[0]
        data = 0
        is_body = code in BODIES
        if is_body:
            self._downlink.transfer.hand_over(False)
        if accepted.repeated:
            result = accepted.result
        elif not self._state.commit():
            # What could not be noted could be executed again: it is not executed at all.
            result = FAILED
        else:
            try:
                result, data = self._run(code, accepted, cycle)
            except CommandError:
                result = BAD_ARGUMENT
            except OSError:  # of the file system
                result = FAILED
            self.commands_taken += 1
            if is_body:
                self._downlink.transfer.hand_over(True)
            if accepted.source != BEACON:
                self._downlink.authority.finished(accepted, result)
                self._state.commit()
        if accepted.source != BEACON and not _is_silent(code, result):
            self._contents.schedule.add_answer(code, result, accepted.reference, data)
        self._say("command", code=code, result=result, repeated=accepted.repeated)

    def _run(self, code, accepted, cycle):
        """Carry a command out; return its result and what the answer says beside it."""
        text = accepted.command
        if code in (SET_GROUP, KEY_CHANGE):
            return DONE, 0  # the authority has seen to it
        if code == SET_TIME:
            return self._set_time(arguments(text), cycle, accepted.source), 0
        if code in (TRANSFER_BEGIN, TRANSFER_PART, TRANSFER_QUERY):
            return self._transfer(code, text, accepted.fault)
        if code == ANCHOR:
            try:
                self._downlink.authority.anchor(text[1:])
            except AuthorityError:
                return BAD_ARGUMENT, 0
            return DONE, 0
        if code == READ:
            fits = self._contents.read(arguments(text)["request"])
            return DONE if fits else DOES_NOT_FIT, 0
        if code == REQUEST:
            fields = arguments(text)
            fits = self._contents.request(fields["frame_type"], fields["first"], fields["count"])
            return DONE if fits else DOES_NOT_FIT, 0
        return self._books.command(text, self._commands.run, self._clock.ms()), 0

    def _transfer(self, code, text, is_refused):
        transfer = self._downlink.transfer
        data = transfer.report(text[1])
        if is_refused:
            return BAD_ARGUMENT, data
        return DONE if code == TRANSFER_QUERY else PENDING, data

    def _set_time(self, fields, cycle, source):
        """Take a time that was true when line cycle `cycle` began, and the bus's name for it."""
        pace, uplink = self._pace, self._uplink
        now_ms = self._clock.ms()
        now_cycle, sample = pace.position(timer_us())
        samples = (now_cycle - cycle) % CYCLES_FOLD * CYCLE_SAMPLES + sample
        age_ms = samples * uplink.loop.period_x1024 // (CYCLE_SAMPLES * 1024 * 1000)
        at_ms = now_ms - age_ms - (fields["fraction_q8"] * _Q8_MS >> 8)
        bound_s = _BEACON_BOUND_S if source == BEACON else _BOUND_S
        # The engine counts whole seconds: the nearest one.
        self._books.time(fields["unix_s"], bound_s, at_ms + 500, now_ms)
        was_sending = uplink.carrier.sending
        moved = uplink.synchronise(cycle, fields["cycle"])
        if was_sending and not uplink.carrier.sending:
            self._contents.again()
        if moved:
            pace.shift(moved)
            self._say("moved", cycles=moved)
        return DONE


def _is_silent(code, result):
    """Return whether the answer is another frame, or one at the end of many like it."""
    return (code in (READ, REQUEST) and result == DONE) or (
        code == TRANSFER_PART and result == PENDING
    )


def _always():
    return True
