"""Slaney's mel scale: linear up to 1 kHz, logarithmic above (Slaney 1998, Auditory Toolbox)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HZ_PER_MEL = 200 / 3
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HZ_PER_MEL
MELS_PER_E = 27 / np.log(6.4)


def mel_from_hz(hz: float) -> float:
    """Return the pitch in mel of a frequency in Hz."""
    if hz < CORNER_HZ:
        return hz / HZ_PER_MEL
    return float(CORNER_MEL + MELS_PER_E * np.log(hz / CORNER_HZ))


def band_edges(rate: int, n_mels: int) -> NDArray[np.float64]:
    """Return n_mels + 2 frequencies in Hz, evenly spaced in mel, 0 to rate / 2; band i spans edges i to i + 2."""
    mels = np.linspace(0.0, mel_from_hz(rate / 2), n_mels + 2)
    above = CORNER_HZ * np.exp((mels - CORNER_MEL) / MELS_PER_E)
    return np.where(mels < CORNER_MEL, mels * HZ_PER_MEL, above)
