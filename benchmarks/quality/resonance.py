"""Resonance itself: each track through the model of its fold, which was not trained on its soundtrack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.systems import DECODING, FEATURES, NETWORKS, SystemOutput, compared, cosine, timed
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.features.front_end import FrontEnd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.quality.systems import Similarity, TrackAudio
    from resonance_engine.features.spec import Decoding
    from resonance_engine.store import Embedding

WHOLE, FACET = "embedding", "facet/"


class ResonanceSystem:
    """Models by fold, and the fold of each track; a single model embeds the tracks of all folds.

    Arrays of a track: `embedding` (d,), `facet/NAME` (d,), `gates` (modalities,), `windows` (n, d), NaN where the track
    has fewer windows than the model takes.
    """

    def __init__(self, name: str, label: str, models: Sequence[Path], fold: Sequence[int]) -> None:
        self.name, self.label = name, label
        self.encoders = [Encoder(model) for model in models]
        self.front_ends = [FrontEnd(encoder.manifest.spec) for encoder in self.encoders]
        self.fold = [0] * len(fold) if len(models) == 1 else list(fold)
        self.version = " ".join(encoder.manifest.id for encoder in self.encoders)

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.encoders[0].manifest.modalities

    def decoding(self, place: int) -> Decoding:
        """Return the decoding of the model of the track at this place."""
        return self.front_ends[self.fold[place]].spec.decoding

    def embed(self, audio: TrackAudio) -> SystemOutput:
        front_end = self.front_ends[self.fold[audio.place]]
        _, decoding = audio.windows(front_end.spec.decoding)
        features, analysis = audio.features(front_end)
        track, networks = timed(lambda: self.encoders[self.fold[audio.place]].embed(features))
        return SystemOutput(
            arrays_of(track, front_end.spec.decoding.windows),
            {DECODING: decoding, FEATURES: analysis, NETWORKS: networks},
        )

    def embed_windows(self, windows: NDArray[np.float32], place: int) -> NDArray[np.float32]:
        """Embed windows (n, samples) with the model of the track at this place."""
        number = self.fold[place]
        return self.encoders[number].embed(self.front_ends[number](windows)).vector

    def similarities(self) -> Mapping[str, Similarity]:
        return {self.label: compared(WHOLE, cosine)}

    def facet_similarities(self) -> Mapping[str, Similarity]:
        """Return the similarity of each facet alone."""
        return {name: compared(FACET + name, cosine) for name in self.modalities}


def arrays_of(track: Embedding, most: int) -> dict[str, NDArray[np.generic]]:
    assert track.windows is not None, "an encoder embeds windows"
    vectors = track.windows.vectors
    windows = np.full((most, vectors.shape[1]), np.nan, np.float32)
    windows[: len(vectors)] = vectors
    return {
        WHOLE: track.vector,
        **{FACET + name: facet for name, facet in track.facets.items()},
        "gates": np.array(list(track.gates.values()), np.float32),
        "windows": windows,
    }
