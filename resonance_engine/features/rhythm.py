"""Rhythm: time-averaged autocorrelation tempogram of the percussive part of the signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from resonance_engine.features.filters import hann

if TYPE_CHECKING:
    from resonance_engine.features.filters import Array
    from resonance_engine.features.spec import RhythmSpec
    from resonance_engine.features.spectrum import Spectra

# Levels this far below the loudest moment count as silence, so that hiss makes no onsets.
RANGE_DB = 80.0


def tempo_envelope(spectra: Spectra, spec: RhythmSpec) -> Array:
    """Compute the tempo envelope (lags,): self-similarity at each lag in hops; 1 at lag 0, all 0 without onsets."""
    return tempogram_mean(onset_strength(spectra.percussive), spec.lags)


def onset_strength(mel: Array) -> Array:
    """Compute the spectral flux (frames,): the rise in dB from frame to frame, averaged over the bands of `mel`."""
    peak = mel.max(initial=0)
    if peak == 0:
        return np.zeros(len(mel), np.float32)
    level = np.log10(np.maximum(mel / peak, np.float32(10 ** (-RANGE_DB / 10))))
    rise = np.diff(level, axis=0, prepend=level[:1])
    strength: Array = 10 * np.maximum(rise, 0).mean(axis=1)
    return strength


def tempogram_mean(onsets: Array, lags: int) -> Array:
    """Average the local autocorrelations (lags,) of the onsets, each divided by its maximum, over the frames.

    Grosche, Müller & Kurth 2010. A frame's autocorrelation under a Hann window is the inverse transform of
    its power spectrum, and its maximum, at lag 0, its energy: the mean of spectra is transformed back once.
    """
    frames = len(onsets)
    padded = np.pad(onsets, lags // 2, mode="linear_ramp", end_values=0)
    local = np.lib.stride_tricks.sliding_window_view(padded, lags)[:frames] * hann(lags)
    energy = np.square(local).sum(axis=1, keepdims=True)
    local /= np.sqrt(energy, out=np.ones_like(energy), where=energy > 0)
    length = scipy.fft.next_fast_len(2 * lags - 1, real=True)
    spectrum = scipy.fft.rfft(local, length)
    mean = (np.square(spectrum.real) + np.square(spectrum.imag)).mean(axis=0)
    envelope: Array = scipy.fft.irfft(mean, length)[:lags]
    return envelope
