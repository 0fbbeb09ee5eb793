"""The columns: what a pool's similarities are worth, query by query, and intervals of means and differences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.similarity import Array, mutual_proximity
from resonance_engine.evaluation.retrieval import (
    average_precision,
    bootstrap_interval,
    precision_at,
    ranked_relevance,
    recall_at,
    same_label,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RECALL, PRECISION, MAP = "same-soundtrack R@1", "P@10", "mAP"
ARTIST, FILTERED = "same-artist mAP", "artist-filtered R@1"
QUALITY = (RECALL, PRECISION, MAP, ARTIST, FILTERED)
HUBS = "hub skew@10"
NEIGHBOURS = 10
DRAWS = 2000
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
        occurrence[places] = occurrences(ranked)
        corrected[places] = occurrences(np.nan_to_num(mutual_proximity(similarity), nan=LAST))
    return Scores(values, occurrence, corrected)


def occurrences(similarity: Array, k: int = NEIGHBOURS) -> Array:
    """How many others have each candidate among their first k; the same neighbours as `hub_skewness` counts."""
    ranked = np.where(np.eye(len(similarity), dtype=bool), -np.inf, similarity)
    nearest = np.argsort(-ranked, axis=1, kind="stable")[:, :k]
    return np.bincount(nearest.ravel(), minlength=len(similarity)).astype(np.float64)


def skewness(counts: Array) -> float:
    """Third standardised moment; 0 where nothing varies."""
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


def mean_of(values: Array, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Mean over the queries that have a value, with a bootstrap interval over soundtracks."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Estimate(math.nan)
    return Estimate(float(known.mean()), *bootstrap_interval(values, groups, np.random.default_rng(seed), DRAWS))


def difference(ours: Array, theirs: Array, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Mean of ours - theirs over the queries that both have, in pairs: soundtracks are drawn for both at once."""
    return mean_of(ours - theirs, groups, seed)


def skewness_of(counts: Array, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Skewness of k-occurrences over all pools' tracks, with a bootstrap interval over soundtracks."""
    return Estimate(skewness(counts), *interval(drawn_skewness(counts, groups, seed)))


def skewness_difference(ours: Array, theirs: Array, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Our skewness less theirs; below zero is better. Soundtracks are drawn for both at once."""
    drawn = drawn_skewness(ours, groups, seed) - drawn_skewness(theirs, groups, seed)
    return Estimate(skewness(ours) - skewness(theirs), *interval(drawn))


def drawn_skewness(counts: Array, groups: Sequence[str], seed: int) -> Array:
    """The skewness of each draw of whole groups, as many as there are, with replacement."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    powers = np.stack([np.bincount(member, weights=counts**power) for power in range(4)])
    picks = np.random.default_rng(seed).integers(0, powers.shape[1], size=(DRAWS, powers.shape[1]))
    size, first, second, third = powers[:, picks].sum(axis=2)
    mean, square, cube = first / size, second / size, third / size
    variance = np.maximum(square - mean**2, 0.0)
    moment = cube - 3 * mean * square + 2 * mean**3
    drawn: Array = np.divide(moment, variance**1.5, out=np.zeros_like(moment), where=variance > 0)
    return drawn


def interval(drawn: Array) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def fold_skewness(tracks: Tracks, counts: Array) -> float:
    """Mean over the pools of the skewness within each."""
    return float(np.mean([skewness(counts[places]) for places in tracks.pools()]))


def best_per_column(rows: Mapping[str, Scores], columns: Sequence[str] = QUALITY) -> dict[str, str]:
    """For each column the row with the highest mean."""
    return {column: max(rows, key=lambda name: float(np.nanmean(rows[name].queries[column]))) for column in columns}
