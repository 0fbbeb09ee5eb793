"""The columns: what a pool's similarities are worth, query by query, and intervals of means and differences."""

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
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RECALL, PRECISION, MAP = "same-soundtrack R@1", "P@10", "mAP"
ARTIST, FILTERED = "same-artist mAP", "artist-filtered R@1"
QUALITY = (RECALL, PRECISION, MAP, ARTIST, FILTERED)
HUBS = "hub skew@10"
LAST = -1e300  # below every similarity, above what does not take part


@dataclass(frozen=True)
class Tracks:
    """The corpus as it is asked about: a soundtrack, an artist (empty where unnamed) and a fold per track."""

    paths: tuple[str, ...]
    soundtracks: tuple[str, ...]
    artists: tuple[str, ...]
    fold: NDArray[np.intp]

    def pools(self) -> list[NDArray[np.intp]]:
        """The places of each fold's tracks."""
        return [np.flatnonzero(self.fold == number) for number in np.unique(self.fold)]


@dataclass(frozen=True, eq=False)
class Scores:
    """One row of the table: a value per track as a query and column, NaN where there is nothing to find.

    `occurrence` (tracks,) is how many others of its pool have a track among their ten nearest.
    """

    queries: dict[str, Array]
    occurrence: Array
    corrected: Array  # the occurrence under mutual proximity


def scores(tracks: Tracks, similarities: Sequence[Array]) -> Scores:
    """All columns of a system from its similarities within each pool, in the order of `Tracks.pools`.

    A row that is NaN stands for a track that the system failed on: as a candidate it comes last, as a query it has
    no value.
    """
    values = {column: np.full(len(tracks.paths), np.nan) for column in QUALITY}
    occurrence, corrected = np.zeros((2, len(tracks.paths)))
    for places, similarity in zip(tracks.pools(), similarities, strict=True):
        soundtracks = [tracks.soundtracks[place] for place in places]
        artists = [tracks.artists[place] for place in places]
        known = ~np.isnan(similarity).all(axis=1)
        ranked = np.nan_to_num(similarity, nan=LAST)
        hits, _ = ranked_relevance(ranked, same_label(soundtracks))
        found = {RECALL: recall_at(hits, 1), PRECISION: precision_at(hits, 10), MAP: average_precision(hits)}
        found[ARTIST] = average_precision(ranked_relevance(ranked, same_label(artists))[0])
        found[FILTERED] = recall_at(ranked_relevance(ranked, same_label(soundtracks, artists))[0], 1)
        for column, each in found.items():
            values[column][places] = np.where(known, each, np.nan)
        occurrence[places] = occurrence_counts(ranked)
        corrected[places] = occurrence_counts(np.nan_to_num(mutual_proximity(similarity), nan=LAST))
    return Scores(values, occurrence, corrected)


def fold_skewness(tracks: Tracks, counts: Array) -> float:
    """Mean over the pools of the skewness within each."""
    return float(np.mean([skewness(counts[places]) for places in tracks.pools()]))


def best_per_column(rows: Mapping[str, Scores], columns: Sequence[str] = QUALITY) -> dict[str, str]:
    """For each column the row with the highest mean."""
    return {column: max(rows, key=lambda name: float(np.nanmean(rows[name].queries[column]))) for column in columns}
