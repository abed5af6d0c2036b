"""`wattline benchmark`: everything measured once, in one run, each beside its aim."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from wattline.bench.measured import MeasuredRig, Road, travel
from wattline.bench.onchip import OnChip, measure
from wattline.bench.options import Options
from wattline.emulator import CLOCK_HZ
from wattline.emulator.benchmark import idle_speed
from wattline.emulator.compiled import CHOICE
from wattline.errors import WattlineError
from wattline.image import boards, uf2
from wattline.image.build import Image
from wattline.image.progress import Stages

_MINUTES = (2, 24 * 60)
_EARLY_MINUTES = 5
# Enough for several times what our emulator needs in simulated time.
STOCK_BUDGET_S = 60.0
_RAM_BYTES = 264 * 1024
_SYMBOL_CYCLES = 4
_LINE_HZ = 60

_IDLE_TIMES_STOCK = 100
_IDLE_TIMES_REAL = 50
_POLL_CYCLES = 4_000_000
_CHIP_SHARE = 0.05
_WIRE_SHARE = 0.95
# Half a FIFO of 32 bytes at 9600 baud.
_FIFO_MS = 16.7
_ENGINE_CYCLES = 1_000_000
_HOUR_CYCLES = 3_000_000
_YEARS = 20
_POLLS_A_DAY = 1440
_PAGE_BYTES = 256


@dataclass(frozen=True)
class Row:
    """One quantity; `met` is None where there is no aim."""

    quantity: str
    measured: str
    aim: str
    how: str
    met: bool | None = None


@dataclass
class Result:
    """Everything that was measured."""

    identity: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "identity": self.identity,
            "rows": [asdict(row) for row in self.rows],
            "values": self.values,
        }


def checked_minutes(minutes: int) -> int:
    """Return `minutes`, or raise `WattlineError`."""
    least, most = _MINUTES
    if not least <= minutes <= most:
        raise WattlineError(f"--minutes {minutes} is out of range; give {least} to {most}")
    return minutes


def run_benchmark(
    options: Options, image: Image, minutes: int, stages: Stages, stock_budget_s: float
) -> Result:
    """Measure one image, whatever is built while that takes.

    Parameters
    ----------
    options : Options
        What the rig is made of; its minutes are not used.
    image : Image
    minutes : int
        Simulated minutes of the whole road; the heap at the end is compared with that after
        five, or after one if there are no more than five.
    stages : Stages
        Where progress is shown.
    stock_budget_s : float
        CPU seconds that plain rp2040py gets for one read of the meter.
    """
    with tempfile.TemporaryDirectory(prefix="wattline-") as folder:
        own = Path(folder) / image.uf2.name
        shutil.copyfile(image.uf2, own)
        return _measure(options, replace(image, uf2=own), minutes, stages, stock_budget_s)


def _measure(
    options: Options, image: Image, minutes: int, stages: Stages, stock_budget_s: float
) -> Result:
    report = image.report
    names = ("version", "board", "git", "build_id", "micropython")
    result = Result({name: report[name] for name in names})

    stages.stage("Idle, plain rp2040py")
    stock_idle = plain_rp2040py("idle", image.uf2.read_bytes(), options.board, stock_budget_s)
    stages.stage("Idle, this emulator")
    _idle_rows(result, idle_speed(image.uf2), stock_idle)

    stock: dict[str, Any] = {}

    def read_on_stock(rig: MeasuredRig) -> None:
        stages.stage(f"One meter read, plain rp2040py (up to {stock_budget_s:.0f} s)")
        programmed = uf2.pack(rig.module.flash)
        stock.update(plain_rp2040py("read", programmed, options.board, stock_budget_s))
        stages.stage(f"The whole road, {minutes} simulated minutes")

    stages.stage("Engine and records on the chip")
    on_chip = measure(image.uf2)
    stages.stage("Blank module: first boot, programming")
    road = travel(
        MeasuredRig(options, image),
        minutes,
        advance=lambda done: stages.advance(done, minutes),
        programmed=read_on_stock,
    )
    _read_rows(result, road, stock)
    _road_rows(result, road)
    _chip_rows(result, road)
    _wire_rows(result, road)
    _engine_rows(result, on_chip)
    _flash_rows(result, road, on_chip)
    _heap_rows(result, road.heap, _EARLY_MINUTES if minutes > _EARLY_MINUTES else 1)
    _size_rows(result, report["sizes_bytes"], road.heap[-1])
    result.values["road"] = asdict(road)
    return result


def plain_rp2040py(what: str, content: bytes, board: str, budget_s: float) -> dict[str, Any]:
    """Measure rp2040py as it is, in a process that takes it as the wheel has it.

    Parameters
    ----------
    what
        `idle` or `read`; see `wattline.bench.stock`.
    content
        The UF2 file.
    board
        Tells which UART the meter is on.
    budget_s
        CPU seconds after which it ends, however far it came.
    """
    uart = boards.data(board).OPTICAL_UART
    with tempfile.TemporaryDirectory(prefix="wattline-") as folder:
        image = Path(folder) / "image.uf2"
        image.write_bytes(content)
        command = [sys.executable, "-m", "wattline.bench.stock", what]
        done = subprocess.run(
            [*command, str(image), str(uart), str(budget_s)],
            env={**os.environ, CHOICE: ""},
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)


def _idle_rows(result: Result, ours: float, measured: dict[str, Any]) -> None:
    stock = measured["speed"]
    how = "simulated s per CPU s, at the prompt, USB attached"
    result.values["idle"] = {"ours": ours, "stock": measured}
    result.rows += [
        Row("idle, this emulator", f"{ours:,.0f}", f"≥ {_IDLE_TIMES_REAL}", how,
            ours >= _IDLE_TIMES_REAL),
        Row("idle, plain rp2040py", f"{stock:.4f}", "",
            f"the same image, USB attached, from {measured['from_s']:.2f} s after reset"),
        Row("idle, ratio", f"{ours / stock:,.0f}", f"≥ {_IDLE_TIMES_STOCK}", "",
            ours / stock >= _IDLE_TIMES_STOCK),
    ]  # fmt: skip


def _read_rows(result: Result, road: Road, stock: dict[str, Any]) -> None:
    ours = road.first_read
    speed = ours.simulated_s / ours.chip_s
    result.values["stock_read"] = stock
    how = "simulated s per CPU s, from reset to the end of the first read; chip and meter"
    result.rows.append(Row("meter read, this emulator", f"{speed:.2f}", "", how))
    name = "meter read, plain rp2040py"
    if stock["done"]:
        stock_speed = stock["simulated_s"] / stock["cpu_s"]
        result.rows += [
            Row(name, f"{stock_speed:.4f}", "", "the same flash contents"),
            Row("meter read, ratio", f"{speed / stock_speed:.0f}", "", ""),
        ]
        return
    reason = ""
    if not stock["bytes_to_meter"]:
        reason = (
            "the UART's transmit interrupt does not end (pending at "
            f"{stock['uart_interrupt_pending']:.0%} of looks): "
        )
    how = (
        f"{reason}{stock['bytes_to_meter']} bytes sent in {stock['simulated_s']:.2f} simulated s "
        f"({stock['cpu_s']:.0f} CPU s); ours sends the first after {road.boot_ms / 1000:.2f}"
    )
    result.rows.append(Row(name, "cannot", "", how))


def _road_rows(result: Result, road: Road) -> None:
    cost = road.steady
    spent_s = cost.chip_s + cost.line_s + cost.collector_s
    how = "per simulated s, carrier on"
    result.rows += [
        Row("whole road", f"{cost.simulated_s / spent_s:.2f}", "≥ 1",
            "simulated s per CPU s, carrier on, a read each minute", cost.simulated_s >= spent_s),
        Row("chip, CPU s", f"{cost.chip_s / cost.simulated_s:.4f}", "",
            f"{how}; with meter and carrier edges"),
        Row("line model, CPU s", f"{cost.line_s / cost.simulated_s:.4f}", "", how),
        Row("collector, CPU s", f"{cost.collector_s / cost.simulated_s:.4f}", "", how),
        Row("frames decoded", f"{road.frames_decoded} of {road.frames_due}", "all",
            "Eb/N0 8 dB; frames begun early enough to end",
            road.frames_decoded == road.frames_due),
    ]  # fmt: skip


def _chip_rows(result: Result, road: Road) -> None:
    per_s, polls = road.quiet_cycles_per_s, len(road.sessions)
    flash_ms = road.flash_ms / polls
    share = per_s / CLOCK_HZ
    whole = (road.quiet_cycles + road.poll_cycles) / (road.quiet_s + road.poll_s) / CLOCK_HZ
    result.values["chip"] = {
        "quiet_cycles_per_s": per_s,
        "cycles_per_poll": road.cycles_per_poll,
        "share_with_reads": whole,
    }
    result.rows += [
        Row("boot, chip cycles", f"{road.boot_cycles:,}", "",
            f"from reset to the first byte to the meter, {road.boot_ms:.0f} ms"),
        Row("one poll, chip cycles", f"{road.cycles_per_poll:,.0f}", f"< {_POLL_CYCLES:,}",
            f"beyond the carrier's, mean of {polls}; {flash_ms:.1f} ms of flash each included",
            road.cycles_per_poll < _POLL_CYCLES),
        Row("one symbol, chip cycles", f"{per_s * _SYMBOL_CYCLES / _LINE_HZ:,.0f}", "",
            "66.7 ms between polls, carrier on"),
        Row("share of the chip", f"{share:.2%}", f"< {_CHIP_SHARE:.0%}",
            f"between polls, carrier on; {whole:.2%} with a read each minute",
            share < _CHIP_SHARE),
    ]  # fmt: skip


def _wire_rows(result: Result, road: Road) -> None:
    sessions = road.sessions
    count = len(sessions)
    session_ms = sum(s.session_ms for s in sessions) / count
    wire_ms = sum(s.wire_ms for s in sessions) / count
    sent = sum(s.wire_bytes for s in sessions) / count
    share = wire_ms / session_ms
    result.rows += [
        Row("poll session", f"{session_ms:.0f} ms", "",
            f"mean of {count}; {sent:.0f} bytes, which take {wire_ms:.0f} ms at 9600 baud"),
        Row("share of the wire", f"{share:.1%}", f"≥ {_WIRE_SHARE:.0%}",
            "of a steady poll's time, both directions", share >= _WIRE_SHARE),
    ]  # fmt: skip
    for name, worst_ms in road.fifo_wait_ms.items():
        result.rows.append(
            Row(f"byte in the FIFO, {name}", f"{worst_ms:.2f} ms", f"≤ {_FIFO_MS}",
                "longest wait of the whole run; at its end both UARTs receive through a commit",
                worst_ms <= _FIFO_MS),
        )  # fmt: skip


def _engine_rows(result: Result, cost: OnChip) -> None:
    steady, hour = cost.steady(cost.engine), cost.at_hours(cost.engine)
    parts = ", ".join(f"{name} {cost.steady(each):,.0f}" for name, each in cost.parts.items())
    commit = sum(cost.commits) / len(cost.commits)
    result.values["engine"] = asdict(cost)
    result.rows += [
        Row("engine, one poll", f"{steady:,.0f}", f"< {_ENGINE_CYCLES:,}",
            f"chip cycles: {parts}", steady < _ENGINE_CYCLES),
        Row("engine, an hour's end", f"{hour:,.0f}", f"< {_HOUR_CYCLES:,}",
            "chip cycles of that poll: hour, quarter, demand", hour < _HOUR_CYCLES),
        Row("engine, RAM", f"{cost.ram_bytes:,}", "", "bytes of heap for its state"),
        Row("books, one poll", f"{cost.steady(cost.books):,.0f}", "",
            f"engine, log, rows, record; {cost.at_hours(cost.books):,.0f} at the hour's end; "
            "waiting for the flash included"),
        Row("commit, chip cycles", f"{commit:,.0f}", "",
            f"{cost.record_bytes:,} bytes, worst {max(cost.commits):,}; waiting included"),
    ]  # fmt: skip


def _flash_rows(result: Result, road: Road, cost: OnChip) -> None:
    polls = len(road.sessions)
    a_day = road.programs / polls * _POLLS_A_DAY * _PAGE_BYTES
    result.rows += [
        Row("flash, bytes a day", f"{a_day:,.0f}", "",
            f"{road.programs / polls:.1f} pages a poll in this run, log and rows included"),
        Row("flash, years", f"{cost.years:.0f}", f"> {_YEARS}",
            f"to {100_000:,} erases of each of the journal's {cost.journal_blocks} blocks",
            cost.years > _YEARS),
    ]  # fmt: skip


def _heap_rows(result: Result, heap: list[dict[str, Any]], early_minute: int) -> None:
    early = next(sample for sample in heap if sample["minute"] == early_minute)
    late = heap[-1]
    minute = late["minute"]
    grown = late["heap_used"] - early["heap_used"]
    seen = sorted({sample["heap_used"] for sample in heap if sample["minute"] >= early_minute})
    how = (
        f"bytes after {early_minute} and after {minute} min, collected first; "
        f"{seen[0]:,} to {seen[-1]:,} at the full minutes between"
    )
    result.rows += [
        Row("heap in use", f"{early['heap_used']:,} / {late['heap_used']:,}", "equal", how,
            grown == 0),
        Row("heap free", f"{early['heap_free']:,} / {late['heap_free']:,}", "equal",
            f"the same; difference {early['heap_free'] - late['heap_free']}",
            early["heap_free"] == late["heap_free"]),
        Row("commits", str(late["commits"]), "", f"records in the journal after {minute} min; "
            f"{late['reads']} reads, {late['read_failures']} failed"),
    ]  # fmt: skip


def _size_rows(result: Result, sizes: dict[str, int], heap: dict[str, Any]) -> None:
    outside = _RAM_BYTES - heap["heap_used"] - heap["heap_free"]
    result.values["sizes_bytes"] = sizes
    result.rows += [
        Row("image in flash", f"{sizes['flash']:,}", "", "bytes"),
        Row("of it frozen Python", f"{sizes['frozen']:,}", "", "bytes"),
        Row("RAM before the heap", f"{outside:,}", "",
            f"bytes: all RAM less the heap; with stacks and heap tables; {sizes['bss']:,} bss"),
    ]  # fmt: skip
