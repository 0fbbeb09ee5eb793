"""Retrieval metrics: does a track's neighbourhood hold the tracks that belong with it?

Similarities are square arrays (queries × candidates), higher is closer; a track never counts as its own neighbour.
Every function gives one value per query, NaN for a query that nothing relevant exists for, so that means, paired
differences and bootstrap intervals can be taken afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Relevance:
    """Which candidates count for which query.

    `relevant` and `allowed` are boolean (queries, candidates). What is not allowed is taken out of the ranking before
    anything is counted (the query itself, or its artist's other tracks under an artist filter).
    """

    relevant: NDArray[np.bool_]
    allowed: NDArray[np.bool_]

    def without(self, labels: Sequence[str]) -> Relevance:
        """The same, with the candidates that share the query's label taken out; an empty label takes none out."""
        allowed = self.allowed & ~matches(labels)
        return Relevance(self.relevant & allowed, allowed)


def same_label(labels: Sequence[str], filtered: Sequence[str] | None = None) -> Relevance:
    """Tracks of one label belong together; candidates that share the query's `filtered` label do not take part.

    An empty label matches nothing: tracks without an artist stay in under an artist filter.
    """
    others = ~np.eye(len(labels), dtype=bool)
    unfiltered = Relevance(matches(labels) & others, others)
    return unfiltered if filtered is None else unfiltered.without(filtered)


def matches(labels: Sequence[str]) -> NDArray[np.bool_]:
    values = np.array(labels, np.str_)
    equal: NDArray[np.bool_] = (values[:, None] == values[None, :]) & (values != "")[:, None]
    return equal


def ranked_relevance(similarity: Array, relevance: Relevance) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """For each query its allowed candidates' relevance in ranked order, and how many candidates it has.

    Ties keep the candidates' order; places past the last allowed candidate are False.
    """
    scores = np.where(relevance.allowed, similarity, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(relevance.relevant & relevance.allowed, order, axis=1)
    return hits, relevance.allowed.sum(axis=1)


def recall_at(hits: NDArray[np.bool_], k: int) -> Array:
    """R@k: 1 where at least one of the first k is relevant."""
    return answered(hits, np.asarray(hits[:, :k].any(axis=1), np.float64))


def precision_at(hits: NDArray[np.bool_], k: int) -> Array:
    """P@k: the share of relevant tracks among the first k."""
    return answered(hits, hits[:, :k].sum(axis=1).astype(np.float64) / k)


def average_precision(hits: NDArray[np.bool_]) -> Array:
    """AP: the mean, over the relevant tracks, of the precision at their places."""
    places = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / places
    means: Array = (precisions * hits).sum(axis=1) / np.maximum(hits.sum(axis=1), 1)
    return answered(hits, means)


def reciprocal_rank(hits: NDArray[np.bool_]) -> Array:
    """RR: one over the place of the first relevant track."""
    return answered(hits, 1.0 / (hits.argmax(axis=1) + 1.0) if hits.shape[1] else np.zeros(len(hits)))


def answered(hits: NDArray[np.bool_], values: Array) -> Array:
    """The values of the queries that something relevant exists for, NaN for the others."""
    return np.where(hits.any(axis=1), values, np.nan)


def hub_skewness(similarity: Array, k: int = 10) -> float:
    """Skewness of the k-occurrence: how unevenly tracks appear among others' first k (Radovanović et al. 2010)."""
    scores = np.where(np.eye(len(similarity), dtype=bool), -np.inf, similarity)
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    counts = np.bincount(nearest.ravel(), minlength=len(similarity)).astype(np.float64)
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0


def bootstrap_interval(
    values: Array, groups: Sequence[str], rng: np.random.Generator, draws: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean of `values` when whole groups (soundtracks, albums) are drawn with replacement.

    NaN values do not take part; without any other, the interval is NaN.
    """
    known = ~np.isnan(values)
    if not known.any():
        return math.nan, math.nan
    _, member = np.unique(np.array(groups)[known], return_inverse=True)
    sums = np.bincount(member, weights=values[known])
    sizes = np.bincount(member)
    picks = rng.integers(0, len(sums), size=(draws, len(sums)))
    means = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
