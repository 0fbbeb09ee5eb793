"""Mel scales: frequencies in Hz to pitches in mel and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALES = ("slaney", "htk")

# Slaney's mel scale: linear up to 1 kHz, logarithmic above (Slaney 1998, Auditory Toolbox).
HZ_PER_MEL = 200 / 3
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HZ_PER_MEL
MELS_PER_E = 27 / np.log(6.4)

# HTK's mel scale: 2595 mel per decade of 1 + Hz / 700 (Young et al., The HTK Book).
HTK_MELS = 2595.0
HTK_HZ = 700.0


def mel_from_hz(hz: NDArray[np.float64], scale: str = "slaney") -> NDArray[np.float64]:
    """Return the pitches in mel of frequencies in Hz."""
    if scale == "htk":
        return HTK_MELS * np.log10(1 + hz / HTK_HZ)
    above = CORNER_MEL + MELS_PER_E * np.log(np.maximum(hz, CORNER_HZ) / CORNER_HZ)
    return np.where(hz < CORNER_HZ, hz / HZ_PER_MEL, above)


def hz_from_mel(mels: NDArray[np.float64], scale: str = "slaney") -> NDArray[np.float64]:
    """Return the frequencies in Hz of pitches in mel."""
    if scale == "htk":
        return HTK_HZ * (10 ** (mels / HTK_MELS) - 1)
    above = CORNER_HZ * np.exp((mels - CORNER_MEL) / MELS_PER_E)
    return np.where(mels < CORNER_MEL, mels * HZ_PER_MEL, above)


def mel_edges(lowest: float, highest: float, n_mels: int, scale: str = "slaney") -> NDArray[np.float64]:
    """Return n_mels + 2 frequencies in Hz, evenly spaced in mel; band i spans edges i to i + 2."""
    low, high = mel_from_hz(np.array([lowest, highest]), scale)
    return hz_from_mel(np.linspace(low, high, n_mels + 2), scale)
