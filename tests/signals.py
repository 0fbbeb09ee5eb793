"""Sounds whose tempo, notes and loudness are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 44100
C4 = 261.6256

Signal = NDArray[np.float32]


def clicks(bpm: float, seconds: float = 18.0) -> Signal:
    """Decaying bursts of noise of 10 ms, one a beat."""
    signal = np.zeros(round(RATE * seconds), np.float32)
    length = RATE // 100
    # The stream of RandomState is frozen for good, so that stored references can rest on it.
    burst = np.random.RandomState(0).standard_normal(length) * np.exp(-np.arange(length) / (length / 4))
    for beat in np.arange(0.1, seconds - 0.1, 60 / bpm):
        start = round(beat * RATE)
        signal[start : start + length] += 0.3 * burst
    return signal


def tones(semitones: tuple[int, ...], seconds: float = 18.0, harmonics: int = 4) -> Signal:
    """Notes so many semitones above middle C, each with harmonics that fall by half."""
    time = np.arange(round(RATE * seconds)) / RATE
    signal = np.zeros(len(time))
    for semitone in semitones:
        for harmonic in range(1, harmonics + 1):
            frequency = harmonic * C4 * 2 ** (semitone / 12)
            signal += 0.5**harmonic * np.sin(2 * np.pi * frequency * time)
    return (0.2 * signal).astype(np.float32)


def hiss(seconds: float = 18.0, level: float = 0.1, seed: int = 1) -> Signal:
    """White noise with the given RMS."""
    return (level * np.random.RandomState(seed).standard_normal(round(RATE * seconds))).astype(np.float32)


def chirp(seconds: float = 18.0, low: float = 50.0, high: float = 15000.0) -> Signal:
    """A sine that rises exponentially from low to high Hz."""
    time = np.arange(round(RATE * seconds)) / RATE
    ratio = np.log(high / low)
    cycles = low * seconds / ratio * (np.exp(ratio * time / seconds) - 1)
    signal: Signal = (0.2 * np.sin(2 * np.pi * cycles)).astype(np.float32)
    return signal
