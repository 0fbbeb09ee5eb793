"""What similarity can be had without a trained model: statistics of MFCCs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

COEFFICIENTS = 20
DYNAMIC_RANGE = 80.0  # dB below the loudest; without a floor, near silence drowns everything else


def mfcc(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first 20 cepstral coefficients of log-mel spectrograms (dB): (n, bands, frames) to (n, 20, frames).

    Relative to the loudest value, 0 dB, so that the volume of a recording makes no difference.
    """
    decibels = np.maximum(log_mel - log_mel.max(), -DYNAMIC_RANGE)
    coefficients = dct(decibels, type=2, axis=1, norm="ortho")
    return np.asarray(coefficients[:, :COEFFICIENTS], dtype=np.float32)


def mfcc_statistics(features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """A track as 60 numbers: mean and deviation of each coefficient, and deviation of its change per frame.

    The features are the engine's of some windows; statistics are taken over all their frames.
    """
    cepstra = mfcc(features["timbre"])
    change = np.diff(cepstra, axis=2)
    return np.concatenate((cepstra.mean(axis=(0, 2)), cepstra.std(axis=(0, 2)), change.std(axis=(0, 2))))


def standardised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors (n, d) with every number at mean 0 and deviation 1 over the library; constant ones at 0."""
    deviation = vectors.std(axis=0)
    return np.asarray((vectors - vectors.mean(axis=0)) / np.where(deviation > 0, deviation, 1), dtype=np.float32)
