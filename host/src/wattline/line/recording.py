"""Recordings of voltage and current: WAV with two channels, NumPy's .npz and .npy."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from wattline.errors import WattlineError

# What the receiver's filters are made for.
_MIN_RATE_SPS = 4000
_MAX_RATE_SPS = 6000
_MAX_BYTES = 4 << 30
_BLOCK = 4800


class RecordingError(WattlineError):
    """A recording cannot be read or written."""


def write(path: Path, rate_sps: int, voltage: NDArray, current: NDArray) -> None:
    """Write volts and amperes as float32; the file's name says the format."""
    try:
        if path.suffix == ".npz":
            np.savez(path, voltage=voltage, current=current, rate_sps=rate_sps)
        elif path.suffix == ".wav":
            wavfile.write(path, rate_sps, np.stack([voltage, current], axis=1))
        else:
            raise RecordingError(f"{path}: name the file .wav or .npz.")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written ({error.strerror}).") from error


def read(path: Path, rate_sps: int | None = None) -> tuple[int, NDArray, NDArray]:
    """Return ``(rate_sps, voltage, current)``; raise RecordingError in one sentence.

    `rate_sps` is needed for a .npy, which cannot say its own.
    """
    if path.suffix not in (".wav", ".npz", ".npy"):
        raise RecordingError(f"{path}: only .wav and .npz (and .npy) recordings can be read.")
    if path.suffix == ".npy" and rate_sps is None:
        raise RecordingError(f"{path}: a .npy does not say its rate; add --rate 4800.")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecordingError(f"{path}: larger than 4 GiB; cut the recording into parts.")
        if path.suffix == ".npy":
            voltage, current = _read_npy(path)
        else:
            reader = _read_npz if path.suffix == ".npz" else _read_wav
            rate_sps, voltage, current = reader(path)
    except OSError as error:
        reason = error.strerror or "not a recording"
        raise RecordingError(f"{path}: cannot be read ({reason}).") from error
    except (ValueError, EOFError, KeyError, TypeError) as error:
        raise RecordingError(
            f"{path}: not a recording of voltage and current; a .wav needs two channels, a .npz "
            "the arrays voltage and current and the number rate_sps."
        ) from error
    if not _MIN_RATE_SPS <= rate_sps <= _MAX_RATE_SPS:
        raise RecordingError(
            f"{path}: {rate_sps} samples per second; resample to 4800, with a low-pass at 1.7 kHz."
        )
    return rate_sps, voltage, current


def _is_real(samples: NDArray) -> bool:
    return samples.dtype.kind in "fiu"


def _read_wav(path: Path) -> tuple[int, NDArray, NDArray]:
    try:
        rate_sps, samples = wavfile.read(path, mmap=True)
    except ValueError:
        # Samples of 24 bits cannot be mapped.
        rate_sps, samples = wavfile.read(path)
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise ValueError
    if samples.dtype == np.uint8:
        samples = samples.astype(np.int16) - 128
    return int(rate_sps), samples[:, 0], samples[:, 1]


def _read_npy(path: Path) -> tuple[NDArray, NDArray]:
    samples = np.load(path, mmap_mode="r", allow_pickle=False)
    if samples.ndim != 2 or 2 not in samples.shape or not _is_real(samples):
        raise ValueError
    if samples.shape[1] != 2:
        samples = samples.T
    return samples[:, 0], samples[:, 1]


def _read_npz(path: Path) -> tuple[int, NDArray, NDArray]:
    with np.load(path, allow_pickle=False) as arrays:
        voltage, current = arrays["voltage"], arrays["current"]
        rate_sps = int(arrays["rate_sps"])
    if voltage.ndim != 1 or voltage.shape != current.shape:
        raise ValueError
    if not (_is_real(voltage) and _is_real(current)):
        raise ValueError
    return rate_sps, voltage, current


def blocks(voltage: NDArray, current: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield both in blocks of a second, as float32; what is not a number becomes zero."""
    for i in range(0, len(voltage), _BLOCK):
        yield tuple(
            np.nan_to_num(np.asarray(x[i : i + _BLOCK], np.float32), posinf=0.0, neginf=0.0)
            for x in (voltage, current)
        )
