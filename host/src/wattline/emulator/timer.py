"""The microsecond timer in integers, so that alarms neither fire early nor drift.

Source: RP2040 datasheet 4.6.
"""

from rp2040py.peripherals.timer import ALARM_REGS, TIMELR, TIMERAWH, TIMERAWL, RPTimer

_WORD = 0xFFFFFFFF


class Timer(RPTimer):
    """A 64-bit count of microseconds since the last reset, with four alarms."""

    def _micros(self):
        return int(self.clock.nanos - self._epoch_nanos) // 1000

    def read_uint32(self, offset):
        """Read a register."""
        if offset == TIMERAWL:
            return self._micros() & _WORD
        if offset == TIMERAWH:
            return self._micros() >> 32
        if offset == TIMELR:
            now_us = self._micros()
            self._latched_time_high = now_us >> 32
            return now_us & _WORD
        return super().read_uint32(offset)

    def write_uint32(self, offset, value):
        """Write a register; an alarm fires in the nanosecond in which the count reaches it."""
        if offset not in ALARM_REGS:
            super().write_uint32(offset, value)
            return
        alarm = self.alarms[ALARM_REGS.index(offset)]
        now_us = self._micros()
        due_us = now_us + ((value - now_us) & _WORD)
        alarm.armed = True
        alarm.target_micros = value & _WORD
        alarm.clock_alarm.schedule(max(0, self._epoch_nanos + due_us * 1000 - self.clock.nanos))
