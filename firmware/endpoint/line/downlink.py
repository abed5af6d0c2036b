"""The downlink as one thing: samples in, commands that may be executed out.

    downlink = Downlink(BENCH_TONES, authority)
    downlink.feed(samples, cycles, uptime_s, now_unix_s, bound_s)
    while True:
        accepted = downlink.next()
        if accepted is None:
            break
        ...  # commit authority.state_into(record), execute, authority.finished(…)

Transfers are put together here; what comes out is always a whole command.

Context: task only. Allocates: when a frame is complete; nothing per cycle.
Source: docs/phy.md, "Downlink"; docs/authority.md.
"""

from endpoint.line import CommandError
from endpoint.line.authority import FRAME_BYTES as _JUDGED_BYTES
from endpoint.line.authority import INDIVIDUAL, PORT
from endpoint.line.command import (
    INDIVIDUAL_ONLY,
    TRANSFER_BEGIN,
    TRANSFER_PART,
    arguments,
)
from endpoint.line.detector import COUNT_MASK, Detector
from endpoint.line.framing import FRAME_BYTES, decode_into
from endpoint.line.transfer import Transfer


class Downlink:
    """Detector, decoder, authority and transfers of one endpoint.

    Parameters
    ----------
    tones : Tones
        How the collector sends.
    authority : Authority
        Who decides.

    Attributes
    ----------
    detector : Detector
    transfer : Transfer
        The long command under way, if any; its `state` may be stored.
    frames, broken : int
        Frames with a right and with a wrong CRC, since start.
    """

    def __init__(self, tones, authority):
        self.detector = Detector(tones)
        self.authority = authority
        self.transfer = Transfer()
        self.frames = 0
        self.broken = 0
        self._frame = bytearray(FRAME_BYTES)
        self._accepted = None
        self._frame_s = tones.frame_cycles // 60 + 1
        self._beacon_cycle = 0

    def feed(self, samples, cycles, uptime_s, now_unix_s=None, bound_s=0):
        """Take whole line cycles; stop early when a frame is complete.

        Parameters
        ----------
        samples : bytes-like
            64 little-endian 16-bit codes per cycle.
        cycles : int
            How many cycles.
        uptime_s, now_unix_s, bound_s
            As for `Authority.receive`; of the end of these samples.

        Returns
        -------
        int
            Cycles taken. When fewer than given, ask `next` and feed the rest.
        """
        taken = self.detector.feed(samples, cycles)
        if self.detector.complete:
            self._heard(uptime_s, now_unix_s, bound_s)
        return taken

    def _heard(self, uptime_s, now_unix_s, bound_s):
        if not decode_into(self._frame, self.detector.soft):
            self.broken += 1
            return
        self.frames += 1
        authority = self.authority
        walking = authority.chain.walking
        self._accepted = authority.receive(
            self._frame[:_JUDGED_BYTES], uptime_s, now_unix_s, bound_s, self._frame_s
        )
        if self._accepted:
            self._accepted.cycle = self.detector.started
        if authority.chain.walking and not walking:
            self._beacon_cycle = self.detector.started

    def next(self):
        """Return the next command that may be executed, or None.

        `Accepted.cycle` is the detector's cycle at whose beginning its frame began: a time
        in it was true `age_cycles(accepted)` line cycles ago. While `authority.busy` there is
        more to come in later calls; each costs up to 64 hashes.
        """
        accepted, self._accepted = self._accepted, None
        if accepted is None:
            accepted = self.authority.work()
            if accepted:
                accepted.cycle = self._beacon_cycle
        return self.assembled(accepted) if accepted else None

    def age_cycles(self, accepted):
        """Return how many line cycles ago the frame of a command began (C-7)."""
        return (self.detector.cycle - accepted.cycle) & COUNT_MASK

    def assembled(self, accepted):
        """Put transfers together; also for commands from the port.

        A BEGIN or PART comes back as it is, with `fault` set if it was refused, so that it can
        be answered; the PART that completes a body comes back as the body's command.
        """
        code = accepted.command[0]
        if accepted.repeated or code not in (TRANSFER_BEGIN, TRANSFER_PART):
            return accepted
        individual = accepted.source in (INDIVIDUAL, PORT)
        try:
            fields = arguments(accepted.command)
            if code == TRANSFER_BEGIN:
                if fields["kind"] in INDIVIDUAL_ONLY and not individual:
                    raise CommandError
                self.transfer.begin(
                    individual,
                    fields["transfer"],
                    fields["kind"],
                    fields["length"],
                    fields["check"],
                )
            else:
                whole = self.transfer.part(
                    individual,
                    fields["transfer"],
                    fields["index"],
                    fields["data"].to_bytes(7, "big"),
                )
                if whole:
                    accepted.command = whole
        except CommandError:
            accepted.fault = True
        return accepted
