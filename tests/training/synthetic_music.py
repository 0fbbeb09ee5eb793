"""Music whose pitch and tempo can be set, and a front end for short windows of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import Decoding, FeatureSpec, Framing, HarmonySpec, RhythmSpec, TimbreSpec

RATE = 22050
SECONDS = 6.0
FRAMING = Framing(rate=RATE, n_fft=2048, hop=441, n_mels=80)
SPEC = FeatureSpec(
    decoding=Decoding(rate=RATE, seconds=SECONDS),
    timbre=TimbreSpec(FRAMING),
    harmony=HarmonySpec(FRAMING, bins=24),
    rhythm=RhythmSpec(FRAMING, lags=200),
)
BEAT = 0.23  # seconds

Signal = NDArray[np.float32]


@lru_cache
def music(pitch: float = 1.0, tempo: float = 1.0, seed: int = 0) -> Signal:
    """Chords of decaying notes and struck noise, `pitch` times as high and `tempo` times as fast, within ±1."""
    rng = np.random.default_rng(seed)
    count = round(SECONDS * RATE)
    longest = round(1.2 / tempo * RATE)
    sound = np.zeros(count + longest)
    time = np.arange(longest) / RATE
    fall = np.exp(-4 * tempo * time)
    for beat in range(int(SECONDS * tempo / BEAT)):
        notes, levels, struck = rng.integers(-17, 20, 3), rng.uniform(0.3, 1, 3), rng.standard_normal(1200)
        start = round(beat * BEAT / tempo * RATE)
        for note, level in zip(notes, levels, strict=True):
            for harmonic in range(1, 6):
                turns = harmonic * 261.6 * pitch * 2 ** (note / 12) * time
                sound[start : start + longest] += level * 0.6**harmonic * fall * np.sin(2 * np.pi * turns)
        sound[start : start + 1200] += struck * np.exp(-np.arange(1200) / 250) * (1.5 if beat % 4 == 0 else 0.4)
    return (0.05 * sound[:count]).astype(np.float32)


def features_of(*windows: Signal) -> dict[str, Signal]:
    """Features by modality of windows."""
    return FrontEnd(SPEC)(np.stack(windows))
