"""Compare rankings (feedback, diversity, mutual proximity) by running the search with each song as a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking
from resonance_engine.search.selection import find_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.evaluation.metrics import Array, Relevance

SHOWN = 20  # tracks in a list, as a query shows by default
FIRST = 5
MOST_QUERIES = 1000  # run one by one, a few milliseconds each
PLAIN = "plain"
PROXIMITY = "mutual proximity"
RANKINGS = {
    PLAIN: Ranking(SHOWN, hubness="none"),
    "PRF 5": Ranking(SHOWN, prf=5, hubness="none"),
    "MMR 0.3": Ranking(SHOWN, rerank="mmr", lambda_div=0.3, hubness="none"),
    "PRF 5 + MMR 0.3": Ranking(SHOWN, prf=5, rerank="mmr", lambda_div=0.3, hubness="none"),
    PROXIMITY: Ranking(SHOWN),
    "mutual + PRF 5": Ranking(SHOWN, prf=5),
    "mutual + MMR 0.3": Ranking(SHOWN, rerank="mmr", lambda_div=0.3),
}


@dataclass(frozen=True, eq=False)
class ListScores:
    """Scores of the lists of all queries, one value per query, NaN where nothing is relevant.

    `recall` is recall@5; `reciprocal_rank` is that of the first relevant track of the list, 0 where the list has none;
    `alike` is the mean cosine of the list's tracks with one another: diversity shall lower it.
    """

    recall: Array
    reciprocal_rank: Array
    alike: Array


def evaluate_ranking(vectors: NDArray[np.float32], relevance: Relevance, ranking: Ranking) -> ListScores:
    """Search an exact index of the vectors (n, d) of unit length for each of them with this ranking.

    Of more than 1000 answerable queries, a fixed random sample of 1000 is run.
    """
    index = VectorIndex(np.arange(len(vectors)), vectors)
    values = np.full((3, len(vectors)), np.nan)
    answerable = np.flatnonzero(relevance.relevant.any(axis=1))
    if len(answerable) > MOST_QUERIES:
        answerable = np.random.default_rng(0).choice(answerable, MOST_QUERIES, replace=False)
    for query in answerable:
        excluded = np.flatnonzero(~relevance.allowed[query])
        results = find_neighbours(index, vectors[query, None], ranking, exclude=excluded)
        ids = np.array([result.id for result in results])
        hits = relevance.relevant[query, ids]
        first = 1.0 / (hits.argmax() + 1.0) if hits.any() else 0.0
        values[:, query] = hits[:FIRST].any(), first, mean_cosine(vectors[ids])
    return ListScores(*values)


def mean_cosine(vectors: NDArray[np.float32]) -> float:
    """Return the mean cosine over all pairs of unit vectors (n, d); NaN for fewer than two."""
    count = len(vectors)
    if count < 2:
        return float("nan")
    return float((np.square(vectors.sum(axis=0)).sum() - count) / (count * (count - 1)))
