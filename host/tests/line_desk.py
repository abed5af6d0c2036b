"""A module that hears and speaks without chip and waveform: the firmware's own listen task,
authority, engine, record and frame contents, between frames of 24 bytes and frames of 280 bits.
"""

import sys
import types

import numpy as np
from module_on_desk import Desk

from endpoint.line.authority import FRAME_BYTES, Authority
from endpoint.line.detector import BENCH_TONES
from endpoint.line.downlink import Downlink
from endpoint.line.frame import encode_into
from endpoint.line.mac import working_key
from endpoint.line.profile import BENCH, FRAME_SYMBOLS
from endpoint.line.seal import Seal, frame_number
from endpoint.line.uplink import Uplink
from endpoint.linestate import LineState
from endpoint.metering.rows import EVENT
from endpoint.store.layout import settings_journal
from wattline.collector.decoder import Key, decode

NOMINAL_DV = 2400
_OWNER = b"of this line"
_CYCLES_PER_S = 60


def _listen_task():
    """Return the firmware's `Listen` and `Contents`, on a timer that stands still."""
    clock = types.ModuleType("endpoint.hal.clock")
    clock.TIME_MASK, clock.timer_us = 0x3FFFFFFF, lambda: 0
    kept = sys.modules.get(clock.__name__)
    sys.modules[clock.__name__] = clock
    try:
        from endpoint.contents import Contents
        from endpoint.tasks.listen import Listen
    finally:
        if kept is None:
            del sys.modules[clock.__name__]
        else:
            sys.modules[clock.__name__] = kept
    return Listen, Contents


Listen, Contents = _listen_task()


class Poll:
    """The newest reading, as the poll task has it."""

    read_ms: int | None = None
    power_w = 3000
    voltage_dv = NOMINAL_DV


class LineDesk(Desk):
    """A desk whose module is on the line as well.

    Parameters
    ----------
    root : bytes
        Its root key.
    anchor : bytes
        Body of ANCHOR.
    seal, encrypt : bool
    fields : dict
        Settings.
    """

    def __init__(self, root, anchor, seal, encrypt, fields):
        self._root, self._anchor = root, anchor
        self._seal, self._encrypt = seal, encrypt
        self.told = []
        self.collector_key = working_key(root, 0)
        super().__init__(fields, keyed=False)

    def _compose(self):
        super()._compose()
        eid, module = self.settings["eid"], self.module
        self.poll = Poll()
        self.authority = authority = Authority(eid, self._root)
        authority.anchor(self._anchor)
        self.contents = Contents(
            module,
            self.engine,
            module.rings,
            self.poll,
            self.clock,
            BENCH,
            NOMINAL_DV,
            lambda: authority.key,
            module.rings[EVENT].next,
        )
        seal = None
        if self._seal:
            seal = Seal(authority, BENCH.frame_cycles, self._unix_s, self._encrypt)
        self.seal = seal
        self.uplink = Uplink(eid, BENCH, BENCH.first_channel(eid), None, bytearray(2048), seal)
        self.downlink = Downlink(BENCH_TONES, authority)
        state = LineState(settings_journal(self.flash), _OWNER, authority, self.downlink.transfer)
        state.open()
        self.listen = Listen(
            None,
            self.uplink,
            self.downlink,
            state,
            self.books,
            module.commands,
            self.contents,
            self.clock,
            125_000_000,
            True,
            lambda event, **fields: self.told.append((event, fields)),
        )

    def _unix_s(self):
        return self.engine.utc_s(self.clock.s()) or None

    def hear(self, frame):
        """Give the module one frame that its decoder found right; let it do what it says."""
        now_s = self.clock.s()
        utc_s = self.engine.utc_s(now_s) or None
        bound_s = self.engine.clock_bound_s(now_s)
        downlink = self.downlink
        accepted = self.authority.receive(frame[:FRAME_BYTES], now_s, utc_s, bound_s)
        if accepted:
            downlink._accepted = accepted
        while True:
            accepted = downlink.next()
            if accepted is not None:
                self.listen._act(accepted, self.listen._pace.position(0)[0])
            elif not self.authority.busy:
                break

    def speak(self):
        """Return what the collector decodes of the module's next frame, and its plain payload."""
        into = bytearray(8)
        self.contents.write(into, self.clock.ms())
        plain, cycle = bytes(into), self.clock.s() * _CYCLES_PER_S
        eid, channel = self.settings["eid"], self.uplink.channel
        check = self.seal(into, cycle) if self.seal else None
        symbols = bytearray(FRAME_SYMBOLS)
        encode_into(symbols, into, eid, channel, check)
        self.on_the_line = bytes(into)
        keys = {}
        if self.seal and self._unix_s():
            frame = frame_number(cycle, self._unix_s(), BENCH.frame_cycles)
            keys[eid] = Key(self.collector_key, frame, self._encrypt)
        received = (1 - 2 * np.frombuffer(symbols, np.int8)).astype(np.complex64)
        return decode(received, 0.01, channel, [eid], keys=keys), plain
