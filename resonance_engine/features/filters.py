"""Filter banks: from the bins of an FFT to mel bands and pitch classes, and from mel bands back to bins."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resonance_engine.features.spec import band_edges

if TYPE_CHECKING:
    from resonance_engine.features.mel_framing import MelFraming
    from resonance_engine.features.spec import Framing

Array = NDArray[np.float32]

# Columns that `BandedMatrix` multiplies at once.
GROUP = 16
BINS_GROUP = 128

# The chroma filter bank weighs octaves by a Gaussian around this one, counted from A0 = 27.5 Hz.
CENTRE_OCTAVE = 5.0
OCTAVE_WIDTH = 2.0
A0 = 27.5

# A weight below this adds nothing that float32 holds, and numbers near its smallest make a product thirty times slower.
NEGLIGIBLE = 1e-20


class BandedMatrix:
    """A matrix with few rows in use per column; `banded(left)` is left @ matrix at a tenth of the work."""

    def __init__(self, matrix: NDArray[np.float64], group: int) -> None:
        self._columns = matrix.shape[1]
        self._groups: list[tuple[slice, slice, Array]] = []
        for first in range(0, self._columns, group):
            block = matrix[:, first : first + group]
            used = np.flatnonzero(block.any(axis=1))
            rows = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0)
            self._groups.append((rows, slice(first, first + group), block[rows].astype(np.float32)))

    def __call__(self, left: Array) -> Array:
        product = np.empty((len(left), self._columns), np.float32)
        for rows, columns, block in self._groups:
            np.matmul(left[:, rows], block, out=product[:, columns])
        return product


@lru_cache(maxsize=8)
def hann(length: int) -> Array:
    """Return the periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def bin_frequencies(framing: Framing | MelFraming) -> NDArray[np.float64]:
    """Return the frequencies in Hz of the n_fft / 2 + 1 bins."""
    return np.arange(framing.n_fft // 2 + 1, dtype=np.float64) * (framing.rate / framing.n_fft)


@lru_cache(maxsize=8)
def mel_filters(framing: Framing) -> BandedMatrix:
    """Bins to mel bands: triangles of equal area (2 / width in Hz high) over the bins' power."""
    edges = framing.edges()
    return BandedMatrix(triangles(edges, bin_frequencies(framing)) * (2 / (edges[2:] - edges[:-2])), GROUP)


def triangles(edges: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights (places, bands) of triangles with peaks of 1; band i spans edges i to i + 2."""
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    places = places[:, np.newaxis]
    return np.minimum((places - lower) / (centre - lower), (upper - places) / (upper - centre)).clip(min=0)


@lru_cache(maxsize=8)
def bin_interpolation(framing: Framing) -> BandedMatrix:
    """Mel bands to bins: linear between the centres of the bands, constant beyond the first and the last."""
    centres = band_edges(framing.rate, framing.n_mels)[1:-1]
    hz = bin_frequencies(framing)
    rows = [np.interp(hz, centres, unit) for unit in np.eye(framing.n_mels)]
    return BandedMatrix(np.stack(rows), BINS_GROUP)


@lru_cache(maxsize=8)
def chroma_filters(framing: Framing, classes: int) -> Array:
    """Bins to pitch classes from C upwards, (bins, classes), for A4 = 440 Hz.

    Ellis 2007 (Chroma feature analysis and synthesis), as librosa computes it: a Gaussian around each
    pitch class, as wide as a class or as the distance between bins where that is more; each bin's
    weights have unit length, times a Gaussian over the octaves.
    """
    hz = bin_frequencies(framing)[1:]
    # The bin at 0 Hz has no pitch; one and a half octaves below the first spreads it over all classes.
    pitch = classes * np.log2(np.concatenate([[hz[0] / 2**1.5], hz]) / A0)
    widths = np.maximum(np.diff(pitch, append=classes * np.log2((hz[-1] + hz[0]) / A0)), 1.0)[:, np.newaxis]
    # Pitch is counted from A, classes from C, a quarter of an octave higher.
    distance: NDArray[np.float64] = pitch[:, np.newaxis] - classes // 4 - np.arange(classes)
    distance = (distance + classes / 2) % classes - classes / 2
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * ((pitch / classes - CENTRE_OCTAVE) / OCTAVE_WIDTH) ** 2)[:, np.newaxis]
    weights[weights < NEGLIGIBLE] = 0
    return weights.astype(np.float32)
