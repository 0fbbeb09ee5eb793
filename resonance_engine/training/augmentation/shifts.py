"""Shift features in pitch and time, by reading their axes at other places.

Ratios are of frequency or of tempo: 2 is an octave higher, twice as fast. Features are those of one window.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from resonance_engine.features.spec import band_edges

Array = NDArray[np.float32]

_edges = lru_cache(maxsize=8)(band_edges)


def shift_mel(mel: Array, pitch: float, rate: int) -> Array:
    """Transpose log-mel (bands, frames) of audio at `rate` Hz.

    Every band takes the level that its frequency had before, interpolated between bands in dB; beyond the highest band
    that is repeated.
    """
    if pitch == 1:
        return mel
    edges = _edges(rate, len(mel))
    places = np.interp(edges[1:-1] / pitch, edges, np.arange(-1, len(mel) + 1))
    low, weight = _between(places, len(mel))
    shifted = mel[low]
    shifted += weight[:, np.newaxis] * (mel[low + 1] - shifted)
    return shifted


def shift_chroma(chroma: Array, pitch: float) -> Array:
    """Transpose chroma (bins of an octave, frames); every frame's maximum is 1 again, unless it is silent."""
    if pitch == 1:
        return chroma
    bins = len(chroma)
    places = np.arange(bins) - bins * np.log2(pitch)
    low = np.floor(places)
    weight = (places - low).astype(np.float32)[:, np.newaxis]
    rows = low.astype(np.intp)
    shifted: Array = (1 - weight) * chroma[rows % bins] + weight * chroma[(rows + 1) % bins]
    peaks = shifted.max(axis=0)
    shifted /= np.where(peaks > 0, peaks, 1)
    return shifted


def scale_time(features: Array, tempo: float) -> Array:
    """Scale features (bands, frames) in time, from the same beginning.

    Where the window's end comes too early, it is mirrored.
    """
    if tempo == 1:
        return features
    last = features.shape[-1] - 1
    places = np.arange(last + 1) * tempo
    places = np.where(places > last, np.maximum(2 * last - places, 0), places)
    low, weight = _between(places, last + 1)
    scaled = features[:, low]
    scaled += weight * (features[:, low + 1] - scaled)
    return scaled


def scale_lags(envelope: Array, tempo: float) -> Array:
    """Scale a tempo envelope (lags,) to a faster tempo: lags become shorter."""
    if tempo == 1:
        return envelope
    lags = np.arange(len(envelope))
    scaled: Array = np.interp(lags * tempo, lags, envelope).astype(np.float32)
    return scaled


def _between(places: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], Array]:
    """Return the lower neighbour of each place on an axis, and the weight of the upper one."""
    low = np.clip(places, 0, size - 2).astype(np.intp)
    return low, np.clip(places - low, 0, 1).astype(np.float32)
