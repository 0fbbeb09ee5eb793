"""Measure how far distortions move a track's embedding, and whether it is still nearest to its original."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.distortions import FILES, WINDOWS
from benchmarks.quality.resonance import WHOLE
from benchmarks.quality.systems import SystemOutput
from resonance_engine.audio.windows import read_windows
from training.default_model.transcoding import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.cache import CorpusEmbeddings
    from benchmarks.quality.resonance import ResonanceSystem
    from benchmarks.quality.scores import CorpusLabels
    from benchmarks.quality.systems import Similarity, TrackAudio

SIMILAR = 0.98


class DistortedSystem:
    """Embeds each track under every distortion with the models of `resonance`; one embedding (d,) a distortion."""

    def __init__(self, resonance: ResonanceSystem) -> None:
        self.resonance = resonance
        self.name = f"{resonance.name}-altered"
        self.version = f"{resonance.version}: {', '.join([*FILES, *WINDOWS])}"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        place = audio.place
        decoding = self.resonance.decoding(place)
        recording = decode(audio.path)
        arrays = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, write in FILES.items():
                windows = read_windows(write(recording, Path(folder)), decoding).windows
                arrays[name] = self.resonance.embed_windows(windows, place)
        for name, distort in WINDOWS.items():
            windows = distort(audio.windows(decoding)[0], decoding.rate)
            arrays[name] = self.resonance.embed_windows(windows, place)
        return SystemOutput(arrays, {})

    def similarities(self) -> Mapping[str, Similarity]:
        return {}


@dataclass(frozen=True)
class DistortionScores:
    """Cosines between distorted tracks and their originals; shares of at least 0.98, and of nearest originals."""

    distortion: str
    tracks: int
    mean: float
    first_percentile: float
    similar: float
    first: float


def score_distortions(
    labels: CorpusLabels, originals: CorpusEmbeddings, distorted: CorpusEmbeddings, pools: Sequence[NDArray[np.intp]]
) -> list[DistortionScores]:
    """Score each distortion over all distorted tracks; each is searched among the originals of its pool."""
    cosines: dict[str, list[float]] = {}
    nearest: dict[str, list[bool]] = {}
    for places in pools:
        paths = [labels.paths[place] for place in places]
        known, arrays = originals.stack(paths)
        vectors = arrays[WHOLE].astype(np.float64)
        for row, place in enumerate(known):
            for name, vector in distorted.arrays.get(paths[place], {}).items():
                similarity = vectors @ vector.astype(np.float64)
                cosines.setdefault(name, []).append(float(similarity[row]))
                nearest.setdefault(name, []).append(int(similarity.argmax()) == row)
    return [
        DistortionScores(
            name,
            len(values),
            float(np.mean(values)),
            float(np.quantile(values, 0.01)),
            float(np.mean(np.array(values) >= SIMILAR)),
            float(np.mean(nearest[name])),
        )
        for name, values in cosines.items()
    ]
