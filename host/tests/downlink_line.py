"""A line as a converter sees it: mains, harmonics, tones, noise; and frames through it."""

import numpy as np

from endpoint.line.detector import CYCLE_SAMPLES, Detector
from endpoint.line.framing import add_crc, decode_into
from wattline.downlink.waveform import DownlinkSignal, converter_codes

FRAME_BITS = 192


def codes(
    tones,
    frames,
    rng,
    *,
    amplitude=0.01,
    ebn0_db=None,
    mains=0.6,
    misaligned=0.0,
    rate_error=0.0,
    converter_noise=0.5,
    lead_cycles=40,
):
    """Return converter codes, 64 per cycle, of frames sent one after the other.

    `ebn0_db` counts all 214 symbols' energy per 192 bits; `misaligned` is in cycles,
    `rate_error` the sampler's, relative.
    """
    signal = DownlinkSignal(tones, amplitude)
    for frame in frames:
        signal.send(frame, max(lead_cycles, signal.free_from))
    cycles = signal.free_from + 2 * tones.cycles_per_symbol
    phase = np.arange(cycles * CYCLE_SAMPLES) / CYCLE_SAMPLES * (1 + rate_error)
    turn = 2 * np.pi * phase
    line = mains * (np.sin(turn + 0.3) + 0.03 * np.sin(3 * turn) + 0.03 * np.sin(5 * turn))
    line += signal.at(phase - misaligned)
    if ebn0_db is not None:
        energy = amplitude**2 / 2 * CYCLE_SAMPLES * tones.frame_cycles / FRAME_BITS
        sigma = np.sqrt(energy / 10 ** (ebn0_db / 10) / 2)
        line += rng.normal(0, sigma, line.size)
    return converter_codes(line, noise=rng.normal(0, converter_noise, line.size))


def heard(tones, samples):
    """Return the frames that a module's detector and decoder find, and whether CRCs are right."""
    detector = Detector(tones)
    found = []
    samples = np.ascontiguousarray(samples)
    cycles, done = samples.size // CYCLE_SAMPLES, 0
    while done < cycles:
        done += detector.feed(samples[done * CYCLE_SAMPLES :], cycles - done)
        if detector.complete:
            frame = bytearray(24)
            found.append((decode_into(frame, detector.soft), bytes(frame)))
    return found


def random_frame(rng):
    """Return 24 bytes with a right CRC."""
    frame = bytearray(rng.integers(0, 256, 24, dtype=np.uint8).tobytes())
    add_crc(frame)
    return bytes(frame)


def lost(tones, count, seed, **line):
    """Return the part of `count` frames, sent one by one, that is not heard right."""
    rng = np.random.default_rng(seed)
    missed = 0
    for _ in range(count):
        frame = random_frame(rng)
        missed += (True, frame) not in heard(tones, codes(tones, [frame], rng, **line))
    return missed / count
