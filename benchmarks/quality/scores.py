"""Score a system by its similarities within each pool: one value per query and column of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.similarity import Array, mutual_proximity
from resonance_engine.evaluation.metrics import (
    average_precision,
    precision_at,
    ranked_relevance,
    recall_at,
    same_label,
)
from resonance_engine.evaluation.statistics import occurrence_counts, skewness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.cache import CorpusEmbeddings
    from benchmarks.quality.systems import Similarity

RECALL, PRECISION, MAP = "same-soundtrack R@1", "P@10", "mAP"
ARTIST, FILTERED = "same-artist mAP", "artist-filtered R@1"
QUALITY = (RECALL, PRECISION, MAP, ARTIST, FILTERED)
LAST = -1e300  # below every similarity, above the candidates that are filtered out


@dataclass(frozen=True)
class CorpusLabels:
    """The corpus' metadata: a path, a soundtrack, an artist (empty where unknown) and a fold per track."""

    paths: tuple[str, ...]
    soundtracks: tuple[str, ...]
    artists: tuple[str, ...]
    fold: NDArray[np.intp]

    def pools(self) -> list[NDArray[np.intp]]:
        """Return the places of each fold's tracks."""
        return [np.flatnonzero(self.fold == number) for number in np.unique(self.fold)]

    def sample(self, count: int) -> list[str]:
        """Return the paths of `count` tracks, taken from all soundtracks in turns."""
        turns: dict[str, int] = {}
        ranked = []
        for path, soundtrack in zip(self.paths, self.soundtracks, strict=True):
            turns[soundtrack] = turns.get(soundtrack, -1) + 1
            ranked.append((turns[soundtrack], soundtrack, path))
        sampled = {path for *_, path in sorted(ranked)[:count]}
        return [path for path in self.paths if path in sampled]


@dataclass(frozen=True, eq=False)
class SystemScores:
    """A row of the table: a value per query and column, NaN where nothing is relevant.

    `occurrence` (tracks,) is the k-occurrence at 10 of each track within its pool, `corrected` that under mutual
    proximity.
    """

    queries: dict[str, Array]
    occurrence: Array
    corrected: Array


def score_embeddings(labels: CorpusLabels, embeddings: CorpusEmbeddings, similarity: Similarity) -> SystemScores:
    """Score a similarity in every pool; a track that the system failed on has NaN for its row and column."""
    similarities = []
    for places in labels.pools():
        known, arrays = embeddings.stack([labels.paths[place] for place in places])
        full = np.full((len(places), len(places)), np.nan)
        if known:
            full[np.ix_(known, known)] = similarity(arrays)
        similarities.append(full)
    return score_similarities(labels, similarities)


def score_similarities(labels: CorpusLabels, similarities: Sequence[Array]) -> SystemScores:
    """Compute all columns from the similarities within each pool, in the order of `CorpusLabels.pools`.

    A row of NaN is a track that the system failed on: as a candidate it comes last, as a query it has no value.
    """
    values = {column: np.full(len(labels.paths), np.nan) for column in QUALITY}
    occurrence, corrected = np.zeros((2, len(labels.paths)))
    for places, similarity in zip(labels.pools(), similarities, strict=True):
        soundtracks = [labels.soundtracks[place] for place in places]
        artists = [labels.artists[place] for place in places]
        known = ~np.isnan(similarity).all(axis=1)
        ranked = np.nan_to_num(similarity, nan=LAST)
        hits, _ = ranked_relevance(ranked, same_label(soundtracks))
        columns = {RECALL: recall_at(hits, 1), PRECISION: precision_at(hits, 10), MAP: average_precision(hits)}
        columns[ARTIST] = average_precision(ranked_relevance(ranked, same_label(artists))[0])
        columns[FILTERED] = recall_at(ranked_relevance(ranked, same_label(soundtracks, artists))[0], 1)
        for column, scores in columns.items():
            values[column][places] = np.where(known, scores, np.nan)
        occurrence[places] = occurrence_counts(ranked)
        corrected[places] = occurrence_counts(np.nan_to_num(mutual_proximity(similarity), nan=LAST))
    return SystemScores(values, occurrence, corrected)


def fold_skewness(labels: CorpusLabels, counts: Array) -> float:
    """Return the mean over the pools of the skewness within each."""
    return float(np.mean([skewness(counts[places]) for places in labels.pools()]))
