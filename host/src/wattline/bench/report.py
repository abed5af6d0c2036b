"""The run as one self-contained HTML page: verdict, frames, and four pictures."""

import html
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.signal import welch

from endpoint.line.payload import REGISTER_STEP_WH
from wattline.bench.record import Record

# Colours that keep their order for readers who do not see red and green apart.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#999999"

_SHOWN_FRAMES = 8

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th { font-weight: 600; } td:first-child, th:first-child { text-align: left; }
.good { color: #00724f; } .bad { color: #b33c00; font-weight: 600; }
svg { width: 100%; height: auto; } .note { color: #555; }
"""


def write_report(record: Record, path: Path) -> Path:
    """Write `record` to `path` (folders are made); return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sections = [
        (
            "Load",
            _svg(_load(record)),
            "Power at the meter and the register it adds up to; dots are "
            "what the collector decoded, at the second each reading names.",
        ),
        ("Voltage", _svg(_voltage(record)), "Service voltage; dots are the module's reads."),
        (
            "Spectrum of the line current",
            _svg(_spectrum(record)),
            "Last minute of the collector's "
            "current input. Spikes are mains harmonics; the shaded gaps may carry endpoints.",
        ),
        (
            "Frames",
            _svg(_frames(record)),
            "Every symbol the collector decided on, after its own "
            "phase tracking; two clean clouds left and right are a healthy link.",
        ),
    ]
    body = "".join(
        f"<h2>{title}</h2>{picture}<p class=note>{note}</p>" for title, picture, note in sections
    )
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>wattline bench</title>"
        f"<style>{_STYLE}</style><h1>wattline bench</h1>{_verdict(record)}{_table(record)}{body}"
        "</html>",
        encoding="utf-8",
    )
    return path


def _verdict(record: Record) -> str:
    frames, polls = len(record.verdicts), len(record.polls)
    if record.passed and record.interrupted:
        text = (
            f"<p>Stopped before its end; the {frames} frames until then agree with the meter.</p>"
        )
    elif record.passed:
        text = f"<p class=good>All {frames} frames agree with the meter.</p>"
    else:
        reasons = [*record.problems]
        if record.disagreements:
            reasons.append(
                f"{len(record.disagreements)} of {frames} frames disagree with the meter"
            )
        text = f"<p class=bad>{html.escape('; '.join(reasons))}</p>"
    identity = ", ".join(
        f"{html.escape(str(k))} {html.escape(str(v))}" for k, v in sorted(record.identity.items())
    )
    options = ", ".join(
        f"{html.escape(str(k))} {html.escape(str(v))}" for k, v in sorted(record.options.items())
    )
    return (
        f"{text}<p>{record.simulated_s:.0f} s simulated in {record.host_s:.0f} s, {polls} polls, "
        f"{frames} frames.</p><p class=note>Module: {identity}<br>Run: {options}</p>"
    )


def _table(record: Record) -> str:
    rows = "".join(
        f"<tr><td>{v.kind}</td><td>{v.t_start_s:.1f}</td>"
        f"<td>{'' if v.t_named_s is None else f'{v.t_named_s:.1f}'}</td><td>{v.eid:08x}</td>"
        f"<td>{v.channel}</td><td>{_kwh(v.reading_dkwh)}</td>"
        f"<td>{' or '.join(_kwh(m) for m in v.meter_dkwh)}</td>"
        f"<td>{v.ebn0_db:.1f}</td><td>{v.corrected_bits}</td>"
        f"<td class={'good' if v.agrees else 'bad'}>{'yes' if v.agrees else 'NO'}</td></tr>"
        for v in record.verdicts
    )
    return (
        "<h2>What the collector heard</h2><table><tr><th>frame</th><th>starts, s</th>"
        "<th>names, s</th><th>endpoint</th><th>channel</th><th>reading, kWh</th>"
        "<th>meter, kWh</th><th>Eb/N0, dB</th><th>mended bits</th><th>agrees</th></tr>"
        f"{rows}</table>"
    )


def _kwh(dkwh: int | None) -> str:
    return "" if dkwh is None else f"{dkwh / 10:.1f}"


def _figure(rows: int = 1) -> tuple[Figure, list]:
    figure, axes = plt.subplots(rows, 1, figsize=(9, 2.6 * rows), squeeze=False)
    for axis in axes[:, 0]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return figure, list(axes[:, 0])


def _svg(figure: Figure) -> str:
    # A fixed salt and no date: the same run gives the same page.
    with plt.rc_context({"svg.hashsalt": "wattline", "svg.fonttype": "path"}):
        text = io.StringIO()
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _load(record: Record) -> Figure:
    figure, (power, energy) = _figure(2)
    t = [s.t_s for s in record.truths]
    power.plot(t, [s.power_w / 1000 for s in record.truths], color=_BLUE, lw=1.2)
    power.set_ylabel("power, kW")
    wh = [s.billing_wh for s in record.truths]
    energy.plot(t, [e / 1000 for e in wh], color=_GREY, lw=1, label="meter")
    energy.step(
        t,
        [e // REGISTER_STEP_WH * REGISTER_STEP_WH / 1000 for e in wh],
        where="post",
        color=_BLUE,
        lw=1,
        label="meter, whole 0.1 kWh",
    )
    named = [v for v in record.verdicts if v.t_named_s is not None and v.reading_dkwh is not None]
    for agrees, colour, label in ((True, _GREEN, "collector"), (False, _ORANGE, "disagrees")):
        points = [v for v in named if v.agrees is agrees]
        if points:
            energy.plot(
                [v.t_named_s for v in points],
                [v.reading_dkwh / 10 for v in points],
                "o",
                color=colour,
                ms=5,
                label=label,
            )
    energy.set_ylabel("register, kWh")
    energy.ticklabel_format(useOffset=False)
    energy.set_xlabel("simulated time, s")
    energy.legend(frameon=False)
    return figure


def _voltage(record: Record) -> Figure:
    figure, (axis,) = _figure()
    axis.plot(
        [s.t_s for s in record.truths], [s.voltage_v for s in record.truths], color=_BLUE, lw=1
    )
    axis.plot(
        [p.t_s for p in record.polls],
        [p.voltage_dv / 10 for p in record.polls],
        "o",
        color=_ORANGE,
        ms=5,
    )
    axis.set_ylabel("voltage, V")
    axis.set_xlabel("simulated time, s")
    return figure


def _spectrum(record: Record) -> Figure:
    figure, (axis,) = _figure()
    axis.set_xlabel("frequency, Hz")
    axis.set_ylabel("dB re strongest line")
    if len(record.current) >= record.rate_sps > 0:
        segment = min(len(record.current), 8 * record.rate_sps)
        f, density = welch(record.current, record.rate_sps, nperseg=segment)
        level = 10 * np.log10(np.maximum(density, 1e-30) / density.max())
        axis.plot(f, level, color=_BLUE, lw=0.7)
        axis.set_xlim(0, 1200)
        axis.set_ylim(max(-140, level[f < 1200].min() - 3), 5)
        for gap in range(6, 17):
            axis.axvspan(60 * gap + 6, 60 * gap + 54, color=_GREEN, alpha=0.08, lw=0)
        for channel in {v.channel for v in record.verdicts}:
            carrier_hz = 60 * channel / record.options["cycles_per_symbol"]
            axis.annotate(
                f"endpoint, {carrier_hz:.0f} Hz",
                (carrier_hz, level[np.argmin(abs(f - carrier_hz))]),
                xytext=(0, 24),
                textcoords="offset points",
                ha="center",
                color=_ORANGE,
                arrowprops={"arrowstyle": "-", "color": _ORANGE},
            )
    return figure


def _frames(record: Record) -> Figure:
    shown = [v for v in record.verdicts if v.symbols is not None][-_SHOWN_FRAMES:]
    figure, axes = plt.subplots(1, _SHOWN_FRAMES, figsize=(9, 1.6), squeeze=False)
    for axis, verdict in zip(axes[0], shown, strict=False):
        axis.plot(verdict.symbols.real, verdict.symbols.imag, ".", ms=2, color=_BLUE, alpha=0.6)
        axis.set_title(f"{verdict.kind}\n{verdict.ebn0_db:.1f} dB", fontsize=8)
    for axis in axes[0, len(shown) :]:
        axis.set_visible(False)
    for axis in axes[0]:
        axis.set_xlim(-2.2, 2.2)
        axis.set_ylim(-2.2, 2.2)
        axis.set_aspect("equal")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.axvline(0, color=_GREY, lw=0.5)
    return figure
