"""A day of the application's logic on simulated time: poll task, reader, books, commands, flash.

The poll task runs as it is. Its sleeps move the clock; on the way, whatever is due happens: the
supply's warning, a command, the power's end, another meter. The same in CPython and the VM.

Command line, for the VM: seconds to live, and the file that takes the flash afterwards.
"""

import asyncio
import sys

from flash_model import PowerCut
from optical_tables import SERIAL, FewTables
from world_house import House

from endpoint.line import command
from endpoint.meter.focus import FocusReader
from endpoint.metering import tou
from endpoint.metering.engine import CRASH, POWER, PROGRAMMED
from endpoint.optical.device import C1218Device
from endpoint.tasks import poll as poll_task

# 6 November 2027, 14:00 UTC: the clocks go back sixteen hours later, at 06:00 UTC.
START_S = 1_825_509_600
DAY_S = 86_400
_POLL_S = 60
_BYTE_US = 1042
_NEXT_SERIAL = b"SIM0000000000043"


class _Over(Exception):
    """This is all."""


class _Stopped(Exception):
    """The module stopped, its record as it was."""


class _Meter(FewTables):
    """Its registers are the house's."""

    def __init__(self, house):
        self._house = house
        self._change_ws = 0
        super().__init__(SERIAL, 0, 0)

    def size(self, table, writing):
        if table == 23:
            self.set(self._house.register_wh(), self._house.register_wh(1))
            self.tables[28] = (10 * self._house.dv + 7).to_bytes(4, "little")
        return super().size(table, writing)


class _Port:
    """A serial port with the meter behind it; no light comes out of a dark meter."""

    def __init__(self, day):
        self._day = day
        self._reply = b""
        self._at_us = 0

    def wire_us(self, count):
        return count * _BYTE_US

    def write(self, view):
        day = self._day
        device, now_ms = day.device, day.ms()
        if day.is_dark:
            return
        device.feed(bytes(view), len(view), now_ms)
        self._at_us = 1000 * now_ms + self.wire_us(len(view))
        while device.tx_count:
            self._reply += bytes(device.tx[: device.tx_count])
            device.sent(now_ms)

    def readinto(self, buffer):
        arrived = (1000 * self._day.ms() - self._at_us) // _BYTE_US
        count = max(0, min(arrived, len(self._reply), len(buffer)))
        buffer[:count] = self._reply[:count]
        self._reply = self._reply[count:]
        self._at_us += count * _BYTE_US
        return count

    def drain(self, buffer):
        self._reply = b""


class _Quiet:
    """Instead of `gc`: a desktop has no need to collect at each poll."""

    @staticmethod
    def collect():
        pass


class Day:
    """One module for so many seconds; events stand at parts of that time.

    Parameters
    ----------
    seconds : int
    """

    def __init__(self, seconds):
        # A short one is the part of the day in which the clocks change.
        self.house = House(start_s=START_S + (DAY_S - seconds) * 2 // 3)
        self.house.module.settings["offset_min"] = 0
        self.house.module.settings["daylight"] = False
        self.device = C1218Device(_Meter(self.house), 128, 8, 1024)
        self.seconds = seconds
        self.is_dark = False
        self.reads = 0
        self.starts = 0
        self._events = self._plan()

    def _plan(self):
        """Return (second, what, arguments), the next last."""
        house = self.house
        code = command
        plan = []

        def at(part, what, *arguments):
            plan.append((self.seconds * part // 1000, what, arguments))

        def command_at(part, code, values=()):
            at(part, lambda: house.do(code, values))

        command_at(3, code.SET_ZONE, (64 - 5 * 4, 1))
        at(4, self._sync)
        at(10, lambda: house.do_text(bytes((code.SCHEDULE,)) + _tariff()))
        command_at(15, code.SCHEDULE_ACTIVATE, (7, 0))
        at(120, self._dark)
        at(123, self._lit)
        command_at(160, code.DEMAND_RESET, (1,))
        peak_s = house.start_s + self.seconds * 3 // 10
        command_at(200, code.CRITICAL_PEAK, (1, peak_s, 15, 3))
        at(230, self._slow_clock)
        command_at(250, code.FREEZE, (1,))
        at(330, self._dark)
        at(332, self._stop, POWER, 400)
        at(360, self._sync)
        at(420, self._spell, 2_000)
        at(430, self._spell, 2_400)
        command_at(500, code.SET_DETENT, (0,))
        at(560, house.flash.cut, "9:bits:3")
        at(640, self._stop, CRASH, 8)
        at(645, self._sync)
        command_at(700, code.SET_DETENT, (1,))
        command_at(720, code.SET_STREAM, (1, 0))
        at(760, self._dark)
        at(764, self._lit)
        at(800, house.flash.cut, "31:first:5")
        at(860, self._sync)
        command_at(900, code.SCHEDULE_CANCEL, (9,))
        at(1000, self._end)
        plan.sort(key=lambda event: -event[0])
        return plan

    def live(self):
        """Live, start by start; return the flash."""
        house = self.house
        kept = poll_task.gc, getattr(asyncio, "sleep_ms", None)
        poll_task.gc = _Quiet
        asyncio.sleep_ms = self._sleep_ms
        cause, pause_s = PROGRAMMED, 0
        try:
            while cause is not None:
                cause, pause_s = self._one_start(cause, pause_s)
        finally:
            poll_task.gc, asyncio.sleep_ms = kept
        self.is_dark = False
        house.start(PROGRAMMED)  # its keyframe is the state at the end
        house.read()
        house.assert_nothing_lost()
        return house.flash

    def _one_start(self, cause, pause_s):
        """Run from a start to its end; return the cause of the next and the seconds until it."""
        house = self.house
        house.use(pause_s, 0)
        self.is_dark = False
        self.starts += 1
        try:
            house.start(cause)
            reader = FocusReader()
            poll = poll_task.Poll(reader, _Port(self), house.books, self, _POLL_S, _nothing, _say)
            self._poll = poll
            asyncio.run(poll.run(_nothing))
        except PowerCut:
            self.reads += self._poll.reads
            return POWER, 40
        except _Stopped as stop:
            self.reads += self._poll.reads
            return stop.args
        except _Over:
            self.reads += self._poll.reads
            return None, 0
        raise AssertionError

    def ms(self):
        """Stand for the application's clock."""
        return self.house.now_ms

    async def _sleep_ms(self, ms):
        house = self.house
        until_ms = house.true_ms + ms
        while self._events and self._events[-1][0] * 1000 <= until_ms:
            at_s, what, arguments = self._events.pop()
            self._pass(max(0, at_s * 1000 - house.true_ms))
            what(*arguments)
        self._pass(until_ms - house.true_ms)
        self.device.tick(self.ms())
        await asyncio.sleep(0)

    def _pass(self, ms):
        """Let time and, while there is light, energy pass: more of it in the evening."""
        house = self.house
        house.true_ms += ms
        if not self.is_dark:
            watts = 600 + 37 * (house.true_ms // 300_000 % 97)
            house.used_ws[0] += watts * ms // 1000
            house.used_ws[1] += 45 * ms // 1000

    # What happens.

    def _sync(self):
        self.house.sync()

    def _slow_clock(self):
        house = self.house
        house.books.time(house.utc_s - 25, 2, house.now_ms - 3000, house.now_ms)

    def _dark(self):
        self.is_dark = True
        self.house.books.dark(self.ms())

    def _lit(self):
        self.is_dark = False
        self.house.books.lit(self.ms())

    def _spell(self, dv):
        self.house.dv = dv

    def _stop(self, cause, pause_s):
        raise _Stopped(cause, pause_s)

    def _end(self):
        raise _Over


def _tariff():
    """Return a schedule that switches at each hour of the night, in which the clocks change."""
    minutes = (0, 60, 120, 180, 240, 300, 420, 720, 1020, 1320)
    table = [(minute, i % 3) for i, minute in enumerate(minutes)]
    return tou.pack(7, 4, 1, tou.EVER_DAY, [(1, 1, 0, 0, 0, 0)], [table])


def _nothing(*_):
    pass


def _say(event, **fields):
    pass


def main(seconds, path):
    """Live and leave the flash in a file."""
    day = Day(int(seconds))
    flash = day.live()
    with open(path, "wb") as file:
        file.write(flash.data)
    sys.stdout.write("%d %d\n" % (day.reads, day.starts))


if __name__ == "__main__":
    main(*sys.argv[1:])
