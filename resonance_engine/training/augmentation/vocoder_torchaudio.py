"""The steps of `vocoder`, by torchaudio's transforms."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray

from resonance_engine.training.augmentation.vocoder import OVERLAP

if TYPE_CHECKING:
    from fractions import Fraction

Array = NDArray[np.float32]

FILTER_WIDTH = 32  # zero crossings of the resampling filter on a side; with torchaudio's 6 the treble would suffer


def stretched(samples: Array, gains: Array, speed: float) -> Array:
    """Samples (n,) whose frequencies are weighted by `gains` (bins,), `speed` times as fast at the same pitch."""
    forward, stretch, backward = _transforms(2 * (len(gains) - 1))
    with torch.inference_mode():
        spectrum = forward(torch.tensor(samples)) * torch.tensor(gains)[:, None]
        if speed != 1:
            spectrum = stretch(spectrum, speed)
        result: Array = backward(spectrum, round(len(samples) / speed)).numpy()
    return result


def resampled(samples: Array, ratio: Fraction) -> Array:
    """Samples read `ratio` times as fast: shorter and higher.

    torchaudio's filters take memory as the product of the two numbers: the ratio must be of small ones.
    """
    with torch.inference_mode():
        result: Array = torchaudio.functional.resample(
            torch.tensor(samples), ratio.numerator, ratio.denominator, lowpass_filter_width=FILTER_WIDTH
        ).numpy()
    return result


@lru_cache(maxsize=4)
def _transforms(n_fft: int) -> tuple[Any, Any, Any]:
    hop = n_fft // OVERLAP
    return (
        torchaudio.transforms.Spectrogram(n_fft, hop_length=hop, power=None),
        torchaudio.transforms.TimeStretch(hop, n_fft // 2 + 1),
        torchaudio.transforms.InverseSpectrogram(n_fft, hop_length=hop),
    )
