"""Finds out what is wrong between this computer and a C12.18 device: one cause, one cure each."""

import statistics
import time
from dataclasses import asdict, dataclass, field

from endpoint.optical.kernels import crc16
from wattline.errors import RunError, WattlineError
from wattline.optical.decode import Decoder
from wattline.optical.listener import Listener
from wattline.optical.port import OpticalPort
from wattline.optical.session import Refused, Session

OK, WARNING, FAILED, UNKNOWN = "ok", "warning", "failed", "unknown"
_ACK, _NAK, _STP = 0x06, 0x15, 0xEE
_IDENTIFY = bytes.fromhex("ee0000000001201310")
_TERMINATE = bytes.fromhex("ee0020000001210b61")  # toggle 1, so that it is no repetition
_BAUD = 9600
OTHER_BAUDS = (1200, 2400, 4800, 14400, 19200, 28800, 38400, 57600, 115200, 300, 600)
_ANSWER_S = 2.2  # the response time-out, and some
_SEARCH_S = 0.6
_AFTER_S = 0.15  # silence that ends an answer
_IDLE_S = 0.5
_BASE_S = 7.0  # after so much silence every device is in its Base state
_BITS_PER_BYTE = 10
_POWERS = ((True, True), (True, False), (False, True), (False, False))
_BAD_SHARE = 0.02  # of packets, from which a link is called bad
_SLOW_MS = 500
_TABLES = (0, 1, 5)
_MOST_SESSIONS = 1000


@dataclass
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
    state : str
        ``ok``, ``warning`` (usable all the same), ``failed`` or ``unknown``.
    text : str
        What was seen; for a warning or failure, the cause.
    cure : str
        What to do; empty if there is nothing to do.
    """

    check: str
    state: str
    text: str
    cure: str = ""


@dataclass
class Statistics:
    """What was counted over all sessions."""

    sessions: int = 0
    good_sessions: int = 0
    packets: int = 0
    damaged: int = 0
    naks: int = 0
    repeated: int = 0
    noise_bytes: int = 0
    answer_ms: list = field(default_factory=list)

    def as_dict(self):
        """Return what JSON shows."""
        found = asdict(self)
        times = found.pop("answer_ms")
        found["ack_ms"] = (
            {
                "least": round(min(times), 3),
                "median": round(statistics.median(times), 3),
                "most": round(max(times), 3),
            }
            if times
            else None
        )
        return found


class Probe:
    """One diagnosis.

    Parameters
    ----------
    name : str
        The port.
    sessions : int
        How many sessions the statistics run over.
    tell : callable(Finding) or None
        Called with each finding as it is made.
    """

    def __init__(self, name, sessions=5, tell=None):
        if not 1 <= sessions <= _MOST_SESSIONS:
            raise WattlineError(f"Take 1 to {_MOST_SESSIONS} sessions for the statistics.")
        self._name = name
        self._count = sessions
        self._tell = tell or (lambda finding: None)
        self._port = None
        self._echo = False
        self.findings = []
        self.statistics = Statistics()
        self.device = {}
        self.usable = False
        self._decoder = Decoder()
        self._asked_ns = None
        self._mark = None

    def run(self):
        """Make all checks; return whether the link is usable."""
        try:
            self._port = OpticalPort(self._name)
        except WattlineError as error:
            cause, _, cure = str(error).partition(": ")
            self._found("port", FAILED, f"{cause}.", cure)
            return False
        try:
            self._found("port", OK, f"{self._name} opens")
            if self._check():
                self._measure()
        except RunError as error:
            cause, _, cure = str(error).partition(": ")
            self._found("port", FAILED, f"{cause}.", cure)
            self.usable = False
        finally:
            self._port.close()
        return self.usable

    def _found(self, check, state, text, cure=""):
        finding = Finding(check, state, text, cure)
        self.findings.append(finding)
        self._tell(finding)

    # -- is anybody there -----------------------------------------------------------

    def _check(self):
        """Find out whether and how the device answers; return whether sessions make sense."""
        if self._port.lines:
            self._found("probe power", OK, "DTR and RTS are on")
        else:
            self._found(
                "probe power", UNKNOWN, "this port has no DTR and RTS to power a head with"
            )
        self._listen()
        answer = self._identify(_ANSWER_S)
        if self._echo:
            self._found("echo", OK, "the head echoes what is sent; the echo is taken out")
        else:
            self._found("echo", OK, "none")
        return self._judge(answer)

    def _listen(self):
        """Hear what is on the line while nobody talks."""
        noise = b""
        end_s = time.monotonic() + _IDLE_S
        while (left_s := end_s - time.monotonic()) > 0:
            noise += self._port.read(left_s)
        if noise:
            self._found(
                "idle line",
                WARNING,
                f"{len(noise)} bytes in {_IDLE_S} s while nobody talks: light falls into the head",
                "shade the meter's window",
            )
        else:
            self._found("idle line", OK, "silent")

    def _identify(self, wait_s):
        """Send one Identify and return what comes back, without echo."""
        self._port.forget()
        self._port.write(_IDENTIFY)
        answer = b""
        end_s = time.monotonic() + wait_s
        while (left_s := end_s - time.monotonic()) > 0:
            data = self._port.read(left_s)
            answer += data
            rest = self._without_echo(answer)
            if _packet(rest):
                break
            if rest and rest[0] != _ACK:  # after an ACK a reply may take its time
                end_s = min(end_s, time.monotonic() + max(_AFTER_S, 40 / self._port.baud * 10))
        rest = self._without_echo(answer)
        self._echo = self._echo or len(rest) < len(answer)
        if _packet(rest):
            self._port.write(bytes([_ACK]))
            self._end_session()
        return rest

    def _end_session(self):
        """Have the device forget the Identify, or the next one is taken for its repetition."""
        self._port.write(_TERMINATE)
        answer = b""
        end_s = time.monotonic() + _ANSWER_S
        while not _packet(answer.replace(_TERMINATE, b"")):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            answer += self._port.read(left_s)
        self._port.write(bytes([_ACK]))
        self._rest(_AFTER_S)

    def _without_echo(self, data):
        if data.startswith(_IDENTIFY):
            return data[len(_IDENTIFY) :]
        return data

    def _judge(self, answer):
        if _packet(answer):
            self._found("baud", OK, f"answers at {_BAUD}")
            return True
        if answer[:1] == bytes([_ACK]):
            self._found(
                "session",
                WARNING,
                "acknowledges but does not answer: another session was still open",
                "nothing, the probe waits 7 s for its end",
            )
            self._rest(_BASE_S)
            return True
        if answer and all(value.bit_count() % 2 == 0 for value in answer) and _is_parity(answer):
            self._found(
                "parity",
                FAILED,
                "bytes come with seven bits and even parity",
                "set port and head to 8 bits without parity",
            )
            return False
        if answer[:1] == bytes([_NAK]):
            self._found(
                "framing",
                WARNING,
                "the device received a damaged packet",
                "centre the head and clean both windows",
            )
            return True
        return self._search(answer)

    def _search(self, answer):
        """Try other powers and rates after an answer that made no sense, or none."""
        if self._port.lines:
            for dtr, rts in _POWERS[1:]:
                self._port.set_lines(dtr, rts)
                if _packet(self._identify(_SEARCH_S)):
                    on = [name for name, is_on in (("DTR", dtr), ("RTS", rts)) if is_on]
                    self._found(
                        "probe power",
                        FAILED,
                        f"the head works only with {' and '.join(on) or 'both lines off'}",
                        "use a cable that wires DTR and RTS as the head wants",
                    )
                    return False
            self._port.set_lines(True, True)
        for baud in OTHER_BAUDS:
            try:
                self._port.set_baud(baud)
            except (OSError, ValueError):
                continue
            if _packet(self._identify(max(_SEARCH_S, 40 * _BITS_PER_BYTE / baud))):
                self._found(
                    "baud",
                    FAILED,
                    f"the device answers at {baud} baud instead of {_BAUD}",
                    f"set the head's or converter's fixed rate to {_BAUD}",
                )
                return False
        self._port.set_baud(_BAUD)
        answer = answer or self._identify(_ANSWER_S)
        if _packet(answer):
            return True
        if answer:
            self._found(
                "framing",
                FAILED,
                f"{len(answer)} bytes came that are no C12.18: the device speaks something else",
                "check that this is the meter's ANSI optical port",
            )
        elif self._echo:
            self._found(
                "answer",
                FAILED,
                "the head hears itself, the device says nothing: its light does not get there",
                "turn the head so that its cable points down and its magnet holds",
            )
        else:
            self._found(
                "answer",
                FAILED,
                "nothing comes at any rate: the head has no power or is not before a meter",
                "check the head's supply and put it on the meter",
            )
        return False

    def _rest(self, seconds):
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._port.read(left_s)

    # -- how good is it -------------------------------------------------------------

    def _measure(self):
        """Run sessions and count; judge the counts."""
        counts = self.statistics
        listener = Listener(self._count_event, self._decoder)

        def hear(direction, data, t_ns):
            self._time(direction, data, t_ns)
            listener.hear(direction, data, t_ns)

        failures = []
        for _ in range(self._count):
            counts.sessions += 1
            session = Session(self._port, hear, self._echo)
            try:
                session.open()
                self._read(session)
                session.close()
                counts.good_sessions += 1
            except Refused as error:
                failures.append(str(error))
                session.close()
                if len(failures) > 1 and not counts.good_sessions:
                    break
        self._judge_sessions(failures)
        if counts.packets:
            self._judge_bytes()
            self._judge_time()
        self._identification()

    def _read(self, session):
        for table in _TABLES:
            try:
                self._decoder.learn(table, session.read(table))
            except Refused as error:
                if error.error >= 0x100:
                    raise

    def _count_event(self, event):
        counts = self.statistics
        if event["kind"] == "nak":
            counts.naks += 1
        elif event["kind"] == "noise":
            counts.noise_bytes += len(event["hex"]) // 2
        elif event["kind"] == "damaged":
            counts.damaged += 1
        elif event["kind"] == "packet":
            counts.packets += 1
            mark = event["direction"], event["hex"]
            if event["hex"] and mark == self._mark:
                counts.repeated += 1
            self._mark = mark

    def _time(self, direction, data, t_ns):
        if direction == "C":
            wire_ns = len(data) * _BITS_PER_BYTE * 1_000_000_000 // self._port.baud
            self._asked_ns = (
                (t_ns, wire_ns) if data[:1] == bytes([_STP]) or len(data) > 8 else None
            )
        elif self._asked_ns is not None and data[:1] == bytes([_ACK]):
            sent_ns, wire_ns = self._asked_ns
            self._asked_ns = None
            took_ns = t_ns - sent_ns
            # A pseudo terminal has no wire time.
            self.statistics.answer_ms.append((took_ns - wire_ns * (took_ns > wire_ns)) / 1e6)

    def _judge_sessions(self, failures):
        counts = self.statistics
        self.usable = counts.good_sessions == counts.sessions
        text = f"{counts.good_sessions} of {counts.sessions} sessions ended well"
        if self.usable:
            self._found("sessions", OK, text)
            return
        cause = failures[0].rstrip(".")
        bad = counts.damaged or counts.naks or counts.repeated
        cure = "centre the head and clean both windows" if bad else "see `wattline dump --log`"
        self._found("sessions", FAILED, f"{text}: {cause[0].lower()}{cause[1:]}", cure)

    def _judge_bytes(self):
        counts = self.statistics
        wrong = counts.damaged + counts.naks
        share = wrong / max(counts.packets + counts.damaged, 1)
        text = (
            f"{counts.packets} packets, {counts.damaged} damaged here, "
            f"{counts.naks} damaged there, {counts.repeated} repeated"
        )
        if share > _BAD_SHARE:
            self._found("crc", WARNING, text, "centre the head and clean both windows")
        elif counts.repeated:
            self._found("crc", WARNING, f"{text}: acknowledgements get lost", "shade the window")
        else:
            self._found("crc", OK, text)

    def _judge_time(self):
        times = self.statistics.answer_ms
        if not times:
            return
        least, middle, most = min(times), statistics.median(times), max(times)
        text = (
            f"acknowledged after {least:.1f} / {middle:.1f} / {most:.1f} ms (least, median, most)"
        )
        if middle > _SLOW_MS:
            self._found("ack time", WARNING, text, "use a converter without network in between")
        else:
            self._found("ack time", OK, text)

    def _identification(self):
        fields = {}
        for table in (1, 5):
            if table in self._decoder.data:
                found, _ = self._decoder.fields(table, self._decoder.data[table])
                fields.update({part.name: part.value for part in found})
        self.device = fields
        if fields:
            shown = ", ".join(f"{name} {value}" for name, value in fields.items())
            self._found("identification", OK, shown)
        elif self.usable:
            self._found("identification", UNKNOWN, "the device does not show ST-1 and ST-5")

    def as_dict(self):
        """Return what JSON shows."""
        return {
            "port": self._name,
            "usable": self.usable,
            "echo": self._echo,
            "findings": [asdict(finding) for finding in self.findings],
            "statistics": self.statistics.as_dict(),
            "device": self.device,
        }


def _packet(data):
    """Return whether there is a whole packet with a right CRC in `data`."""
    at = data.find(_STP)
    while at >= 0:
        packet = data[at:]
        if len(packet) >= 8:
            total = int.from_bytes(packet[4:6], "big") + 8
            if len(packet) >= total:
                crc = int.from_bytes(packet[total - 2 : total], "little")
                if crc16(packet[: total - 2], total - 2) == crc:
                    return True
        at = data.find(_STP, at + 1)
    return False


def _is_parity(data):
    """Return whether seven of the bits make sense."""
    return (data[0] & 0x7F) in (_ACK, _NAK) and any(value & 0x80 for value in data)
