"""Mel spectrograms of any kind: from samples to mel bands."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from resonance_engine.features.filters import GROUP, Array, BandedMatrix, bin_frequencies, hann, triangles
from resonance_engine.features.mel_scale import mel_from_hz

if TYPE_CHECKING:
    from resonance_engine.features.mel_framing import MelFraming

# Frames transformed at once, so that they stay in the processor's cache.
BLOCK = 64


def mel_bands(samples: Array, framing: MelFraming) -> Array:
    """Compute the mel spectrogram (n_mels, frames) of samples (n,) at the framing's rate, without a logarithm.

    Raises ValueError where there are too few samples for one frame, or for the mirrored ends.
    """
    frames = cut_frames(samples, framing)
    window = taper(framing.taper, framing.window)
    filters = mel_filter_bank(framing)
    bands = np.empty((len(frames), framing.n_mels), np.float32)
    for first in range(0, len(frames), BLOCK):
        # The place of a window within its FFT changes phases alone.
        block = scipy.fft.rfft(frames[first : first + BLOCK] * window, framing.n_fft)
        power: Array = np.square(block.real) + np.square(block.imag)
        bands[first : first + BLOCK] = filters(np.sqrt(power) if framing.spectrum == "magnitude" else power)
    return bands.T


def cut_frames(samples: Array, framing: MelFraming) -> Array:
    """Return the windows of samples, (frames, window), as views where that is possible."""
    count = framing.frames(len(samples))
    before = 0 if framing.padding == "none" else -(-framing.window // 2)
    if count < 1 or (framing.padding == "reflect" and len(samples) <= before):
        raise ValueError(f"{len(samples)} samples are too few for a frame of {framing.window}")
    if before:
        after = max(0, (count - 1) * framing.hop + framing.window - before - len(samples))
        samples = np.pad(samples, (before, after), "reflect" if framing.padding == "reflect" else "constant")
    return np.lib.stride_tricks.sliding_window_view(samples, framing.window)[:: framing.hop][:count]


@lru_cache(maxsize=8)
def taper(kind: str, length: int) -> Array:
    """Return the window of a kind of `mel_framing.TAPERS`."""
    if kind == "hann":
        return hann(length)
    return np.hanning(length).astype(np.float32) if kind == "symmetric-hann" else 0.08 + np.float32(0.92) * hann(length)


@lru_cache(maxsize=8)
def mel_filter_bank(framing: MelFraming) -> BandedMatrix:
    """Bins of the FFT to mel bands; a band that no bin lies in stays 0."""
    return BandedMatrix(mel_weights(framing), GROUP)


def mel_weights(framing: MelFraming) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the weights (n_fft / 2 + 1, n_mels) of the bins in the bands."""
    edges, hz = framing.edges(), bin_frequencies(framing)
    if framing.slopes == "mel":
        weights = triangles(mel_from_hz(edges, framing.scale), mel_from_hz(hz, framing.scale))
    else:
        weights = triangles(edges, hz)
    if framing.normalisation == "area":
        weights *= 2 / (edges[2:] - edges[:-2])
    return weights
