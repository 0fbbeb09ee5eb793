"""Synthetic sounds without music: noises, tones, near silence; rain and applause only resemble the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from benchmarks.annotation.audio import LENGTH, RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.annotation.audio import Samples


Array = NDArray[np.float64]


def coloured_noise(rng: np.random.Generator, exponent: float) -> Samples:
    """Return noise whose power falls with frequency ** exponent: 0 white, 1 pink; (2, LENGTH), RMS 0.1."""
    spectrum = np.fft.rfft(rng.standard_normal((2, LENGTH)))
    frequencies = np.maximum(np.fft.rfftfreq(LENGTH, 1 / RATE), 20.0)
    noise = np.fft.irfft(spectrum / frequencies ** (exponent / 2), LENGTH)
    return scale(noise, 0.1)


def scale(samples: NDArray[np.floating], target: float) -> Samples:
    scaled: Samples = (samples * (target / np.sqrt(np.mean(samples**2)))).astype(np.float32)
    return scaled


def bursts(rng: np.random.Generator, rate: float, seconds: float, low: float, high: float) -> Array:
    """Return decaying bursts of band-passed noise at random times, `rate` a second, (2, LENGTH)."""
    impulses = np.zeros((2, LENGTH))
    count = int(rate * LENGTH / RATE)
    places = rng.integers(0, LENGTH, count)
    for side in range(2):
        np.add.at(impulses[side], places, rng.lognormal(0, 0.7, count) * rng.uniform(0.4, 1.0, count))
    length = int(4 * seconds * RATE)
    burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (seconds * RATE))
    sections = scipy.signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos")
    filtered = scipy.signal.sosfilt(sections, burst)[np.newaxis]
    sound: Array = scipy.signal.fftconvolve(impulses, filtered, axes=1)[:, :LENGTH]
    return sound


def rain(rng: np.random.Generator) -> Samples:
    """Return drops over high-passed noise."""
    sections = scipy.signal.butter(2, 800, "highpass", fs=RATE, output="sos")
    bed = scipy.signal.sosfilt(sections, coloured_noise(rng, 0.6))
    drops = bursts(rng, 180, 0.003, 1500, 9000)
    return scale(scale(bed, 0.05) + scale(drops, 0.05), 0.08)


def applause(rng: np.random.Generator) -> Samples:
    """Return thousands of claps at random times."""
    return scale(bursts(rng, 140, 0.008, 700, 4500), 0.08)


def sine(rng: np.random.Generator) -> Samples:
    frequency = rng.uniform(300, 1200)
    wave = 0.1 * np.sin(2 * np.pi * frequency * np.arange(LENGTH) / RATE)
    return np.tile(wave.astype(np.float32), (2, 1))


def hiss(rng: np.random.Generator) -> Samples:
    """Return noise at -70 dB below full scale, as of a tape without music."""
    return scale(coloured_noise(rng, 0.0), 10 ** (-70 / 20))


# Each with its label; an empty one has none that a tagger knows.
NOISES: dict[str, tuple[str, Callable[[np.random.Generator], Samples]]] = {
    "white noise": ("white noise", lambda rng: coloured_noise(rng, 0.0)),
    "pink noise": ("pink noise", lambda rng: coloured_noise(rng, 1.0)),
    "rain": ("rain", rain),
    "applause": ("applause", applause),
    "sine": ("sine tone", sine),
    "hiss": ("", hiss),
}
