"""What a person sees while the bench runs: a live panel, or lines where there is no terminal."""

from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wattline.bench.record import Poll, Record, Verdict

_SHOWN_FRAMES = 8


class View:
    """Follows a run; `update` at every step, `poll` and `frame` at every event.

    Parameters
    ----------
    record
        The record that the run fills.
    total_s
        Simulated seconds that the run will take.
    console
        Where to draw; a terminal gets the live panel, anything else plain lines.
    """

    def __init__(self, record: Record, total_s: float, console: Console) -> None:
        self._record = record
        self._total_s = total_s
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._symbols = (0, 280)
        self._line = ""

    def __enter__(self) -> "View":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, symbols: tuple[int, int], line: str) -> None:
        """Show the newest state: symbols (heard, of) of the frame on the air, and the line."""
        self._symbols, self._line = symbols, line
        if self._console.is_terminal:
            self._live.update(self._panel())

    def poll(self, poll: Poll) -> None:
        """Tell of one read of the meter."""
        self._plain(
            f"{poll.t_s:7.1f} s  module reads the meter: {poll.total_wh} Wh, "
            f"{poll.voltage_dv / 10:.1f} V, in {poll.session_ms} ms"
        )

    def frame(self, verdict: Verdict) -> None:
        """Tell of one frame at the collector."""
        what = "joins" if verdict.reading_dkwh is None else f"{verdict.reading_dkwh / 10:.1f} kWh"
        self._plain(
            f"{self._record.simulated_s:7.1f} s  collector hears {verdict.kind} of "
            f"{verdict.eid:08x} on channel {verdict.channel}: {what}, Eb/N0 "
            f"{verdict.ebn0_db:.1f} dB{'' if verdict.agrees else '  DISAGREES WITH THE METER'}"
        )

    def note(self, text: str) -> None:
        """Tell of anything else."""
        self._plain(f"{self._record.simulated_s:7.1f} s  {text}")

    def _plain(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, highlight=False, soft_wrap=True)

    def _panel(self) -> Panel:
        record = self._record
        pace = record.simulated_s / record.host_s if record.host_s else 0.0
        head = Table.grid(padding=(0, 2))
        head.add_row(
            "time", f"{record.simulated_s:6.1f} of {self._total_s:.0f} s, {pace:.1f} × real time"
        )
        if record.truths:
            truth = record.truths[-1]
            head.add_row(
                "meter",
                f"{truth.billing_wh / 1000:.3f} kWh, {truth.power_w / 1000:.2f} kW, "
                f"{truth.voltage_v:.1f} V",
            )
        if record.polls:
            poll = record.polls[-1]
            head.add_row(
                "endpoint",
                f"{poll.total_wh / 1000:.3f} kWh read at {poll.t_s:.1f} s, "
                f"{len(record.polls)} polls",
            )
        heard, of = self._symbols
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=of, completed=heard, width=30), f"symbol {heard} of {of}")
        head.add_row("uplink", bar)
        head.add_row("line", self._line)
        return Panel(
            Group(head, Text(), frames_table(record, _SHOWN_FRAMES)), title="wattline bench"
        )


def frames_table(record: Record, last: int | None = None) -> Table:
    """Return the frames (the `last` ones), compared with the meter, as a table."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("frame", "names s", "endpoint", "kWh"):
        table.add_column(title, justify="left" if title == "frame" else "right", no_wrap=True)
    table.add_column("meter kWh", justify="right")
    for title in ("dB", "mended", ""):
        table.add_column(title, justify="right", no_wrap=True)
    for verdict in record.verdicts[-last:] if last else record.verdicts:
        table.add_row(
            verdict.kind,
            "" if verdict.t_named_s is None else f"{verdict.t_named_s:.1f}",
            f"{verdict.eid:08x}",
            "" if verdict.reading_dkwh is None else f"{verdict.reading_dkwh / 10:.1f}",
            " or ".join(f"{m / 10:.1f}" for m in _relevant(verdict)),
            f"{verdict.ebn0_db:.1f}",
            str(verdict.corrected_bits),
            "[green]agrees[/]" if verdict.agrees else "[bold red]DISAGREES[/]",
        )
    return table


def _relevant(verdict: Verdict) -> tuple[int, ...]:
    """Return the meter's value that agrees, or all it showed when none does."""
    return (verdict.reading_dkwh,) if verdict.agrees and verdict.meter_dkwh else verdict.meter_dkwh
