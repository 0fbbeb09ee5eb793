"""Effects on a part or the whole mix: stereo (2, n) in, stereo out, of the same length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from demo.instruments import RATE, Signal, samples

Effect: TypeAlias = Callable[[Signal], Signal]


def echo(seconds: float, feedback: float) -> Effect:
    """Return an effect that repeats the sound, softer each time and on alternating sides."""

    def effect(sound: Signal) -> Signal:
        echoed = sound.copy()
        for repeat in range(1, 6):
            delay = samples(repeat * seconds)
            source = sound if repeat % 2 == 0 else sound[::-1]
            echoed[:, delay:] += np.float32(feedback**repeat) * source[:, : max(0, sound.shape[1] - delay)]
        return echoed

    return effect


def pump(beat_seconds: float, depth: float) -> Effect:
    """Return an effect that ducks under each beat, as a compressor side-chained to the kick."""

    def effect(sound: Signal) -> Signal:
        phase = np.arange(sound.shape[1]) / (beat_seconds * RATE) % 1.0
        return sound * (1.0 - depth * np.exp(-5.0 * phase)).astype(np.float32)

    return effect


def chain(*effects: Effect) -> Effect:
    """Return the effect that applies these in order."""

    def effect(sound: Signal) -> Signal:
        for each in effects:
            sound = each(sound)
        return sound

    return effect


def reverberation(send: Signal, seconds: float, brightness: float, rng: np.random.Generator) -> Signal:
    """Convolve a mono signal with stereo noise that falls by 60 dB in `seconds`, the highs sooner."""
    impulse_length = samples(seconds)
    length = next_fast_len(len(send) + impulse_length, real=True)
    time = np.arange(impulse_length) / RATE
    decay = 6.9 / seconds
    noise = rng.standard_normal((2, impulse_length))
    dull = uniform_filter1d(noise, round(4 + 24 * (1.0 - brightness)), axis=1)
    impulse = (dull + brightness * noise * np.exp(-2.0 * decay * time)) * np.exp(-decay * time)
    impulse /= np.sqrt((impulse**2).sum(axis=1, keepdims=True))
    wet = irfft(rfft(impulse.astype(np.float32), length) * rfft(send, length), length)
    return np.asarray(wet[:, : len(send)], dtype=np.float32)


def limit(sound: Signal, ceiling: float = 0.89) -> Signal:
    """Turn the sound down around its peaks, 5 ms ahead, so that nothing passes the ceiling."""
    reach = samples(0.005)
    peaks = maximum_filter1d(np.abs(sound).max(axis=0), 2 * reach + 1)
    gain = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
    # An average over the reach of the peak filter never exceeds the gain that the peak itself needs.
    return np.asarray(sound * uniform_filter1d(gain, 2 * reach + 1), dtype=np.float32)
