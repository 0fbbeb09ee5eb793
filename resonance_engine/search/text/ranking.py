"""Rank candidates by a text: by how well recordings fit it, alone or beside their similarity to seeds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.ranking import CandidatePool, fetch_candidates, negative_penalty, score_candidates
from resonance_engine.search.text.scoring import combine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.search.ranking import Query, Ranking

    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TextFit:
    """How well recordings fit a text: vector `ids` (n,), ascending, and `fit` (n,) in standard deviations."""

    ids: Ids
    fit: Array

    def restrict(self, query: Query) -> TextFit:
        """Keep the recordings that may come up in a query."""
        mask = query.vectors.has(self.ids) & ~np.isin(self.ids, np.fromiter(query.exclude, np.int64))
        if query.allowed is not None:
            mask &= np.isin(self.ids, query.allowed)
        return TextFit(self.ids[mask], self.fit[mask])

    def best(self, size: int) -> Ids:
        """Return the ids that fit best, in order; of equal ones the lower first."""
        return self.ids[np.lexsort((self.ids, -self.fit))[:size]]

    def of(self, ids: Ids) -> Array:
        """Return the fit of some ids; unknown ones fit like a typical recording."""
        if not len(self.ids):
            return np.zeros(len(ids))
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[rows] == ids, self.fit[rows], 0.0)


def rank_by_text(text_fit: TextFit, query: Query, ranking: Ranking, size: int) -> CandidatePool:
    """Rank the candidates that fit a text best, for a query without seeds.

    The score is the share of recordings that would fit a single word worse: 0.98 stands out like two in a hundred. The
    penalty for similarity to negative seeds is subtracted, as in `ranking.score_candidates`.
    """
    ids = text_fit.best(size)
    vectors = query.vectors.vectors(ids)
    scores = share_below(text_fit.of(ids)) - negative_penalty(query, ranking.hubness, vectors)
    return CandidatePool.ordered(ids, scores, vectors, size >= len(text_fit.ids))


def share_below(deviations: Array) -> Array:
    """Return the shares (n,) of recordings that fit worse than so many standard deviations above the mean."""
    cumulative = NormalDist().cdf
    return np.array([cumulative(each) for each in deviations.tolist()], np.float64)


def rank_by_text_and_seeds(text_fit: TextFit, query: Query, ranking: Ranking, size: int) -> CandidatePool:
    """Rank the candidates that are close to seeds and fit a text, half by half; the query is from `ranking.refine`."""
    near, complete = fetch_candidates(query, size)
    ids = np.union1d(near, text_fit.best(size))
    for index in {id(layer.index): layer.index for layer in query.layers}.values():
        ids = ids[index.has(ids)]
    vectors = query.vectors.vectors(ids)
    similarity = score_candidates(query, ranking.hubness, ids, vectors).astype(np.float32)
    scores = combine(similarity, text_fit.of(ids))
    return CandidatePool.ordered(ids, scores, vectors, complete and size >= len(text_fit.ids))
