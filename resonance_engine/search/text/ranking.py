"""Candidates by words: how well recordings fit what is said, alone or beside seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.ranking import CandidatePool, aversion, pooled
from resonance_engine.search.text.scoring import combined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.search.query import Query, Ranking

    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TextFit:
    """How well recordings fit some words: vector `ids` (n,), ascending, and `fit` (n,) in standard deviations."""

    ids: Ids
    fit: Array

    def within(self, asked: Query) -> TextFit:
        """Those that may come up in a query."""
        may = asked.vectors.has(self.ids) & ~np.isin(self.ids, np.fromiter(asked.exclude, np.int64))
        if asked.allowed is not None:
            may &= np.isin(self.ids, asked.allowed)
        return TextFit(self.ids[may], self.fit[may])

    def best(self, size: int) -> Ids:
        """The ids that fit best, in order; of equal ones the lower first."""
        return self.ids[np.lexsort((self.ids, -self.fit))[:size]]

    def of(self, ids: Ids) -> Array:
        """The fit of some ids; of those that nothing is known of, a typical one."""
        if not len(self.ids):
            return np.zeros(len(ids))
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[rows] == ids, self.fit[rows], 0.0)


def spoken_pool(spoken: TextFit, asked: Query, ranking: Ranking, size: int) -> CandidatePool:
    """The candidates that fit words best, for a query without seeds.

    The score says which share of recordings would fit a single word worse: 0.98 stands out like two in a hundred. It is
    less for closeness to a negative seed, as in `ranking.pooled`.
    """
    ids = spoken.best(size)
    vectors = asked.vectors.vectors(ids)
    scores = np.array([share_below(each) for each in spoken.of(ids)]) - aversion(asked, ranking.hubness, vectors)
    order = np.lexsort((ids, -scores))
    return CandidatePool(ids[order], scores[order], vectors[order], size >= len(spoken.ids))


def share_below(deviations: float) -> float:
    """The share of recordings that fit worse than one so many standard deviations above the mean."""
    return NormalDist().cdf(deviations)


def combined_pool(spoken: TextFit, ready: Query, ranking: Ranking, size: int) -> CandidatePool:
    """The candidates that are close to seeds and fit words, half by half; `ready` comes from `ranking.sharpened`."""
    close = pooled(ready, ranking, size)
    wanted = np.union1d(close.ids, spoken.best(size))
    # As large as the index: all of them, and not only those near to a seed.
    judged = pooled(replace(ready, allowed=wanted), ranking, len(ready.vectors))
    scores = combined(judged.scores.astype(np.float32), spoken.of(judged.ids))
    order = np.lexsort((judged.ids, -scores))
    return CandidatePool(
        judged.ids[order], scores[order], judged.vectors[order], close.complete and size >= len(spoken.ids)
    )
