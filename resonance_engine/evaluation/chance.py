"""What the retrieval metrics come to on average when a ranking is drawn by lot: exact, no drawing needed.

A query has `candidates` tracks to rank, `relevant` of which belong with it; all orders are equally likely. Every
function gives one value per query, NaN where nothing is relevant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def recall_at(candidates: Counts, relevant: Counts, k: int) -> Array:
    """One less the chance that all of the first k come from those that are not relevant: C(n - r, k) / C(n, k)."""
    missed = np.ones(len(candidates))
    for place in range(k):
        missed *= np.clip(candidates - relevant - place, 0, None) / np.clip(candidates - place, 1, None)
    return answerable(relevant, 1.0 - missed)


def reciprocal_rank(candidates: Counts, relevant: Counts) -> Array:
    """Sum over places of (chance that the first relevant track stands there) / place."""
    values = np.zeros(len(candidates))
    none_before = np.ones(len(candidates))
    for place in range(1, int(candidates.max(initial=0)) + 1):
        here = np.clip(relevant / np.clip(candidates - place + 1, 1, None), 0.0, 1.0)
        values += none_before * here / place
        none_before *= 1.0 - here
    return answerable(relevant, values)


def average_precision(candidates: Counts, relevant: Counts) -> Array:
    """(H_n + (r - 1) (n - H_n) / (n - 1)) / n with the harmonic number H_n (Bestgen 2015)."""
    n = np.maximum(candidates, 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(n.max(initial=1)) + 1))])[n]
    others = (relevant - 1) / np.maximum(n - 1, 1)
    return answerable(relevant, (harmonic + others * (n - harmonic)) / n)


def answerable(relevant: Counts, values: Array) -> Array:
    return np.where(relevant > 0, values, np.nan)
