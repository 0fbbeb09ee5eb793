"""Reduce white noise under music: what is as strong at all frequencies for seconds.

Log-spectral amplitude estimator with the decision-directed a-priori SNR (Ephraim & Malah 1985). The noise is the floor
of the spectrum in blocks of 2 s, a quantile over time (Stahl et al. 2000) and over bands of frequency, so that music
without such a floor is left as it is, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from scipy.special import exp1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

FRAME_SECONDS = 1024 / 22050
OVERLAP = 4
BLOCK_SECONDS = 2.0
QUIET = 0.1  # quantile over a block's frames, and over bands, that is taken for the noise
BANDS = 32
LEAST = 0.003  # noise's power as a share of all, that is reduced: of 25 dB below the music; recordings have 0.0005
SMOOTHING = 0.98
LOWEST_GAIN = 0.05
# Of v, the argument of the estimator's gain factor exp(E1(v) / 2).
LOG_V = np.linspace(-8.0, 2.0, 2001)
FACTORS = np.exp(exp1(10**LOG_V) / 2)


def reduce_noise(samples: Samples, rate: int) -> Samples:
    """Return samples (n,) with white noise reduced; the same array where no block of them has any."""
    size = OVERLAP * round(FRAME_SECONDS * rate / OVERLAP)
    floor = measure_floor(samples, rate, size)
    if not floor.any():
        return samples
    hop = size // OVERLAP
    window = taper(size)
    padded = np.pad(samples, (size, size + -len(samples) % hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    spectrum = scipy.fft.rfft(frames * window)
    middles = np.arange(len(frames)) * hop - size // 2  # in samples
    places = np.clip(middles // round(BLOCK_SECONDS * rate), 0, len(floor) - 1)
    spectrum *= estimate_gains(np.square(np.abs(spectrum)), floor[places])
    out = np.zeros(len(padded) + size, np.float32)
    for place, frame in enumerate(scipy.fft.irfft(spectrum, size) * window):
        out[place * hop : place * hop + size] += frame
    reduced: Samples = out[size : size + len(samples)] / np.float32(OVERLAP / 2)  # the sum of the squared windows
    return reduced


def taper(size: int) -> Samples:
    """Return the square root of the periodic Hann window."""
    return np.sin(np.pi * np.arange(size, dtype=np.float32) / size)


def measure_floor(samples: Samples, rate: int, size: int) -> NDArray[np.float32]:
    """Return the power of white noise in a bin of each block's spectra of `size`, 0 where it is below `LEAST`."""
    step = round(BLOCK_SECONDS * rate)
    levels = np.zeros(max(1, len(samples) // step), np.float32)
    for place in range(len(levels)):
        block = samples[place * step :][: step if place < len(levels) - 1 else None]
        frames = block[: len(block) // size * size].reshape(-1, size)
        if not len(frames):
            continue
        power = np.square(np.abs(scipy.fft.rfft(frames * taper(size))))[:, 2:-2]
        quiet = np.quantile(power, QUIET, axis=0) / -np.log(1 - QUIET)  # power of noise is distributed exponentially
        level = np.quantile([band.mean() for band in np.array_split(quiet, BANDS)], QUIET)
        levels[place] = level if level > LEAST * power.mean() else 0.0
    return levels


def estimate_gains(power: NDArray[np.float32], floor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gain of each bin (frames, bins) from its power and the noise's in each frame (frames,)."""
    gains = np.ones_like(power)
    clean = np.zeros(power.shape[1], np.float32)  # the last frame's power without noise, over the noise's
    for frame in np.flatnonzero(floor):
        excess = power[frame] / floor[frame]
        prior = np.maximum(SMOOTHING * clean + (1 - SMOOTHING) * np.maximum(excess - 1, 0), LOWEST_GAIN**2)
        wiener = prior / (1 + prior)
        v = np.log10(np.maximum(wiener * excess, 1e-8))
        gains[frame] = np.clip(wiener * np.interp(v, LOG_V, FACTORS), LOWEST_GAIN, 1)
        clean = np.square(gains[frame]) * excess
    return gains
