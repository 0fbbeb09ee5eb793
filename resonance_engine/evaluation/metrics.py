"""Retrieval metrics of rankings by similarity, and their expected values under a random ranking.

Similarities are square arrays (queries × candidates), higher is closer; a track is not a candidate of its own query.
Every metric returns one value per query, NaN for a query without a relevant candidate, so that means, paired
differences and bootstrap intervals can be taken afterwards. Expected values are of a query with `candidates` tracks to
rank, `relevant` of which belong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

CUTS = (1, 5, 10, 20)
QUERIES_AT_A_TIME = 1024  # of segments


@dataclass(frozen=True)
class Relevance:
    """The relevant and the allowed candidates of each query, boolean (queries, candidates).

    A candidate that is not allowed is taken out of the ranking before anything is counted: the query itself, or its
    artist's other tracks under an artist filter.
    """

    relevant: NDArray[np.bool_]
    allowed: NDArray[np.bool_]

    def without(self, labels: Sequence[str]) -> Relevance:
        """Filter out the candidates that share the query's label; an empty label filters nothing."""
        allowed = self.allowed & ~equal_labels(labels)
        return Relevance(self.relevant & allowed, allowed)


def same_label(labels: Sequence[str], filtered: Sequence[str] | None = None) -> Relevance:
    """Make tracks of one label relevant to each other, and filter out candidates that share the query's `filtered` one.

    An empty label matches nothing: tracks without an artist stay in under an artist filter.
    """
    others = ~np.eye(len(labels), dtype=bool)
    unfiltered = Relevance(equal_labels(labels) & others, others)
    return unfiltered if filtered is None else unfiltered.without(filtered)


def equal_labels(labels: Sequence[str]) -> NDArray[np.bool_]:
    """Return which pairs (n, n) have the same label; an empty one equals none."""
    values = np.array(labels, np.str_)
    equal: NDArray[np.bool_] = (values[:, None] == values[None, :]) & (values != "")[:, None]
    return equal


def query_scores(vectors: NDArray[np.float32], relevance: Relevance) -> dict[str, Array]:
    """Compute recall@1, 5, 10, 20, mrr and map of every vector (n, d) of unit length as a query, ranked by cosine."""
    hits, _ = ranked_relevance((vectors @ vectors.T).astype(np.float64), relevance)
    recalls = {f"recall@{k}": recall_at(hits, k) for k in CUTS}
    return {**recalls, "mrr": reciprocal_rank(hits), "map": average_precision(hits)}


def ranked_relevance(similarity: Array, relevance: Relevance) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return each query's relevance in ranked order (queries, candidates), and its number of allowed candidates.

    Ties keep the candidates' order; places past the last allowed candidate are False.
    """
    scores = np.where(relevance.allowed, similarity, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(relevance.relevant & relevance.allowed, order, axis=1)
    return hits, relevance.allowed.sum(axis=1)


def recall_at(hits: NDArray[np.bool_], k: int) -> Array:
    """R@k: 1 where at least one of the first k is relevant."""
    return where_answerable(hits, np.asarray(hits[:, :k].any(axis=1), np.float64))


def precision_at(hits: NDArray[np.bool_], k: int) -> Array:
    """P@k: the share of relevant tracks among the first k."""
    return where_answerable(hits, hits[:, :k].sum(axis=1).astype(np.float64) / k)


def average_precision(hits: NDArray[np.bool_]) -> Array:
    """AP: the mean, over the relevant tracks, of the precision at their places."""
    places = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / places
    means: Array = (precisions * hits).sum(axis=1) / np.maximum(hits.sum(axis=1), 1)
    return where_answerable(hits, means)


def reciprocal_rank(hits: NDArray[np.bool_]) -> Array:
    """RR: one over the place of the first relevant track."""
    return where_answerable(hits, 1.0 / (hits.argmax(axis=1) + 1.0) if hits.shape[1] else np.zeros(len(hits)))


def where_answerable(hits: NDArray[np.bool_], values: Array) -> Array:
    """Keep the values of queries that have a relevant candidate, NaN for the others."""
    return np.where(hits.any(axis=1), values, np.nan)


def chance_scores(relevance: Relevance) -> dict[str, Array]:
    """Return the expected values of `query_scores`, in closed form: all orders are equally likely."""
    counts = relevance.allowed.sum(axis=1), relevance.relevant.sum(axis=1)
    recalls = {f"recall@{k}": expected_recall(*counts, k) for k in CUTS}
    return {**recalls, "mrr": expected_reciprocal_rank(*counts), "map": expected_average_precision(*counts)}


def expected_recall(candidates: Counts, relevant: Counts, k: int) -> Array:
    """One less the probability that none of the first k is relevant: 1 - C(n - r, k) / C(n, k)."""
    missed = np.ones(len(candidates))
    for place in range(k):
        missed *= np.clip(candidates - relevant - place, 0, None) / np.clip(candidates - place, 1, None)
    return np.where(relevant > 0, 1.0 - missed, np.nan)


def expected_reciprocal_rank(candidates: Counts, relevant: Counts) -> Array:
    """Sum over places of (probability that the first relevant track stands there) / place."""
    values = np.zeros(len(candidates))
    none_before = np.ones(len(candidates))
    for place in range(1, int(candidates.max(initial=0)) + 1):
        here = np.clip(relevant / np.clip(candidates - place + 1, 1, None), 0.0, 1.0)
        values += none_before * here / place
        none_before *= 1.0 - here
    return np.where(relevant > 0, values, np.nan)


def expected_average_precision(candidates: Counts, relevant: Counts) -> Array:
    """(H_n + (r - 1) (n - H_n) / (n - 1)) / n with the harmonic number H_n (Bestgen 2015)."""
    n = np.maximum(candidates, 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(n.max(initial=1)) + 1))])[n]
    others = (relevant - 1) / np.maximum(n - 1, 1)
    return np.where(relevant > 0, (harmonic + others * (n - harmonic)) / n, np.nan)


def segment_recall(windows: NDArray[np.float32], song: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return 1 for each window (n, d) of unit length whose nearest other window is of the same `song` (n,), else 0.

    The candidates are all windows of other songs and the other windows of its own song; ties go to the earlier one.
    NaN for the only window of a song. Windows of a short song may overlap, which makes this an easy task: it
    shows whether training has begun to work, not which model to choose.
    """
    values = np.empty(len(windows))
    for start in range(0, len(windows), QUERIES_AT_A_TIME):
        rows = np.arange(start, min(start + QUERIES_AT_A_TIME, len(windows)))
        similarity = windows[rows] @ windows.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        values[rows] = song[similarity.argmax(axis=1)] == song[rows]
    return np.where(sibling_counts(song) > 0, values, np.nan)


def segment_chance(song: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the expected value of `segment_recall` of each window when the nearest is random."""
    others = sibling_counts(song)
    return np.where(others > 0, others / max(len(song) - 1, 1), np.nan)


def sibling_counts(song: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the other windows of each window's song."""
    _, member, counts = np.unique(song, return_inverse=True, return_counts=True)
    return np.asarray(counts[member] - 1, np.int64)
