"""Pictures of a recording: spectrum, waterfall, constellation, link budget."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import spectrogram, welch

from endpoint.line.profile import FIRST_GAP, LAST_GAP, Profile
from wattline.collector.receiver import Receiver
from wattline.collector.records import Frame
from wattline.errors import WattlineError
from wattline.line import figures, recording

_BAND_HZ = (60 * FIRST_GAP, 60 * (LAST_GAP + 1))
# A frame in ten is lost here; margins are counted from it.
_THRESHOLD_DB = 1.5
_MAX_POINTS = 40_000


def _frames(rate_sps: int, voltage: NDArray, current: NDArray, profile: Profile) -> list[Frame]:
    receiver = Receiver(rate_sps, profile)
    frames = []
    for v, i in recording.blocks(voltage, current):
        frames += receiver.feed(v, i)
    frames += receiver.finish()
    if not frames:
        raise WattlineError("no frame is heard in this recording; is the profile right?")
    return frames


def spectrum(
    rate_sps: int,
    voltage: NDArray,
    current: NDArray,
    path: Path,
    profile: Profile,
    channel: int | None,
) -> None:
    """Draw the density of the current over the band."""
    size = min(len(current), 1 << 18 if profile.cycles_per_symbol > 32 else 1 << 15)
    hz, density = welch(current, rate_sps, "hann", size)
    shown = (hz > 30) & (hz < 1200)
    figure, axes = figures.axes("Line current", "frequency in Hz", "dB re 1 A²/Hz")
    axes.plot(hz[shown], 10 * np.log10(density[shown] + 1e-30), linewidth=0.5)
    axes.axvspan(*_BAND_HZ, color="tab:green", alpha=0.08, label="band of the uplink")
    axes.legend()
    figures.save(figure, path)


def waterfall(
    rate_sps: int,
    voltage: NDArray,
    current: NDArray,
    path: Path,
    profile: Profile,
    channel: int | None,
) -> None:
    """Draw the density of the current against time."""
    hz, t_s, density = spectrogram(current, rate_sps, "hann", rate_sps // 4, rate_sps // 8)
    shown = (hz > _BAND_HZ[0] - 10) & (hz < _BAND_HZ[1] + 10)
    thin = max(len(t_s) // 1000, 1)
    figure, axes = figures.axes("Line current against time", "frequency in Hz", "time in s")
    image = 10 * np.log10(density[shown][:, ::thin].T + 1e-30)
    low, high = np.percentile(image, [5, 99.7])
    mesh = axes.pcolormesh(hz[shown], t_s[::thin], image, vmin=low, vmax=high, shading="auto")
    figure.colorbar(mesh, label="dB re 1 A²/Hz")
    figures.save(figure, path)


def constellation(
    rate_sps: int,
    voltage: NDArray,
    current: NDArray,
    path: Path,
    profile: Profile,
    channel: int | None,
) -> None:
    """Draw received symbols around ±1."""
    frames = _frames(rate_sps, voltage, current, profile)
    frames = [f for f in frames if channel in (None, f.channel)]
    if not frames:
        raise WattlineError(f"--channel {channel}: no frame is heard there.")
    points = np.concatenate([f.symbols for f in frames])[:_MAX_POINTS]
    mean_db = np.mean([f.ebn0_db for f in frames])
    title = f"{len(frames)} frames, mean Eb/N0 {mean_db:.1f} dB"
    figure, axes = figures.axes(title, "in phase", "quadrature")
    axes.plot(points.real, points.imag, ".", markersize=1.5, alpha=0.4)
    axes.axhline(0, color="0.7", linewidth=0.5)
    axes.axvline(0, color="0.7", linewidth=0.5)
    axes.set_aspect("equal")
    figures.save(figure, path)


def budget(
    rate_sps: int,
    voltage: NDArray,
    current: NDArray,
    path: Path,
    profile: Profile,
    channel: int | None,
) -> None:
    """Draw every endpoint's margin over what a frame in ten lost needs."""
    frames = _frames(rate_sps, voltage, current, profile)
    by_channel = {f.channel: f for f in frames}
    channels = sorted(by_channel)
    ebn0_db = np.array([by_channel[n].ebn0_db for n in channels])
    hz = np.array(channels) * 60 / profile.cycles_per_symbol
    figure, axes = figures.axes(
        f"Link budget of {len(channels)} endpoints", "carrier in Hz", "Eb/N0 in dB"
    )
    axes.vlines(hz, _THRESHOLD_DB, ebn0_db, linewidth=1)
    axes.plot(hz, ebn0_db, ".", markersize=5)
    axes.axhline(_THRESHOLD_DB, color="tab:red", label="10 % of frames lost")
    margin = float(np.min(ebn0_db) - _THRESHOLD_DB)
    axes.legend(title=f"least margin {margin:.1f} dB")
    figures.save(figure, path)
