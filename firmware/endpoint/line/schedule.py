"""Which payload goes into the next frame, and whether what is asked for fits at all.

While hours are streamed, every hour's record is due once. Answers, events and requested
payloads go first, but where a frame takes as long as an hour they displace an hour's record;
where there are several frames an hour it waits for the next one.
What was displaced is owed: the last hour of each block of four then goes as a BLOCK, which
holds all four hours' energy. So each hour's energy arrives within four hours and a frame,
however much is asked, as long as three frames in four are enough for the rest; the displaced
hour's voltage is what is lost to the stream.

A daily digest (N6) costs no frame while streaming: it takes the place of the status in the
stream frame of the UTC day's last hour.

Context: task only. Allocates: list entries for answers and requests, both bounded.
Source: docs/phy.md, "Schedule"; rules D-7, L-6, R30-R36.
"""

from micropython import const

from endpoint.line import BudgetError
from endpoint.line.payload import (
    ACK,
    BLOCK,
    DEMAND,
    DIGEST,
    EVENT,
    JOIN,
    REGISTER,
    STATUS,
    STREAM_PROFILE,
    STREAM_REGISTER,
    TOU,
    VOLTAGE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OFF = const(0)
MODE_REGISTER = const(1)
MODE_PROFILE = const(2)

_DAY_S = const(86400)
_DAY_HOURS = const(24)
_BLOCK_HOURS = const(4)
# Of four frames that are due for streaming, three may be displaced.
_DISPLACEABLE_PER_DAY = const(18)
_SEVERAL = const(4)
_ANSWERS = const(8)
_REQUESTS = const(8)
_OWED = const(12)
# Every sixteenth frame that nothing else needs says who is speaking.
_JOIN_EVERY = const(16)
# What is sent when nothing is due: type and argument.
_CYCLE = ((REGISTER, 0), (TOU, 0), (REGISTER, 0), (TOU, 1), (DEMAND, 0), (VOLTAGE, 0), (STATUS, 0))
# Types that REQUEST may ask for.
ASKABLE = (REGISTER, BLOCK, TOU, DEMAND, VOLTAGE, DIGEST, STATUS, JOIN)


def frames_per_day_x1000(profile, line_mhz=60000, duty_permille=1000):
    """Return how many frames a profile sends in a day, times 1000."""
    return _DAY_S * line_mhz // profile.frame_cycles * duty_permille // 1000


class Schedule:
    """The order of payloads of one endpoint.

    Parameters
    ----------
    profile : Profile
        Sets how many frames there are.
    duty_permille : int
        Frames that may be sent, of 1000.

    Attributes
    ----------
    mode : int
        OFF, MODE_REGISTER or MODE_PROFILE.
    argument : int
        Goes with the type that `next` returned: the unix hour of a stream frame (its low
        bits choose the rotating part), the block, the TOU pair, the day of a digest.
    answer : tuple or None
        ``(command, result, reference, data)`` of the ACK that `next` returned.
    asked : int or None
        Number of the READ that a REGISTER answers; None when it is unasked.
    """

    def __init__(self, profile, duty_permille=1000):
        self._profile = profile
        self._duty_permille = duty_permille
        self.mode = OFF
        self.argument = 0
        self.answer: Any = None
        self.asked = None
        self._answers = []
        self._requests = []
        self._owed = []
        self._hour = None
        self._frames = 0
        self._turn = 0
        # With several frames an hour, an hour's record waits for the next one instead.
        frames = frames_per_day_x1000(profile, 60000, duty_permille)
        self._has_time = frames >= _SEVERAL * _DAY_HOURS * 1000

    # What may be asked.

    def needs_x1000(self, mode, extra=0):
        """Return ``(needed, available)`` frames per day times 1000.

        `extra` frames per day may displace up to three hours in four; what is beyond that
        needs frames of its own.
        """
        available = frames_per_day_x1000(self._profile, 60000, self._duty_permille)
        if not mode:
            return extra * 1000, available
        return (_DAY_HOURS + max(extra - _DISPLACEABLE_PER_DAY, 0)) * 1000, available

    def set_mode(self, mode):
        """Choose what is streamed.

        Raises
        ------
        BudgetError
            A frame per hour does not fit; nothing is changed. `needs_x1000` has the numbers.
        """
        if mode and mode != self.mode:
            needed, available = self.needs_x1000(mode)
            if needed > available:
                raise BudgetError
        if not mode or not self.mode:
            self._owed.clear()
            self._hour = None
        self.mode = mode

    def add_answer(self, command, result, reference, data=0):
        """Queue an ACK; the oldest is dropped when eight wait. The same one waits once."""
        entry = (command, result, reference, data)
        if entry in self._answers:
            return
        if len(self._answers) == _ANSWERS:
            self._answers.pop(0)
        self._answers.append(entry)

    def add_read(self, number):
        """Queue a REGISTER that answers READ `number`; raise BudgetError when it cannot wait."""
        self._add(REGISTER, 0, 1, number)

    def add_request(self, frame_type, first, count):
        """Queue `count` frames of a type; `first` as for `argument`.

        Raises
        ------
        BudgetError
            The type cannot be asked for, eight requests wait already, or the frames waiting
            are more than a day can carry beside the stream.
        """
        if frame_type not in ASKABLE:
            raise BudgetError
        self._add(frame_type, first, count, None)

    def _add(self, frame_type, first, count, number):
        extra = self.waiting + count
        needed, available = self.needs_x1000(self.mode, extra)
        if len(self._requests) == _REQUESTS or needed > available:
            raise BudgetError
        self._requests.append([frame_type, first, count, number])

    @property
    def waiting(self):
        """Requested frames not sent yet."""
        total = 0
        for entry in self._requests:
            total += entry[2]
        return total

    # What goes next.

    def next(self, hour, events=0):
        """Choose the next frame's type; `argument`, `answer` and `asked` go with it.

        Parameters
        ----------
        hour : int or None
            Unix hour of the newest complete record (its beginning / 3600); None while the
            time is unknown.
        events : int
            Events that wait to be sent.
        """
        self.answer = self.asked = None
        self.argument = 0
        self._frames += 1
        due = self._note(hour)
        if due and hour % _BLOCK_HOURS == _BLOCK_HOURS - 1 and hour // _BLOCK_HOURS in self._owed:
            self._hour = hour
            return self._block(hour // _BLOCK_HOURS)
        frame_type = self._urgent(events)
        if frame_type is None and self._has_old_debt(hour):
            frame_type = self._block(self._owed[0])
        if frame_type is not None:
            if due and not self._has_time:
                self._hour = hour
                self._owe(hour)
            return frame_type
        if due:
            self._hour = hour
            self.argument = hour
            return STREAM_PROFILE if self.mode == MODE_PROFILE else STREAM_REGISTER
        return self._unasked()

    def _note(self, hour):
        """Return whether an hour's record is due; owe the hours that were jumped over."""
        if not self.mode or hour is None:
            return False
        if self._hour is None:
            return True
        missed = min(hour - self._hour - 1, _DAY_HOURS)
        for i in range(missed):
            self._owe(hour - missed + i)
        return hour > self._hour

    def _owe(self, hour):
        block = hour // _BLOCK_HOURS
        if block not in self._owed:
            if len(self._owed) == _OWED:
                self._owed.pop(0)
            self._owed.append(block)

    def _has_old_debt(self, hour):
        """Return whether a block is owed that is complete but missed its own last hour."""
        return bool(self._owed) and hour is not None and self._owed[0] < hour // _BLOCK_HOURS

    def _block(self, block):
        self._owed.remove(block)
        self.argument = block
        return BLOCK

    def _urgent(self, events):
        if self._answers:
            self.answer = self._answers.pop(0)
            return ACK
        if events:
            return EVENT
        if not self._requests:
            return None
        entry = self._requests[0]
        frame_type, self.argument, _, self.asked = entry
        entry[1] += 1
        entry[2] -= 1
        if not entry[2]:
            self._requests.pop(0)
        return frame_type

    def _unasked(self):
        if self._frames % _JOIN_EVERY == 1:
            return JOIN
        frame_type, self.argument = _CYCLE[self._turn]
        self._turn = (self._turn + 1) % len(_CYCLE)
        return frame_type


def carries_digest(hour):
    """Return whether the stream frame of an hour carries the day's digest for its status."""
    return hour % _DAY_HOURS == _DAY_HOURS - 1
