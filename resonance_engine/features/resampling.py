"""Resampling of mono samples: by soxr, and by scipy's FFT where soxr is not installed."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, gcd
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.features.filters import Array

Resampler = Callable[["Array", int, int], "Array"]
"""Resamples float32 (n,) from one rate to another, both in Hz; the result may be one sample too long or too short."""

# Of soxr. On music, it and the best one, VHQ, differ in the topmost bands alone, by 0.04 dB in the mean.
QUALITY = "HQ"
# Where soxr's HQ begins to attenuate, as a share of the lower of both Nyquist frequencies.
PASSBAND = 0.913
# Samples, of the lower rate, for which the filter rings around a sound, about as long as soxr's HQ.
RINGING = 32
# Zeros behind the samples, in seconds, into which the filter may ring: an FFT goes round in a circle.
TAIL = 0.05


def resample_by_soxr(samples: Array, rate: int, target: int) -> Array:
    """Resample as the features of all models are defined."""
    import soxr  # here, so that the front end loads where there is none

    resampled: Array = soxr.resample(samples, rate, target, quality=QUALITY)
    return resampled


def resample_by_fft(samples: Array, rate: int, target: int) -> Array:
    """Resample in the frequency domain, with the pass band of soxr's HQ and a raised cosine down to Nyquist.

    Digital silence stays silent: roundings of the FFT, which are everywhere, would be harmonies in it.
    Not by `scipy.signal.resample_poly`, whose import takes longer than a query, and whose usual filter is wider.
    """
    divisor = gcd(rate, target)
    step, target_step = rate // divisor, target // divisor  # samples that last equally long
    blocks = scipy.fft.next_fast_len(ceil((len(samples) + TAIL * rate) / step), real=True)
    spectrum = scipy.fft.rfft(samples, blocks * step)
    size = blocks * target_step
    kept = min(len(spectrum), size // 2 + 1)
    share = np.linspace(0, 1, kept, dtype=np.float32)  # of the lower Nyquist frequency
    gain = 0.5 + 0.5 * np.cos(np.pi * np.clip((share - PASSBAND) / (1 - PASSBAND), 0, 1))
    spectrum = spectrum[:kept] * gain.astype(np.float32)
    resampled: Array = scipy.fft.irfft(spectrum, size)[: round(len(samples) * target / rate)]
    resampled *= np.float32(target / rate)
    resampled[find_silence(samples, rate / target, len(resampled))] = 0
    return resampled


def find_silence(samples: Array, step: float, count: int) -> NDArray[np.bool_]:
    """Return which of `count` places, `step` samples apart, have only zeros as far as the filter rings, (count,)."""
    reach = RINGING * max(1.0, step)
    sounding = np.concatenate([[0], np.cumsum(samples != 0)])
    places = step * np.arange(count)
    first, last = (np.clip(at, 0, len(samples)).astype(np.intp) for at in (places - reach, places + reach + 1))
    silent: NDArray[np.bool_] = sounding[first] == sounding[last]
    return silent
