"""One energy register of the meter: absolute readings become steps that can be believed.

Context: any. Integers only: Wh and s.
"""

import struct

from micropython import const

MODULUS_WH = const(100_000_000)  # five dials of whole kWh

# What a reading was.
ACCEPTED = const(0)
SUSPECT = const(1)
DISCONTINUITY = const(2)  # the third of three readings that agree with each other only

_AGREEING = const(3)
_SLACK_WH_S = const(36_000)  # 10 Wh of register resolution, in the units of W times s
_S_PER_H = const(3600)
_AGE_MAX_S = const(0x3FFFFFFF)  # 34 years: stays a small integer

_STATE = "<IIIIHHII"
STATE_1_BYTES = const(28)  # of record format 1
STATE_BYTES = const(32)


def is_plausible(step_wh, gap_s, cap_w):
    """Tell whether a step can have been used in `gap_s` seconds at no more than `cap_w`."""
    return abs(step_wh) * _S_PER_H <= cap_w * gap_s + _SLACK_WH_S


def signed(wh):
    """Return the image of a net register as the value nearest to zero, in Wh."""
    wh %= MODULUS_WH
    return wh - MODULUS_WH if wh > MODULUS_WH // 2 else wh


class Register:
    """The last good reading, and the readings that contradict it until they are explained.

    Parameters
    ----------
    is_net : bool
        The register runs both ways, so that its steps are signed.

    Attributes
    ----------
    baseline_wh : int
        Last good reading.
    age_s : int
        Time since then, as far as it is known.
    transients : int
        Readings that were thrown away.
    jumps : int
        Confirmed discontinuities; the last one went from `jumped_from_wh` to `jumped_to_wh`,
        and `second_wh` of its step lie between the first two readings that agreed.
    suspects : int
        Readings set aside.
    """

    def __init__(self, is_net=False):
        self._is_net = is_net
        self.transients = 0
        self.jumps = 0
        self.jumped_from_wh = 0
        self.jumped_to_wh = 0
        self.second_wh = 0
        self.suspects = 0
        self.start(0)

    def start(self, wh):
        """Follow the meter from `wh` on; nothing is credited."""
        self._drop_suspects()
        self.baseline_wh = wh % MODULUS_WH
        self.age_s = 0
        self.step_wh = 0
        self.gap_s = 0

    def _drop_suspects(self):
        self.transients += self.suspects
        self.suspects = 0
        self._first_wh = self._last_wh = self._agreed_wh = 0

    def _difference(self, earlier_wh, later_wh):
        step = (later_wh - earlier_wh) % MODULUS_WH
        return signed(step) if self._is_net else step

    def offer(self, wh, elapsed_s, cap_w):
        """Judge a reading taken `elapsed_s` after the one offered before.

        Parameters
        ----------
        wh : int
            The register, Wh, as the meter shows it.
        elapsed_s : int
            Monotonic seconds.
        cap_w : int
            Largest believable average power.

        Returns
        -------
        int
            `ACCEPTED`, `SUSPECT` or `DISCONTINUITY`. `step_wh` is what to credit and `gap_s`
            the time it took; both are 0 for a suspect.
        """
        wh %= MODULUS_WH
        self.age_s = min(self.age_s + elapsed_s, _AGE_MAX_S)
        step = self._difference(self.baseline_wh, wh)
        if is_plausible(step, self.age_s, cap_w):
            self._drop_suspects()
            self._accept(wh, step)
            return ACCEPTED
        self._suspect(wh, elapsed_s, cap_w)
        if self.suspects < _AGREEING:
            self.step_wh = 0
            self.gap_s = 0
            return SUSPECT
        self.jumps += 1
        self.jumped_from_wh = self.baseline_wh
        self.jumped_to_wh = self._first_wh
        self._accept(wh, self._agreed_wh)
        self.suspects = 0
        self._drop_suspects()
        return DISCONTINUITY

    def _accept(self, wh, step_wh):
        self.step_wh = step_wh
        self.gap_s = self.age_s
        self.baseline_wh = wh
        self.age_s = 0

    def _suspect(self, wh, elapsed_s, cap_w):
        """Set a reading aside, together with those just before it that it agrees with."""
        step = self._difference(self._last_wh, wh)
        if self.suspects and is_plausible(step, elapsed_s, cap_w):
            if self.suspects == 1:
                self.second_wh = step
            self._agreed_wh += step
        else:
            self._drop_suspects()
            self._first_wh = wh
        self._last_wh = wh
        self.suspects += 1

    def pack_into(self, buffer, offset):
        """Write `STATE_BYTES` bytes."""
        struct.pack_into(
            _STATE,
            buffer,
            offset,
            self.baseline_wh,
            self.age_s,
            self._first_wh,
            self._last_wh,
            self.suspects,
            self.jumps & 0xFFFF,
            self._agreed_wh % MODULUS_WH,
            self.transients & 0x3FFFFFFF,  # stays a small integer
        )

        struct.pack_into("<i", buffer, offset + STATE_1_BYTES, self.second_wh)

    def unpack_from(self, buffer, offset, has_second=True):
        """Take back what `pack_into` wrote; record format 1 lacks the last field."""
        (
            self.baseline_wh,
            self.age_s,
            self._first_wh,
            self._last_wh,
            self.suspects,
            self.jumps,
            agreed,
            self.transients,
        ) = struct.unpack_from(_STATE, buffer, offset)
        self._agreed_wh = signed(agreed) if self._is_net else agreed
        self.second_wh = 0
        if has_second:
            self.second_wh = struct.unpack_from("<i", buffer, offset + STATE_1_BYTES)[0]
