"""A phase vocoder: filter the spectrum of a sound and stretch its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from resonance_engine.features.filters import hann

if TYPE_CHECKING:
    from fractions import Fraction

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

OVERLAP = 4


def stretch(samples: Array, gains: Array, speed: float) -> Array:
    """Weight the frequencies of samples (n,) by `gains` (bins,), and play them `speed` times as fast at the same pitch.

    Returns round(n / speed) samples. Each spectrum spans 2 (bins - 1) samples.
    """
    spectrum = transform(samples, 2 * (len(gains) - 1))
    spectrum *= gains
    return invert_spectrum(spectrum if speed == 1 else stretch_spectrum(spectrum, speed), round(len(samples) / speed))


def resample(samples: Array, ratio: Fraction) -> Array:
    """Resample to play `ratio` times as fast: shorter and higher."""
    shorter: Array = soxr.resample(samples, ratio.numerator, ratio.denominator)
    return shorter


def transform(samples: Array, n_fft: int) -> Spectrum:
    """Compute the STFT (frames, n_fft / 2 + 1): Hann window, frames centred, the sound mirrored beyond its ends."""
    padded = np.pad(samples, n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: n_fft // OVERLAP]
    spectrum: Spectrum = scipy.fft.rfft(frames * hann(n_fft))
    return spectrum


def stretch_spectrum(spectrum: Spectrum, speed: float) -> Spectrum:
    """Stretch a spectrum in time with a phase vocoder (Laroche & Dolson 1999).

    Magnitudes are interpolated between the frames around a place; phases advance from frame to frame as they did there.
    Multiplied as unit vectors, phases need no angles.
    """
    places = np.arange(0, len(spectrum), speed)
    first = places.astype(np.intp)
    weight = (places - first).astype(np.float32)[:, np.newaxis]
    padded = np.concatenate([spectrum, np.zeros((2, spectrum.shape[1]), np.complex64)])
    magnitude = np.abs(padded)
    unit = np.divide(padded, magnitude, out=np.ones_like(padded), where=magnitude > 0)
    turns = unit[first + 1] * unit[first].conj()
    phases = np.cumprod(np.concatenate([unit[:1], turns[:-1]]), axis=0)
    phases *= magnitude[first] + weight * (magnitude[first + 1] - magnitude[first])
    result: Spectrum = phases
    return result


def invert_spectrum(spectrum: Spectrum, length: int) -> Array:
    """Compute the `length` samples whose `transform` is nearest to a spectrum (Griffin & Lim 1984)."""
    n_fft = 2 * (spectrum.shape[1] - 1)
    hop = n_fft // OVERLAP
    window = hann(n_fft)
    frames = scipy.fft.irfft(spectrum, n_fft) * window
    count = len(frames)
    total = np.zeros((count + OVERLAP - 1, hop), np.float32)
    weight = np.zeros_like(total)
    for part in range(OVERLAP):
        columns = slice(part * hop, (part + 1) * hop)
        total[part : part + count] += frames[:, columns]
        weight[part : part + count] += np.square(window[columns])
    inner = slice(n_fft // 2, n_fft // 2 + length)
    samples = np.zeros(length, np.float32)
    sound = total.ravel()[inner] / weight.ravel()[inner]
    samples[: len(sound)] = sound
    return samples
