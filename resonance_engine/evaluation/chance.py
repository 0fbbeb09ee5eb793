"""Expected values of the retrieval metrics under a random ranking: exact, without sampling.

A query has `candidates` tracks to rank, `relevant` of which belong with it; all orders are equally likely. Every
function returns one value per query, NaN where nothing is relevant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resonance_engine.evaluation.metrics import CUTS

if TYPE_CHECKING:
    from resonance_engine.evaluation.metrics import Relevance

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def chance_scores(relevance: Relevance) -> dict[str, Array]:
    """Return the expected values of `metrics.query_scores`."""
    counts = relevance.allowed.sum(axis=1), relevance.relevant.sum(axis=1)
    recalls = {f"recall@{k}": recall_at(*counts, k) for k in CUTS}
    return {**recalls, "mrr": reciprocal_rank(*counts), "map": average_precision(*counts)}


def recall_at(candidates: Counts, relevant: Counts, k: int) -> Array:
    """One less the probability that none of the first k is relevant: 1 - C(n - r, k) / C(n, k)."""
    missed = np.ones(len(candidates))
    for place in range(k):
        missed *= np.clip(candidates - relevant - place, 0, None) / np.clip(candidates - place, 1, None)
    return where_answerable(relevant, 1.0 - missed)


def reciprocal_rank(candidates: Counts, relevant: Counts) -> Array:
    """Sum over places of (probability that the first relevant track stands there) / place."""
    values = np.zeros(len(candidates))
    none_before = np.ones(len(candidates))
    for place in range(1, int(candidates.max(initial=0)) + 1):
        here = np.clip(relevant / np.clip(candidates - place + 1, 1, None), 0.0, 1.0)
        values += none_before * here / place
        none_before *= 1.0 - here
    return where_answerable(relevant, values)


def average_precision(candidates: Counts, relevant: Counts) -> Array:
    """(H_n + (r - 1) (n - H_n) / (n - 1)) / n with the harmonic number H_n (Bestgen 2015)."""
    n = np.maximum(candidates, 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(n.max(initial=1)) + 1))])[n]
    others = (relevant - 1) / np.maximum(n - 1, 1)
    return where_answerable(relevant, (harmonic + others * (n - harmonic)) / n)


def where_answerable(relevant: Counts, values: Array) -> Array:
    return np.where(relevant > 0, values, np.nan)
