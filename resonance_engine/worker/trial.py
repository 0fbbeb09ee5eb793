"""Try a model on test signals before it is taken: noise, a chord and what is nearly silence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.encoder.encoder import Encoder
    from resonance_engine.features.spec import Decoding

REPEATS = 3  # of the timed signal; the fastest counts
SAME = 1e-5  # of 1 less the cosine, from which two vectors count as one
LEVELS = {"noise": 0.1, "a chord": 0.2, "near silence": 2e-4}  # the last quieter than any window that is embedded
CHORD = (220.0, 277.18, 329.63)  # Hz, A major


def try_model(encoder: Encoder) -> float:
    """Embed test signals, and return the CPU seconds that a track takes, with its features and without decoding.

    CPU time, so that what else a machine does is not taken for the model's cost.

    Raises ModelError for numbers that are not finite, that differ between two runs on one signal, and that are the
    same for all signals.
    """
    front_end = encoder.front_end
    vectors: dict[str, NDArray[np.float32]] = {}
    seconds = float("inf")
    for name, windows in make_signals(front_end.spec.decoding).items():
        for repeat in range(REPEATS if name == "noise" else 1):
            started = time.process_time()
            try:
                vector = encoder.embed(front_end(windows)).vector
            except ModelError as error:
                raise ModelError(f"On the test signal {name!r}, {str(error).removesuffix('.')}.") from error
            if name == "noise":
                seconds = min(seconds, time.process_time() - started)
            if repeat and 1 - vector @ vectors[name] > SAME:
                raise ModelError(
                    "It gives other numbers for the same sound each time; export it for inference, without dropout."
                )
            vectors[name] = vector
    first, *others = vectors.values()
    if all(1 - first @ other < SAME for other in others):
        raise ModelError(
            f"It gives the same numbers for {', '.join(vectors)}; look at input and output in its YAML again."
        )
    return seconds


def make_signals(decoding: Decoding) -> dict[str, NDArray[np.float32]]:
    """Return the windows of test tracks, (windows, samples) each, by name."""
    random = np.random.default_rng(0)
    times = np.arange(decoding.samples) / decoding.rate
    chord = sum(np.sin(2 * np.pi * hz * times) for hz in CHORD) / len(CHORD)
    shapes = {name: random.standard_normal((decoding.windows, decoding.samples)) for name in LEVELS}
    shapes["a chord"] = np.tile(chord, (decoding.windows, 1))
    return {name: np.clip(level * shapes[name], -1, 1).astype(np.float32) for name, level in LEVELS.items()}
