"""Systems under comparison: audio that is decoded once for all, similarities in a pool, and Resonance itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.special import ndtr

from resonance_engine.audio.windows import read_windows
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.features.front_end import FrontEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from resonance_engine.features.spec import Decoding
    from resonance_engine.store import Embedding

    Floats = NDArray[np.float32]
    Arrays = Mapping[str, NDArray[np.generic]]

Result = TypeVar("Result")
STEPS = DECODING, FEATURES, NETWORKS, ANALYSIS = "decoding", "features", "networks", "analysis"
Array = NDArray[np.float64]
WHOLE, FACET = "embedding", "facet/"


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of the work, and the CPU seconds that this process's threads spent on it."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


@dataclass
class TrackAudio:
    """A file that is decoded and analysed at most once for all systems; `place` is the track's number in the corpus.

    Each step's seconds are given to every system that needs it, as if that system had run alone.
    """

    place: int
    path: Path
    _windows: dict[Decoding, tuple[Floats, float]] = field(default_factory=dict)
    _features: dict[str, tuple[dict[str, Floats], float]] = field(default_factory=dict)

    def windows(self, decoding: Decoding) -> tuple[Floats, float]:
        """Return mono windows (n, samples), and the seconds of decoding them; raises AudioError."""
        if decoding not in self._windows:
            self._windows[decoding] = timed(lambda: read_windows(self.path, decoding).windows)
        return self._windows[decoding]

    def features(self, front_end: FrontEnd) -> tuple[dict[str, Floats], float]:
        """Return the front end's features of the windows, and their seconds without decoding."""
        spec = front_end.spec.to_json()
        if spec not in self._features:
            windows, _ = self.windows(front_end.spec.decoding)
            self._features[spec] = timed(lambda: front_end(windows))
        return self._features[spec]


def resample(windows: Floats, decoding: Decoding, rate: int) -> Floats:
    """Resample windows (n, samples) to another rate."""
    return np.stack([soxr.resample(window, decoding.rate, rate, quality="HQ") for window in windows])


@dataclass(frozen=True)
class SystemOutput:
    """A system's arrays for a track, of fixed shapes by name, and the CPU seconds of each step."""

    arrays: Arrays
    seconds: Mapping[str, float]


class System(Protocol):
    """A way to embed tracks, and to compare them."""

    name: str
    version: str  # cached results of any other version do not count

    def embed(self, audio: TrackAudio) -> SystemOutput: ...

    def similarities(self) -> Mapping[str, Similarity]:
        """Return the similarities to evaluate, by their labels in the table."""
        ...


class Similarity(Protocol):
    """From the arrays of a pool's tracks (n, ...) to similarities (n, n), higher being closer."""

    def __call__(self, pool: Arrays, /) -> NDArray[np.float64]: ...


def cosine(vectors: Array) -> Array:
    """Return the cosines (n, n) of vectors (n, d)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.T)


def closeness(vectors: Array) -> Array:
    """Return negative Euclidean distances (n, n) of vectors (n, d)."""
    squares = np.square(vectors).sum(axis=1)
    distances: Array = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0.0))
    return -distances


def z_scored(vectors: Array) -> Array:
    """Scale each column to mean 0 and deviation 1 over the pool; constant ones become 0. NaN rows do not take part."""
    deviation = np.nanstd(vectors, axis=0)
    scores: Array = (vectors - np.nanmean(vectors, axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scores


def compared(name: str, measure: Callable[[Array], Array], z: bool = False) -> Callable[[Arrays], Array]:
    """Return a similarity of the pool's array of this name; with `z`, of its z-scores over the pool."""

    def similarity(pool: Arrays) -> Array:
        vectors = pool[name].astype(np.float64).reshape(len(pool[name]), -1)
        return measure(z_scored(vectors) if z else vectors)

    return similarity


def mutual_proximity(similarity: Array) -> Array:
    """Return the probability that two tracks are each other's neighbours, from similarities (n, n), n at least 3.

    Written independently of `resonance_engine.search.ranking`, as an oracle for it. Each track's distances to all
    others are taken as normally distributed, and independent of the other track's (Schnitzer et al. 2012, Local and
    global scaling reduce hubs in space, the Gaussian variant). A track's similarity to itself does not take part; rows
    and columns that are NaN stay so.
    """
    others = np.where(np.eye(len(similarity), dtype=bool), np.nan, similarity)
    known = ~np.isnan(others).all(axis=1)
    farther = np.full(similarity.shape, np.nan)
    rows = others[known]
    mean, deviation = np.nanmean(rows, axis=1, keepdims=True), np.nanstd(rows, axis=1, keepdims=True)
    farther[known] = ndtr((similarity[known] - mean) / np.where(deviation > 0, deviation, 1.0))
    both: Array = farther * farther.T
    return both


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
